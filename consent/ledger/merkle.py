"""The tree over the log's entries, and what can be proved with it (RFC 6962 §2.1, RFC 9162 §2.1).

Trees are made of leaf hashes (``leaf_hash``) in the order of the log. A subtree is *complete* when it has 2^level
leaves; its hash never changes again, whatever is appended. Proofs are made of such hashes only, which a
``HashReader`` supplies; they are checked with nothing but themselves and two roots.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from consent.errors import LedgerError, ProofError

HASH_BYTES = 32
#: The root of the tree without entries: the hash of nothing (RFC 6962 §2.1).
EMPTY_ROOT = hashlib.sha256(b"").digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), 32 bytes (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


#: Level and index of a complete subtree: it has the 2^level leaves from index × 2^level on.
Coordinate = tuple[int, int]


class HashReader(Protocol):
    """The only thing that proofs need to know about storage."""

    def hashes(self, coordinates: Sequence[Coordinate]) -> list[bytes]:
        """The hashes of these complete subtrees, 32 bytes each, in the order asked for.

        All are asked for in one call, so that they can be read at once. Asked are only subtrees that are complete
        in the tree of the size in question; what was appended since makes no difference. LedgerError when one
        isn't there.
        """


class Frontier:
    """The right edge of a tree: the roots of the complete subtrees it falls into, largest first.

    It is all that appending needs, at most 63 hashes: one for each 1 in the binary notation of the size.
    """

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        """The edge of a tree of *size* leaves; LedgerError unless there are as many *roots* as its subtrees."""
        self.size = size
        self._roots = list(roots)
        if size < 0 or len(self._roots) != size.bit_count() or {*map(len, self._roots)} - {HASH_BYTES}:
            raise LedgerError(f"{len(self._roots)} hashes are not the right edge of a tree of {size} entries")

    @classmethod
    def read(cls, size: int, reader: HashReader) -> "Frontier":
        """The edge of the tree of the first *size* entries, in one read."""
        return cls(size, _read(_cover(0, size), reader))

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """The edge that ``to_bytes`` wrote for a tree of *size* leaves; LedgerError for anything else."""
        return cls(size, (data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))

    def to_bytes(self) -> bytes:
        """The hashes, concatenated; empty for the empty tree."""
        return b"".join(self._roots)

    def append(self, leaf_hash: bytes) -> None:
        """Append one leaf by its hash; ValueError unless it has 32 bytes."""
        if len(leaf_hash) != HASH_BYTES:
            raise ValueError(f"a leaf hash of {len(leaf_hash)} bytes; expected {HASH_BYTES}")
        root, rest = leaf_hash, self.size
        while rest & 1:  # each equal neighbour on the left makes one subtree with this one
            root, rest = node_hash(self._roots.pop(), root), rest >> 1
        self._roots.append(root)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree, 32 bytes."""
        return _joined(self._roots) if self._roots else EMPTY_ROOT


def root_of(size: int, reader: HashReader) -> bytes:
    """The root of the tree of the first *size* entries, read in at most log₂ *size* hashes."""
    return Frontier.read(size, reader).root()


def inclusion_proof(index: int, size: int, reader: HashReader) -> list[bytes]:
    """What shows that entry *index* is in the tree of *size* entries (RFC 6962 §2.1.1: the audit path).

    From the leaf's neighbour up. ValueError if there is no such entry.
    """
    if not 0 <= index < size:
        raise ValueError(f"no entry {index} in a tree of {size}; expected 0 to {size - 1}")
    return _roots(_inclusion(index, size), reader)


def consistency_proof(old_size: int, new_size: int, reader: HashReader) -> list[bytes]:
    """What shows that the tree of *new_size* begins with that of *old_size* entries (RFC 6962 §2.1.2).

    ValueError unless 0 < *old_size* <= *new_size*: of the empty tree there is nothing to show.
    """
    if not 0 < old_size <= new_size:
        raise ValueError(f"no proof from {old_size} to {new_size} entries; expected 0 < old <= new")
    return _roots(_consistency(old_size, new_size), reader)


