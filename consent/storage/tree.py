"""The tree in the database: how it grows, which tiles are stored, what those hold that aren't full yet."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from consent.errors import LedgerError
from consent.ledger import Head
from consent.ledger.merkle import HASH_BYTES, Frontier
from consent.ledger.tile import WIDTH, completed_tiles, tile_root

#: How many leaf hashes are in memory at a time where a tree is built over entries that are there.
_BATCH = 4096


class Hashes(Protocol):
    """What the tree is made of, as a transaction sees it."""

    def of_entries(self, first: int, count: int) -> Sequence[bytes]:
        """The leaf hashes of up to *count* entries from index *first* on."""

    def of_tiles(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """The roots of up to *count* full tiles of *level* from the tile *first* on."""

    def stored(self, level: int, index: int) -> bytes | None:
        """The hashes of this tile if it is full."""

    def add(self, level: int, index: int, root: bytes, hashes: bytes) -> None:
        """Store this tile, which is full."""


class Tree:
    """The tree that a transaction which writes may let grow.

    *size* and *frontier* as the head has them; *next* is the index after the last entry. Where entries were taken
    away the tree stays as it was: recording goes on, and ``problems`` say so.
    """

    def __init__(self, hashes: Hashes, size: int, frontier: bytes, next: int) -> None:
        self._hashes = hashes
        self._sealed = size
        self.edge = Frontier.from_bytes(size, frontier)
        self.next = next
        """The index that the next entry gets."""

    def grow(self, added: Iterable[bytes] = ()) -> int:
        """Put the entries with the leaf hashes *added* under the tree, which are stored from ``next`` on; how many.

        Before them any that were there: an older release, which knows no tree, writes such. The full tiles are
        stored; the caller moves the head to ``edge``.
        """
        if self._caught_up():
            for leaf_hash in added:
                self.edge.append(leaf_hash)
        before, self._sealed = self._sealed, self.edge.size
        self.next = max(self.next, self.edge.size)
        self._store_full_tiles(before)
        return self._sealed - before

    def _caught_up(self) -> bool:
        """Whether the tree is now over all entries below ``next``."""
        while (count := min(_BATCH, self.next - self.edge.size)) > 0:
            hashes = self._hashes.of_entries(self.edge.size, count)
            if len(hashes) < count:
                return False
            for leaf_hash in hashes:
                self.edge.append(leaf_hash)
        return count == 0

    def _store_full_tiles(self, before: int) -> None:
        # Made of what is stored: the leaf hashes as they are, and the roots of the tiles below.
        for full in completed_tiles(before, self._sealed):
            found = _row(self._hashes, full.level, full.index)
            joined = b"".join(found)
            if len(found) == WIDTH and len(joined) == WIDTH * HASH_BYTES:
                self._hashes.add(full.level, full.index, tile_root(joined), joined)


def tile(hashes: Hashes, level: int, index: int) -> bytes:
    """The hashes of this tile that are there by now; LedgerError when there are none."""
    found = hashes.stored(level, index) or b"".join(_row(hashes, level, index))
    if not found:
        raise LedgerError(f"the tree has no tile {index} of level {level}: entries or tiles are missing")
    return found


def problems(head: Head, entries: int, tiles: int, stray: int | None) -> Iterator[str]:
    """What is wrong with the tree at *head*, of which there are *entries*, and *tiles* of level 0 that are whole.

    *stray*: the index of an entry that stands where none is ever recorded.
    """
    sealed = head.size
    if not _grows(head):
        yield (
            f"The head of the tree of {sealed} entries has hashes to grow from that don't lead to its root: somebody "
            "altered it, and nothing can be recorded under it. Restore the database from a backup."
        )
    if stray is not None:
        yield (
            f"An entry stands at index {stray}, where none is ever recorded, and the tree of {sealed} is not over it: "
            "somebody else wrote it. Run flask consent verify, find out who can write to the database, and restore "
            "it from a backup."
        )
    if entries < sealed:
        yield (
            f"The database has {entries} entries, but its tree was sealed over {sealed}: entries were removed. "
            "Restore the database from a backup."
        )
    if tiles < sealed // WIDTH:
        yield (
            f"The database has {tiles} whole tiles of its tree where {sealed // WIDTH} belong: tiles or entries "
            "were altered or removed. Run flask consent verify, and restore the database from a backup."
        )


def _grows(head: Head) -> bool:
    """Whether what the tree at *head* grows from leads to its root."""
    try:
        return Frontier.from_bytes(head.size, head.frontier).root() == head.root
    except LedgerError:
        return False


def _row(hashes: Hashes, level: int, index: int) -> Sequence[bytes]:
    first = index * WIDTH
    return hashes.of_tiles(level - 1, first, WIDTH) if level else hashes.of_entries(first, WIDTH)
