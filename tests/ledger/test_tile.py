"""Tiles: what is in each, where it is published, and that proofs come out of full tiles and the right edge."""

import hashlib
import itertools
import math

import pytest

from consent.errors import LedgerError
from consent.ledger import leaf_hash
from consent.ledger.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    root_of,
)
from consent.ledger.tile import Tile, TileReader, completed_tiles, entry_bundle, tile_root, tiles_of

from .memory import FullTiles
from .naive import NaiveTree

SMALL = 700
LARGE = 256 * 257 + 2
HASHES = [leaf_hash(b"entry %d" % number) for number in range(LARGE)]


def filled(size: int) -> FullTiles:
    store = FullTiles()
    store.grow(HASHES[:size])
    return store


def test_the_tiles_of_every_small_tree_give_every_complete_subtree_and_hold_the_specified_hashes() -> None:
    naive = NaiveTree(HASHES[: SMALL + 1])
    store = FullTiles()
    for size in range(1, SMALL + 1):
        store.grow(HASHES[size - 1 : size])
        new = [(level, (size >> level) - 1) for level in range(size.bit_length()) if size % (1 << level) == 0]
        found = TileReader(store).hashes(new)
        assert found == [naive.mth(index << level, index + 1 << level) for level, index in new]
        assert root_of(size, TileReader(store)) == naive.mth(0, size)
        for tile in tiles_of(size)[-3:]:
            span = 256**tile.level
            starts = [(tile.index * 256 + i) * span for i in range(tile.width)]
            assert store.tile(tile.level, tile.index) == b"".join(naive.mth(at, at + span) for at in starts)


@pytest.mark.parametrize("size", [256, 257, 512, 65535, 65536, 65537, 256 * 257 - 1, 256 * 257, LARGE])
def test_proofs_come_out_of_few_tiles_also_where_levels_begin(size: int) -> None:
    store, naive = filled(size), NaiveTree(HASHES[:size])
    reader, root = TileReader(store), naive.mth(0, size)
    levels = math.ceil(math.log(size, 256)) + 1
    for index in {0, 1, 255, 256, size // 2, size - 257, size - 2, size - 1} & {*range(size)}:
        store.read.clear()
        proof = inclusion_proof(index, size, reader)
        assert len(store.read) == len(set(store.read)) <= 2 * levels
        assert proof == naive.path(index, 0, size)
        check_inclusion(proof, index=index, size=size, leaf_hash=HASHES[index], root=root)
    for old in {1, 2, 255, 256, 257, size // 2, size - 256, size - 1, size} & {*range(1, size + 1)}:
        store.read.clear()
        proof = consistency_proof(old, size, reader)
        assert len(store.read) == len(set(store.read)) <= 2 * levels
        assert proof == naive.proof(old, size)
        old_root = naive.mth(0, old)
        check_consistency(proof, old_size=old, old_root=old_root, new_size=size, new_root=root)


def test_a_storage_that_has_grown_still_gives_the_smaller_tree() -> None:
    naive = NaiveTree(HASHES[:SMALL])
    reader = TileReader(filled(SMALL))
    for size in range(1, SMALL + 1):
        assert Frontier.read(size, reader).root() == naive.mth(0, size)


def test_a_tile_that_is_too_short_or_missing_is_noticed() -> None:
    store = filled(600)
    store.full[0, 1] = store.full[0, 1][0][:-32], store.full[0, 1][1]
    with pytest.raises(LedgerError, match="tile 1 of level 0 is shorter"):
        inclusion_proof(510, 600, TileReader(store))
    with pytest.raises(LedgerError):
        root_of(1024, TileReader(store))


def test_a_tree_has_the_tiles_that_the_specification_counts() -> None:
    # The examples of C2SP tlog-tiles, section Partial Tiles.
    tiles = tiles_of(70_000)
    assert tiles[:273] == [Tile(0, index) for index in range(273)]
    assert tiles[273:] == [Tile(1, 0), Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert tiles_of(256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert tiles_of(1) == [Tile(0, 0, 1)]
    assert tiles_of(0) == []


def test_every_tile_becomes_full_once_and_after_those_below_it() -> None:
    steps = [0, 1, 255, 256, 256, 700, 65_535, 65_536, 131_072, 131_073]
    found = [tile for old, new in itertools.pairwise(steps) for tile in completed_tiles(old, new)]
    assert sorted(found) == sorted(tile for tile in tiles_of(steps[-1]) if tile.width == 256)
    assert completed_tiles(65_535, 65_536) == [Tile(0, 255), Tile(1, 0)]
    assert completed_tiles(256**3 - 1, 256**3) == [Tile(0, 65_535), Tile(1, 255), Tile(2, 0)]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999, 7), "tile/0/999.p/7"),
        (Tile(1, 1000), "tile/1/x001/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(3, 1234067, 255), "tile/3/x001/x234/067.p/255"),
    ],
)
def test_a_tile_is_published_under_the_specified_path(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tile.entries_path == path.replace(f"tile/{tile.level}/", "tile/entries/")


def test_entries_are_published_after_their_lengths() -> None:
    long = b"x" * 65_535
    assert entry_bundle([b"a", b"", long]) == b"\x00\x01a\x00\x00\xff\xff" + long
    assert entry_bundle([]) == b""


def test_the_root_of_a_full_tile_is_that_of_its_hashes() -> None:
    assert tile_root(b"".join(HASHES[:256])) == NaiveTree(HASHES[:256]).mth(0, 256)
    assert tile_root(HASHES[0]) == HASHES[0]
    two = hashlib.sha256(b"\x01" + HASHES[0] + HASHES[1]).digest()
    assert tile_root(HASHES[0] + HASHES[1]) == two
