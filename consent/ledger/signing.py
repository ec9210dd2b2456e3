"""What may be signed: a tree that begins with the one that was signed last, and no other.

Whoever signs two trees of which neither begins with the other has forked the log, and outsiders who hold the two
notes can prove it. So what was signed last, the *guard*, is kept beside the key, where restoring an older database
doesn't touch it; it is replaced before a note is handed out.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NoReturn, Protocol

from consent.errors import LedgerConflict, LedgerError, LedgerUnavailable, ProofError, SigningRefused
from consent.ledger.checkpoint import Checkpoint, open_checkpoint
from consent.ledger.keys import VOUCHER, LogKey, known_keys
from consent.ledger.leaf import Leaf
from consent.ledger.merkle import EMPTY_ROOT, HashReader, check_consistency, consistency_proof, root_of
from consent.ledger.note import Note, Signer, require_verifier_key, sign
from consent.ledger.record import Document, Head
from consent.ledger.tile import TileReader, TileStore


class Desk(Protocol):
    """The signer's place: the log's keys, its guard, and one signer at a time."""

    def in_passing(self, *, eager: bool) -> bool:
        """Whether who merely asks for a checkpoint has one signed now; if not *eager*, so not too often."""

    def turn(self, patience: float) -> AbstractContextManager[None]:
        """Nobody else signs while the block runs; LedgerUnavailable when that can't be had in *patience* seconds."""

    def guard(self) -> str | None:
        """The note that was signed last; None when that is gone. LedgerUnavailable when it can't be read."""

    def replace_guard(self, note: str) -> None:
        """Put *note* in the guard's place, whole and durable or not at all: then LedgerUnavailable."""

    def signers(self) -> Sequence[Signer]:
        """The keys that are here, oldest first; LedgerUnavailable when one of them can't be used."""


class SignedStorage(TileStore, Protocol):
    """What signing needs of the storage."""

    def head(self) -> Head:
        """The tree as it was last sealed."""

    def first_leaf(self) -> bytes:
        """The leaf of entry 0; LedgerError if that is gone. It reads no opening, as whoever seals may not."""

    def place(self, id: uuid.UUID) -> tuple[int, bytes] | None:
        """Index and leaf of the sealed entry of the event *id*; it reads no opening either."""

    def documents(self, kind: str) -> Iterator[Document]:
        """All documents of *kind*, in no particular order, in constant memory."""

    def durable_head(self, *, patience: float) -> Head:
        """The tree as it was last sealed, once that survives a power cut, on synchronous standbys too."""

    def note(self, at_most: int) -> str | None:
        """The signed note of the largest tree of *at_most* entries that was signed; None if there is none."""

    def keep_note(self, size: int, note: str, *, patience: float) -> str:
        """Store *note*, of the tree of *size* entries, unless there is one of it; the one that is stored then."""

    @property
    def desk(self) -> Desk | None:
        """Where checkpoints are signed; None where the log's key isn't kept."""


@dataclass(frozen=True, slots=True)
class Signing:
    """The signed notes of the log *origin*: which there are, and the next one."""

    storage: SignedStorage
    origin: str

    def keys(self) -> Sequence[LogKey]:
        """The keys the log is or was signed with, the first at the head; those that count verify its notes."""
        try:
            key = require_verifier_key(Leaf.from_bytes(self.storage.first_leaf()).key or "")
        except ValueError as error:
            raise LedgerError(
                f"Entry 0 of the log names no key ({error}). Restore the database from a backup."
            ) from error
        return known_keys(key, self.storage.documents(VOUCHER), self.storage.place, self.origin)

    def checkpoint(self, covering: int | None = None, *, patience: float = 2.0) -> str | None:
        """``Ledger.checkpoint``."""
        size = self.storage.head().size
        wanted = size if covering is None else covering + 1
        if wanted > size:
            return None
        note = self._newest(wanted)
        desk = self.storage.desk
        if note is None and desk is not None and desk.in_passing(eager=covering is not None):
            note = self.sign(wanted, patience=patience)
        if note is None and covering is None:
            note = self._newest(0)
        return note

    def sign(self, wanted: int | None = None, *, anew: bool = False, patience: float = 2.0) -> str:
        """``Ledger.sign``; with *wanted* any note of so many entries will do that somebody else signed meanwhile."""
        desk = self.storage.desk
        if desk is None:
            raise LedgerUnavailable(
                "The log's key isn't kept here, so nothing is signed here. Set CONSENT_SIGNING_KEY where checkpoints "
                "are signed.",
                retry_after=60,
            )
        with desk.turn(patience):
            if wanted is not None and (note := self._newest(wanted)) is not None:
                return note
            head = self.storage.durable_head(patience=patience)
            keys, guard, newest = self.keys(), desk.guard(), self.storage.note(head.size)
            signing = {key.verifier for key in keys if key.signs(head.size)}
            note = next_note(
                head,
                TileReader(self.storage),
                origin=self.origin,
                guard=guard,
                newest=newest,
                keys=[key.verifier for key in keys],
                signers=[signer for signer in desk.signers() if signer.key in signing],
                anew=anew,
            )
            if note != guard:
                if guard is not None and not anew:
                    self._put_back(guard, newest, patience=patience)
                desk.replace_guard(note)
            # Only now does it leave this place: whatever ends the process, what others have seen is in the guard.
            kept = self.storage.keep_note(head.size, note, patience=patience)
        try:
            stored = open_checkpoint(kept, [key.verifier for key in keys], self.origin)
        except ProofError:
            return note  # no key of ours signed what somebody put in its place, which verification finds
        if stored.root != head.root:
            raise LedgerConflict(
                f"In the database is a signed checkpoint of another tree of {head.size} entries. If this log was "
                "recovered, it is of the tree that was lost, stays there, and is passed over once something more is "
                "recorded. If not, that tree was signed elsewhere: find out who else has the log's key."
            )
        return kept

    def _put_back(self, guard: str, newest: str | None, *, patience: float) -> None:
        """Store what was signed last, *guard*, if whoever signed it was ended before, or if it was deleted."""
        signed, stored = _signed(guard), None if newest is None else _signed(newest)
        # A log begins with a guard of entry 0 alone, which is nowhere stored.
        if signed is not None and signed.size > (1 if stored is None else stored.size):
            self.storage.keep_note(signed.size, guard, patience=patience)

    def _newest(self, wanted: int) -> str | None:
        """The newest note of at least *wanted* entries that is of this tree."""
        head = self.storage.head()
        size = head.size
        while size >= wanted and (note := self.storage.note(size)) is not None:
            signed = _signed(note)
            if signed is not None and wanted <= signed.size <= size and self._holds(signed, head):
                return note
            # The note of a tree that was lost stays, and is passed over.
            size = (size if signed is None else min(size, signed.size)) - 1
        return None

    def _holds(self, signed: Checkpoint, head: Head) -> bool:
        if signed.size == head.size:
            return signed.root == head.root
        return signed.root == root_of(signed.size, TileReader(self.storage))


