"""A check of the whole log that is under way in a process: one at a time, followed while it runs."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from consent.audit.live import own_keys, verify_live
from consent.audit.untold import untold
from consent.errors import LedgerError
from consent.ledger import Ledger, Sealed
from consent.verify import Report, Unreadable

#: Seconds between two looks at how far it is, and after which something is sent in any case: proxies cut off silence.
LOOK, SILENCE = 0.25, 5.0
#: In so many parts its progress is told: the page stays short, however long the log is.
PARTS: Final = 50
#: After so many entries it is noted how far the check is.
OFTEN: Final = 64
#: Seconds after which a check is given up, so that nobody else has to wait for longer.
LONGEST: Final = 3600.0
BUSY: Final = (
    "Another check is under way in this process of the site. Wait until it is done, which takes an hour at most, "
    "and try again."
)
TOO_LONG: Final = (
    "The check took longer than an hour, so it was given up, and nothing is said of the log. Have a copy checked "
    "elsewhere, as is said below."
)

_one = threading.Lock()


class _Stopped(Exception):
    """Nobody waits for it any more."""


class _Busy(Exception):
    """Another is under way."""


class _TooLong(Exception):
    """It took ``LONGEST``."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is."""

    entries: int
    total: int
    again: bool
    """Whether something was found, and all is looked at once more."""


@dataclass(slots=True)
class Check:
    """The check of *ledger* against the texts *outside*. It runs while ``steps`` are taken, and ends with them."""

    ledger: Ledger
    outside: Sequence[tuple[str, str]] = ()
    report: Report | None = None
    """What came of it; None before its end, and when it could not be done."""
    problem: str | None = None
    """Why it could not be done."""
    seconds: float = 0.0
    """How long it took."""
    _step: Step | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)
    _begun: float = field(default=0.0, init=False)

    def steps(self) -> Iterator[Step | None]:
        """Run it, and say how far it is; None only to say that it is still running.

        Who takes no further step stops it.
        """
        self._begun = begun = time.monotonic()
        try:
            with ThreadPoolExecutor(1, "consent-check") as pool:
                work = pool.submit(self._verified)
                try:
                    yield from followed(lambda: self._step, lambda: bool(wait([work], LOOK).done))
                finally:
                    self._stopped = True
                self.report = work.result()
        except _Busy:
            self.problem = BUSY
        except _TooLong:
            self.problem = TOO_LONG
        except (LedgerError, Unreadable) as error:
            self.problem = untold("The check could not be finished, so nothing is said of the log.", error)
        finally:
            self.seconds = time.monotonic() - begun

    def _verified(self) -> Report:
        # Held no longer than the log is read: who takes no further step, as behind a connection that hangs,
        # keeps nobody else waiting.
        if not _one.acquire(blocking=False):
            raise _Busy
        try:
            notes = list[str]()
            keys = own_keys(self.ledger, notes.append)
            report = verify_live(
                self.ledger, keys, self.outside, progress=self._passing, now=datetime.now(UTC)
            )
            report.remarks += notes
            return report
        finally:
            _one.release()

    def _passing(self, records: Iterator[Sealed], total: int) -> Iterator[Sealed]:
        again = self._step is not None
        self._step = Step(0, total, again)
        for entries, record in enumerate(records, 1):
            if self._stopped:
                raise _Stopped
            if entries % OFTEN == 0:
                if time.monotonic() - self._begun > LONGEST:
                    raise _TooLong
                self._step = Step(entries, total, again)
            yield record
        self._step = Step(total, total, again)


def followed(how_far: Callable[[], Step | None], done: Callable[[], bool]) -> Iterator[Step | None]:
    """What *how_far* says, until *done*: only when that is another part of the whole; None after a silence."""
    told, at, running = None, time.monotonic(), True
    while running:
        running = not done()
        step = how_far()
        if step and (part := (step.again, PARTS * step.entries // max(step.total, 1))) != told:
            told, at = part, time.monotonic()
            yield step
        elif time.monotonic() - at > SILENCE:
            at = time.monotonic()
            yield None


def busy() -> bool:
    """Whether one is under way in this process."""
    return _one.locked()
