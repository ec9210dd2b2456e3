"""Pruning: leaves of the oldest entries go, once nothing is left of what they committed to.

It is an act on record: an event says below which index, a boundary between tiles. Only when that event lies under a
signed checkpoint is the bound raised, and only below the bound does the database let leaves go. The tiles stay, which
have the hashes of all entries: every root, proof and receipt holds as before. No leaf goes whose opening is there, nor
entry 0, nor what says under what the site ran, which keys it had, and what was pruned.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Protocol

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger.event import KEPT, Event, Kind
from consent.ledger.leaf import Leaf, derived_id
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How long a leaf has to be there before it may go, in whole days."""

    cookies: int
    """For which a cookie with the answer may live."""
    retention: int
    """For which it is kept after that."""

    def over(self, hour: datetime, now: datetime) -> bool:
        """Whether it is over by *now* for all that was recorded in the hour from *hour* on."""
        return hour + timedelta(hours=1, days=self.cookies + self.retention) <= now


def lasts(record: Placed) -> bool:
    """Whether the leaf of *record* stays for ever."""
    return record.index == 0 or any(mark in record.leaf for mark in MARKS)


def stays(record: Placed) -> bool:
    """Whether the leaf of *record* stays for now, also where all around it is pruned."""
    return record.body is not None or lasts(record)


def pruning(
    min_index: int, records: Iterable[Placed], *, origin: str, time: datetime, policy: str | None, span: Span
) -> Event:
    """The event that says that leaves below *min_index* were pruned, and what a verifier can hold against the rest.

    *records* are the log's, in order. Its id follows from the index. ValueError unless *min_index* is the beginning of
    a tile after the first; LedgerError unless *span* is over at *time* for all below, but for those that are dated
    after *time* and stay.
    """
    if min_index < WIDTH or min_index % WIDTH:
        raise ValueError(f"{min_index} is no boundary between tiles; the next is {boundary(min_index)}")
    lasting, count, still, latest = hashlib.sha256(), 0, 0, None
    for record in takewhile(lambda record: record.index < min_index, records):
        if lasts(record):
            lasting.update(record.index.to_bytes(8, "big"))
            count += 1
        elif record.body is not None:
            still += 1
        hour = Leaf.from_bytes(record.leaf).hour
        if hour <= time or not stays(record):
            latest = max(latest or hour, hour)
    if latest is not None and not span.over(latest, time):
        raise LedgerError(
            f"What was recorded at {latest:%Y-%m-%d %H}h UTC is too young; nothing was pruned. Run the command again."
        )
    return Event(
        id=derived_id("pruned", origin, str(min_index)),
        kind=Kind.PRUNED,
        time=time,
        policy=policy,
        min_index=min_index,
        detail={
            "days": {"cookies": span.cookies, "retention": span.retention},
            "stay": {"always": count, "indexes": lasting.hexdigest(), "open": still},
            "until": latest and latest.isoformat(timespec="seconds").replace("+00:00", "Z"),
        },
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
