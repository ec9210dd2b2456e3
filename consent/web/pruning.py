"""What may be pruned: how far back nothing is in a cookie that lives, or still to be kept (LOG-09)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from consent.errors import LedgerError
from consent.ledger import Ledger, Sealed
from consent.ledger.pruning import SealedTiles, lasts, require_next, stays
from consent.ledger.tile import WIDTH
from consent.web.recorder import moment
from consent.web.retention import Retention

_HOUR = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class Plan:
    """What pruning would do now."""

    min_index: int
    """Below it leaves may go: a boundary between tiles, or 0."""
    events: int = 0
    """How many go."""
    bytes: int = 0
    """How long their leaves and hashes are, together."""
    stay: int = 0
    """How many entries below stay."""
    until: datetime | None = None
    """The latest hour of those below that isn't yet to come."""
    next: tuple[int, datetime] | None = None
    """The entry that nothing is pruned beyond, and its hour; None when the log ends before."""
    ahead: tuple[int, datetime] | None = None
    """The first of those below that a wrong clock has dated, and its hour, which is yet to come. It stays."""

    def and_tile(self, tile: "Plan", end: int) -> "Plan":
        """This and a whole *tile* more, which ends at index *end*."""
        hours = [hour for hour in (self.until, tile.until) if hour]
        return Plan(
            min_index=max(self.min_index, end),
            events=self.events + tile.events,
            bytes=self.bytes + tile.bytes,
            stay=self.stay + tile.stay,
            until=max(hours, default=None),
            ahead=self.ahead or tile.ahead,
        )


def plan(
    retention: Retention,
    ledger: Ledger,
    records: Iterable[Sealed],
    *,
    before: datetime | None,
    below: int | None,
) -> Plan:
    """What may be pruned of *records*, which are all of *ledger*: of hours before *before*, and below index *below*.

    None each: as much as retention allows, which is the most in any case. What retention has yet to erase counts as
    erased. An entry that is dated ahead and stays holds up nothing, as long as another shows how old its tile is.
    LedgerError at a leaf that isn't the one that was sealed, or whose tile isn't stored whole, and where an opening is
    gone without a tombstone: verification has to see that first.
    """
    now = moment(retention.recorder.clock())
    horizon = min(retention.horizon(now), before or now)
    sealed, tiles, tombstones = ledger.head().size, SealedTiles(ledger.storage), _Tombstones(ledger)
    whole = sealed // WIDTH * WIDTH  # only full tiles are stored, and only what is under these goes
    bound = expected = ledger.pruned()
    found, tile, first = (
        Plan(min_index=bound),
        Plan(min_index=0),
        0,
    )  # whole tiles, and the one that begins at *first*
    for record in records:
        if record.index >= sealed or (below is not None and record.index >= max(below, bound)):
            break
        if record.index >= bound:
            require_next(record, expected)
            expected += 1
        if record.index >= first + WIDTH:
            if tile.ahead and not tile.until:
                break
            first = record.index // WIDTH * WIDTH
            found, tile = found.and_tile(tile, first), Plan(min_index=0)
        if record.index < whole:
            tiles.require(record)
        hour = record.outline().hour
        if hour > now and stays(record):
            if record.index >= bound:
                tile.ahead = tile.ahead or (record.index, hour)
            tile.stay += 1
            continue
        if record.index >= bound and hour + _HOUR > horizon:
            found.next = record.index, hour
            return found
        tile.until = max(tile.until or hour, hour)
        if not lasts(record) and retention.ended(record, now):
            tombstones.require(record)
            tile.events += 1
            tile.bytes += len(record.leaf) + len(record.leaf_hash) + len(record.id.bytes)
        else:
            tile.stay += 1
    if tile.ahead and not tile.until:
        found.next = tile.ahead
        return found
    return found.and_tile(tile, expected) if expected % WIDTH == 0 else found


class _Tombstones:
    """What says that openings were erased, read along with the records."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rest, self._index = ledger.erased(), -1

    def require(self, record: Sealed) -> None:
        """LedgerError if *record* has neither opening nor tombstone: nobody would see that any more."""
        if record.body is not None:
            return
        while self._index < record.index and (found := next(self._rest, None)) is not None:
            self._index = found[0]
        if self._index != record.index and not self._ledger.storage.is_erased(record.id):
            raise LedgerError(
                f"What entry {record.index} said is gone, and nothing says that it was erased; nothing was pruned. "
                "Run: flask consent verify"
            )
