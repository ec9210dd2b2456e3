"""Pruning in SQLite: the bound rises, and entries below it go, in the transaction of whoever calls."""

import sqlite3
import uuid

from consent.errors import LedgerError
from consent.ledger.merkle import HASH_BYTES
from consent.ledger.pruning import MARKS
from consent.ledger.tile import WIDTH

#: Entries that one transaction deletes: visitors wait as long as it takes.
BATCH = 2000

# For the driver itself, as all that writes (``engine.immediate`` says why).
_BOUND = "SELECT min_index FROM bound"
_TILES = f"""
    SELECT count(*) FROM tile WHERE level = 0 AND n >= 0 AND n < ?
    AND n = CAST(n AS INTEGER) AND typeof(hashes) = 'blob' AND length(hashes) = {WIDTH * HASH_BYTES}
"""
_SET = "INSERT INTO bound (one, min_index, uid) VALUES (1, ?, ?)"
_RAISE = "UPDATE bound SET min_index = ?, uid = ?"
_GOING = f"""
    SELECT leaf_index FROM entry
    WHERE leaf_index > ? AND leaf_index < (SELECT min_index FROM bound)
    AND NOT EXISTS (SELECT 1 FROM opening WHERE opening.uid = entry.uid)
    {" ".join("AND instr(leaf, ?) = 0" for _ in MARKS)}
    ORDER BY leaf_index LIMIT {BATCH}
"""
_DROP = ("DELETE FROM entry WHERE leaf_index = ?", "DELETE FROM indexed WHERE leaf_index = ?")


def raise_bound(connection: sqlite3.Connection, min_index: int, id: uuid.UUID) -> None:
    """Set the bound to *min_index*, which the event *id* names, unless it is as high; LedgerError without tiles."""
    row = connection.execute(_BOUND).fetchone()
    if row is not None and row[0] >= min_index:
        return
    (tiles,) = connection.execute(_TILES, (min_index // WIDTH,)).fetchone()
    require_tiles(min_index, tiles)
    connection.execute(_SET if row is None else _RAISE, (min_index, id.hex))


def require_tiles(min_index: int, tiles: int) -> None:
    """LedgerError unless all *tiles* of level 0 below *min_index* are whole: they are what is left of the leaves."""
    if tiles < min_index // WIDTH:
        raise LedgerError(
            f"The database has {tiles} whole tiles of the entries below {min_index} where {min_index // WIDTH} "
            "belong; nothing was pruned. Restore it from a backup."
        )


def prune(connection: sqlite3.Connection, after: int) -> tuple[int, int | None]:
    """Delete the next entries above *after* that may go: how many, and after which to go on; None after the last."""
    going = connection.execute(_GOING, (after, *MARKS)).fetchall()
    for drop in _DROP:
        connection.executemany(drop, going)
    return len(going), going[-1][0] if len(going) == BATCH else None
