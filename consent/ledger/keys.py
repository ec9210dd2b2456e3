"""The log's keys: the first, which entry 0 names, and later ones, each vouched for by one before it.

A new key is announced by an ``operated`` event, whose leaf has it in ``key``, and ended by another. That alone is no
reason to believe either, as who can write into the database can write such an event. So keys sign a note that says it,
the old key and the new both, and the note is stored with the event as a document of kind ``key``::

    consent/key/v1
    clinic.example/privacy-choices
    clinic.example/privacy-choices+e75f9e02+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4

    — clinic.example/privacy-choices 51+eAtk72oVJ…
    — clinic.example/privacy-choices nm8fQ3kT0pXz…

The note by which a key ends has ``consent/ending/v1`` for its first line, and says ``retired`` or ``revoked`` in a line
of its own before the key. The event's id follows from the note, so nobody who can't sign it can take it beforehand.

Who may say what. A key is vouched for by one that hasn't ended. It is retired by one that it vouched for, and revoked
only if it has signed that, too: of two keys that say of each other that a thief has it, nobody could tell which lies.
So the key announced last can't be ended, and one always signs; and who has got hold of a key revokes no other.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from consent.errors import LedgerError, ProofError
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.event import Event, Kind
from consent.ledger.leaf import Leaf, derived_id
from consent.ledger.note import Note, Signer, encoded, sign
from consent.ledger.record import Document, Head

#: The kind of the documents that say what becomes of keys.
VOUCHER = "key"
#: What they begin with, and nothing else that is stored.
KEYS_BEGIN = b"consent/"
_VOUCHER_FORMAT, _ENDING_FORMAT = "consent/key/v1", "consent/ending/v1"
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
    vouchers: frozenset[str] = frozenset()
    """The verifier keys that vouched for it; none did for the first."""
    ended: int | None = None
    """Index of the entry that first ended it; None while there is none."""

    @property
    def counts(self) -> bool:
        """Whether what it signed is to be believed."""
        return self.state is not KeyState.REVOKED

    def signs(self, size: int) -> bool:
        """Whether it signs the tree of *size* entries: once that holds its announcement."""
        return self.state is KeyState.CURRENT and self.announced < size


def voucher(key: str, origin: str, signers: Sequence[Signer]) -> Document:
    """The document by which *signers*, old keys and the new one, say that *key* is one of the log *origin*."""
    return _signed((_VOUCHER_FORMAT, origin, key), signers)


def announcement(key: str, said: Document, *, origin: str, time: datetime) -> Event:
    """The event that announces *key*, of which *said* is the ``voucher``; its id follows from that."""
    return Event(id=_id("announced", origin, said), kind=Kind.OPERATED, time=time, policy=None, key=key)


def farewell(key: str, origin: str, signers: Sequence[Signer], *, revoked: bool) -> Document:
    """The document by which *signers* say that *key* signs no longer; *revoked*: what it signed counts no longer."""
    return _signed((_ENDING_FORMAT, origin, _act(revoked), key), signers)


def ending(key: str, said: Document, *, revoked: bool, origin: str, time: datetime) -> Event:
    """The event that ends *key*, of which *said* is the ``farewell``; its id follows from that."""
    return Event(
        id=_id("ended", origin, said),
        kind=Kind.OPERATED,
        time=time,
        policy=None,
        detail={"key": {_act(revoked): key, "note": said.hash}},
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


def known_keys(first: str, documents: Iterable[Document], place: Place, origin: str) -> list[LogKey]:
    """The keys of the log *origin*, the *first* at the head and each after the one that vouches for it.

    *documents* are those of the kind ``key``. What isn't on record as a sealed entry, or not signed by whom it takes,
    says nothing, nor does what can't be read.
    """
    keys = {first: LogKey(first, KeyState.CURRENT, 0)}
    # In the order of the log: a key vouches only for later ones, and none after its end.
    for index, said in sorted(_placed(documents, place, origin), key=lambda each: each[0]):
        known = keys.get(said.key)
        if said.act is None:
            standing = {key.verifier for key in keys.values() if key.ended is None}
            by = said.signed_by(standing | {said.key})
            if known is None and said.key in by and len(by) > 1:
                keys[said.key] = LogKey(said.key, KeyState.CURRENT, index, by - {said.key})
        elif known is not None:
            by = said.signed_by({*keys})
            successors = {key for key in by if keys[key].ended is None and said.key in keys[key].vouchers}
            if successors and (said.act is KeyState.OLD or said.key in by):
                keys[said.key] = _ended(known, said.act, index)
    return [*keys.values()]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a document says of *key*: that it is one of the log's, or with *act* that it ended so."""

    act: KeyState | None
    key: str
    note: Note

    def signed_by(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of *keys* that signed it; none if one of the signatures isn't what it says."""
        try:
            return self.note.signed_by(keys)
        except (ProofError, ValueError):
            return frozenset()


_ACTS = {"retired": KeyState.OLD, "revoked": KeyState.REVOKED}


def _placed(documents: Iterable[Document], place: Place, origin: str) -> Iterator[tuple[int, _Said]]:
    """What those of *documents* say that a sealed entry puts on record, each with its index."""
    for document in documents:
        said = _parsed(document, origin)
        if said is None:
            continue
        id = _id("announced" if said.act is None else "ended", origin, document)
        if (entry := place(id)) is None:
            continue
        index, leaf = entry
        try:
            outline = Leaf.from_bytes(leaf)
        except LedgerError:
            continue  # what somebody put there, which verification finds
        announced = said.key if said.act is None else None
        if (outline.origin, outline.kind, outline.id, outline.key) == (origin, Kind.OPERATED, id, announced):
            yield index, said


def _parsed(document: Document, origin: str) -> _Said | None:
    try:
        note = Note.parse(document.body.decode())
    except (ProofError, UnicodeDecodeError):
        return None
    if not document.sound:
        return None
    match note.text.split("\n"):
        case [format, name, key, ""] if (format, name) == (_VOUCHER_FORMAT, origin):
            return _Said(None, key, note)
        case [format, name, act, key, ""] if (format, name) == (_ENDING_FORMAT, origin) and act in _ACTS:
            return _Said(_ACTS[act], key, note)
    return None


def _ended(key: LogKey, state: KeyState, index: int) -> LogKey:
    """*key*, which the entry *index* ends: a revocation stays one, whatever is said later."""
    if key.state is KeyState.REVOKED:
        return key
    return replace(key, state=state, ended=index if key.ended is None else key.ended)


def _signed(lines: Sequence[str], signers: Sequence[Signer]) -> Document:
    text = "".join(f"{line}\n" for line in lines)
    return Document.of(VOUCHER, sign(text, *signers).encode())


def _act(revoked: bool) -> str:
    return "revoked" if revoked else "retired"


def _id(act: str, origin: str, said: Document) -> uuid.UUID:
    return derived_id(f"key {act}", origin, said.hash)
