"""What is done deliberately to the log's keys, each time as an event of the log: announce, end, recover."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from consent.errors import LedgerError, LedgerUnavailable, ProofError, SigningRefused
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.event import Event
from consent.ledger.keys import KeyState, LogKey, announcement, ending, farewell, recovery, voucher
from consent.ledger.ledger import Ledger
from consent.ledger.note import Note, Signer
from consent.ledger.record import Document, Head, Record
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


def signing(ledger: Ledger) -> list[LogKey]:
    """The keys that sign and are here, in the order of the log."""
    here = {signer.key for signer in desk_of(ledger).signers()}
    return [key for key in current_keys(ledger) if key.verifier in here]


def unnamed(ledger: Ledger) -> list[str]:
    """The verifier keys that are here and that the log doesn't name."""
    known = ledger.keys()
    named = {key.verifier for key in known}
    return [signer.key for signer in desk_of(ledger).signers() if signer.key not in named]


def forgotten_keys(ledger: Ledger) -> list[str]:
    """Those of ``unnamed`` that signed what the guard says: their announcement was in a newer database."""
    try:
        signed = Note.parse(desk_of(ledger).guard() or "").signed_by(unnamed(ledger))
    except (ProofError, ValueError):
        return []
    return sorted(signed)


def before(ledger: Ledger, key: LogKey) -> list[LogKey]:
    """The keys that still sign beside *key*, which they vouched for, and which can end them therefore."""
    return [one for one in current_keys(ledger) if one.verifier in key.vouchers]


def announce(ledger: Ledger, new: Signer, *, time: datetime, salt: bytes) -> None:
    """Announce *new*, which the keys that sign here vouch for; from the next checkpoint on it signs beside them.

    *salt*: 32 fresh random bytes. A key that is announced already stays so. LedgerError where no key that signs is
    here, and so none can vouch.
    """
    signers = _signers(ledger)
    if not signers:
        raise LedgerError(
            "None of the keys that sign is here, and so none can vouch for another. Put the key's file back."
        )
    said = voucher(new.key, ledger.origin, [*signers, new])
    _record(ledger, announcement(new.key, said, origin=ledger.origin, time=time), salt, [said])


def end(ledger: Ledger, key: str, *, revoked: bool, time: datetime, salt: bytes) -> None:
    """End *key*: from the next checkpoint on it signs no longer; *revoked*: it counts no longer either.

    LedgerError where no key is here that signs and that it vouched for; and for a revocation where *key* itself isn't.
    """
    signers = _signers(ledger)
    here = {signer.key for signer in signers}
    if not any(key in one.vouchers for one in signing(ledger)):
        raise LedgerError(
            f"The key {key} can be ended only by one that it vouched for and that signs, and none is here. Announce "
            "another first: flask consent keys rotate"
        )
    if revoked and key not in here:
        raise LedgerError(
            f"The key {key} isn't here, and nobody revokes a key without it. Put its file back; or, if it is gone, let "
            "it sign no longer: flask consent keys rotate --finish"
        )
    said = farewell(key, ledger.origin, signers, revoked=revoked)
    event = ending(key, said, revoked=revoked, origin=ledger.origin, time=time)
    _record(ledger, event, salt, [said])


def signed_last(ledger: Ledger) -> Checkpoint | None:
    """What the guard says; None if there is none that a key of the log signed, or one that is here.

    An older copy of the database doesn't name the keys that were announced since.
    """
    desk, known = desk_of(ledger), ledger.keys()
    keys = [*(key.verifier for key in known), *(signer.key for signer in desk.signers())]
    try:
        return read_guard(desk.guard(), keys, ledger.origin)
    except SigningRefused:
        return None


def recover(ledger: Ledger, *, time: datetime, salt: bytes) -> str:
    """Record that the tree doesn't continue the one signed last, and sign it; the note."""
    signed, head = signed_last(ledger), ledger.head()
    event = recovery(signed, head, origin=ledger.origin, time=time)
    if (found := ledger.get(event.id)) is not None and not _tells(ledger, found, signed, head):
        event = event.aside(salt)  # who can write into the database has taken its id beforehand
    _record(ledger, event, salt)
    return ledger.sign(anew=True, patience=PATIENCE)


def _tells(ledger: Ledger, found: Record, signed: Checkpoint | None, head: Head) -> bool:
    """Whether *found*, on record under the id of a recovery, says what one of this tree, at *head*, would say."""
    try:
        if (said := found.event()) is None or said.detail is None:
            return False
        match said.detail:
            case {"recovered": {"found": {"size": int(size)}}} if size <= head.size:
                then = replace(head, size=size, root=ledger.root(size))
                return said.tells(recovery(signed, then, origin=ledger.origin, time=said.time))
    except (LedgerError, ValueError):
        pass  # of no known form, or of no such tree
    return False


def _signers(ledger: Ledger) -> list[Signer]:
    current = {key.verifier for key in current_keys(ledger)}
    return [signer for signer in desk_of(ledger).signers() if signer.key in current]


def _record(ledger: Ledger, event: Event, salt: bytes, documents: Sequence[Document] = ()) -> None:
    if ledger.get(event.id) is None:
        ledger.record(event, salt=salt, documents=documents, patience=PATIENCE)
    while ledger.seal(patience=PATIENCE):
        pass
    if ledger.storage.place(event.id) is None:
        raise LedgerUnavailable(
            "The event is recorded, but somebody else is sealing. Run the command again.", retry_after=1
        )
