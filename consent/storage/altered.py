"""What somebody with the file of a SQLite database can put in place of a value: one of any type.

On a server who owns the tables can have them take NULL.

It is read all the same, so that whoever looks is shown that it was altered, and verification finds it.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, String, type_coerce

from consent.errors import LedgerConflict, LedgerError
from consent.ledger import Facets, Head, leaf_hash
from consent.ledger.merkle import HASH_BYTES
from consent.ledger.tile import WIDTH
from consent.storage.schema import entry, opening

#: No log is longer: the largest whole number both databases hold.
END: Final = 2**63 - 1
#: The last millisecond that is a time: of the year 9999, counted from 1970.
LATEST: Final = 253_402_300_799_999
#: Stands for what is no id. No event has it.
NO_ID: Final = uuid.UUID(int=0)


def as_bytes(value: object) -> bytes:
    """*value* of a column of bytes; a text or a number stands for its UTF-8."""
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode()


def as_leaf_hash(value: object, leaf: object) -> bytes:
    """*value* of a column of leaf hashes; for what is no hash stands that of the *leaf* beside it.

    So whoever puts a row there keeps nothing from being recorded and sealed after it. Verification names the row.
    """
    found = as_bytes(value)
    return found if len(found) == HASH_BYTES else leaf_hash(as_bytes(leaf))


def as_text(value: object) -> str:
    """*value* of a column of texts; for bytes stands what they are in UTF-8."""
    return value if isinstance(value, str) else as_bytes(value).decode(errors="replace")


def as_head(rows: Sequence[Any]) -> Head:
    """The head of the tree, which *rows* have to be one of; LedgerError unless it is of a size and a time there are."""
    if not rows:
        raise LedgerError("The database has no tree head. Restore it from a backup.")
    row, *others = rows
    if others:
        raise LedgerError(
            f"Somebody altered the tree's head: there are {len(rows)}. Restore the database from a backup."
        )
    numbers = type(row.size) is type(row.sealed_at) is int
    if not (numbers and 0 <= row.size <= END and 0 <= row.sealed_at <= LATEST):
        raise LedgerError(
            f"Somebody altered the tree's head: a size of {row.size!r}, sealed at {row.sealed_at!r}. Restore the "
            "database from a backup."
        )
    return Head(
        size=row.size,
        root=as_bytes(row.root),
        frontier=as_bytes(row.frontier),
        at=datetime.fromtimestamp(row.sealed_at / 1000, UTC),
    )


def as_size(value: object) -> int:
    """*value* of the size of the tree; LedgerError for what is none."""
    if type(value) is not int or not 0 <= value <= END:
        raise LedgerError(
            f"Somebody altered the tree's head: a size of {value!r}. Restore the database from a backup."
        )
    return value


def as_bound(value: object) -> int:
    """*value* of the bound below which leaves were pruned; LedgerError for what is no boundary between tiles."""
    if type(value) is not int or value < 0 or value % WIDTH:
        raise LedgerError(
            f"Somebody altered the bound below which leaves were pruned: it is {value!r}, and no multiple of {WIDTH}. "
            "Find out who can write to the database, and restore it from a backup."
        )
    return value


def as_id(value: object) -> uuid.UUID:
    """*value* of a column of ids, as it is stored; ``NO_ID`` for what is none."""
    try:
        return uuid.UUID(str(value))
    except ValueError:
        return NO_ID


def id_or_none(value: object) -> uuid.UUID | None:
    """*value* of a column of ids, as it is stored; None for what is none."""
    id = as_id(value)
    return None if id == NO_ID else id


def preempted(id: uuid.UUID) -> LedgerConflict:
    """What is said where an opening stands under the *id* of an event that isn't on record, and can't be under it."""
    return LedgerConflict(
        f"an opening stands under the id {id}, and no event: somebody else wrote it. Run: flask consent verify"
    )


def with_any_ids(
    connection: Connection, statement: Select[Any], parameters: Mapping[str, object]
) -> list[Any]:
    """The rows of *statement*, which reads entries and their openings, whatever stands there for ids."""
    uid, subject = (type_coerce(column, String) for column in (entry.c.uid, opening.c.subject))
    stored = statement.with_only_columns(
        entry.c.leaf_index, uid, entry.c.leaf, entry.c.leaf_hash, subject, opening.c.salt, opening.c.body
    )
    return [
        (index, as_id(uid), leaf, hash, None if subject is None else as_id(subject), salt, body)
        for index, uid, leaf, hash, subject, salt, body in connection.execute(stored, parameters)
    ]


def require_counts(rows: Iterable[Sequence[Any]]) -> None:
    """LedgerError unless *rows* are counts: day, id of the facets, events, and how many of these are erased."""
    for day, id, events, erased in rows:
        if not (type(day) is type(id) is type(events) is type(erased) is int and 0 <= erased <= events):
            raise miscounted(f"{events!r} events on day {day!r}, {erased!r} of them erased")


def require_whole(*values: object) -> None:
    """LedgerError unless all *values*, which were counted or say where something counted is, are whole numbers."""
    for value in values:
        if type(value) is not int:
            raise miscounted(f"{value!r} where a whole number belongs")


def require_size(size: object, missing: object = 0) -> int:
    """The *size* of what was counted; LedgerError unless that is so many full tiles, of which *missing* were gone."""
    if not (type(size) is type(missing) is int and 0 <= missing <= size and size % WIDTH == 0):
        raise miscounted(
            f"{size!r} entries where full tiles of {WIDTH} belong, {missing!r} of them gone before"
        )
    return size


def require_facets(id: object, bare: object, said: object) -> Facets:
    """The facets that were *said*; LedgerError unless they are stored under the *id* that follows from them."""
    facets = Facets.from_bytes(as_bytes(said))
    if not (type(id) is type(bare) is int and (id, bare) == (facets.id, facets.bare.id)):
        raise miscounted(f"facets under the id {id!r}, and {bare!r} once erased, that say something else")
    return facets


def miscounted(found: str) -> LedgerError:
    """What is said where counts, or the index of searches, can't be what was written: *found* is there."""
    return LedgerError(
        f"Somebody altered the counts: {found}. The events themselves stand apart from them. To count anew, run: "
        "flask consent stats --rebuild"
    )
