"""Sealing in SQLite: an entry comes under the tree's root in the transaction that writes it."""

import sqlite3
from collections.abc import Iterable, Sequence

from consent.errors import LedgerError
from consent.ledger.tile import WIDTH
from consent.storage import tally
from consent.storage.altered import as_bytes, as_leaf_hash, as_size
from consent.storage.tree import Tree

# For the driver itself, as all that an append runs (``engine.immediate`` says why).
_HEAD = "SELECT size, frontier, (SELECT coalesce(max(leaf_index), -1) + 1 FROM entry) FROM head"
# An older release, which knows no tree, writes entries that follow it.
_END_OF_RUN = """
    SELECT leaf_index + 1 FROM entry AS last WHERE leaf_index >= :size
    AND NOT EXISTS (SELECT 1 FROM entry WHERE leaf_index = last.leaf_index + 1)
    AND EXISTS (SELECT 1 FROM entry WHERE leaf_index = :size) ORDER BY leaf_index LIMIT 1
"""
_MOVE = "UPDATE head SET size = ?, root = ?, frontier = ?, sealed_at = ?"
_OF_ENTRIES = """
    SELECT CAST(leaf_hash AS BLOB), CASE length(CAST(leaf_hash AS BLOB)) WHEN 32 THEN NULL ELSE CAST(leaf AS BLOB) END
    FROM entry WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index
"""
_OF_TILES = "SELECT CAST(root AS BLOB) FROM tile WHERE level = ? AND n >= ? AND n < ? ORDER BY n"
_STORED = "SELECT hashes FROM tile WHERE level = ? AND n = ?"
# What somebody else put in its place stays there, for verification to find, and keeps nobody from recording.
_ADD = (
    "INSERT INTO tile (level, n, root, hashes) SELECT ?1, ?2, ?3, ?4 "
    "WHERE NOT EXISTS (SELECT 1 FROM tile WHERE level = ?1 AND n = ?2)"
)


def read(connection: sqlite3.Connection) -> Tree:
    """The tree as it stands; LedgerError without a head."""
    row = connection.execute(_HEAD).fetchone()
    if row is None:
        raise LedgerError("The database has no tree head. Restore it from a backup.")
    size, frontier, following = row
    as_size(size)
    if following > size:
        found = connection.execute(_END_OF_RUN, {"size": size}).fetchone()
        following = found[0] if found else size  # what stands behind a gap is nobody's of ours
    return Tree(_Hashes(connection), size, as_bytes(frontier), following)


def seal(connection: sqlite3.Connection, tree: Tree, added: Iterable[bytes], now: int) -> int:
    """Seal the entries with the leaf hashes *added*, which were just stored, and all before them; how many.

    *now* in milliseconds since 1970.
    """
    count = tree.grow(added)
    if count:
        edge = tree.edge
        connection.execute(_MOVE, (edge.size, edge.root(), edge.to_bytes(), now))
        if edge.size % WIDTH < count:  # a tile is full now
            tally.count_in_file(connection, edge.size)
    return count


class _Hashes:
    """What the tree is made of, by the driver's own connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of_entries(self, first: int, count: int) -> Sequence[bytes]:
        rows = self._connection.execute(_OF_ENTRIES, (first, first + count))
        return [as_leaf_hash(*row) for row in rows]

    def of_tiles(self, level: int, first: int, count: int) -> Sequence[bytes]:
        rows = self._connection.execute(_OF_TILES, (level, first, first + count))
        return [as_bytes(root) for (root,) in rows]

    def stored(self, level: int, index: int) -> bytes | None:
        row = self._connection.execute(_STORED, (level, index)).fetchone()
        return None if row is None else as_bytes(row[0])

    def add(self, level: int, index: int, root: bytes, hashes: bytes) -> None:
        self._connection.execute(_ADD, (level, index, root, hashes))
