"""Pruning: leaves of the oldest entries go, once nothing is left of what they committed to.

It is an act on record: an event says below which index, a boundary between tiles. Only when that event lies under a
signed checkpoint is the bound raised, and only below the bound does the database let leaves go. The tiles stay, which
have the hashes of all entries: every root, proof and receipt holds as before. No leaf goes whose opening is there, nor
entry 0, nor what says under what the site ran, which keys it had, and what was pruned.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger.event import KEPT, Event, Kind
from consent.ledger.leaf import derived_id
from consent.ledger.ledger import Ledger
from consent.ledger.tile import WIDTH

#: Seconds that one step may take.
PATIENCE = 30.0
#: What the leaves have in them that are kept for ever.
MARKS = tuple(f'"kind":"{kind}"'.encode() for kind in sorted(KEPT))


class Placed(Protocol):
    """What is asked of a record here."""

    @property
    def index(self) -> int:
        """Its place in the log."""

    @property
    def leaf(self) -> bytes:
        """Its leaf."""

    @property
    def body(self) -> bytes | None:
        """None once its opening is erased."""


def stays(record: Placed) -> bool:
    """Whether the leaf of *record* stays, also where all around it is pruned."""
    return record.index == 0 or record.body is not None or any(mark in record.leaf for mark in MARKS)


def pruning(min_index: int, *, origin: str, time: datetime, policy: str | None, until: str | None) -> Event:
    """The event that says that leaves below *min_index* were pruned; its id follows from that.

    *until*: the latest hour of these entries, as it goes on record. ValueError unless *min_index* is the beginning of
    a tile after the first.
    """
    if min_index < WIDTH or min_index % WIDTH:
        raise ValueError(f"{min_index} is no boundary between tiles; the next is {boundary(min_index)}")
    return Event(
        id=derived_id("pruned", origin, str(min_index)),
        kind=Kind.PRUNED,
        time=time,
        policy=policy,
        min_index=min_index,
        detail={"until": until},
    )


def boundary(index: int) -> int:
    """The first boundary between tiles at or above *index*; that at 0 is none."""
    return max(1, -(-index // WIDTH)) * WIDTH


def declare(ledger: Ledger, event: Event, *, salt: bytes) -> int:
    """Put *event*, a ``pruning``, on record and seal it; its index. Done again it finds it.

    *salt*: 32 fresh random bytes. LedgerError where fewer entries are sealed.
    """
    if ledger.head().size < (event.min_index or 0):
        raise LedgerError(f"Fewer than {event.min_index} entries are sealed; nothing was pruned.")
    ledger.record_once(event, salt=salt, patience=PATIENCE)
    while ledger.seal(patience=PATIENCE):
        pass
    place = ledger.storage.place(event.id)
    if place is None:
        raise LedgerUnavailable(
            "What is to be pruned is on record, but somebody else is sealing. Run the command again.",
            retry_after=1,
        )
    return place[0]


def raise_bound(ledger: Ledger, event: Event) -> None:
    """Raise the bound to the index that *event* names, once its entry is signed; leaves below may go from then on.

    Where the key is, the tree is signed for it. LedgerUnavailable while no checkpoint is over that entry; LedgerError
    where the tree lacks tiles of those below, and SigningRefused as when it is signed.
    """
    if ledger.storage.desk is not None:
        ledger.sign(patience=PATIENCE)
    place = ledger.storage.place(event.id)
    if place is None or ledger.checkpoint(place[0], patience=PATIENCE) is None:
        raise LedgerUnavailable(
            "What is to be pruned is on record, but under no signed checkpoint yet, so nothing was pruned. Run "
            '"flask consent checkpoint" where the key is, and then this again.',
            retry_after=1,
        )
    ledger.storage.raise_bound(event.min_index or 0, event.id, patience=PATIENCE)


def drop(ledger: Ledger) -> Iterator[int]:
    """Delete all leaves that may go, some in each transaction; how many each time."""
    after: int | None = 0
    while after is not None:
        count, after = ledger.storage.prune(after, patience=PATIENCE)
        if count:
            yield count
