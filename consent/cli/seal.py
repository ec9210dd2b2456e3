"""``flask consent seal``: puts what was recorded under the tree's root, where recording doesn't do it by itself."""

import math
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import click

from consent.audit.recount import catch_up
from consent.cli.command import command, site_of
from consent.cli.terminal import complain, progressing, say
from consent.errors import LedgerError
from consent.ledger import Ledger
from consent.ledger.tile import WIDTH
from consent.storage.sequencer import BATCH
from consent.verify import counted

#: Seconds that one transaction may take.
_PATIENCE = 30.0
#: Seconds until the next try after one to count in a pause came to nothing, which the log may say each time.
_PAUSE = 60.0
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0}


class Stopping(Protocol):
    """Says, from another thread or process, when to stop."""

    def is_set(self) -> bool:
        """Whether that is now."""

    def wait(self, timeout: float) -> bool:
        """Wait until then, or for so many seconds; as ``is_set``."""


class Interval(click.ParamType[float]):
    """A number of seconds, such as ``1s``, ``500ms`` or ``2``."""

    name = "interval"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; click's own error for anything else."""
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|)", str(value))
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
        if not 0.05 <= seconds <= 3600:
            self.fail(f"{value!r} is no interval; expected 50ms to 3600s, such as 1s", param, ctx)
        return seconds


@command("seal", "flask consent seal", "flask consent seal --every 1s")
@click.option("--every", type=Interval(), metavar="INTERVAL", help="Go on, and seal so often, until stopped.")
@click.pass_context
def seal(ctx: click.Context, every: float | None) -> None:
    """Put what was recorded under the tree's root.

    On PostgreSQL recording an event is one step and sealing it another. Workers whose role may do so seal in
    passing; with --every this is a process of its own that does it, so that they needn't. Any number may run, on any
    machine: one seals at a time. In SQLite recording seals, and there is nothing to do but after an older release.

    While more waits than one batch, only that is done; what was sealed meanwhile is counted for the auditor's figures
    and searches afterwards, in the pauses.

    Where the log's key is (CONSENT_SIGNING_KEY), and that should be on one machine only, the tree is signed, too.
    """
    ledger = site_of(ctx).recorder.ledger
    if every is None:
        count = sum(batches(ledger))
        size = ledger.head().size
        say(f"Sealed {counted(count, 'event', 'events')}; the tree has {size:,}.")
        sign(ledger)
        count_rest(ledger, math.inf, threading.Event())
        if (rest := ledger.size() - ledger.counted()) >= WIDTH:
            complain(
                f"Events that aren't counted yet: {rest:,}. Figures and searches read each of them instead. Somebody "
                "else is sealing, counting or erasing, or what was counted is damaged. Look at: flask consent check"
            )
        return
    with until_stopped() as stopped:
        keep_sealing(ledger, every, stopped)


def keep_sealing(
    ledger: Ledger, every: float, stopped: Stopping, sealed: Callable[[], object] = lambda: None
) -> None:
    """Seal and sign *every* so many seconds until *stopped*; *sealed* is called each time that went well."""
    well, again = True, 0.0
    while not stopped.is_set():
        busy = True
        try:
            # A batch each second, and more, leaves no time for anything else; in a longer interval there is some.
            busy = seal_now(ledger, stopped) >= BATCH * max(1.0, every)
            sealed()
            well = True
        except LedgerError as error:
            # Also what only a person can mend: that may be done by the next time.
            if well:  # once, not with every try
                complain(f"Nothing was sealed or signed: {error} Trying again.")
            well = False
        due = time.monotonic() + every
        if not busy and time.monotonic() >= again and not count_rest(ledger, due, stopped):
            again = time.monotonic() + _PAUSE
        stopped.wait(due - time.monotonic())


def seal_now(ledger: Ledger, stopped: Stopping) -> int:
    """Seal what waits, and sign, unless *stopped* before; how many it was.

    What comes meanwhile waits for the next time: one batch costs less than many.
    """
    taken = 0
    for count in batches(ledger):
        taken += count
        if count < BATCH or stopped.is_set():
            break
    sign(ledger)
    return taken


def count_rest(ledger: Ledger, due: float, stopped: Stopping) -> bool:
    """Count what busier times have left for later, until *due* or *stopped*. What can't be counted now is left again.

    *due* is a moment of ``time.monotonic``. False if there was something to count and none of it was.
    """
    with suppress(LedgerError):
        before = ledger.counted()
        if ledger.size() - before < WIDTH:
            return True
        for _ in progressing(catch_up(ledger), ledger.size()):
            if stopped.is_set() or time.monotonic() >= due:
                break
        return ledger.counted() > before
    return False


def batches(ledger: Ledger) -> Iterator[int]:
    """Seal until nothing waits, or somebody else is sealing; how many at a time."""
    while count := ledger.seal(patience=_PATIENCE):
        yield count


def sign(ledger: Ledger) -> None:
    """Sign the tree where its key is, unless it is signed."""
    if ledger.storage.desk is not None and ledger.checkpoint(ledger.head().size - 1) is None:
        ledger.sign(patience=_PATIENCE)


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that is set once this process is asked to end."""
    stopped = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
