"""Pruning in PostgreSQL: the bound rises, and entries below it go, in the transaction of whoever calls."""

import uuid

from sqlalchemy import Connection, text

from consent.ledger.merkle import HASH_BYTES
from consent.ledger.pruning import MARKS
from consent.ledger.tile import WIDTH
from consent.storage.pruning import require_tiles

#: Entries that one transaction deletes.
BATCH = 2000

_TILES = text(f"""
    SELECT count(*) FROM consent.tile
    WHERE level = 0 AND n >= 0 AND n < :tiles AND length(hashes) = {WIDTH * HASH_BYTES}
""")
_RAISE = text("""
    INSERT INTO consent.bound (one, min_index, uid) VALUES (1, :min_index, :uid)
    ON CONFLICT (one) DO UPDATE SET min_index = excluded.min_index, uid = excluded.uid
    WHERE bound.min_index < excluded.min_index
""")
_PRUNE = text(f"""
    WITH going AS (
        SELECT leaf_index FROM consent.entry e
        WHERE leaf_index > :after AND leaf_index < (SELECT min_index FROM consent.bound)
        AND NOT EXISTS (SELECT FROM consent.opening o WHERE o.uid = e.uid)
        {" ".join(f"AND position(CAST(:mark{number} AS bytea) IN leaf) = 0" for number in range(len(MARKS)))}
        ORDER BY leaf_index LIMIT {BATCH}
    ), gone AS (
        DELETE FROM consent.entry WHERE leaf_index IN (SELECT leaf_index FROM going) RETURNING leaf_index
    ), unfound AS (
        DELETE FROM consent.indexed WHERE leaf_index IN (SELECT leaf_index FROM going)
    )
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM going), (SELECT max(leaf_index) FROM going)
""")
_MARKS = {f"mark{number}": mark for number, mark in enumerate(MARKS)}


def raise_bound(connection: Connection, min_index: int, id: uuid.UUID) -> None:
    """Set the bound to *min_index*, which the event *id* names, unless it is as high; LedgerError without tiles."""
    require_tiles(min_index, connection.execute(_TILES, {"tiles": min_index // WIDTH}).scalar_one())
    connection.execute(_RAISE, {"min_index": min_index, "uid": id})


def prune(connection: Connection, after: int) -> tuple[int, int | None]:
    """Delete the next entries above *after* that may go: how many, and after which to go on; None after the last."""
    gone, going, last = connection.execute(_PRUNE, {"after": after, **_MARKS}).one()
    return gone, last if going == BATCH else None
