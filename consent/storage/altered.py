"""What somebody with the file of a SQLite database can put in place of a value: one of any type.

It is read all the same, so that whoever looks is shown that it was altered, and verification finds it.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, String, type_coerce

from consent.errors import LedgerError
from consent.ledger import Head
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
    """LedgerError unless each of *rows* ends with two numbers of which the second counts some of the first."""
    for *_, events, erased in rows:
        if not (type(events) is type(erased) is int and 0 <= erased <= events):
            raise LedgerError(
                f"Somebody altered the counts: {events!r} events, {erased!r} of them erased. The events themselves "
                "stand apart from them. To count anew, run: flask consent stats --rebuild"
            )
