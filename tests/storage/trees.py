"""What any tree must be, worked out from the entries alone."""

from collections.abc import Iterable
from itertools import pairwise

from consent.ledger import Checkpoint, Head, Ledger, leaf_hash, open_checkpoint
from consent.ledger.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    root_of,
)


def check_tree(ledger: Ledger) -> Head:
    """The head, which must be the root over the entries' own leaves, without a gap; some entries are proved in it."""
    head = ledger.head()
    tree, hashes = Frontier(), list[bytes]()
    for record in ledger.records():
        if record.index == head.size:
            break
        assert record.index == len(hashes)
        assert record.leaf_hash == leaf_hash(record.leaf)
        hashes.append(record.leaf_hash)
        tree.append(record.leaf_hash)
    assert (tree.size, tree.root()) == (head.size, head.root)
    for index in {0, head.size // 2, head.size - 1}:
        proof = inclusion_proof(index, head.size, ledger.tree)
        check_inclusion(proof, index=index, size=head.size, leaf_hash=hashes[index], root=head.root)
    return head


def check_growth(ledger: Ledger, heads: list[Head]) -> None:
    """Each of *heads* must begin with the one before it."""
    for old, new in pairwise(heads):
        if old.size == new.size:
            assert old.root == new.root
            continue
        proof = consistency_proof(old.size, new.size, ledger.tree)
        check_consistency(proof, old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root)


def opened(note: str | None, ledger: Ledger) -> Checkpoint:
    """The checkpoint in *note*, which one of the log's keys signed."""
    assert note is not None
    return open_checkpoint(note, ledger.verifier_keys(), ledger.origin)


def check_notes(ledger: Ledger, notes: Iterable[str]) -> None:
    """Each of *notes* must be signed, and be of a tree with which the one that is there begins."""
    for signed in (opened(note, ledger) for note in notes):
        assert root_of(signed.size, ledger.tree) == signed.root
