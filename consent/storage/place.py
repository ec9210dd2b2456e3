"""The place on disk where a database lies: what it is on, what room it has, whether the file is still the same."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from consent.errors import ConfigurationError, LedgerUnavailable

#: File systems that several machines may write to at once. SQLite's write-ahead log needs memory that all
#: writers share (sqlite.org/wal.html), and file locks over a network are not to be relied on.
_NETWORK = frozenset(
    [
        *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ceph"),
        *("lustre", "gpfs", "gfs2", "ocfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"),
        *("fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.blobfuse2"),
    ]
)
_MOUNTS = Path("/proc/self/mounts")
Identity = tuple[int, int]


def require_local(path: Path, mounts: str | None = None) -> None:
    """ConfigurationError if *path* lies on a network file system, as far as the system tells.

    *mounts*: the text of ``/proc/self/mounts``; read now if None, and without it (not Linux) nothing is said.
    """
    if mounts is None:
        mounts = _MOUNTS.read_text(errors="surrogateescape") if _MOUNTS.exists() else ""
    kind = file_system(path, mounts)
    if kind in _NETWORK:
        raise ConfigurationError(
            f"CONSENT_DATABASE lies on a network file system ({kind}): {path}. SQLite is safe only on a disk "
            "of the machine itself: name a folder on one."
        )


def file_system(path: Path, mounts: str) -> str | None:
    """The type of the file system that *path* lies on, by the text of ``/proc/self/mounts``."""
    kinds: dict[Path, str] = {}
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        # Spaces, tabs, newlines and backslashes stand there as octal escapes, the rest as it is.
        for escape, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
            point = point.replace(escape, character)
        kinds[Path(point)] = kind  # of two mounts on one point the later one is on top
    real = Path(os.path.realpath(path))
    return next((kinds[folder] for folder in (real, *real.parents) if folder in kinds), None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one database file lies."""

    file: Path
    floor: int
    """Bytes that must stay free on its disk."""

    def beside(self, suffix: str) -> Path:
        """The file with *suffix* added to the database's whole name, such as ``ledger.sqlite3.lock``."""
        return self.file.with_name(self.file.name + suffix)

    def identity(self) -> Identity | None:
        """What tells this file from another of the same name; None while there is none."""
        try:
            found = os.stat(self.file)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def require_space(self) -> None:
        """LedgerUnavailable when less than the floor is free: the site needs the rest more."""
        if not self.floor:
            return
        free = shutil.disk_usage(self.file.parent).free
        if free < self.floor:
            raise LedgerUnavailable(
                f"only {free / 2**20:.0f} MiB are free on the disk of {self.file}; recording stops below "
                f"{self.floor / 2**20:.0f} MiB. Make room, or move the database to a larger disk.",
                retry_after=60,
            )

    def empty(self) -> bool:
        """Whether there is no file, or nothing in it yet."""
        try:
            return os.stat(self.file).st_size == 0
        except FileNotFoundError:
            return True

    def make_folder(self) -> None:
        """Make the folder that the file lies in, if the one above is there."""
        self.file.parent.mkdir(exist_ok=True)

    def create(self) -> None:
        """Make the file, readable by its owner only: it holds personal data.

        An existing file isn't touched: closing it here would release the locks SQLite holds on it
        (sqlite.org/howtocorrupt.html §2.2).
        """
        with suppress(FileExistsError):
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
