"""The tree: every proof of every small tree, against the RFC's own definitions and two other programs' values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import scitt_cose
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import LedgerError, ProofError
from consent.ledger import leaf_hash
from consent.ledger.merkle import (
    EMPTY_ROOT,
    Coordinate,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    node_hash,
    root_of,
)

from .naive import NaiveTree
from .strategies import UNHURRIED

LARGEST = 300
LEAVES = [b"entry %d" % number for number in range(LARGEST)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
NAIVE = NaiveTree(HASHES)


@dataclass
class MemoryReader:
    """Complete subtrees by the definition; remembers what it was asked."""

    tree: NaiveTree
    asked: list[Sequence[Coordinate]] = field(default_factory=list)

    def hashes(self, coordinates: Sequence[Coordinate]) -> list[bytes]:
        self.asked.append(coordinates)
        return [self.tree.mth(index << level, index + 1 << level) for level, index in coordinates]


READER = MemoryReader(NAIVE)

#: Where a level begins, and all below; all others are for the full run.
SHORT = [*range(1, 131), 255, 256, 257, LARGEST]
of_every_size = pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(sorted({*range(1, LARGEST + 1)} - {*SHORT}), id="others", marks=pytest.mark.full),
    ],
)


def refuse_inclusion(proof: Sequence[bytes], index: int, size: int, leaf: bytes, root: bytes) -> None:
    with pytest.raises(ProofError):
        check_inclusion(proof, index=index, size=size, leaf_hash=leaf, root=root)


def refuse_consistency(proof: Sequence[bytes], old: int, size: int, old_root: bytes, new_root: bytes) -> None:
    with pytest.raises(ProofError):
        check_consistency(proof, old_size=old, old_root=old_root, new_size=size, new_root=new_root)


def flipped(data: bytes, bit: int = 0) -> bytes:
    """*data* with one bit turned over."""
    return bytes([*data[: bit // 8], data[bit // 8] ^ 1 << bit % 8, *data[bit // 8 + 1 :]])


# --- every proof of every small tree -----------------------------------------------------------------


def test_appending_leaves_gives_the_root_of_every_size() -> None:
    frontier = Frontier()
    for size in range(LARGEST + 1):
        assert frontier.size == size
        assert frontier.root() == NAIVE.mth(0, size) == root_of(size, READER)
        if size < LARGEST:
            frontier.append(HASHES[size])


def test_a_right_edge_goes_on_from_its_bytes_and_is_read_from_the_tree() -> None:
    for size in range(LARGEST):
        edge = Frontier.read(size, READER)
        written = edge.to_bytes()
        assert len(written) == 32 * size.bit_count()
        again = Frontier.from_bytes(size, written)
        again.append(HASHES[size])
        assert again.root() == NAIVE.mth(0, size + 1)


@of_every_size
def test_every_entry_of_every_tree_has_the_rfc_s_inclusion_proof(sizes: Sequence[int]) -> None:
    for size in sizes:
        root = NAIVE.mth(0, size)
        for index in range(size):
            proof = inclusion_proof(index, size, READER)
            assert proof == NAIVE.path(index, 0, size)
            check_inclusion(proof, index=index, size=size, leaf_hash=HASHES[index], root=root)


@of_every_size
def test_every_tree_begins_with_every_smaller_one_and_has_the_rfc_s_consistency_proof(
    sizes: Sequence[int],
) -> None:
    for size in sizes:
        for old in range(1, size + 1):
            proof = consistency_proof(old, size, READER)
            assert proof == NAIVE.proof(old, size)
            check_consistency(
                proof, old_size=old, old_root=NAIVE.mth(0, old), new_size=size, new_root=NAIVE.mth(0, size)
            )


def test_a_proof_is_read_at_once_and_in_few_hashes() -> None:
    reader = MemoryReader(NAIVE)
    for size in range(2, LARGEST + 1):
        for make in (inclusion_proof, consistency_proof):
            reader.asked.clear()
            make(size // 2, size, reader)
            assert len(reader.asked) == 1
            assert len(reader.asked[0]) <= 2 * size.bit_length()


# --- what is no proof --------------------------------------------------------------------------------

SIZES = (1, 2, 3, 5, 7, 8, 9, 31, 32, 33, 100)


def test_an_inclusion_proof_with_any_hash_altered_is_refused() -> None:
    for size in SIZES:
        for index in range(size):
            proof = inclusion_proof(index, size, READER)
            root, leaf = NAIVE.mth(0, size), HASHES[index]
            for place in range(len(proof)):
                altered = [*proof[:place], flipped(proof[place], 37 * index % 256), *proof[place + 1 :]]
                refuse_inclusion(altered, index, size, leaf, root)
            for wrong in (proof[1:], proof[:-1], [*proof, root], [b"", *proof], [*proof[:-1], b"short"]):
                if wrong != proof:
                    refuse_inclusion(wrong, index, size, leaf, root)


def test_an_inclusion_proof_of_another_place_tree_root_or_leaf_is_refused() -> None:
    for size in SIZES:
        for index in range(size):
            proof = inclusion_proof(index, size, READER)
            root, leaf = NAIVE.mth(0, size), HASHES[index]
            for other in {-1, 0, index - 1, index + 1, index ^ 2, size - 1, size, 2**64} - {index}:
                refuse_inclusion(proof, other, size, leaf, root)
            for other in (-1, 0, index, 2 * size, 2**70):
                refuse_inclusion(proof, index, other, leaf, root)
            for hashed in (flipped(root), EMPTY_ROOT, b""):
                refuse_inclusion(proof, index, size, leaf, hashed)
            for hashed in (flipped(leaf), b"", leaf[:31]):
                refuse_inclusion(proof, index, size, hashed, root)


def test_a_consistency_proof_with_anything_altered_is_refused() -> None:
    for size in SIZES:
        new = NAIVE.mth(0, size)
        for old in range(1, size + 1):
            proof, root = consistency_proof(old, size, READER), NAIVE.mth(0, old)
            for place in range(len(proof)):
                altered = [*proof[:place], flipped(proof[place], 37 * old % 256), *proof[place + 1 :]]
                refuse_consistency(altered, old, size, root, new)
            for wrong in (proof[1:], proof[:-1], [*proof, new], [root, *proof], [b"", *proof]):
                if wrong != proof:
                    refuse_consistency(wrong, old, size, root, new)
            refuse_consistency(proof, old, size, flipped(root), new)
            refuse_consistency(proof, old, size, root, flipped(new))
            refuse_consistency(proof, old, size, b"", new)
            for other in {-1, 0, old - 1, old + 1, size + 1} - {old}:
                refuse_consistency(proof, other, size, root, new)
            for other in (-1, 0, old - 1, 2 * size):
                refuse_consistency(proof, old, other, root, new)


def test_nothing_is_shown_of_the_empty_tree_nor_of_entries_beyond_the_end() -> None:
    refuse_consistency([], 0, 1, EMPTY_ROOT, HASHES[0])
    for old, new in ((0, 0), (0, 5), (6, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no proof from"):
            consistency_proof(old, new, READER)
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no entry"):
            inclusion_proof(index, size, READER)


hash_like = st.binary(max_size=40) | st.binary(min_size=32, max_size=32)
numbers = st.integers(-2, 12) | st.integers(-(2**70), 2**70)


@UNHURRIED
@given(st.lists(hash_like, max_size=70), numbers, numbers, hash_like, hash_like)
def test_whatever_is_said_to_be_a_proof_is_refused_and_nothing_breaks(
    proof: list[bytes], small: int, large: int, one: bytes, other: bytes
) -> None:
    refuse_inclusion(proof, small, large, one, other + b"x")
    refuse_consistency(proof, small, large, one, flipped(one + b"x"))


@pytest.mark.parametrize(
    ("size", "roots"), [(1, []), (0, [b"x" * 32]), (3, [b"x" * 32]), (1, [b"x" * 31]), (-1, [])]
)
def test_what_is_no_right_edge_of_that_size_is_refused(size: int, roots: list[bytes]) -> None:
    with pytest.raises(LedgerError, match="right edge"):
        Frontier(size, roots)
    with pytest.raises(LedgerError, match="right edge"):
        Frontier.from_bytes(size, b"".join(roots))


def test_a_leaf_hash_of_another_length_is_not_appended() -> None:
    with pytest.raises(ValueError, match="expected 32"):
        Frontier().append(b"entry")


@pytest.mark.parametrize("answer", [[], [b"x" * 31], [b"x" * 32] * 2])
def test_a_storage_that_answers_something_else_is_noticed(answer: list[bytes]) -> None:
    class Broken:
        def hashes(self, coordinates: Sequence[Coordinate]) -> list[bytes]:
            return answer

    with pytest.raises(LedgerError, match="something else"):
        inclusion_proof(0, 2, Broken())


# --- other programs' values --------------------------------------------------------------------------

#: The tree of eight entries that the test suites of Certificate Transparency have used from the beginning.
CT_LEAVES = [
    bytes.fromhex(entry)
    for entry in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
#: Its complete subtrees, level by level.
CT_NODES = [
    [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
        "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
    ],
    [
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    ],
    [
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
]
CT_READER = MemoryReader(NaiveTree([leaf_hash(leaf) for leaf in CT_LEAVES]))


def test_the_hashes_of_certificate_transparency_come_out() -> None:
    row = [leaf_hash(leaf) for leaf in CT_LEAVES]
    for level in CT_NODES:
        assert [part.hex() for part in row] == level
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    assert [part.hex() for part in row] == CT_ROOTS[-1:]


def test_the_roots_of_certificate_transparency_come_out() -> None:
    frontier = Frontier()
    for leaf, root in zip([*CT_LEAVES, b""], CT_ROOTS, strict=True):
        assert frontier.root().hex() == root
        frontier.append(leaf_hash(leaf))
    assert EMPTY_ROOT.hex() == CT_ROOTS[0]
    # From the tests of its hashing: the children there are not of 32 bytes.
    hashed = "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert node_hash(b"N123", b"N456").hex() == hashed


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (0, 8, [CT_NODES[0][1], CT_NODES[1][1], CT_NODES[2][1]]),
        (5, 8, [CT_NODES[0][4], CT_NODES[1][3], CT_NODES[2][0]]),
        (2, 3, [CT_NODES[1][0]]),
        (1, 5, [CT_NODES[0][0], CT_NODES[1][1], CT_NODES[0][4]]),
    ],
)
def test_the_inclusion_proofs_of_certificate_transparency_come_out(
    index: int, size: int, proof: list[str]
) -> None:
    found = inclusion_proof(index, size, CT_READER)
    assert [part.hex() for part in found] == proof
    root = bytes.fromhex(CT_ROOTS[size])
    check_inclusion(found, index=index, size=size, leaf_hash=leaf_hash(CT_LEAVES[index]), root=root)


@pytest.mark.parametrize(
    ("old", "size", "proof"),
    [
        (1, 1, []),
        (1, 8, [CT_NODES[0][1], CT_NODES[1][1], CT_NODES[2][1]]),
        (6, 8, [CT_NODES[1][2], CT_NODES[1][3], CT_NODES[2][0]]),
        (2, 5, [CT_NODES[1][1], CT_NODES[0][4]]),
    ],
)
def test_the_consistency_proofs_of_certificate_transparency_come_out(
    old: int, size: int, proof: list[str]
) -> None:
    found = consistency_proof(old, size, CT_READER)
    assert [part.hex() for part in found] == proof
    old_root, new_root = bytes.fromhex(CT_ROOTS[old]), bytes.fromhex(CT_ROOTS[size])
    check_consistency(found, old_size=old, old_root=old_root, new_size=size, new_root=new_root)


def test_another_program_makes_the_same_proofs_and_accepts_ours() -> None:
    for size in (1, 2, 3, 7, 8, 13, 64, 77):
        entries = [leaf.hex() for leaf in LEAVES[:size]]
        root = root_of(size, READER).hex()
        assert scitt_cose.merkle_root(entries) == root
        for index in range(size):
            path = [part.hex() for part in inclusion_proof(index, size, READER)]
            assert scitt_cose.inclusion_proof(entries, index) == path
            assert scitt_cose.verify_inclusion(entries[index], index, size, path, root)
        for old in range(1, size + 1):
            proof = [part.hex() for part in consistency_proof(old, size, READER)]
            assert scitt_cose.consistency_proof(entries, old, size) == proof
            old_root = root_of(old, READER).hex()
            assert scitt_cose.verify_consistency(old_root, root, old, size, proof)
