"""Erasing in PostgreSQL: openings go, and each leaves a tombstone, in the transaction of whoever calls.

The list by which an older backup is cleared again lies beside the key, where those who erase don't get at it. So they
leave the ids in a table, from which whoever has the list takes them.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, text

from consent.ledger import Entry

_ERASE = text(
    "DELETE FROM consent.opening "
    "WHERE subject = CAST(:subject AS uuid) OR uid = ANY(CAST(:ids AS uuid[])) RETURNING uid"
)
_BURY = text("INSERT INTO consent.erased (uid) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING")
_LEAVE = text("INSERT INTO consent.unlisted (uid) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING")
# As an append, with no more rights than whoever erases has.
_SAY = text("""
    WITH opened AS (
        INSERT INTO consent.opening (uid, salt, body)
        SELECT :uid, :salt, :body WHERE NOT EXISTS (SELECT FROM consent.entry WHERE uid = :uid)
        ON CONFLICT DO NOTHING RETURNING uid
    )
    INSERT INTO consent.inbox (uid, leaf) SELECT uid, :leaf FROM opened ON CONFLICT DO NOTHING
""")
_UNLISTED = text("SELECT EXISTS (SELECT FROM consent.unlisted)")
# One at a time, as the list is one file. Only who may take from the table can have this, and whoever erases goes on;
# an advisory lock could be held by anybody who may connect, and nothing would be listed.
_LISTING = text("LOCK TABLE consent.unlisted IN SHARE UPDATE EXCLUSIVE MODE")
_TAKE = text("DELETE FROM consent.unlisted RETURNING uid")
# An event without a tombstone whose id is listed. It needs no right to read openings.
_BACK = text("""
    SELECT listed.uid FROM unnest(CAST(:ids AS uuid[])) AS listed (uid)
    WHERE NOT EXISTS (SELECT FROM consent.erased WHERE uid = listed.uid)
    AND (EXISTS (SELECT FROM consent.entry WHERE uid = listed.uid)
        OR EXISTS (SELECT FROM consent.inbox WHERE uid = listed.uid))
""")
# What tells the tables that are there from those that a backup brings: other tables, or a server that was started anew.
_WHICH = text("SELECT pg_postmaster_start_time(), CAST(CAST('consent.erased' AS regclass) AS oid)")
#: Ids of a list that go into one statement.
_AT_ONCE = 1000


def erase(
    connection: Connection,
    entry: Entry,
    subject: uuid.UUID | None,
    ids: Collection[uuid.UUID],
    *,
    listed: bool,
) -> int:
    """Delete the openings of *subject*'s events and of *ids*, and say so in *entry*; how many there were."""
    found = connection.execute(_ERASE, {"subject": subject, "ids": list(ids)}).scalars().all()
    if found:
        gone = sorted(id for id in found if id is not None)  # the owner of the tables can have one without
        connection.execute(_BURY, {"ids": gone})
        if listed:
            connection.execute(_LEAVE, {"ids": gone})
        _say(connection, entry)
    return len(found)


def waiting(connection: Connection) -> bool:
    """Whether anything that was erased waits to be listed."""
    return bool(connection.execute(_UNLISTED).scalar_one())


def take(connection: Connection) -> Sequence[uuid.UUID]:
    """What waits to be listed, taken from there, by one at a time."""
    connection.execute(_LISTING)
    return [id for id in connection.execute(_TAKE).scalars() if id is not None]


def which(connection: Connection) -> tuple[object, ...]:
    """What tells this database from one that was restored in its place."""
    return tuple(connection.execute(_WHICH).one())


def back(connection: Connection, listed: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Those of *listed* that are on record as if they had never been erased."""
    ids = sorted(listed)
    found: list[uuid.UUID] = []
    for first in range(0, len(ids), _AT_ONCE):
        found += connection.execute(_BACK, {"ids": ids[first : first + _AT_ONCE]}).scalars()
    return found


def erase_again(connection: Connection, entry: Entry, ids: Sequence[uuid.UUID]) -> None:
    """Delete the openings of the events *ids*, which were erased once, enter their tombstones, and say so in *entry*.

    Nothing is said if somebody else has done it by now.
    """
    buried = 0
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        connection.execute(_ERASE, {"subject": None, "ids": some})
        buried += connection.execute(_BURY, {"ids": some}).rowcount
    if buried:
        _say(connection, entry)


def _say(connection: Connection, entry: Entry) -> None:
    said = {"uid": entry.id, "salt": entry.salt, "body": entry.body, "leaf": entry.leaf}
    connection.execute(_SAY, said)
