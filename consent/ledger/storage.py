"""What the ledger's storage has to promise."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

from consent.ledger.facets import Counts, Facets
from consent.ledger.record import Document, Entry, Holding, Record, Sealed, Written
from consent.ledger.replies import Replies
from consent.ledger.signing import SignedStorage
from consent.ledger.tile import FullTiles


class Storage(SignedStorage, FullTiles, Protocol):
    """Where entries, openings and documents are kept.

    * **Order.** Indexes run from 0 without gaps. An event that was appended after another append had
      returned comes after it. Entry 0 names the log and its key; the storage writes it before anything else.
    * **Sealing.** An event is appended, and sealed: it gets its index and comes under the tree's root. Both may
      be one step. Where they are two, an event waits for the second without an index; its record is found
      by id and subject, and among the others once it is sealed. What is sealed stays below every later root.
    * **Durability.** What a method has written when it returns survives the process and a power cut.
      One that raises may have written or not: the caller repeats it with the same id.
    * **Concurrency.** Any number of threads and processes may use one database at once. Readers don't
      wait for writers, and see whole events only.
    * **Waiting.** A method that writes waits *patience* seconds in all; only the first use of a database,
      which may create or upgrade it, may take longer.
    * **Errors.** LedgerUnavailable when it can't be done now and may work later; LedgerError otherwise.
    * **Nothing is ever changed**: documents stay; an opening stays or is erased whole; an entry stays, or goes whole
      once its opening did, and only below the bound that an event in the log names.
    """

    def append(
        self,
        entry: Entry,
        *,
        documents: Sequence[Document],
        repeats: Callable[[bytes, bytes], bool] | None,
        patience: float,
        news: bool = False,
    ) -> Written:
        """Store *documents*, then *entry*, in one transaction; with it its account's opt-out.

        If an entry with this id is there, it is returned and nothing of *entry* is stored. Else, if *repeats*
        is given and says yes to leaf and body of the subject's newest event, that one is returned; and if *news*
        is asked for, the one by which the account is opted out already.
        """

    def append_all(self, entries: Sequence[Entry], *, patience: float) -> None:
        """Store and seal *entries*, in their order, in one transaction; no account's opt-out with them.

        For a log whose ids are all new, or LedgerError. One by one each would wait for the disk.
        """

    def opted_out(self, account: str) -> bool:
        """Whether the account with this link is opted out; one look-up by key."""

    def held(self) -> Iterator[Holding]:
        """All opt-outs of accounts that hold now, in constant memory."""

    def waiting(self) -> Iterator[tuple[uuid.UUID, bytes, bytes | None]]:
        """Id, leaf and opening of what waits to be sealed, in the order in which it will be, in constant memory."""

    def account_key(self) -> bytes:
        """The 32 bytes under which accounts are linked: the same for as long as the log is, and nowhere else."""

    def erase(
        self,
        entry: Entry,
        *,
        subject: uuid.UUID | None,
        ids: Collection[uuid.UUID],
        listed: bool,
        patience: float,
    ) -> int:
        """Delete the openings linked to *subject* and those of the events *ids*, and append *entry*; how many went.

        One transaction, with a tombstone for each: its id and nothing else. *entry* is appended only if any went,
        and unless it is there. If *listed*, they are also entered, before anything is deleted, in the list by which
        a database that is restored from a backup is cleared again; where there is a server, the list is its own.
        """

    def tombstones(self) -> Iterator[uuid.UUID]:
        """The ids of all events whose openings were erased, in their own order, in constant memory."""

    def erased(self) -> Iterator[tuple[int, uuid.UUID]]:
        """Index and id of the sealed ones among them, in index order, in constant memory."""

    def is_erased(self, id: uuid.UUID) -> bool:
        """Whether there is a tombstone of the event *id*."""

    def pruned(self) -> int:
        """The bound below which entries may be deleted; 0 as long as none was set."""

    def remaining(self) -> tuple[int, int]:
        """That bound, and how many entries there are below it: as long as neither changes, none was deleted."""

    def strays(self) -> Sequence[int]:
        """The first index, if any, of an entry where none is ever recorded: before entry 0, or behind a gap."""

    def orphans(self) -> Iterator[tuple[str, uuid.UUID | None]]:
        """What is filed under the id of an event that has no entry, sealed or waiting: the table, and the id.

        None where it is filed under what is no id.

        Of ``opening``, ``erased`` and ``account``, one after the other, in constant memory.
        """

    def raise_bound(self, min_index: int, id: uuid.UUID, *, patience: float) -> None:
        """Set the bound to *min_index*, which the sealed event *id* names; a bound that is as high stays.

        LedgerError when a full tile of the entries below isn't stored whole.
        """

    def prune(self, after: int, *, patience: float) -> tuple[int, int | None]:
        """Delete some entries above index *after* and below the bound: how many, and after which to go on.

        Those without an opening, and of no kind that stays; never entry 0. None when there is nothing further.
        """

    def seal(self, *, patience: float) -> int:
        """Seal what waits, as much as one transaction takes; how many events that were.

        0 when nothing waits, and when somebody else is sealing at this moment.
        """

    def keep(self, documents: Sequence[Document], *, patience: float) -> None:
        """Store those of *documents* that aren't stored yet."""

    def document(self, hash: str) -> Document | None:
        """The document with this hash."""

    def get(self, id: uuid.UUID) -> Record | None:
        """The record of the event *id*."""

    def newest(self, before: int | None, limit: int) -> Sequence[Sealed]:
        """Up to *limit* sealed records below index *before* (None: from the end), newest first."""

    def records(self, after: int) -> Iterator[Sealed]:
        """The sealed records above index *after* in index order, in constant memory, also while others append."""

    def of_subject(self, subject: uuid.UUID) -> Sequence[Record]:
        """The records linked to *subject*, oldest first."""

    def told_of(self, id: uuid.UUID) -> tuple[int, int]:
        """How many leaves are of the event *id*, and how many openings of the subject *id*.

        Unlike ``get`` and ``of_subject`` it trusts no index that somebody may have altered, and reads all for that.
        """

    def contradictions(self) -> Sequence[str]:
        """Where tables, and the indexes by which they are read, contradict each other: in the database's own words.

        Takes a third of the time that verification takes. None where whoever may write can't alter an index alone.
        """

    def notes(self) -> Iterator[tuple[int, str]]:
        """Each signed note and the number of entries that it is stored under, the largest first."""

    def size(self) -> int:
        """The number of sealed entries."""

    def facets(self) -> Mapping[int, Facets]:
        """All facets that any event has, by their ids."""

    def counted(self) -> int:
        """The number of entries that are counted and can be ``found``: full tiles, from the first on."""

    def counts(self, first: int, beyond: int) -> Counts:
        """What was counted of the days from *first* until *beyond*, which count from 1970, UTC."""

    def sums(self, edges: Sequence[int], groups: Mapping[int, int]) -> Counts:
        """As ``counts``, of the days from each of *edges* until the next together, as of the first of them.

        Facets are counted as those that *groups* names for them, by their ids; and not at all if it names none.
        """

    def replies(self, dimension: str, first: int, beyond: int) -> Replies:
        """What the answers of the days from *first* until *beyond* said, and what under *dimension*."""

    def counted_days(self, first: int, beyond: int, other: Collection[int]) -> tuple[int, int] | None:
        """The first and the last of these days with a counted event of other facets than *other*; None if on none."""

    def events(self, first: int, before: int, size: int) -> Mapping[int, int]:
        """How many of the first *size* entries are counted from place *first* until *before*, by their facets' ids."""

    def placed(self) -> Iterator[tuple[int, int, int]]:
        """Index, place and id of the facets of all events that can be ``found``, by index, in constant memory."""

    def found(
        self, ids: Collection[int], first: int, before: int, limit: int
    ) -> tuple[Sequence[tuple[int, Sealed]], int | None]:
        """Up to *limit* events with any of the facets *ids*, from place *first* until *before*, newest first.

        Each with its place; and the place before which to go on, None after the last. There may be fewer, also when
        there are more. Only of entries that are counted.
        """

    def chosen(
        self, ids: Collection[int], first: int, before: int, after: int
    ) -> tuple[Sequence[Sealed], int | None]:
        """Some events above index *after* with any of the facets *ids*, from place *first* until *before*, by index.

        And the index after which to go on; None after the last. Only of entries that are counted.
        """

    def count(self, *, patience: float) -> int:
        """Count some full tiles that aren't counted yet; how many entries are left of such.

        0 also when somebody else is sealing at this moment, and where it may not be done.
        """

    def recount(self, *, patience: float) -> None:
        """Forget what was counted, so that it is counted anew, once nobody else is sealing."""

    def problems(self) -> Sequence[str]:
        """What is wrong with database, key and guard file, in sentences; a missing database stays so."""
