"""Receipts: what a visitor keeps, as C2SP publishes it (tlog-proof).

The entry, where it stands, what shows that it is in the tree, and the signed checkpoint of that tree::

    c2sp.org/tlog-proof@v1
    extra eyJsZWFmIjoiZXlKamIyMXRhWFJ0…
    index 1
    zVox7nth1+k6NzYi5+QWyHghODWwtyboJ1R6euXi9HQ=

    clinic.example/privacy-choices
    2
    …

``extra`` isn't signed. It is canonical JSON of the leaf, and of salt and opening unless they were erased; who reads a
receipt computes the leaf hash from the one and the commitment from the others (``check_receipt``).
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from consent.canonical import canonical
from consent.errors import LedgerError, ProofError
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.event import Event
from consent.ledger.leaf import SALT_BYTES, Leaf, commitment, leaf_hash
from consent.ledger.merkle import HASH_BYTES, HashReader, check_inclusion, inclusion_proof
from consent.ledger.note import Note, decoded, encoded
from consent.ledger.record import Record

_FORMAT = "c2sp.org/tlog-proof@v1"
#: Characters. The longest leaf and an opening as long as four of it fit in, beside a note.
LONGEST_RECEIPT = 786_432
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class Outcome(StrEnum):
    """What came of a receipt. The list is closed."""

    VALID = "valid"
    """The log signed a tree in which this entry is; and the opening, if there is one, is the entry's."""
    ALTERED = "altered"
    """Something in it isn't what the log signed."""
    OTHER_LOG = "other_log"
    """It speaks of another log."""
    UNKNOWN_SIGNATURE = "unknown_signature"
    """It names this log, but no known key signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That an entry is in a log, in a form that anybody can check offline; not checked yet.

    Only what lies under a checkpoint has one. ValueError for an opening without its salt, or the
    other way round, and for a proof that isn't made of hashes.
    """

    index: int
    proof: tuple[bytes, ...]
    """The inclusion proof, from the leaf's neighbour up."""
    note: str
    """The signed checkpoint, as it is published, with all its signatures."""
    leaf: bytes
    salt: bytes | None
    opening: bytes | None
    """None once it is erased, as *salt*: then the receipt shows that there was an event, and not what it said."""

    def __post_init__(self) -> None:
        if (self.salt is None) != (self.opening is None):
            raise ValueError(
                "a salt without its opening, or an opening without its salt; expected both or none"
            )
        if {*map(len, self.proof)} - {HASH_BYTES}:
            raise ValueError(f"a proof of other than hashes; expected {HASH_BYTES} bytes each")

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says, signed by whomever; ProofError if that is no checkpoint."""
        return Checkpoint.parse(Note.parse(self.note).text)

    def outline(self) -> Leaf:
        """What the leaf alone says; LedgerError if it isn't one."""
        return Leaf.from_bytes(self.leaf)

    def event(self) -> Event | None:
        """The event, None if its opening was erased; LedgerError if what is in the receipt isn't one."""
        return None if self.opening is None else Event.from_bytes(self.leaf, self.opening)

    def to_text(self) -> str:
        """The receipt as it is kept, in a file that ends in ``.tlog-proof``."""
        members = {"leaf": self.leaf, "opening": self.opening, "salt": self.salt}
        extra = canonical({name: None if data is None else encoded(data) for name, data in members.items()})
        lines = (_FORMAT, f"extra {encoded(extra)}", f"index {self.index}", *map(encoded, self.proof))
        return "\n".join((*lines, "", self.note))

    @classmethod
    def parse(cls, text: str) -> "Receipt":
        """The receipt that ``to_text`` writes as *text*; ProofError for anything else, and for an unknown leaf.

        Line ends are newlines alone: who takes it from a form or a file brings them into that shape.
        """
        try:
            if len(text) > LONGEST_RECEIPT:
                raise ValueError("too long")
            head, note = text.split("\n\n", 1)
            _, extra, index, *proof = head.split("\n")
            if not (place := _INDEX.fullmatch(index)):
                raise ValueError("the index is no plain number")
            members = json.loads(decoded(extra.removeprefix("extra ")))
            found = cls(
                index=int(place[1]),
                proof=tuple(map(decoded, proof)),
                note=note,
                leaf=decoded(members["leaf"]),
                salt=None if members["salt"] is None else decoded(members["salt"]),
                opening=None if members["opening"] is None else decoded(members["opening"]),
            )
            if found.to_text() != text or found.checkpoint.size <= found.index:
                raise ValueError("not as it would be written, or beyond the end of the log")
            found.outline()
        except (ValueError, KeyError, TypeError, RecursionError, ProofError, LedgerError) as error:
            raise ProofError(
                "This is not a receipt, or not one of a known form, or not the whole of it."
            ) from error
        return found


def check_receipt(receipt: Receipt, keys: Iterable[str], origin: str) -> Outcome:
    """What *receipt* is worth to someone who knows the log *origin* by its verifier keys *keys*.

    Old keys of the log belong to *keys*, as receipts stay valid. ValueError if one of them is no verifier key,
    LedgerError if the leaf is of no known form, which ``Receipt.parse`` doesn't let pass.
    """
    leaf = receipt.outline()
    try:
        note, checkpoint = Note.parse(receipt.note), receipt.checkpoint
        if checkpoint.origin != origin:
            return Outcome.OTHER_LOG
        if not note.signed_by(keys):
            return Outcome.UNKNOWN_SIGNATURE
        check_inclusion(
            receipt.proof,
            index=receipt.index,
            size=checkpoint.size,
            leaf_hash=leaf_hash(receipt.leaf),
            root=checkpoint.root,
        )
    except ProofError:
        return Outcome.ALTERED
    if leaf.origin != origin:
        return Outcome.OTHER_LOG
    return Outcome.VALID if _opens(receipt, leaf) else Outcome.ALTERED


def made(
    record: Record, index: int, note: str, tree: HashReader, keys: Iterable[str], origin: str
) -> Receipt:
    """The receipt of *record*, sealed at *index*, under *note*, of whose entries *tree* has all.

    At most one tile of each level, and one at the right edge, is read. LedgerError unless it is valid.
    """
    size = Checkpoint.parse(Note.parse(note).text).size
    proof = tuple(inclusion_proof(index, size, tree))
    try:
        receipt = Receipt(
            index=index, proof=proof, note=note, leaf=record.leaf, salt=record.salt, opening=record.body
        )
        if check_receipt(receipt, keys, origin) is Outcome.VALID:
            return receipt
    except (ValueError, TypeError):  # half an opening, or no bytes
        pass
    raise LedgerError(
        f"The event {record.id} has no receipt that holds: it was changed after it was sealed, or no key that counts "
        "has signed it. Verify the log, and restore it from a backup."
    )


def _opens(receipt: Receipt, leaf: Leaf) -> bool:
    if receipt.salt is None or receipt.opening is None:
        return True
    return len(receipt.salt) == SALT_BYTES and commitment(receipt.salt, receipt.opening) == leaf.commitment
