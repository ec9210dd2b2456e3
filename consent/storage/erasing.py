"""Erasing in SQLite: openings go, and each leaves a tombstone, in the transaction of whoever calls."""

import sqlite3
import uuid
from collections.abc import Collection, Sequence

# For the driver itself, as all that writes (``engine.immediate`` says why). It takes no list as a value.
_OF_SUBJECT = "SELECT uid FROM opening WHERE subject = ?"
_OPEN = "SELECT uid FROM opening WHERE uid = ?"
_ERASE = "DELETE FROM opening WHERE uid = ?"
_BURY = "INSERT INTO erased (uid) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM erased WHERE uid = ?1)"


def with_openings(
    connection: sqlite3.Connection, subject: uuid.UUID | None, ids: Collection[uuid.UUID]
) -> Sequence[uuid.UUID]:
    """The ids of *subject*'s events, and those of *ids*, that still have their openings."""
    found = [] if subject is None else connection.execute(_OF_SUBJECT, (subject.hex,)).fetchall()
    for id in ids:
        found += connection.execute(_OPEN, (id.hex,)).fetchall()
    return sorted({uuid.UUID(uid) for (uid,) in found})


def erase(connection: sqlite3.Connection, ids: Sequence[uuid.UUID]) -> None:
    """Delete the openings of the events *ids* and enter their tombstones."""
    keys = [(id.hex,) for id in ids]
    connection.executemany(_ERASE, keys)
    connection.executemany(_BURY, keys)
