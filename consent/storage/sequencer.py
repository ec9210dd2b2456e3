"""Sealing in PostgreSQL: what waits in the inbox gets its index and comes under the tree's root.

Whoever locks the head's row seals; nobody waits for it. Recording doesn't touch that row, so that commits of many
can be synced together. Were two at it all the same, both would write the same indexes, and one fails whole.
"""

import logging
from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from consent.errors import LedgerError
from consent.ledger.leaf import LONGEST_LEAF
from consent.ledger.merkle import HASH_BYTES
from consent.ledger.tile import WIDTH
from consent.storage import extent, records, relations, routines, tally, turn
from consent.storage.altered import as_bytes, as_size
from consent.storage.tree import Tree

log = logging.getLogger("consent")

#: Events that one transaction seals, and that one does which seals in passing.
BATCH, IN_PASSING = 5000, 500
#: Entries of a partition; the next one is made when half of the last is filled.
SPAN = 2**24
#: Seconds after which it is a problem that an event still waits.
LATE = 60

# What follows in the transaction is many short look-ups, whose cost the server overrates while its statistics of the
# inbox are those of another moment: to compile them, or to have others help, would cost as much as a batch.
_HEAD = """
    SELECT size, frontier, set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
    FROM consent.head FOR UPDATE SKIP LOCKED
"""
_HEAD_IN_TURN = "SELECT size FROM consent.head FOR UPDATE"
# All that is committed is seen and taken out, in whatever order it was committed; nothing is skipped by its number.
# What has an id that an entry has is dropped, or set aside if it says something else, and so is what is longer than a
# leaf can be. What has no id or no leaf is nobody's of ours, and stays. The rest comes after the last entry, hashed as
# ``leaf_hash`` does, up to where a stray one stands. As one statement, because only hashes are needed anywhere else.
_TAKE = text("""
    WITH taken AS (
        DELETE FROM consent.inbox WHERE number IN (
            SELECT number FROM consent.inbox WHERE uid IS NOT NULL AND leaf IS NOT NULL ORDER BY number
            LIMIT least(:limit, (SELECT min(leaf_index) - :next FROM consent.entry WHERE leaf_index >= :next))
        ) RETURNING number, uid, leaf
    ), compared AS MATERIALIZED (
        SELECT number, uid, leaf,
            (SELECT coalesce(e.leaf, '') FROM consent.entry e WHERE e.uid = taken.uid LIMIT 1) AS known
        FROM taken
    ), aside AS (
        INSERT INTO consent.conflict (number, uid, leaf) SELECT number, uid, leaf FROM compared
        WHERE known <> leaf OR known IS NULL AND octet_length(leaf) > :longest
    ), added AS (
        INSERT INTO consent.entry (leaf_index, uid, leaf, leaf_hash)
        SELECT :next + row_number() OVER (ORDER BY number) - 1, uid, leaf, sha256(decode('00', 'hex') || leaf)
        FROM compared WHERE known IS NULL AND octet_length(leaf) <= :longest RETURNING leaf_index, leaf_hash
    ) SELECT string_agg(leaf_hash, ''::bytea ORDER BY leaf_index) FROM added
""")
_CROWDED = text("SELECT to_regclass('consent.entry_' || CAST(:number AS bigint)) IS NULL")
_MAKE_ROOM = text("SELECT consent.make_room()")
_MOVE = text(
    "UPDATE consent.head SET size = :size, root = :root, frontier = :frontier, "
    "sealed_at = floor(1000 * extract(epoch FROM clock_timestamp())) WHERE size = :before"
)
_ASIDE = text(
    "SELECT count(*) AS many, min(uid::text) AS uid, octet_length(leaf) > :longest AS long FROM consent.conflict "
    "GROUP BY long ORDER BY long"
)
_LATE = text(
    "SELECT count(*) FROM (SELECT FROM consent.inbox WHERE at < clock_timestamp() - make_interval(secs => :late) "
    "AND uid IS NOT NULL AND leaf IS NOT NULL LIMIT 100000) AS late"
)
_BLANK = text("SELECT count(*) FROM consent.inbox WHERE uid IS NULL OR leaf IS NULL")


