"""What is done deliberately to the log's keys, each time as an event of the log: announce, end, recover."""

from collections.abc import Sequence
from datetime import datetime

from consent.errors import LedgerError, LedgerUnavailable, SigningRefused
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.event import Event
from consent.ledger.keys import KeyState, LogKey, announcement, ending, recovery, voucher
from consent.ledger.ledger import Ledger
from consent.ledger.note import Signer
from consent.ledger.record import Document
from consent.ledger.signing import Desk, read_guard

#: Seconds that one step may take.
PATIENCE = 30.0


def current_keys(ledger: Ledger) -> list[LogKey]:
    """The keys that sign."""
    known = ledger.keys()
    return [key for key in known if key.state is KeyState.CURRENT]


def desk_of(ledger: Ledger) -> Desk:
    """Where the log's key is kept; LedgerUnavailable where it isn't."""
    if ledger.storage.desk is None:
        raise LedgerUnavailable(
            "The log's key isn't kept here. Set CONSENT_SIGNING_KEY, and run this where checkpoints are signed.",
            retry_after=60,
        )
    return ledger.storage.desk


def announce(ledger: Ledger, new: Signer, *, time: datetime, salt: bytes) -> None:
    """Announce *new*, which all keys vouch for that sign now; from the next checkpoint on it signs beside them.

    *salt*: 32 fresh random bytes. A key that is announced already stays so. LedgerError where a key that signs isn't
    here, and so can't vouch.
    """
    signers = {signer.key: signer for signer in desk_of(ledger).signers()}
    current = [key.verifier for key in current_keys(ledger)]
    if missing := [key for key in current if key not in signers]:
        raise LedgerError(
            f"The key {missing[0]} isn't here, and so can't vouch for another. Put its file back."
        )
    document = voucher(new.key, ledger.origin, [*(signers[key] for key in current), new])
    _record(ledger, announcement(new.key, origin=ledger.origin, time=time), salt, [document])


def end(ledger: Ledger, key: str, *, revoked: bool, time: datetime, salt: bytes) -> None:
    """End *key*: from the next checkpoint on it signs no longer; *revoked*: it counts no longer either.

    ValueError for the only key that signs.
    """
    if [one.verifier for one in current_keys(ledger)] == [key]:
        raise ValueError(f"{key} is the only key that signs; announce another first")
    _record(ledger, ending(key, revoked=revoked, origin=ledger.origin, time=time), salt)


def signed_last(ledger: Ledger) -> Checkpoint | None:
    """What the guard says; None if there is none that a key of the log signed."""
    known = ledger.keys()
    try:
        return read_guard(desk_of(ledger).guard(), [key.verifier for key in known], ledger.origin)
    except SigningRefused:
        return None


def recover(ledger: Ledger, *, time: datetime, salt: bytes) -> str:
    """Record that the tree doesn't continue the one signed last, and sign it; the note."""
    event = recovery(signed_last(ledger), ledger.head(), origin=ledger.origin, time=time)
    _record(ledger, event, salt)
    return ledger.sign(anew=True, patience=PATIENCE)


def _record(ledger: Ledger, event: Event, salt: bytes, documents: Sequence[Document] = ()) -> None:
    if ledger.get(event.id) is None:
        ledger.record(event, salt=salt, documents=documents, patience=PATIENCE)
    while ledger.seal(patience=PATIENCE):
        pass
    if ledger.storage.place(event.id) is None:
        raise LedgerUnavailable(
            "The event is recorded, but somebody else is sealing. Run the command again.", retry_after=1
        )
