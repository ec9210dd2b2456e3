"""What somebody with the file of a SQLite database can put in place of a value: one of any type.

It is read all the same, so that whoever looks is shown that it was altered, and verification finds it.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, String, type_coerce

from consent.errors import LedgerError
from consent.storage.schema import entry, opening

#: Stands for what is no id. No event has it.
NO_ID: Final = uuid.UUID(int=0)


def as_bytes(value: object) -> bytes:
    """*value* of a column of bytes; a text or a number stands for its UTF-8."""
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode()


def as_id(value: object) -> uuid.UUID:
    """*value* of a column of ids, as it is stored; ``NO_ID`` for what is none."""
    try:
        return uuid.UUID(str(value))
    except ValueError:
        return NO_ID


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
