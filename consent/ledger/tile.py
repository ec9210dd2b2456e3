"""The tree in pieces of 256 hashes that are stored, and published, once and for ever (C2SP tlog-tiles).

Tile *index* of *level* 0 holds the hashes of 256 entries; each hash of a tile of a level above is the root of one
full tile below. A tile is full for ever; the last one of each level is partial, and is what the full tiles
below it and the last entries say.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from consent.errors import LedgerError
from consent.ledger.merkle import HASH_BYTES, Coordinate, node_hash

#: A tile has the hashes of 8 levels of the tree: those of the lowest are in it, the others follow.
HEIGHT = 8
WIDTH = 1 << HEIGHT


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Which tile, and how many hashes it has: 256 if it is full."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is published: ``tile/0/x001/067``, or ``tile/0/x001/067.p/16`` with 16 hashes."""
        return f"tile/{self.level}/{_number(self)}"

    @property
    def entries_path(self) -> str:
        """Where the entries of this tile of level 0 are published: ``tile/entries/x001/067``."""
        return f"tile/entries/{_number(self)}"


def _number(tile: Tile) -> str:
    digits = str(tile.index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *first, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
    path = "/".join([*(f"x{part}" for part in first), last])
    return path if tile.width == WIDTH else f"{path}.p/{tile.width}"


def completed_tiles(old_size: int, new_size: int) -> list[Tile]:
    """The tiles that become full when the tree grows from *old_size* to *new_size* entries, lowest first."""
    found = list[Tile]()
    level = 0
    while new_size >> HEIGHT * (level + 1):
        span = HEIGHT * (level + 1)
        found += [Tile(level, index) for index in range(old_size >> span, new_size >> span)]
        level += 1
    return found


def tiles_of(size: int) -> list[Tile]:
    """All tiles of the tree of *size* entries: the full ones, and the partial one of each level that has one."""
    found = completed_tiles(0, size)
    level = 0
    while hashes := size >> HEIGHT * level:
        if width := hashes % WIDTH:
            found.append(Tile(level, hashes >> HEIGHT, width))
        level += 1
    return found


def tile_root(tile: bytes) -> bytes:
    """The root over the hashes of a full tile, or over any 2^n hashes: what stands for them one level above."""
    row = [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def entry_bundle(leaves: Iterable[bytes]) -> bytes:
    """What is published under ``entries_path``: each leaf after its length in two bytes, big-endian."""
    return b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in leaves)


class TileStore(Protocol):
    """Where tiles are kept."""

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of this tile, 32 bytes each, concatenated: all 256, or those there are by now.

        A partial tile of level 0 has the hashes of the last entries, one of a level above the roots of the last
        full tiles below it: only full tiles need to be stored. It may have more hashes than the caller knows
        of. LedgerError when there is none.
        """


class FullTiles(Protocol):
    """Where full tiles are stored."""

    def full_tile(self, level: int, index: int) -> bytes | None:
        """The hashes of this tile as they are stored, whatever these are; None where it isn't.

        Nothing stands for it, as entries do in ``TileStore.tile``: once these are pruned, nothing else is left.
        """


@dataclass(frozen=True, slots=True)
class TileReader:
    """The hashes of complete subtrees, from tiles (a ``HashReader``).

    Each tile is read once for all hashes that are asked for together; for a proof that is at most one of each
    level, and one of each level at the right edge.
    """

    store: TileStore

    def hashes(self, coordinates: Sequence[Coordinate]) -> list[bytes]:
        """The hashes of these complete subtrees; LedgerError when a tile is too short or isn't there."""
        tiles = dict[tuple[int, int], bytes]()
        return [self._hash(coordinate, tiles) for coordinate in coordinates]

    def _hash(self, coordinate: Coordinate, tiles: dict[tuple[int, int], bytes]) -> bytes:
        level, height = divmod(coordinate[0], HEIGHT)
        first = coordinate[1] << height
        place = level, first >> HEIGHT
        if place not in tiles:
            tiles[place] = self.store.tile(*place)
        start, length = first % WIDTH * HASH_BYTES, HASH_BYTES << height
        hashes = tiles[place][start : start + length]
        if len(hashes) != length:
            raise LedgerError(f"tile {place[1]} of level {level} is shorter than it was: the tree is damaged")
        return tile_root(hashes)
