"""A bundle made while the site goes on: over the newest checkpoint, on record first, begun again if entries go."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Final

from consent.audit.export import bundle_of
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Checkpoint, Ledger, Sealed
from consent.ledger.bundle import Part
from consent.ledger.note import Note

#: How often a bundle is begun when entries are pruned meanwhile, and seconds in which that is waited for and looked at.
_TRIES, _PATIENCE, _LOOK = 5, 30.0, 0.2
#: Seconds that signing may take.
SIGNING: Final = 30.0


def copied(
    ledger: Ledger,
    write: Callable[[Iterable[Part]], None],
    *,
    openings: bool = True,
    span: tuple[date, date] | None = None,
    record: Callable[[int], None],
    progress: Callable[[Iterator[Sealed], int], Iterator[Sealed]],
    begun_again: Callable[[], None] = lambda: None,
    patience: float = SIGNING,
) -> str:
    """Have *write* write the bundle of *ledger*; the signed note that it is of.

    *record* puts on record, before anything is read, that openings of events below an index are handed out; *span* is
    the first and the last day that they are of. When entries were pruned meanwhile *begun_again* is called, and *write*
    once more. LedgerUnavailable when that goes on, and when signing takes longer than *patience* seconds; LedgerError
    also when there is no checkpoint.
    """

    def parts(note: str, remaining: tuple[int, int]) -> Iterator[Part]:
        # Begun when there is a place to write to: what can't be written is no export.
        if openings:
            record(Checkpoint.parse(Note.parse(note).text).size)
        bundle = bundle_of(ledger, note, pruned=remaining[0], openings=openings, span=span, progress=progress)
        yield from bundle.parts()
        # Else a part may lack what another has.
        if ledger.storage.remaining() != remaining:
            raise LedgerError("Entries were pruned while they were read.")

    for _ in range(_TRIES):
        # Asked first: the checkpoint is over the entry that says so.
        before = ledger.storage.remaining()
        try:
            note = newest_note(ledger, patience)
            write(parts(note, before))
            return note
        except LedgerError:
            if ledger.storage.remaining() == before:
                raise
        begun_again()
        _wait_for_pruning(ledger)
    raise LedgerUnavailable(
        "Entries are being pruned, so no bundle was made. Try again once that is done.", retry_after=60
    )


def newest_note(ledger: Ledger, patience: float = SIGNING) -> str:
    """The newest signed checkpoint; where the log's key is, of the tree as it is now. LedgerError if there is none."""
    note = ledger.checkpoint() if ledger.storage.desk is None else ledger.sign(patience=patience)
    if note is None:
        raise LedgerError("No checkpoint is signed yet. Run this where the key is: CONSENT_SIGNING_KEY.")
    return note


def _wait_for_pruning(ledger: Ledger) -> None:
    """Wait until for a moment nothing was pruned; half a minute at most."""
    deadline, before = time.monotonic() + _PATIENCE, None
    while (now := ledger.storage.remaining()) != before and time.monotonic() < deadline:
        before = now
        time.sleep(_LOOK)
