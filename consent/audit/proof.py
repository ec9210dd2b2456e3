"""The proof that an event is in the log as it was signed: made from the tree, and checked, for whoever reads of it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consent.audit.untold import untold
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Ledger
from consent.ledger.note import Note

HOLDS: Final = "Checked just now: this event is in the log that was signed, and says what it said then."
HOLDS_ERASED: Final = (
    "Checked just now: this event is in the log that was signed. What it said has been erased since."
)
NOT_YET: Final = (
    "No signed checkpoint covers this event yet, so there is no proof to check. Where the log's key is kept, there "
    "will be one with the next checkpoint."
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of checking it."""

    said: str
    """In a sentence."""
    holds: bool | None
    """Whether it was checked and holds; None when there was nothing to check, or it can't be had now."""
    facts: Sequence[tuple[str, str]] = ()
    """What it holds of: pairs of a name and what is said of it."""


def proof_of(ledger: Ledger, id: uuid.UUID) -> Proof:
    """The inclusion proof of the event *id*, checked down to the signature (``Ledger.receipt``).

    Where the log's key is kept, a checkpoint is signed first if none covers the event, as for a receipt.
    """
    try:
        receipt = ledger.receipt(id)
        keys = ledger.verifier_keys()
    except LedgerUnavailable as error:
        return Proof(untold("The proof can't be had now.", error), None)
    except LedgerError as error:
        return Proof(str(error), False)
    if receipt is None:
        return Proof(NOT_YET, None)
    checkpoint, signers = receipt.checkpoint, Note.parse(receipt.note).signed_by(keys)
    return Proof(
        HOLDS if receipt.opening is not None else HOLDS_ERASED,
        True,
        (
            ("index", f"{receipt.index:,}"),
            ("tree size", f"{checkpoint.size:,} entries"),
            ("hashes", f"{len(receipt.proof)}, which lead from the event to the root of the tree"),
            ("root", checkpoint.root.hex()),
            ("signed by", ", ".join(sorted(signers))),
        ),
    )
