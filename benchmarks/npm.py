"""Packages from npm's registry, each in an exact release, kept in the benchmark's own folder."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from benchmarks.environment import PATIENCE, Unavailable
from benchmarks.place import cache
from tests.browser.libraries import Unfetched, fetch, library, npm


def unpacked(package: str, release: str) -> Path:
    """The folder with the files of *package*, without what it depends on; Unavailable if npm can't get it."""
    home = cache() / f"{package}-{release}"
    if home.is_dir():
        return home
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        download(f"{package}@{release}", Path(folder))
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        shutil.move(Path(folder) / "package", home)
    return home


def download(what: str, folder: Path) -> None:
    """Have npm put the archive of *what* into *folder*."""
    command = [*npm(), "pack", "--silent", "--pack-destination", str(folder), what]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE, cwd=folder)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
        raise Unavailable(f"{what}, because npm said: {said[-1]}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{what}, because npm took over {PATIENCE} s") from error


def installed(name: str, *packages: str) -> Path:
    """The folder that has *packages* (``name@version``) and all they depend on in ``node_modules``."""
    home = cache() / "-".join([name, *(package.rpartition("@")[2] for package in packages)])
    try:
        if not home.is_dir():
            fetch(home, *packages)
    except Unfetched as error:
        raise Unavailable(str(error)) from error
    return home


def axe() -> str:
    """The source text of axe-core, in the release that the tests use."""
    try:
        return library("axe", cache()).decode()
    except Unfetched as error:
        raise Unavailable(str(error)) from error
