"""Files that appear whole and durable, or not at all."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def publish(path: Path, data: bytes) -> bool:
    """Write *data* to *path*, mode 0600, whole and durable or not at all; False if there was a file already."""
    with _written(path, data) as new:
        try:
            # Unlike a rename it never replaces; unlike O_EXCL it never shows a half-written file.
            os.link(new, path)
        except FileExistsError:
            return False
    return True


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write *data* to *path* in the place of what is there, whole and durable or not at all."""
    with _written(path, data, mode) as new:
        os.replace(new, path)


def sweep(path: Path) -> None:
    """Remove what a process left that was killed while it wrote *path*."""
    for left in path.parent.glob(f".{path.name}.*.new"):
        left.unlink(missing_ok=True)


@contextmanager
def _written(path: Path, data: bytes, mode: int = 0o600) -> Iterator[str]:
    """A file beside *path* that holds *data*, durably; gone when the block is left, which is then durable too."""
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.chmod(new, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        yield new
    finally:
        Path(new).unlink(missing_ok=True)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    if sys.platform == "win32":  # folders can't be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
