"""The ledger: events in the order they were recorded."""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from consent.errors import LedgerConflict, LedgerError
from consent.ledger.event import KEPT, Event
from consent.ledger.facets import LAST, Counts, Facets
from consent.ledger.keys import LogKey
from consent.ledger.merkle import root_of
from consent.ledger.receipt import Outcome, Receipt, check_receipt, made
from consent.ledger.record import LONGEST_DOCUMENT, Document, Entry, Head, Record, Recorded, Sealed, Written
from consent.ledger.replies import Replies
from consent.ledger.signing import Signing
from consent.ledger.storage import Storage
from consent.ledger.tile import TileReader


@dataclass(frozen=True, slots=True)
class Ledger:
    """One log: its name and its storage."""

    storage: Storage
    origin: str

    def record(
        self,
        event: Event,
        *,
        salt: bytes,
        documents: Sequence[Document] = (),
        merge_within: int = 0,
        patience: float = 2.0,
    ) -> Recorded:
        """Record *event*; when this returns it is durable.

        *salt*: 32 fresh random bytes. *documents* are stored first, in the same transaction. The same subject
        giving the same answers under the same policy within *merge_within* seconds of its newest event is
        recorded once, but for what begins or ends the opt-out of an account. Recording the same event again finds
        it. LedgerConflict when another event has its id;
        LedgerUnavailable when it can't be recorded within *patience* seconds.
        """
        entry = self._entry(event, salt)
        merges = merge_within and event.subject and event.account is None
        written = self.storage.append(
            entry,
            documents=_sound(documents),
            repeats=_repeats(event, merge_within) if merges else None,
            patience=patience,
        )
        if written.id == event.id and written.leaf != entry.leaf:
            raise LedgerConflict(
                f"event {event.id} is recorded {_place(written)} with another leaf. An id belongs to one event "
                "for ever: give the new event its own."
            )
        return Recorded(id=written.id, index=written.index, merged=written.id != event.id)

    def record_once(self, event: Event, *, salt: bytes, patience: float = 2.0) -> Recorded:
        """Record *event* unless its id, which was derived from what it says, is recorded already.

        Whoever can write into the database can take that id beforehand, for something else: then it gets another.
        """
        entry = self._entry(event, salt)
        try:
            written = self.storage.append(entry, documents=(), repeats=None, patience=patience)
        except LedgerConflict:
            return self.record(event.aside(salt), salt=salt, patience=patience)
        if written.leaf != entry.leaf and not self._tells(event):
            return self.record(event.aside(salt), salt=salt, patience=patience)
        return Recorded(id=written.id, index=written.index, merged=False)

    def _tells(self, event: Event) -> bool:
        """Whether what is on record under the id of *event* says the same, as far as that isn't erased."""
        found = self.get(event.id)
        try:
            if found is None:
                return True  # pruned since: no entry, and so nobody's id
            said = found.event()
            if said is None:
                return event.kind not in KEPT and found.outline().kind == event.kind
        except LedgerError:
            return False
        return said.tells(event)

    def record_news(self, event: Event, *, salt: bytes, patience: float = 2.0) -> Recorded:
        """Record *event*, an account's opt-out, unless the account is opted out already: it repeats that then."""
        written = self.storage.append(
            self._entry(event, salt), documents=(), repeats=None, patience=patience, news=True
        )
        return Recorded(id=written.id, index=written.index, merged=written.id != event.id)

    def record_all(self, events: Iterable[tuple[Event, bytes]], *, patience: float = 30.0) -> None:
        """Record *events*, each with its salt and under an id of its own, all together or none."""
        self.storage.append_all([self._entry(event, salt) for event, salt in events], patience=patience)

    def _entry(self, event: Event, salt: bytes) -> Entry:
        return Entry.of(event, origin=self.origin, salt=salt)

    def account_key(self) -> bytes:
        """The 32 bytes for :func:`link`; LedgerError when the log's key, from which they follow, isn't there."""
        return self.storage.account_key()

    def opted_out(self, account: str) -> bool:
        """Whether the account with this link is opted out of sale and sharing."""
        return self.storage.opted_out(account)

    def forget_account(self, event: Event, *, salt: bytes, patience: float = 2.0) -> bool:
        """End the opt-out of the account that *event* says is ``forgotten``; whether there was one."""
        if event.account is None or not self.storage.opted_out(event.account):
            return False
        self.record(event, salt=salt, patience=patience)
        return True

    def erase(
        self,
        event: Event,
        *,
        salt: bytes,
        subject: uuid.UUID | None = None,
        ids: Collection[uuid.UUID] = (),
        listed: bool = True,
        patience: float = 2.0,
    ) -> int:
        """Erase the openings of *subject*'s events and of the events *ids*; how many there were (LOG-05).

        *event* says that something was erased, and not of whom; it is recorded, under *salt*, only if anything was.
        Of the erased their leaves stay, and tombstones without time or order. *listed*: so that they stay erased
        when an older backup is restored, too; what is to be erased again by itself needs that not.
        """
        entry = self._entry(event, salt)
        return self.storage.erase(entry, subject=subject, ids=ids, listed=listed, patience=patience)

    def tombstones(self) -> Iterator[uuid.UUID]:
        """The ids of all events whose openings were erased, in their own order."""
        return self.storage.tombstones()

    def erased(self) -> Iterator[tuple[int, uuid.UUID]]:
        """Index and id of the sealed events whose openings were erased, in index order."""
        return self.storage.erased()

    def keep(self, documents: Sequence[Document], *, patience: float = 2.0) -> None:
        """Store those of *documents* that aren't stored yet; durable when this returns."""
        self.storage.keep(_sound(documents), patience=patience)

    def document(self, hash: str) -> Document | None:
        """The document with this hash; LedgerError if it isn't what it was."""
        found = self.storage.document(hash)
        if found is not None and not found.sound:
            raise LedgerError(
                f"the document {hash} was altered after it was stored: its bytes have another hash. "
                "Restore the database from a backup."
            )
        return found

    def documents(self, kind: str) -> Iterator[Document]:
        """All documents of *kind* (``policy``, ``notice`` or ``key``), in no particular order."""
        return self.storage.documents(kind)

    def get(self, id: uuid.UUID) -> Record | None:
        """The record of the event *id*."""
        return self.storage.get(id)

    def newest(self, before: int | None = None, limit: int = 50) -> Sequence[Sealed]:
        """Up to *limit* sealed records below index *before* (None: from the end), newest first."""
        return self.storage.newest(before, limit)

    def records(self, after: int = -1) -> Iterator[Sealed]:
        """The sealed records above index *after* in index order, in constant memory."""
        return self.storage.records(after)

    def of_subject(self, subject: uuid.UUID) -> Sequence[Record]:
        """The records linked to *subject*, oldest first."""
        return self.storage.of_subject(subject)

    def size(self) -> int:
        """The number of sealed entries, entry 0 included."""
        return self.storage.size()

    def facets(self) -> Mapping[int, Facets]:
        """All facets that any event has, by their ids."""
        return self.storage.facets()

    def counted(self) -> int:
        """The number of entries that are counted, in full tiles, from the first on; those after it are few."""
        return self.storage.counted()

    def counts(self, first: int, beyond: int) -> Counts:
        """What was counted of the days from *first* until *beyond*, which count from 1970, UTC."""
        return self.storage.counts(first, beyond)

    def sums(self, edges: Sequence[int], groups: Mapping[int, int]) -> Counts:
        """As ``counts``, of the days from each of *edges* until the next together, as of the first of them.

        Facets are counted as those that *groups* names for them, by their ids; and not at all if it names none.
        """
        return self.storage.sums(edges, groups)

    def replies(self, dimension: str, first: int, beyond: int) -> Replies:
        """What was counted of the replies in the days from *first* until *beyond*, which count from 1970, UTC.

        As a whole, and apart under *dimension* (``replies.VALUES``).
        """
        return self.storage.replies(dimension, first, beyond)

    def counted_days(self, first: int, beyond: int, other: Collection[int]) -> tuple[int, int] | None:
        """The first and the last of these days with a counted event of other facets than *other*; None if on none."""
        return self.storage.counted_days(first, beyond, other)

    def events(self, first: int, before: int, size: int) -> Mapping[int, int]:
        """How many of the first *size* entries are counted from place *first* until *before*, by their facets' ids."""
        return self.storage.events(first, before, size)

    def found(
        self, ids: Collection[int], first: int = 0, before: int | None = None, limit: int = 50
    ) -> tuple[Sequence[tuple[int, Sealed]], int | None]:
        """Counted events with any of the facets *ids*, from place *first* until *before*, newest first.

        Up to *limit*, each with its place; and before which place there may be more, None if there are none.
        """
        return self.storage.found(ids, first, LAST if before is None else before, limit)

    def chosen(self, ids: Collection[int], first: int, before: int) -> Iterator[Sealed]:
        """All counted events with any of the facets *ids*, from place *first* until *before*, in index order."""
        after: int | None = -1
        while after is not None:
            found, after = self.storage.chosen(ids, first, before, after)
            yield from found

    def count(self, *, patience: float = 2.0) -> int:
        """Count some of the entries that aren't counted yet; how many are left. As sealing does by itself."""
        return self.storage.count(patience=patience)

    def recount(self, *, patience: float = 2.0) -> None:
        """Forget what was counted, so that ``count`` begins anew, once nobody else is sealing."""
        self.storage.recount(patience=patience)

    def pruned(self) -> int:
        """The index below which leaves were pruned, but for those that stay; 0 as long as nothing was."""
        return self.storage.pruned()

    def was_pruned(self, id: uuid.UUID) -> bool:
        """Whether the event *id* is one that was pruned: erased before, and its leaf is gone since."""
        return self.storage.is_erased(id) and self.storage.get(id) is None

    def seal(self, *, patience: float = 2.0) -> int:
        """Seal what waits, as much as one transaction takes; how many events that were.

        0 also when somebody else is sealing at this moment. Where recording seals, there is nothing to do.
        """
        return self.storage.seal(patience=patience)

    def head(self) -> Head:
        """The tree as it was last sealed."""
        return self.storage.head()

    @property
    def tree(self) -> TileReader:
        """The tree's hashes, to make proofs from (``merkle.inclusion_proof``, ``merkle.consistency_proof``)."""
        return TileReader(self.storage)

    def root(self, size: int) -> bytes:
        """The root of the tree as it was when it had *size* entries, 32 bytes; ValueError above the head's size."""
        if not 0 <= size <= (largest := self.head().size):
            raise ValueError(f"no tree of {size} entries is sealed; the largest has {largest}")
        return root_of(size, self.tree)

    @property
    def _signing(self) -> Signing:
        return Signing(self.storage, self.origin)

    def keys(self) -> Sequence[LogKey]:
        """The keys the log is or was signed with, the first at the head."""
        return self._signing.keys()

    def verifier_keys(self) -> Sequence[str]:
        """The verifier keys that check notes and receipts of this log: old ones too, revoked ones not."""
        return [key.verifier for key in self.keys() if key.counts]

    def checkpoint(self, covering: int | None = None, *, patience: float = 2.0) -> str | None:
        """The newest signed note; None when there is none, or it isn't over entry *covering*, if one is named.

        On one machine a newer one is signed first when the newest isn't of the whole tree, or with *covering* not
        over that entry. On a server whoever has the key signs in time. SigningRefused when the tree may not be
        signed, LedgerUnavailable when it can't be now.
        """
        return self._signing.checkpoint(covering, patience=patience)

    def receipt(self, id: uuid.UUID, *, patience: float = 2.0) -> Receipt | None:
        """The receipt of the event *id*; None while it isn't on record, sealed, and under a signed checkpoint.

        Where ``checkpoint`` signs, a tree with the event is signed first; errors as there. LedgerError too when what
        is stored isn't what was sealed.
        """
        record = self.get(id)
        if record is None or record.index is None:
            return None
        note = self.checkpoint(record.index, patience=patience)
        if note is None:
            return None
        return made(record, record.index, note, self.tree, self.verifier_keys(), self.origin)

    def check(self, receipt: Receipt) -> Outcome:
        """What *receipt* is worth, by the keys of this log: old ones too, revoked ones not."""
        return check_receipt(receipt, self.verifier_keys(), self.origin)

    def sign(self, *, anew: bool = False, patience: float = 2.0) -> str:
        """The note of the tree as it was last sealed, signed now; the guard has it, durably, when this returns.

        *anew* asks no guard: a deliberate act, which whoever does it has recorded first (``rotation.recover``).

        SigningRefused, with what was found, for a tree that doesn't continue the one signed last. LedgerUnavailable
        where the log's key isn't kept, when others sign for longer than *patience* seconds, and when the guard can't
        be written. LedgerConflict when another tree of this size was signed elsewhere.
        """
        return self._signing.sign(anew=anew, patience=patience)

    def problems(self) -> Sequence[str]:
        """What is wrong with database, key and guard file, in sentences; empty when all is well."""
        return self.storage.problems()


def _repeats(event: Event, within: int) -> Callable[[bytes, bytes], bool]:
    def repeats(leaf: bytes, body: bytes) -> bool:
        try:
            return event.repeats(Event.from_bytes(leaf, body), within)
        except LedgerError:
            # A damaged record is for verification to find, and keeps nobody from answering.
            return False

    return repeats


def _place(written: Written) -> str:
    return "and waits to be sealed," if written.index is None else f"at index {written.index}"


def _sound(documents: Sequence[Document]) -> Sequence[Document]:
    for document in documents:
        if not document.sound:
            raise ValueError(
                f"the {document.kind} called {document.hash} has another hash; use Document.of(kind, body)"
            )
        if len(document.body) > LONGEST_DOCUMENT:
            raise LedgerError(
                f"the {document.kind} called {document.hash} has {len(document.body):,} bytes; expected "
                f"{LONGEST_DOCUMENT:,} at most"
            )
    return documents