def next_note(
    head: Head,
    tree: HashReader,
    *,
    origin: str,
    guard: str | None,
    newest: str | None,
    keys: Sequence[str],
    signers: Sequence[Signer],
    anew: bool = False,
) -> str:
    """The note of the tree at *head*: *guard* itself if it is of that tree, else signed now by all *signers*.

    *head* has to be durable. *newest* is the newest note in the database, which is ahead of a guard that was itself
    restored. *keys* are the verifier keys one of which must have signed either.

    SigningRefused, with what was found, unless the tree is the same as the guard's, or proves to continue it; with
    *anew* that isn't asked.
    """
    if anew:
        if root_of(head.size, tree) != head.root:
            raise LedgerError(
                "The tree is damaged: its entries have another root than its head. Restore the database."
            )
    elif _is_signed(head, tree, origin, guard, newest, keys) and guard is not None:
        return guard
    if not signers:
        raise LedgerUnavailable(
            "None of the log's keys is here that may sign. Put back the key file that CONSENT_SIGNING_KEY names.",
            retry_after=300,
        )
    return sign(Checkpoint(origin, head.size, head.root).to_text(), *signers)


def _is_signed(
    head: Head, tree: HashReader, origin: str, guard: str | None, newest: str | None, keys: Sequence[str]
) -> bool:
    """Whether *guard* is of the tree at *head*; SigningRefused if that doesn't continue what was signed."""
    signed = read_guard(guard, keys, origin)
    _require_continued(signed, head, tree)
    try:
        recorded = None if newest is None else open_checkpoint(newest, keys, origin)
    except ProofError:
        recorded = None  # not one of ours, and so nothing that was signed
    if recorded is not None and signed.size < recorded.size <= head.size:
        _require_continued(recorded, head, tree)
    return signed.size == head.size


def read_guard(guard: str | None, keys: Sequence[str], origin: str) -> Checkpoint:
    """The checkpoint that was signed last; SigningRefused if *guard* isn't one of the log."""
    if guard is None:
        _refuse("The guard file is missing, so nobody here knows which tree was signed last.")
    try:
        return open_checkpoint(guard, keys, origin)
    except ProofError:
        _refuse("The guard file holds no checkpoint that one of this log's keys signed.")


def _require_continued(signed: Checkpoint, head: Head, tree: HashReader) -> None:
    if head.size < signed.size:
        _refuse(
            f"A tree of {signed.size} entries was signed, and the database holds {head.size}: it is an older copy, or "
            "entries were taken away."
        )
    if signed.size == 0 and signed.root == EMPTY_ROOT:
        return
    try:
        proof = consistency_proof(signed.size, head.size, tree)
        check_consistency(
            proof, old_size=signed.size, old_root=signed.root, new_size=head.size, new_root=head.root
        )
    except (ProofError, LedgerError, ValueError):
        _refuse(
            f"The tree of {head.size} entries doesn't continue the one of {signed.size} that was signed: entries were "
            "changed, or the database is another."
        )


def _refuse(found: str) -> NoReturn:
    raise SigningRefused(
        f"{found} Nothing is signed; recording and withdrawal go on. Put the newest database and guard file back. "
        "Where they are lost, run: flask consent keys recover"
    )


def _signed(note: str) -> Checkpoint | None:
    try:
        return Checkpoint.parse(Note.parse(note).text)
    except ProofError:
        return None
