"""Pruning: leaves of the oldest entries go, once nothing is left of what they committed to.

It is an act on record: an event says below which index, a boundary between tiles. Who can write into the database can
write such an event, and the next checkpoint is over it; so the log's keys sign what it says, once all that it says was
looked at. Only when that event lies under a signed checkpoint is the bound raised, and only below the bound does the
database let leaves go. The tiles stay, which have the hashes of all entries: every root, proof and receipt holds as
before. No leaf goes whose opening is there, nor entry 0, nor what says under what the site ran, which keys it had, and
what was pruned.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, takewhile
from typing import Protocol

from consent.canonical import canonical
from consent.errors import LedgerConflict, LedgerError, LedgerUnavailable, ProofError
from consent.ledger.event import KEPT, Event, Kind
from consent.ledger.leaf import Leaf, derived_id, leaf_hash
from consent.ledger.ledger import Ledger
from consent.ledger.merkle import HASH_BYTES, Frontier
from consent.ledger.note import Note, Signature, Signer, encoded, open_note, sign
from consent.ledger.record import Record
from consent.ledger.rotation import current_keys, desk_of
from consent.ledger.tile import WIDTH, FullTiles, tile_root

#: Seconds that one step may take.
PATIENCE = 30.0
_FORMAT = "consent/pruning/v1"
#: How ``operated`` events say that the release signs each pruning: one that nobody has signed is none from then on.
SIGNED = {"prunings": "signed"}
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


class SealedTiles:
    """The hashes that were sealed, as the full tiles are stored, read once in their order.

    LedgerError at one that isn't stored whole: it is all that will be left of the leaves below it.
    """

    def __init__(self, tiles: FullTiles) -> None:
        self._tiles = tiles
        self._read, self._hashes, self._edge = 0, b"", Frontier()

    def require(self, record: Placed) -> None:
        """LedgerError unless *record*, which is under a full tile, is what was sealed by that."""
        index, place = divmod(record.index, WIDTH)
        self._advance(index + 1)
        if self._hashes[place * HASH_BYTES :][:HASH_BYTES] != leaf_hash(record.leaf):
            raise LedgerError(
                f"The leaf of entry {record.index} is not the one that was sealed; nothing was pruned. "
                "Run: flask consent verify"
            )

    def root(self, min_index: int) -> bytes:
        """The root of the first *min_index* entries, a boundary between tiles that lies ahead of none that was read."""
        self._advance(min_index // WIDTH)
        edge = Frontier.from_bytes(self._edge.size, self._edge.to_bytes())
        edge.append(tile_root(self._hashes))
        return edge.root()

    def _advance(self, count: int) -> None:
        while self._read < count:
            if self._hashes:
                self._edge.append(tile_root(self._hashes))
            stored = self._tiles.full_tile(0, self._read)
            if stored is None or len(stored) != WIDTH * HASH_BYTES:
                raise LedgerError(_not_whole(self._read, stored))
            self._hashes = stored
            self._read += 1


def _not_whole(index: int, stored: bytes | None) -> str:
    """Why nothing is pruned where the tile *index*, which has to be full, is *stored* so."""
    if stored is None:
        found = "isn't stored: fewer entries are sealed, or somebody took it away"
    else:
        found = (
            f"is stored with {len(stored):,} bytes where {WIDTH * HASH_BYTES:,} belong: somebody altered it"
        )
    return (
        f"The tile of entries {index * WIDTH} to {index * WIDTH + WIDTH - 1} {found}. It is all that would be left of "
        "them, so nothing was pruned. Run flask consent verify, and restore the database from a backup."
    )


def pruning(
    min_index: int,
    records: Iterable[Placed],
    tiles: FullTiles,
    *,
    origin: str,
    time: datetime,
    policy: str | None,
    span: Span,
    pruned: int = 0,
) -> Event:
    """The event that says that leaves below *min_index* were pruned, and what a verifier can hold against the rest.

    *records* are the log's, in order, all of them from *pruned* on, and *tiles* its tiles. Its id follows from the
    index. ValueError unless *min_index* is the beginning of a tile after the first; LedgerError unless *span* is over
    at *time* for all below, but for those that are dated after *time* and stay; and where a leaf is missing, or isn't
    the one that was sealed.
    """
    if min_index < WIDTH or min_index % WIDTH:
        raise ValueError(f"{min_index} is no boundary between tiles; the next is {boundary(min_index)}")
    lasting, count, still, latest = hashlib.sha256(), 0, 0, None
    sealed, expected = SealedTiles(tiles), pruned
    for record in takewhile(lambda record: record.index < min_index, records):
        if record.index >= pruned:
            require_next(record, expected)
            expected += 1
        sealed.require(record)
        if lasts(record):
            lasting.update(record.index.to_bytes(8, "big"))
            count += 1
        elif record.body is not None:
            still += 1
        hour = Leaf.from_bytes(record.leaf).hour
        if hour <= time or not stays(record):
            latest = max(latest or hour, hour)
    if expected < min_index:
        raise LedgerError(f"Fewer than {min_index} entries are sealed; nothing was pruned.")
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
            "root": encoded(sealed.root(min_index)),
            "until": latest and latest.isoformat(timespec="seconds").replace("+00:00", "Z"),
        },
    )


def require_next(record: Placed, expected: int) -> None:
    """LedgerError unless *record* is of the entry *expected*."""
    if record.index != expected:
        raise LedgerError(f"Entry {expected} is missing; nothing was pruned. Run: flask consent verify")


def attested(event: Event, origin: str, signers: Sequence[Signer]) -> Event:
    """*event*, a ``pruning`` of the log *origin*, with what *signers* sign of it."""
    note = Note.parse(sign(statement(event, origin), *signers))
    lines = [signature.to_line().removesuffix("\n") for signature in note.signatures]
    return replace(event, detail={**(event.detail or {}), "signed": lines})


def statement(event: Event, origin: str) -> str:
    """What is signed of *event*: all that it says of the pruning, and when."""
    said = {name: value for name, value in (event.detail or {}).items() if name != "signed"}
    time = event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = canonical(said | {"min_index": event.min_index, "time": time}).decode()
    return f"{_FORMAT}\n{origin}\n{text}\n"


def require_attested(event: Event, origin: str, keys: Iterable[str]) -> None:
    """LedgerError unless one of the verifier *keys* has signed what *event* says, which is on record in the log."""
    lines = (event.detail or {}).get("signed")
    try:
        if not isinstance(lines, list):
            raise ProofError("It has no signature.")
        note = Note(statement(event, origin), tuple(Signature.from_line(str(line)) for line in lines))
        open_note(note.to_text(), keys)
    except ProofError as error:
        raise LedgerError(
            f"It is on record that entries below {event.min_index} were pruned, and no key of this log has signed "
            "that; nothing was pruned. Run: flask consent verify"
        ) from error


def boundary(index: int) -> int:
    """The first boundary between tiles at or above *index*; that at 0 is none."""
    return max(1, -(-index // WIDTH)) * WIDTH


def declare(ledger: Ledger, event: Event, *, salt: bytes) -> Event:
    """Have *event*, a ``pruning``, signed, put it on record and seal it; as it is on record. Done again it finds it.

    *salt*: 32 fresh random bytes. Whoever can write into the database can put something else under its id beforehand:
    then it gets another. LedgerError where a pruning below the same index is on record under it that nobody of the log
    has signed. LedgerUnavailable where the log's key isn't kept.
    """
    current = {key.verifier for key in current_keys(ledger)}
    signers = [signer for signer in desk_of(ledger).signers() if signer.key in current]
    if not _names(ledger.get(event.id), event):
        try:
            ledger.record(attested(event, ledger.origin, signers), salt=salt, patience=PATIENCE)
        except LedgerConflict:
            if not _names(ledger.get(event.id), event):
                event = _aside(ledger, event, signers, salt)
    found = ledger.get(event.id)
    said = (found and found.event()) or event
    require_attested(said, ledger.origin, ledger.verifier_keys())
    while ledger.seal(patience=PATIENCE):
        pass
    if ledger.storage.place(said.id) is None:
        raise LedgerUnavailable(
            "What is to be pruned is on record, but somebody else is sealing. Run the command again.",
            retry_after=1,
        )
    return said


def _names(found: Record | None, event: Event) -> bool:
    """Whether *found* is a pruning below the index that *event* names, whoever put it on record."""
    if found is None:
        return False
    try:
        outline = found.outline()
    except LedgerError:
        return False
    return (outline.kind, outline.min_index) == (Kind.PRUNED, event.min_index)


def _aside(ledger: Ledger, event: Event, signers: Sequence[Signer], salt: bytes) -> Event:
    """*event*, signed, on record under another id: found there, if it was signed and put there before."""
    while ledger.seal(patience=PATIENCE):
        pass
    # It waits where somebody else is sealing. Read first, what is sealed meanwhile is found all the same.
    mark = f'"kind":"{Kind.PRUNED}",'.encode()
    waiting = [id for id, leaf, _ in ledger.storage.waiting() if mark in leaf]
    sealed = ledger.records((event.min_index or 0) - 1)  # it comes after all that it lets go
    for record in chain(sealed, map(ledger.get, waiting)):
        try:
            if record and _names(record, event) and (said := record.event()):
                require_attested(said, ledger.origin, ledger.verifier_keys())
                return said
        except LedgerError:
            continue  # what somebody else put there
    other = attested(event, ledger.origin, signers).aside(salt)
    ledger.record(other, salt=salt, patience=PATIENCE)
    return other


def raise_bound(ledger: Ledger, event: Event) -> None:
    """Raise the bound to the index that *event* names, which ``declare`` gave, once its entry is signed.

    Leaves below may go from then on. The tree is signed for it. LedgerUnavailable where the log's key isn't kept;
    LedgerError where the tiles of those below, as they are stored, don't lead to the root that *event* names, and
    SigningRefused as when it is signed.
    """
    ledger.sign(patience=PATIENCE)
    min_index = event.min_index or 0
    if encoded(SealedTiles(ledger.storage).root(min_index)) != (event.detail or {}).get("root"):
        raise LedgerError(
            f"The tiles of the entries below {min_index}, as they are stored, have another root than was to be put on "
            "record: somebody altered them meanwhile; nothing was pruned. Run: flask consent verify"
        )
    ledger.storage.raise_bound(min_index, event.id, patience=PATIENCE)


def drop(ledger: Ledger) -> Iterator[int]:
    """Delete all leaves that may go, some in each transaction; how many each time."""
    after: int | None = 0
    while after is not None:
        count, after = ledger.storage.prune(after, patience=PATIENCE)
        if count:
            yield count
