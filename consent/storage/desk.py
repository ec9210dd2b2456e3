"""Where checkpoints are signed: the key files, the guard beside them, and the lock that lets one sign at a time."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.errors import LedgerUnavailable
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.merkle import EMPTY_ROOT
from consent.ledger.note import Signer, sign
from consent.storage.files import replace, sweep
from consent.storage.keyfile import KeyFile
from consent.storage.queue import OutOfPatienceError, Queue

#: Seconds between two notes that one process signs for those who merely ask for the newest.
INTERVAL = 1.0


class FileDesk:
    """The desk at the key file *keys*, and at keys that are kept elsewhere, *others*.

    *served*: the database is on a server, to which many belong who only record; there nobody signs in passing.
    """

    def __init__(self, keys: KeyFile, others: Sequence[Signer] = (), *, served: bool) -> None:
        self.keys = keys
        self._others = tuple(others)
        self._served = served
        self._next = 0.0
        self._queues = {os.getpid(): self._queue()}

    def in_passing(self, *, eager: bool) -> bool:
        if self._served or not (eager or time.monotonic() >= self._next):
            return False
        self._next = time.monotonic() + INTERVAL
        return True

    @contextmanager
    def turn(self, patience: float) -> Iterator[None]:
        if os.getpid() not in self._queues:
            # Forked: with the parent's lock file the child would share the parent's lock.
            for parent in self._queues.values():
                parent.close()
            self._queues = {os.getpid(): self._queue()}
        try:
            with self._queues[os.getpid()].turn(time.monotonic() + patience):
                yield
        except OutOfPatienceError:
            raise LedgerUnavailable(
                f"Others were signing with {self.keys.path} for {patience:g} s. If that lasts, look for a process that "
                "hangs.",
                retry_after=2,
            ) from None

    def guard(self) -> str | None:
        try:
            return self.keys.guard.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return ""
        except OSError as error:
            raise LedgerUnavailable(
                f"The guard file can't be read ({error}). Let who signs read and write it.", retry_after=60
            ) from error

    def replace_guard(self, note: str) -> None:
        try:
            sweep(self.keys.guard)
            replace(self.keys.guard, note.encode())
        except OSError as error:
            raise LedgerUnavailable(
                f"The guard file {self.keys.guard} can't be written ({error}), so nothing is signed. Make room for it, "
                "and let who signs write to its folder.",
                retry_after=60,
            ) from error

    def set_guard_aside(self) -> Path | None:
        """Give the guard file another name, under which it stays as evidence; None if there was none.

        It is copied: the guard stays where it is until another is in its place.
        """
        try:
            data = self.keys.guard.read_bytes()
        except FileNotFoundError:
            return None
        number = 1
        while (aside := self.keys.guard.with_suffix(f".{number}.guard")).exists():
            if aside.read_bytes() == data:
                return aside
            number += 1
        replace(aside, data)
        return aside

    def keep_published(self, note: str) -> None:
        """Remember beside the guard that *note* was published, and when: the file's own time."""
        replace(self.keys.published, note.encode())

    def signers(self) -> Sequence[Signer]:
        return [
            *(Signer.of(key.origin, key.use()) for key in self.keys.ring() if key.path.exists()),
            *map(_explained, self._others),
        ]

    def _queue(self) -> Queue:
        return Queue(self.keys.guard.with_suffix(".guard.lock"))


def _explained(signer: Signer) -> Signer:
    """*signer*, whose failures say what to do."""

    def sign(data: bytes) -> bytes:
        try:
            return signer.sign(data)
        except Exception as error:  # the site's own function: its hardware module may raise anything
            raise LedgerUnavailable(
                f"The function that CONSENT_SIGNERS names for {signer.key} failed ({error!r}), so nothing is signed.",
                retry_after=60,
            ) from error

    return Signer(signer.key, sign)


class MemoryDesk:
    """The desk of a log in memory: its key and guard end with it."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        self._signer = Signer.of(origin, key)
        self._guard = sign(Checkpoint(origin, 0, EMPTY_ROOT).to_text(), self._signer)
        self._lock = Lock()

    def in_passing(self, *, eager: bool) -> bool:
        return True

    @contextmanager
    def turn(self, patience: float) -> Iterator[None]:
        with self._lock:
            yield

    def guard(self) -> str | None:
        return self._guard

    def replace_guard(self, note: str) -> None:
        self._guard = note

    def signers(self) -> Sequence[Signer]:
        return [self._signer]