def seal(connection: Connection, limit: int = BATCH) -> int:
    """Seal up to *limit* of the events that wait, and entries that no tree is over yet; how many.

    In the transaction *connection* is in, which the caller commits. 0 when somebody else is sealing.
    """
    if (head := _locked(connection)) is None:
        return 0
    size, frontier = head
    make_room(connection, size)
    tree = Tree(records.Hashes(connection), size, frontier, extent.following(connection, size))
    taking = {"limit": limit, "next": tree.next, "longest": LONGEST_LEAF}
    hashes = connection.execute(_TAKE, taking).scalar_one() or b""
    if count := tree.grow(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)):
        edge = tree.edge
        moved = {"size": edge.size, "root": edge.root(), "frontier": edge.to_bytes(), "before": size}
        if connection.execute(_MOVE, moved).rowcount != 1:
            raise LedgerError(
                "Somebody else sealed the same events at the same time; nothing was changed here."
            )
        # A tile is full now. While more may wait, that comes first: it is counted with the last of them.
        if edge.size % WIDTH < count < limit:
            tally.count_on_server(connection, edge.size, count // WIDTH + tally.IN_PASSING)
    return count


def count(connection: Connection, most: int = tally.AT_ONCE) -> int:
    """Count up to *most* tiles that aren't counted yet; how many entries are left. 0 when somebody else is at it."""
    if not turn.wait(connection, _HEAD_IN_TURN) or (head := _locked(connection)) is None:
        return 0
    return tally.count_on_server(connection, head[0], most, whole=True)


def recount(connection: Connection) -> None:
    """Forget what was counted, once nobody else is erasing or sealing."""
    # Whoever erases has this before any count is changed. So neither waits for the other with a count in hand.
    connection.execute(text(turn.TURN))
    connection.execute(text(_HEAD_IN_TURN))
    tally.forget(tally.on_server(connection))


def make_room(connection: Connection, size: int) -> None:
    """Make the next partition if half of the last is filled by *size* entries; by whoever holds the head's row.

    That it can't be done now is a problem only once there is no room at all: the next one tries again.
    """
    if not _crowded(connection, size):
        return
    try:
        with connection.begin_nested():
            connection.execute(_MAKE_ROOM)
    except DBAPIError as error:
        log.warning("the next partition of entries could not be made: %s", error.orig)


def _locked(connection: Connection) -> tuple[int, bytes] | None:
    """Size and frontier of the tree, whose head is locked from now on; None while somebody else has it."""
    row = connection.execute(text(_HEAD)).one_or_none()
    return None if row is None else (as_size(row.size), as_bytes(row.frontier))


def _crowded(connection: Connection, size: int) -> bool:
    return bool(connection.execute(_CROWDED, {"number": (size + SPAN // 2) // SPAN}).scalar_one())


def problems(connection: Connection) -> list[str]:
    """What is wrong with what waits, and with the functions, triggers and tables of the database."""
    return list(_problems(connection))


def _problems(connection: Connection) -> Iterator[str]:
    for many, uid, long in connection.execute(_ASIDE, {"longest": LONGEST_LEAF}):
        found = (
            f"were longer than {LONGEST_LEAF:,} bytes" if long else "came under ids that other leaves have"
        )
        yield (
            f"Leaves that {found}: {many}, one of them under {uid}. They are kept aside in the table conflict, and in "
            "no tree. Find out who writes to the inbox besides this site."
        )
    if blank := connection.execute(_BLANK).scalar_one():
        yield (
            f"{blank} rows that wait to be sealed have no id, or no leaf: somebody else wrote them, and they never "
            "are. Find out who can alter the tables, and run: DELETE FROM consent.inbox "
            "WHERE uid IS NULL OR leaf IS NULL"
        )
    if late := connection.execute(_LATE, {"late": LATE}).scalar_one():
        yield (
            f"Events that have waited to be sealed for more than {LATE} s: {late}. They are recorded, but under no "
            "root yet. Run: flask consent seal --every 1s, as a role that may seal."
        )
    if _crowded(connection, records.size(connection)):
        yield (
            "More than half of the last partition of entries is filled, and there is no further one. Run: flask "
            "consent db roles --apply, as the owner of the tables, so that whoever seals may make it."
        )
    # What triggers and constraints say is compared as the server writes it.
    connection.exec_driver_sql("SET LOCAL quote_all_identifiers = off")
    yield from routines.problems(connection)
    yield from relations.problems(connection)
