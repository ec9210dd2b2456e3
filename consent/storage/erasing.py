"""Erasing in SQLite: openings go, and each leaves a tombstone, in the transaction of whoever calls."""

import logging
import sqlite3
import uuid
from collections.abc import Collection, Sequence

from consent.storage import tally
from consent.storage.altered import id_or_none

log = logging.getLogger("consent")

# For the driver itself, as all that writes (``engine.immediate`` says why). It takes no list as a value.
_OF_SUBJECT = "SELECT uid FROM opening WHERE subject = ?"
_OPEN = "SELECT uid FROM opening WHERE uid = ?"
_ERASE = "DELETE FROM opening WHERE uid = ?"
_ERASE_REST = "DELETE FROM opening WHERE subject = ?"
_UNPLACE = "DELETE FROM indexed WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = ?)"
_BURY = "INSERT INTO erased (uid) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM erased WHERE uid = ?1)"


def with_openings(
    connection: sqlite3.Connection, subject: uuid.UUID | None, ids: Collection[uuid.UUID]
) -> Sequence[uuid.UUID]:
    """The ids of *subject*'s events, and those of *ids*, that still have their openings."""
    found = [] if subject is None else connection.execute(_OF_SUBJECT, (subject.hex,)).fetchall()
    for id in ids:
        found += connection.execute(_OPEN, (id.hex,)).fetchall()
    return sorted({known for (uid,) in found if (known := id_or_none(uid))})


def erase(connection: sqlite3.Connection, ids: Sequence[uuid.UUID], subject: uuid.UUID | None = None) -> None:
    """Delete the openings of the events *ids* and enter their tombstones. No count keeps that from being done.

    Also those of *subject* that stand under what is no id, and so get none.
    """
    keys = [(id.hex,) for id in ids]
    connection.execute("SAVEPOINT erasing")
    try:
        connection.executemany(_ERASE, keys)
    except sqlite3.IntegrityError as error:
        # With each opening a trigger takes what it said out of the counts. These can be made anew.
        connection.execute("ROLLBACK TO erasing")
        log.warning(
            "what was counted can't be what was written (%s), so that it was forgotten for an erasure. It is counted "
            "anew in time; at once by: flask consent stats --rebuild",
            error,
        )
        tally.forget(tally.in_file(connection))
        connection.executemany(_UNPLACE, keys)
        connection.executemany(_ERASE, keys)
    if subject is not None:
        connection.execute(_ERASE_REST, (subject.hex,))
    connection.execute("RELEASE erasing")
    connection.executemany(_BURY, keys)
