"""Reading the tables: the statements, and how rows become records and documents."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
)

from consent.ledger import Document, Head, LogKey, Record, Sealed
from consent.ledger.keys import KEYS_BEGIN, VOUCHER, known_keys
from consent.ledger.merkle import HASH_BYTES
from consent.storage import tree
from consent.storage.altered import END as END
from consent.storage.altered import NO_ID, as_bound, as_bytes, as_head, as_leaf_hash, as_text, with_any_ids
from consent.storage.schema import account, bound, checkpoint, document, entry, opening, tile
from consent.storage.schema import erased as erased_table
from consent.storage.schema import head as head_table

_RECORD = select(
    entry.c.leaf_index,
    entry.c.uid,
    entry.c.leaf,
    entry.c.leaf_hash,
    opening.c.subject,
    opening.c.salt,
    opening.c.body,
).select_from(entry.outerjoin(opening, entry.c.uid == opening.c.uid))

_BY_ID = _RECORD.where(entry.c.uid == bindparam("uid"))
_AT = _RECORD.where(entry.c.leaf_index.in_(bindparam("indexes", expanding=True)))
_OF_SUBJECT = _RECORD.where(opening.c.subject == bindparam("subject")).order_by(entry.c.leaf_index)
_BELOW = (
    _RECORD.where(entry.c.leaf_index < bindparam("before"))
    .order_by(entry.c.leaf_index.desc())
    .limit(bindparam("limit"))
)
_ABOVE = (
    _RECORD.where(entry.c.leaf_index > bindparam("after"))
    .order_by(entry.c.leaf_index)
    .limit(bindparam("limit"))
)
_NEXT = select(func.coalesce(func.max(entry.c.leaf_index), -1) + 1)
_ANY_DOCUMENT = select(document.c.hash, document.c.kind, document.c.body)
_DOCUMENT = _ANY_DOCUMENT.where(document.c.hash == bindparam("hash"))
# Those that say what becomes of keys whatever kind stands beside them, which nothing vouches for.
_OF_KEYS = func.substr(cast(document.c.body, LargeBinary), 1, len(KEYS_BEGIN)) == KEYS_BEGIN
_DOCUMENTS_ABOVE = (
    _ANY_DOCUMENT.where(
        or_(document.c.kind == bindparam("kind"), and_(bindparam("kind") == VOUCHER, _OF_KEYS)),
        document.c.hash > bindparam("after"),
    )
    .order_by(document.c.hash)
    .limit(bindparam("limit"))
)
_FIRST = select(entry.c.leaf).where(entry.c.leaf_index == 0)
_PLACE = select(entry.c.leaf_index, entry.c.leaf).where(entry.c.uid == bindparam("uid"))
_HEAD = select(head_table.c.size, head_table.c.root, head_table.c.frontier, head_table.c.sealed_at)
_OF_ENTRIES = (
    select(
        entry.c.leaf_hash,
        case((func.length(cast(entry.c.leaf_hash, LargeBinary)) == HASH_BYTES, None), else_=entry.c.leaf),
    )
    .where(entry.c.leaf_index >= bindparam("first"), entry.c.leaf_index < bindparam("end"))
    .order_by(entry.c.leaf_index)
)
_OF_TILES = (
    select(tile.c.root)
    .where(tile.c.level == bindparam("level"), tile.c.n >= bindparam("first"), tile.c.n < bindparam("end"))
    .order_by(tile.c.n)
)
_TILE = select(tile.c.hashes).where(tile.c.level == bindparam("level"), tile.c.n == bindparam("n"))
_NOTE = (
    select(checkpoint.c.note)
    .where(checkpoint.c.size <= bindparam("size"))
    .order_by(checkpoint.c.size.desc())
    .limit(1)
)
_NOTES = (
    select(checkpoint.c.size, checkpoint.c.note)
    .where(checkpoint.c.size < bindparam("below"))
    .order_by(checkpoint.c.size.desc())
    .limit(bindparam("limit"))
)
_STORED = select(document.c.hash).where(document.c.hash.in_(bindparam("hashes", expanding=True)))

_ERASED = (
    select(entry.c.leaf_index, entry.c.uid)
    .select_from(entry.join(erased_table, entry.c.uid == erased_table.c.uid))
    .where(entry.c.leaf_index > bindparam("after"))
    .order_by(entry.c.leaf_index)
    .limit(bindparam("limit"))
)
_TOMBSTONE = select(erased_table.c.uid)
_TOMBSTONES = (
    _TOMBSTONE.where(erased_table.c.uid > bindparam("after"))
    .order_by(erased_table.c.uid)
    .limit(bindparam("limit"))
)
_IS_ERASED = _TOMBSTONE.where(erased_table.c.uid == bindparam("uid"))
_BOUND = select(bound.c.min_index)
_REMAINING = select(
    func.coalesce(select(bound.c.min_index).scalar_subquery(), 0),
    select(func.count())
    .where(entry.c.leaf_index < select(bound.c.min_index).scalar_subquery())
    .scalar_subquery(),
)
# Not by which event: what nobody can read there counts, too.
_OPTED_OUT = select(account.c.link).where(account.c.link == bindparam("link"))

#: The tables in which rows are filed under the ids of events.
FILED = (opening, erased_table, account)
#: Below the ids of all events, and below whatever stands for an id.
FIRST_ID, FROM_THE_FIRST = uuid.UUID(int=0), tuple[object, ...]()

Found = TypeVar("Found")
After = TypeVar("After")


def get(connection: Connection, id: uuid.UUID) -> Record | None:
    """The record of the event *id*."""
    return next(iter(_records(connection, _BY_ID, uid=id)), None)


def below(connection: Connection, before: int | None, limit: int) -> Sequence[Sealed]:
    """Up to *limit* records below index *before* (None: from the end), newest first."""
    return _records(connection, _BELOW, before=END if before is None else before, limit=limit)


def above(connection: Connection, after: int, limit: int) -> Sequence[Sealed]:
    """Up to *limit* records above index *after*, in index order."""
    return _records(connection, _ABOVE, after=after, limit=limit)


def at(connection: Connection, indexes: Sequence[int]) -> dict[int, Sealed]:
    """The records at *indexes*, those that are there, by index."""
    return {record.index: record for record in _records(connection, _AT, indexes=list(indexes))}


def of_subject(connection: Connection, subject: uuid.UUID) -> Sequence[Record]:
    """The records linked to *subject*, oldest first."""
    return _records(connection, _OF_SUBJECT, subject=subject)


def first_leaf(connection: Connection) -> bytes | None:
    """The leaf of entry 0. It needs no right to read openings."""
    return connection.execute(_FIRST).scalar()


def place(connection: Connection, id: uuid.UUID) -> tuple[int, bytes] | None:
    """Index and leaf of the sealed entry of the event *id*. It needs no right to read openings."""
    row = connection.execute(_PLACE, {"uid": id}).one_or_none()
    return None if row is None else (row.leaf_index, as_bytes(row.leaf))


def keys(connection: Connection, first: str, origin: str) -> list[LogKey]:
    """The keys of the log *origin*, of which entry 0 names the *first*."""
    vouchers = documents(connection, VOUCHER, "", END)
    return known_keys(first, vouchers, lambda id: place(connection, id), origin)


def size(connection: Connection) -> int:
    """The number of entries, which is also the next index."""
    return int(connection.execute(_NEXT).scalar_one())


def head(connection: Connection) -> Head:
    """The tree as it was last sealed."""
    return as_head(connection.execute(_HEAD).all())


def note(connection: Connection, at_most: int) -> str | None:
    """The signed note of the largest tree of *at_most* entries that was signed."""
    found = connection.execute(_NOTE, {"size": at_most}).scalar()
    return None if found is None else as_bytes(found).decode(errors="replace")


def notes(connection: Connection, below: int, limit: int) -> Sequence[tuple[int, str]]:
    """Up to *limit* signed notes of trees of fewer entries than *below*, with their sizes, the largest first."""
    rows = connection.execute(_NOTES, {"below": below, "limit": limit})
    return [(row.size, as_bytes(row.note).decode(errors="replace")) for row in rows]


@dataclass(frozen=True, slots=True)
class Hashes:
    """What the tree is made of, as *connection* sees it (``consent.storage.tree.Hashes``)."""

    connection: Connection

    def of_entries(self, first: int, count: int) -> Sequence[bytes]:
        """The leaf hashes of up to *count* entries from index *first* on."""
        values = {"first": first, "end": first + count}
        return [as_leaf_hash(*row) for row in _fetched(self.connection.execute(_OF_ENTRIES, values))]

    def of_tiles(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """The roots of up to *count* full tiles of *level* from the tile *first* on."""
        values = {"level": level, "first": first, "end": first + count}
        return [as_bytes(root) for (root,) in _fetched(self.connection.execute(_OF_TILES, values))]

    def stored(self, level: int, index: int) -> bytes | None:
        """The hashes of this tile as they are stored, which it is once it is full."""
        found = self.connection.execute(_TILE, {"level": level, "n": index}).scalar()
        return None if found is None else as_bytes(found)

    def add(self, level: int, index: int, root: bytes, hashes: bytes) -> None:
        """Store this tile, which is full; what somebody else put in its place stays, for verification to find."""
        if self.stored(level, index) is None:
            self.connection.execute(
                insert(tile), {"level": level, "n": index, "root": root, "hashes": hashes}
            )


def _fetched(found: CursorResult[Any]) -> Sequence[Sequence[object]]:
    """The rows of *found*: the driver's own, which take a quarter of the time."""
    rows: Sequence[Sequence[object]] = found.cursor.fetchall()
    found.close()
    return rows


