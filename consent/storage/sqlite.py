"""The ledger's storage in one SQLite file, or in memory."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Table

from consent.ledger import Counts, Document, Entry, Facets, Head, Holding, Record, Sealed, Written
from consent.ledger.replies import Replies
from consent.ledger.signing import Desk
from consent.storage import (
    appending,
    damage,
    erasing,
    extent,
    holding,
    index,
    pruning,
    records,
    sealing,
    tally,
)
from consent.storage.altered import as_bytes, id_or_none, preempted
from consent.storage.birth import first_leaf
from consent.storage.database import Database
from consent.storage.departure import Departure

#: How many are in memory at a time where all are read.
_RECORDS, _DOCUMENTS = 500, 20

# For the driver itself, as all that writes (``engine.immediate`` says why).
_NOTE = "SELECT note FROM checkpoint WHERE size = ?"
_ADD_NOTE = "INSERT INTO checkpoint (size, note) VALUES (?, ?)"


class SqliteStorage:
    """Keeps the promises of ``consent.ledger.Storage``: each append is a transaction, sealed and synced to the disk."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self._database = database
        self._facets = index.Known()
        self.desk: Desk | None = desk

    def append(
        self,
        entry: Entry,
        *,
        documents: Sequence[Document],
        repeats: Callable[[bytes, bytes], bool] | None,
        patience: float,
        news: bool = False,
    ) -> Written:
        with self._database.writing(patience) as connection:
            appending.add_documents(connection, documents)
            found = appending.known(connection, entry) or appending.repeated(connection, entry, repeats)
            if found is None and news:
                found = appending.opted_out(connection, entry)
            if found is None and appending.preempted(connection, entry):
                raise preempted(entry.id)
            return found or appending.add(connection, entry, self._database.now())

    def append_all(self, entries: Sequence[Entry], *, patience: float) -> None:
        with self._database.writing(patience) as connection:
            appending.add_all(connection, entries, self._database.now())

    def seal(self, *, patience: float) -> int:
        with self._database.writing(patience) as connection:
            return sealing.seal(connection, sealing.read(connection), (), self._database.now())

    def head(self) -> Head:
        with self._database.reading() as connection:
            return records.head(connection)

    def durable_head(self, *, patience: float) -> Head:
        # What is committed is synced before others see it (synchronous = FULL).
        return self.head()

    def first_leaf(self) -> bytes:
        with self._database.reading() as connection:
            return first_leaf(connection)

    def place(self, id: uuid.UUID) -> tuple[int, bytes] | None:
        with self._database.reading() as connection:
            return records.place(connection, id)

    def note(self, at_most: int) -> str | None:
        with self._database.reading() as connection:
            return records.note(connection, at_most)

    def notes(self) -> Iterator[tuple[int, str]]:
        def batch(below: int) -> Sequence[tuple[int, str]]:
            with self._database.reading() as connection:
                return records.notes(connection, below, _DOCUMENTS)

        return records.paged(batch, records.END, lambda found: found[0], _DOCUMENTS)

    def keep_note(self, size: int, note: str, *, patience: float) -> str:
        with self._database.writing(patience) as connection:
            if (row := connection.execute(_NOTE, (size,)).fetchone()) is not None:
                return as_bytes(row[0]).decode(errors="replace")
            connection.execute(_ADD_NOTE, (size, note.encode()))
            return note

    def tile(self, level: int, index: int) -> bytes:
        with self._database.reading() as connection:
            return records.Tiles(connection).tile(level, index)

    def full_tile(self, level: int, index: int) -> bytes | None:
        with self._database.reading() as connection:
            return records.Hashes(connection).stored(level, index)

    def keep(self, documents: Sequence[Document], *, patience: float) -> None:
        with self._database.reading() as connection:
            stored = records.stored_hashes(connection, [each.hash for each in documents])
        if missing := [each for each in documents if each.hash not in stored]:
            with self._database.writing(patience) as connection:
                appending.add_documents(connection, missing)

    def document(self, hash: str) -> Document | None:
        with self._database.reading() as connection:
            return records.stored_document(connection, hash)

    def documents(self, kind: str) -> Iterator[Document]:
        def batch(after: str) -> Sequence[Document]:
            with self._database.reading() as connection:
                return records.documents(connection, kind, after, _DOCUMENTS)

        return records.paged(batch, "", lambda document: document.hash, _DOCUMENTS)

    def get(self, id: uuid.UUID) -> Record | None:
        with self._database.reading() as connection:
            return records.get(connection, id)

    def newest(self, before: int | None, limit: int) -> Sequence[Sealed]:
        with self._database.reading() as connection:
            return records.below(connection, before, limit)

    def records(self, after: int) -> Iterator[Sealed]:
        # A transaction per batch: one that lasted would keep the write-ahead log from being folded back.
        def batch(after: int) -> Sequence[Sealed]:
            with self._database.reading() as connection:
                return records.above(connection, after, _RECORDS)

        return records.paged(batch, after, lambda record: record.index, _RECORDS)

    def of_subject(self, subject: uuid.UUID) -> Sequence[Record]:
        with self._database.reading() as connection:
            return records.of_subject(connection, subject)

    def told_of(self, id: uuid.UUID) -> tuple[int, int]:
        with self._database.reading() as connection:
            return damage.told_of(connection, id)

    def contradictions(self) -> Sequence[str]:
        with self._database.reading() as connection:
            return damage.contradictions(connection)

    def erased(self) -> Iterator[tuple[int, uuid.UUID]]:
        def batch(after: int) -> Sequence[tuple[int, uuid.UUID]]:
            with self._database.reading() as connection:
                return records.erased(connection, after, _RECORDS)

        return records.paged(batch, -1, lambda found: found[0], _RECORDS)

    def opted_out(self, account: str) -> bool:
        self._database.require_here()
        with self._database.reading() as connection:
            return records.opted_out(connection, account)

    def held(self) -> Iterator[Holding]:
        def batch(after: str) -> Sequence[Holding]:
            with self._database.reading() as connection:
                return holding.held(connection, after, _RECORDS)

        return records.paged(batch, "", lambda found: found.link, _RECORDS)

    def waiting(self) -> Iterator[tuple[uuid.UUID, bytes, bytes | None]]:
        return iter(())  # what is recorded is sealed

    def account_key(self) -> bytes:
        return self._database.account_key()

    def erase(
        self,
        entry: Entry,
        *,
        subject: uuid.UUID | None,
        ids: Collection[uuid.UUID],
        listed: bool,
        patience: float,
    ) -> int:
        with self._database.writing(patience) as connection:
            found = erasing.with_openings(connection, subject, ids)
            if not found:
                return 0
            if listed:
                self._database.list_erased(found)
            self._database.owe_fold()
            erasing.erase(connection, found, subject)
            if appending.known(connection, entry) is None and not appending.preempted(connection, entry):
                appending.add(connection, entry, self._database.now())
        self._database.fold()
        return len(found)

    def tombstones(self) -> Iterator[uuid.UUID]:
        def batch(after: uuid.UUID) -> Sequence[uuid.UUID]:
            with self._database.reading() as connection:
                return records.tombstones(connection, after, _RECORDS)

        return records.paged(batch, records.FIRST_ID, lambda id: id, _RECORDS)

    def is_erased(self, id: uuid.UUID) -> bool:
        with self._database.reading() as connection:
            return records.is_erased(connection, id)

    def pruned(self) -> int:
        with self._database.reading() as connection:
            return records.pruned(connection)

    def remaining(self) -> tuple[int, int]:
        with self._database.reading() as connection:
            return records.remaining(connection)

    def strays(self) -> Sequence[int]:
        with self._database.reading() as connection:
            return extent.strays(connection)

    def orphans(self) -> Iterator[tuple[str, uuid.UUID | None]]:
        for table in records.FILED:

            def batch(after: tuple[object, ...], table: Table = table) -> Sequence[tuple[object, bool]]:
                with self._database.reading() as connection:
                    return records.filed(table, None, connection, after, _RECORDS)

            filed = records.paged(batch, records.FROM_THE_FIRST, lambda found: (found[0],), _RECORDS)
            yield from ((table.name, id_or_none(id)) for id, there in filed if not there)

    def raise_bound(self, min_index: int, id: uuid.UUID, *, patience: float) -> None:
        with self._database.writing(patience) as connection:
            pruning.raise_bound(connection, min_index, id)

    def prune(self, after: int, *, patience: float) -> tuple[int, int | None]:
        with self._database.writing(patience) as connection:
            return pruning.prune(connection, after)

    def size(self) -> int:
        with self._database.reading() as connection:
            return records.size(connection)

    def facets(self) -> Mapping[int, Facets]:
        with self._database.reading() as connection:
            return self._facets.read(connection)

    def counted(self) -> int:
        with self._database.reading() as connection:
            return index.size(connection)

    def counts(self, first: int, beyond: int) -> Counts:
        with self._database.reading() as connection:
            return index.counts(connection, first, beyond)

    def sums(self, edges: Sequence[int], groups: Mapping[int, int]) -> Counts:
        with self._database.reading() as connection:
            return index.sums(connection, edges, groups)

    def replies(self, dimension: str, first: int, beyond: int) -> Replies:
        with self._database.reading() as connection:
            return index.replies(connection, dimension, first, beyond)

    def counted_days(self, first: int, beyond: int, other: Collection[int]) -> tuple[int, int] | None:
        with self._database.reading() as connection:
            return index.days(connection, first, beyond, other)

    def events(self, first: int, before: int, size: int) -> Mapping[int, int]:
        with self._database.reading() as connection:
            return index.events(connection, first, before, size)

    def placed(self) -> Iterator[tuple[int, int, int]]:
        def batch(after: int) -> Sequence[tuple[int, int, int]]:
            with self._database.reading() as connection:
                return index.placed(connection, after, _RECORDS)

        return records.paged(batch, -records.END, lambda found: found[0], _RECORDS)

    def found(
        self, ids: Collection[int], first: int, before: int, limit: int
    ) -> tuple[Sequence[tuple[int, Sealed]], int | None]:
        with self._database.reading() as connection:
            return index.found(connection, ids, first, before, limit)

    def chosen(
        self, ids: Collection[int], first: int, before: int, after: int
    ) -> tuple[Sequence[Sealed], int | None]:
        with self._database.reading() as connection:
            return index.chosen(connection, ids, first, before, after)

    def count(self, *, patience: float) -> int:
        with self._database.writing(patience) as connection:
            size = sealing.read(connection).edge.size
            return tally.count_in_file(connection, size, tally.AT_ONCE, whole=True)

    def recount(self, *, patience: float) -> None:
        with self._database.writing(patience) as connection:
            tally.forget(tally.in_file(connection))

    def problems(self) -> Sequence[str]:
        return self._database.problems()

    def upgrade(self) -> Sequence[str]:
        """Create the database or bring it to this release's schema; a line for each revision applied."""
        return self._database.prepare()

    def moved_to(self) -> str | None:
        """Where the log has moved to; None as long as it is here."""
        return self._database.moved_to()

    @contextmanager
    def leaving(self, patience: float) -> Iterator[Departure]:
        """The log, into which nobody else writes while the block runs; it stays as it is if the block fails."""
        with self._database.writing(patience) as connection:
            yield Departure(connection)

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        self._database.close()
