"""What the ledger and its storage hand each other: events as they are stored, and the documents they point to."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from consent.errors import LedgerError
from consent.ledger.event import Event
from consent.ledger.leaf import Leaf, commitment, leaf_hash

#: Bytes of an opening, and of a document. Nothing that a site records comes near; whoever may write into the database
#: could have readers carry more.
LONGEST_BODY, LONGEST_DOCUMENT = 65_535, 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A policy or a notice, stored once under its hash so that events can point to it (REC-02, POL-03)."""

    hash: str
    """SHA-256 of *body*, 64 hex digits."""
    kind: str
    """``policy``, ``notice``, or ``key``: by which a later signing key was vouched for, or one ended."""
    body: bytes

    @classmethod
    def of(cls, kind: str, body: bytes) -> "Document":
        """*body* under its own hash."""
        return cls(hash=hashlib.sha256(body).hexdigest(), kind=kind, body=body)

    @property
    def sound(self) -> bool:
        """Whether *body* is still what *hash* says."""
        return hashlib.sha256(self.body).hexdigest() == self.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one event becomes in the storage."""

    id: uuid.UUID
    leaf: bytes
    leaf_hash: bytes
    subject: uuid.UUID | None
    salt: bytes
    body: bytes
    account: str | None = None
    """The link of the account whose opt-out it begins or ends."""
    opted_out: bool = False
    """Which of the two."""

    @classmethod
    def of(cls, event: Event, *, origin: str, salt: bytes) -> "Entry":
        """*event* in the log named *origin*, under *salt* (32 random bytes); LedgerError when it says too much."""
        body = event.body()
        if len(body) > LONGEST_BODY:
            raise LedgerError(
                f"the opening of event {event.id} has {len(body):,} bytes; expected {LONGEST_BODY:,} at most"
            )
        leaf = event.leaf_over(commitment(salt, body), origin)
        return cls(
            id=event.id,
            leaf=leaf,
            leaf_hash=leaf_hash(leaf),
            subject=event.subject,
            salt=salt,
            body=body,
            account=event.account,
            opted_out=event.opted_out,
        )


def naming(subject: uuid.UUID | None) -> bytes:
    """What an opening has in it, in this place alone, that is linked to *subject*; None: to nobody."""
    return b'"subject":%s,"time":"' % (b"null" if subject is None else b'"%s"' % str(subject).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event as it is stored. Salt, body and subject are None once its opening is erased."""

    index: int | None
    """Its place in the log: 0, 1, 2 … without gaps. None while it waits to be sealed."""
    id: uuid.UUID
    leaf: bytes
    leaf_hash: bytes
    subject: uuid.UUID | None
    salt: bytes | None
    body: bytes | None

    def outline(self) -> Leaf:
        """What the leaf alone says; LedgerError if it isn't one."""
        return Leaf.from_bytes(self.leaf)

    def event(self) -> Event | None:
        """The event, None once its opening is erased; LedgerError if what is stored isn't one."""
        return None if self.body is None else Event.from_bytes(self.leaf, self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(Record):
    """A record that has its place in the log."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An account's opt-out as it holds now."""

    link: str
    id: uuid.UUID
    """The event that says so."""
    index: int | None
    """Where that is; None if it waits, was pruned, or never was."""
    leaf: bytes | None
    """Its leaf; None where there is no index."""
    opened: bool
    """Whether its opening is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The tree as it was last sealed."""

    size: int
    """How many entries it is over."""
    root: bytes
    """32 bytes (RFC 6962 §2.1)."""
    frontier: bytes
    """From which it grows (``Frontier.to_bytes``)."""
    at: datetime
    """When it was sealed: UTC, by the clock of whoever did it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where an append ended: at its own event, or at the earlier one that it repeats."""

    index: int | None
    """None while it waits to be sealed."""
    id: uuid.UUID
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where a recorded event is found. ``merged``: it repeats an earlier one, whose id and index these are.

    ``index`` is None while the event waits to be sealed. It is as durable as the others, and found by its id.
    """

    id: uuid.UUID
    index: int | None
    merged: bool