def paged(
    batch: Callable[[After], Sequence[Found]], after: After, key: Callable[[Found], After], limit: int
) -> Iterator[Found]:
    """All that *batch* finds above *after*, and then above the last one's *key*, *limit* at a time.

    It ends where a key comes again: what was altered may be read as another one than it is found by.
    """
    passed = set[After]()
    while after not in passed:
        passed.add(after)
        found = batch(after)
        yield from found
        if len(found) < limit:
            return
        after = key(found[-1])


@dataclass(frozen=True, slots=True)
class Tiles:
    """The tiles of the tree, as *connection* sees it (``TileStore``)."""

    connection: Connection

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of this tile that are there by now; LedgerError when there are none."""
        return tree.tile(Hashes(self.connection), level, index)


def documents(connection: Connection, kind: str, after: str, limit: int) -> Sequence[Document]:
    """Up to *limit* documents of *kind* whose hashes come after *after*, in the order of their hashes."""
    rows = connection.execute(_DOCUMENTS_ABOVE, {"kind": kind, "after": after, "limit": limit})
    return [Document(hash=as_text(row.hash), kind=row.kind, body=as_bytes(row.body)) for row in rows]


def stored_document(connection: Connection, hash: str) -> Document | None:
    """The document with this hash."""
    row = connection.execute(_DOCUMENT, {"hash": hash}).one_or_none()
    return None if row is None else Document(hash=row.hash, kind=row.kind, body=as_bytes(row.body))


def stored_hashes(connection: Connection, hashes: Sequence[str]) -> frozenset[str]:
    """Those of *hashes* under which there is a document."""
    return frozenset(connection.execute(_STORED, {"hashes": list(hashes)}).scalars())


def erased(connection: Connection, after: int, limit: int) -> Sequence[tuple[int, uuid.UUID]]:
    """Index and id of up to *limit* events above index *after* whose openings were erased, in index order."""
    rows = connection.execute(_ERASED, {"after": after, "limit": limit})
    return [(row.leaf_index, row.uid) for row in rows]


def tombstones(connection: Connection, after: uuid.UUID, limit: int) -> Sequence[uuid.UUID]:
    """Up to *limit* ids above *after* of events whose openings were erased, in their own order."""
    return connection.execute(_TOMBSTONES, {"after": after, "limit": limit}).scalars().all()


def is_erased(connection: Connection, id: uuid.UUID) -> bool:
    """Whether there is a tombstone of the event *id*."""
    return connection.execute(_IS_ERASED, {"uid": id}).one_or_none() is not None


def pruned(connection: Connection) -> int:
    """The bound below which entries may be gone; 0 without one, LedgerError if it was altered."""
    row = connection.execute(_BOUND).first()
    return 0 if row is None else as_bound(row.min_index)


def remaining(connection: Connection) -> tuple[int, int]:
    """The bound, and how many entries there are below it; LedgerError if the bound was altered."""
    min_index, count = connection.execute(_REMAINING).one()
    return as_bound(min_index), count


def filed(
    table: Table, waiting: Table | None, connection: Connection, after: tuple[object, ...], limit: int
) -> Sequence[tuple[object, bool]]:
    """Up to *limit* ids above *after* in *table*, in their own order, and whether there is an entry of each.

    *after* is one, or none for those from the first on. In SQLite an id is as it is stored, whatever it is. One that is
    *waiting* counts as well.
    """
    uid = type_coerce(table.c.uid, String) if connection.dialect.name == "sqlite" else table.c.uid
    there: ColumnElement[bool] = select(entry.c.uid).where(entry.c.uid == table.c.uid).exists()
    if waiting is not None:
        there = or_(there, select(waiting.c.uid).where(waiting.c.uid == table.c.uid).exists())
    above = (uid > literal(each, uid.type) for each in after)
    rows = connection.execute(select(uid, there).where(*above).order_by(uid).limit(limit))
    return [(id, bool(found)) for id, found in rows]


def opted_out(connection: Connection, link: str) -> bool:
    """Whether the account with this link is opted out."""
    return connection.execute(_OPTED_OUT, {"link": link}).one_or_none() is not None


def _records(connection: Connection, statement: Select[Any], **parameters: object) -> Sequence[Sealed]:
    try:
        rows: Sequence[Any] = connection.execute(statement, parameters).all()
    except (ValueError, TypeError, AttributeError):  # in SQLite who alters a row can put anything for an id
        rows = with_any_ids(connection, statement, parameters)
    return [
        Sealed(
            index=index,
            id=uid or NO_ID,
            leaf=as_bytes(leaf),
            leaf_hash=as_bytes(hash),
            subject=subject,
            salt=None if salt is None else as_bytes(salt),
            body=None if body is None else as_bytes(body),
        )
        for index, uid, leaf, hash, subject, salt, body in rows
    ]
