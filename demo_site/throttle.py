"""How many failed attempts are allowed, so that passwords can't be guessed."""

from collections import deque
from threading import Lock

#: Attempts under these many names are remembered; the oldest are forgotten first.
NAMES = 1000
EVERYBODY = ""


class Throttle:
    """At most *limit* failures per name, and twenty times as many for all names, in any span of *seconds*."""

    def __init__(self, limit: int = 5, seconds: float = 300) -> None:
        self.limit = limit
        self.seconds = seconds
        self._failures: dict[str, deque[float]] = {}
        self._lock = Lock()

    def refuses(self, name: str, now: float) -> bool:
        """Whether an attempt for *name* at *now* (seconds on any steady clock) comes too soon."""
        with self._lock:
            return self._count(name, now) >= self.limit or self._count(EVERYBODY, now) >= 20 * self.limit

    def failed(self, name: str, now: float) -> None:
        """Remembers a failure for *name* at *now*."""
        with self._lock:
            for key in (EVERYBODY, name):
                self._failures.setdefault(key, deque(maxlen=20 * self.limit)).append(now)
            if len(self._failures) > NAMES:
                del self._failures[next(key for key in self._failures if key != EVERYBODY)]

    def _count(self, name: str, now: float) -> int:
        times = self._failures.get(name, deque())
        while times and times[0] <= now - self.seconds:
            times.popleft()
        return len(times)
