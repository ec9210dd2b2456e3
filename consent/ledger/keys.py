"""The log's keys: the first, which entry 0 names, and later ones, each vouched for by one before it.

A new key is announced by an ``operated`` event, whose leaf has it in ``key``. That alone is no reason to trust it, as
who can write into the database can write such an event. So the old key and the new both sign a note that says it,
and the note is stored with the event as a document of kind ``key``::

    consent/key/v1
    clinic.example/privacy-choices
    clinic.example/privacy-choices+e75f9e02+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4

    — clinic.example/privacy-choices 51+eAtk72oVJ…
    — clinic.example/privacy-choices nm8fQ3kT0pXz…
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consent.errors import ProofError
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.event import Event, Kind
from consent.ledger.leaf import Leaf, derived_id
from consent.ledger.note import Note, Signer, encoded, sign
from consent.ledger.record import Document, Head

#: The kind of the documents that vouch for keys.
VOUCHER = "key"
_FORMAT = "consent/key/v1"
#: Gives index and leaf of the sealed entry of an event.
Place = Callable[[uuid.UUID], tuple[int, bytes] | None]


class KeyState(StrEnum):
    """What a key of the log is worth. The list is closed."""

    CURRENT = "current"
    """It signs."""
    OLD = "old"
    """It signs no longer; what it signed stays valid."""
    REVOKED = "revoked"
    """It counts no longer: others may have had it."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """One of the keys the log is or was signed with."""

    verifier: str
    """The verifier key, by which others know it."""
    state: KeyState
    announced: int
    """Index of the entry that announces it."""
    ended: int | None = None
    """Index of the entry that ends it; None while there is none."""

    @property
    def counts(self) -> bool:
        """Whether what it signed is to be believed."""
        return self.state is not KeyState.REVOKED

    def signs(self, size: int) -> bool:
        """Whether it signs the tree of *size* entries: once that holds its announcement."""
        return self.state is KeyState.CURRENT and self.announced < size


def voucher(key: str, origin: str, signers: Sequence[Signer]) -> Document:
    """The document by which *signers*, old keys and the new one, say that *key* is one of the log *origin*."""
    return Document.of(VOUCHER, sign(f"{_FORMAT}\n{origin}\n{key}\n", *signers).encode())


def announcement(key: str, *, origin: str, time: datetime) -> Event:
    """The event that announces *key*; its id follows from the key."""
    return Event(id=_id("announced", origin, key), kind=Kind.OPERATED, time=time, policy=None, key=key)


def ending(key: str, *, revoked: bool, origin: str, time: datetime) -> Event:
    """The event that ends *key*: it signs no longer; *revoked*: what it signed counts no longer either."""
    act = "revoked" if revoked else "retired"
    return Event(
        id=_id(act, origin, key), kind=Kind.OPERATED, time=time, policy=None, detail={"key": {act: key}}
    )


def recovery(signed: Checkpoint | None, found: Head, *, origin: str, time: datetime) -> Event:
    """The event that says that a tree is signed which doesn't continue the one signed last.

    *signed*: what the guard said, None if it was lost; *found*: the tree as it was when this was decided.
    """
    last = None if signed is None else {"root": encoded(signed.root), "size": signed.size}
    detail = {"recovered": {"found": {"root": encoded(found.root), "size": found.size}, "signed": last}}
    # A process killed after recording it records nothing new the next time, as long as there is a guard to go by.
    mark = (
        f"{found.size} {encoded(found.root)}" if signed is None else f"{signed.size} {encoded(signed.root)}"
    )
    return Event(
        id=derived_id("recovered", origin, mark), kind=Kind.OPERATED, time=time, policy=None, detail=detail
    )


def known_keys(first: str, vouchers: Iterable[Document], place: Place, origin: str) -> list[LogKey]:
    """The keys of the log *origin*, the *first* at the head and each after the one that vouches for it.

    What isn't both announced by a sealed entry and vouched for by a key that counts is none.
    """
    found = [_stated(first, 0, place, origin)]
    # In the order of the log, in which a key as a rule comes after the one that vouches for it.
    waiting = sorted(_announced(vouchers, place, origin), key=lambda each: each[:2])
    while True:
        for each in waiting:
            announced, key, note = each
            if key in {one.verifier for one in found}:
                continue
            if _vouched(note, key, [one.verifier for one in found if _vouches(one, announced)]):
                found.append(_stated(key, announced, place, origin))
                waiting.remove(each)
                break
        else:
            return found


def _announced(vouchers: Iterable[Document], place: Place, origin: str) -> Iterator[tuple[int, str, Note]]:
    """The vouchers for keys that a sealed entry announces: its index, the key, and who vouches."""
    for document in vouchers:
        if (note := _parsed(document, origin)) is not None:
            key = note.text.split("\n")[2]
            entry = place(_id("announced", origin, key))
            if entry is not None and Leaf.from_bytes(entry[1]).key == key:
                yield entry[0], key, note


def _stated(key: str, announced: int, place: Place, origin: str) -> LogKey:
    if revoked := place(_id("revoked", origin, key)):
        return LogKey(key, KeyState.REVOKED, announced, revoked[0])
    if retired := place(_id("retired", origin, key)):
        return LogKey(key, KeyState.OLD, announced, retired[0])
    return LogKey(key, KeyState.CURRENT, announced)


def _vouches(key: LogKey, announced: int) -> bool:
    """Whether *key* may speak for one announced there: a revoked key may for those from before."""
    return key.counts or (key.ended is not None and announced < key.ended)


def _parsed(document: Document, origin: str) -> Note | None:
    try:
        note = Note.parse(document.body.decode())
    except (ProofError, UnicodeDecodeError):
        return None
    lines = note.text.split("\n")
    return note if len(lines) == 4 and lines[:2] == [_FORMAT, origin] else None


def _vouched(note: Note, key: str, trusted: Sequence[str]) -> bool:
    try:
        signers = note.signed_by({*trusted, key})
    except (ProofError, ValueError):
        return False
    return key in signers and len(signers) > 1


def _id(act: str, origin: str, key: str) -> uuid.UUID:
    return derived_id(f"key {act}", origin, key)
