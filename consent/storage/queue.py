"""The queue in front of the database: one writer at a time, first come first served, nobody for ever.

SQLite's own waiting is a poll with growing pauses: of four writers one starves for seconds. Here the threads of
a process line up in memory, and the first of each process for a lock on a file beside the database, where the
system keeps the order. The queue only orders; what protects the data are SQLite's own locks.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class OutOfPatienceError(Exception):
    """The turn didn't come before the deadline."""


class Line:
    """A lock that threads get in the order in which they asked."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def enter(self, deadline: float) -> bool:
        """Wait for one's turn until *deadline* (``time.monotonic`` seconds); whether it came."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(max(0.0, deadline - time.monotonic())):
            return True
        with self._mutex:
            if turn.is_set():  # it came between the end of the wait and this line
                return True
            self._waiting.remove(turn)
            return False

    def leave(self) -> None:
        """Hand the turn to whoever waits longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class _Place(threading.Thread):
    """A place in the system's queue for the lock on *descriptor*.

    ``flock`` can't be told when to give up, so a thread waits for it. When its process loses patience the place
    is kept: the next in the process takes it over, and if none does, the lock is handed on at once when it comes.
    So a lock that never comes costs a process one idle thread, however many gave up on it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(name="consent-ledger-queue", daemon=True)
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._wanted = True
        self._come = False

    def run(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._changed:
            self._come = True
            if not self._wanted:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._changed.notify()

    def wait(self, deadline: float) -> bool | None:
        """Whether the lock came before *deadline*; None if it had come when nobody wanted it."""
        with self._changed:
            if self._come and not self._wanted:
                return None
            self._wanted = True
            self._changed.wait_for(lambda: self._come, max(0.0, deadline - time.monotonic()))
            self._wanted = self._come
            return self._come


class _FileLock:
    """The lock on one file, between processes; within a process one thread at a time uses this object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._place: _Place | None = None

    def take(self, deadline: float) -> bool:
        """Wait for the lock until *deadline*; whether it came. OSError if the file can't be opened."""
        if self._place is None:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                place = _Place(descriptor)
                place.start()
                self._place = place
        came = self._place.wait(deadline)
        if came is False:
            return False
        self._place = None
        return came or self.take(deadline)

    def _open(self) -> int:
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            self.close()  # deleted: others meet at the new file
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def release(self) -> None:
        # Unlocked by name and not by closing: a child forked meanwhile holds a copy of the descriptor.
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        # A thread that still waits goes on using its descriptor, which is closed with the process.
        if self._descriptor is not None and (self._place is None or not self._place.is_alive()):
            os.close(self._descriptor)
        self._descriptor = self._place = None


class Queue:
    """Turns at a database, across the threads and processes of one machine.

    *path* is the file to lock; None for a database within this process. Without ``flock`` (Windows) only the
    threads of a process are ordered.
    """

    def __init__(self, path: Path | None) -> None:
        self._line = Line()
        self._lock = _FileLock(path) if path is not None and sys.platform != "win32" else None

    @contextmanager
    def turn(self, deadline: float) -> Iterator[None]:
        """Have one's turn while the block runs.

        OutOfPatienceError when it didn't come before *deadline* (``time.monotonic`` seconds); OSError when the
        lock file can't be opened.
        """
        if not self._line.enter(deadline):
            raise OutOfPatienceError
        try:
            if self._lock is not None and not self._lock.take(deadline):
                raise OutOfPatienceError
            try:
                yield
            finally:
                if self._lock is not None:
                    self._lock.release()
        finally:
            self._line.leave()

    def close(self) -> None:
        """Let go of the lock file. Called in a forked child, it leaves the parent's turn alone."""
        if self._lock is not None:
            self._lock.close()