def check_inclusion(proof: Sequence[bytes], *, index: int, size: int, leaf_hash: bytes, root: bytes) -> None:
    """ProofError unless *proof* shows that entry *index* of the tree of *size* entries has *leaf_hash*."""
    if not 0 <= index < size:
        raise ProofError("The proof is of no entry of this tree.")
    steps = _inclusion(index, size)
    _check_form(steps, proof, leaf_hash)
    found = leaf_hash
    for (start, _), other in zip(steps, proof, strict=True):
        found = node_hash(other, found) if start < index else node_hash(found, other)
    if found != root:
        raise ProofError("The proof doesn't lead to the root of this tree.")


def check_consistency(
    proof: Sequence[bytes], *, old_size: int, old_root: bytes, new_size: int, new_root: bytes
) -> None:
    """ProofError unless *proof* shows that the tree with *new_root* begins with the one with *old_root*.

    An *old_size* of 0 is refused too: every tree begins with the empty one, and it is for the caller to say so.
    """
    if not 0 < old_size <= new_size:
        raise ProofError("The proof is of no two trees of which one begins with the other.")
    steps = _consistency(old_size, new_size)
    _check_form(steps, proof, old_root)
    rest = list(zip(steps, proof, strict=True))
    # The old tree is one subtree of the new, or its last complete part is where the proof begins.
    old = new = rest.pop(0)[1] if rest and rest[0][0][1] == old_size else old_root
    for (start, _), other in rest:
        if start < old_size:
            old, new = node_hash(other, old), node_hash(other, new)
        else:
            new = node_hash(new, other)
    if old != old_root or new != new_root:
        raise ProofError("The proof doesn't lead to the roots of these trees.")


#: Leaves from the first number up to, but not including, the second.
_Span = tuple[int, int]


def _inclusion(index: int, size: int) -> list[_Span]:
    """The spans whose roots are the proof that *index* is among *size*: what lies beside the way down to it."""
    beside, start, end = list[_Span](), 0, size
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
    return beside[::-1]


def _consistency(old: int, new: int) -> list[_Span]:
    """The spans whose roots are the proof from *old* to *new*: beside the way down to where the old one ends."""
    beside, start, end = list[_Span](), 0, new
    while end != old:
        middle = _split(start, end)
        if old <= middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
    if start:  # else this is the whole old tree, whose root the reader of the proof has
        beside.append((start, end))
    return beside[::-1]


def _split(start: int, end: int) -> int:
    """Where RFC 6962 divides a tree of two or more leaves: after the largest power of two below their number."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _cover(start: int, end: int) -> list[Coordinate]:
    """The complete subtrees that a span of the above falls into, from left to right, the largest first."""
    found = list[Coordinate]()
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def _roots(spans: Iterable[_Span], reader: HashReader) -> list[bytes]:
    """The root of each of the *spans*, in one read."""
    covers = [_cover(*span) for span in spans]
    found = iter(_read([coordinate for cover in covers for coordinate in cover], reader))
    return [_joined([next(found) for _ in cover]) for cover in covers]


def _read(coordinates: Sequence[Coordinate], reader: HashReader) -> list[bytes]:
    found = reader.hashes(coordinates) if coordinates else []
    if len(found) != len(coordinates) or {*map(len, found)} - {HASH_BYTES}:
        raise LedgerError(f"asked for {len(coordinates)} hashes of the tree, the storage gave something else")
    return found


def _joined(roots: Sequence[bytes]) -> bytes:
    """The root over the *roots* of complete subtrees that stand side by side, the largest first."""
    *rest, joined = roots
    for root in reversed(rest):
        joined = node_hash(root, joined)
    return joined


def _check_form(steps: Sequence[_Span], proof: Sequence[bytes], start: bytes) -> None:
    if len(proof) != len(steps) or {*map(len, proof), len(start)} != {HASH_BYTES}:
        raise ProofError("The proof has another length than one of this tree.")
