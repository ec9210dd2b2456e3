"""The ledger's storage in PostgreSQL: an event goes into the inbox by one message, and is sealed from there."""

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

import psycopg
from sqlalchemy import Connection, text

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Counts, Document, Entry, Facets, Head, Holding, Record, Sealed, Written
from consent.ledger.replies import Replies
from consent.ledger.signing import Desk
from consent.storage import (
    anywhere,
    eraser,
    extent,
    holding,
    inbox,
    index,
    moved,
    pruner,
    records,
    roles,
    sequencer,
)
from consent.storage.altered import id_or_none, preempted
from consent.storage.birth import first_leaf
from consent.storage.connections import bounded
from consent.storage.departure import Departure, Progress
from consent.storage.listing import Listing
from consent.storage.schema import inbox as inbox_table
from consent.storage.server import Server

log = logging.getLogger("consent")

#: Seconds between two tries of one process to seal in passing, and after one that failed; and that one may take.
INTERVAL, PAUSE, LONGEST = 1.0, 10.0, 1.0
#: How many are in memory at a time where all are read.
_DOCUMENTS = 20

_ADD_NOTE = text("INSERT INTO consent.checkpoint (size, note) VALUES (:size, :note) ON CONFLICT DO NOTHING")


class PostgresStorage:
    """Keeps the promises of ``consent.ledger.Storage``: an append is one commit, and sealing another.

    Each process seals in passing: after recording and before reading the log, at most once a second, if its role may;
    while more waits than it sealed, after each event that it records. Where that is left to ``flask consent seal
    --every 1s``, workers need no right to do it.
    """

    def __init__(self, server: Server, desk: Desk | None, listing: Listing | None = None) -> None:
        self._server = server
        self._facets = index.Known()
        self._listing = listing
        self.desk: Desk | None = desk
        self._next_try = 0.0
        self._behind = False

    def append(
        self,
        entry: Entry,
        *,
        documents: Sequence[Document],
        repeats: Callable[[bytes, bytes], bool] | None,
        patience: float,
        news: bool = False,
    ) -> Written:
        append = inbox.Append(entry, sorted(documents, key=lambda each: each.hash), repeats, patience, news)
        written = self._server.pipeline(append.run, patience)
        if written is None:
            if self._server.read(lambda connection: anywhere.preempted(connection, entry.id)):
                raise preempted(entry.id)
            raise LedgerUnavailable(f"event {entry.id} is being recorded by somebody else", retry_after=1)
        self._seal_in_passing(patience, True)
        return written

    def append_all(self, entries: Sequence[Entry], *, patience: float) -> None:
        self._server.write(lambda connection: inbox.put_all(connection, entries), patience)
        while self.seal(patience=patience):
            pass

    def seal(self, *, patience: float) -> int:
        count = self._server.write(sequencer.seal, patience)
        self._settle()
        return count

    def head(self) -> Head:
        self._seal_in_passing()
        return self._server.read(records.head)

    def durable_head(self, *, patience: float) -> Head:
        def read(connection: Connection) -> Head:
            head = records.head(connection)
            connection.exec_driver_sql(inbox.TOUCH)
            return head

        self._seal_in_passing()
        return self._server.write(read, patience)

    def first_leaf(self) -> bytes:
        return self._server.read(first_leaf)

    def place(self, id: uuid.UUID) -> tuple[int, bytes] | None:
        return self._server.read(lambda connection: records.place(connection, id))

    def note(self, at_most: int) -> str | None:
        return self._server.read(lambda connection: records.note(connection, at_most))

    def notes(self) -> Iterator[tuple[int, str]]:
        return self._server.read_all(records.notes, records.END, lambda found: found[0])

    def keep_note(self, size: int, note: str, *, patience: float) -> str:
        def keep(connection: Connection) -> str:
            connection.execute(_ADD_NOTE, {"size": size, "note": note.encode()})
            return records.note(connection, size) or ""

        return self._server.write(keep, patience)

    def tile(self, level: int, index: int) -> bytes:
        return self._server.read(lambda connection: records.Tiles(connection).tile(level, index))

    def full_tile(self, level: int, index: int) -> bytes | None:
        return self._server.read(lambda connection: records.Hashes(connection).stored(level, index))

    def keep(self, documents: Sequence[Document], *, patience: float) -> None:
        hashes = [each.hash for each in documents]
        stored = self._server.read(lambda connection: records.stored_hashes(connection, hashes))
        if missing := [each for each in documents if each.hash not in stored]:

            def store(connection: psycopg.Connection) -> None:
                with connection.pipeline():
                    connection.execute(bounded(patience))
                    inbox.add_documents(connection, sorted(missing, key=lambda each: each.hash))
                    connection.commit()

            self._server.pipeline(store, patience)

    def document(self, hash: str) -> Document | None:
        return self._server.read(lambda connection: records.stored_document(connection, hash))

    def documents(self, kind: str) -> Iterator[Document]:
        def read(connection: Connection, after: str, limit: int) -> Sequence[Document]:
            return records.documents(connection, kind, after, limit)

        return self._server.read_all(read, "", lambda document: document.hash, _DOCUMENTS)

    def get(self, id: uuid.UUID) -> Record | None:
        return self._server.read(lambda connection: anywhere.get(connection, id))

    def newest(self, before: int | None, limit: int) -> Sequence[Sealed]:
        self._seal_in_passing()
        return self._server.read(lambda connection: records.below(connection, before, limit))

    def records(self, after: int) -> Iterator[Sealed]:
        self._seal_in_passing()
        return self._server.read_all(records.above, after, lambda record: record.index)

    def of_subject(self, subject: uuid.UUID) -> Sequence[Record]:
        return self._server.read(lambda connection: anywhere.of_subject(connection, subject))

    def told_of(self, id: uuid.UUID) -> tuple[int, int]:
        # Only who runs the server can alter an index and not its table.
        return int(self.get(id) is not None), len(self.of_subject(id))

    def contradictions(self) -> Sequence[str]:
        return ()

    def erase(
        self,
        entry: Entry,
        *,
        subject: uuid.UUID | None,
        ids: Collection[uuid.UUID],
        listed: bool,
        patience: float,
    ) -> int:
        count = self._server.write(
            lambda each: eraser.erase(each, entry, subject, ids, listed=listed), patience
        )
        self._seal_in_passing(patience)
        return count

    def tombstones(self) -> Iterator[uuid.UUID]:
        return self._server.read_all(records.tombstones, records.FIRST_ID, lambda id: id)

    def erased(self) -> Iterator[tuple[int, uuid.UUID]]:
        self._seal_in_passing()
        return self._server.read_all(records.erased, -1, lambda found: found[0])

    def is_erased(self, id: uuid.UUID) -> bool:
        return self._server.read(lambda connection: records.is_erased(connection, id))

    def pruned(self) -> int:
        return self._server.read(records.pruned)

    def remaining(self) -> tuple[int, int]:
        return self._server.read(records.remaining)

    def strays(self) -> Sequence[int]:
        return self._server.read(extent.strays)

    def orphans(self) -> Iterator[tuple[str, uuid.UUID | None]]:
        for table in records.FILED:
            read = partial(records.filed, table, inbox_table)
            filed = self._server.read_all(read, records.FROM_THE_FIRST, lambda found: (found[0],))
            yield from ((table.name, id_or_none(id)) for id, there in filed if not there)

    def raise_bound(self, min_index: int, id: uuid.UUID, *, patience: float) -> None:
        self._server.write(lambda connection: pruner.raise_bound(connection, min_index, id), patience)

    def prune(self, after: int, *, patience: float) -> tuple[int, int | None]:
        return self._server.write(lambda connection: pruner.prune(connection, after), patience)

    def size(self) -> int:
        self._seal_in_passing()
        return self._server.read(records.size)

    def facets(self) -> Mapping[int, Facets]:
        return self._server.read(self._facets.read)

    def counted(self) -> int:
        self._seal_in_passing()
        return self._server.read(index.size)

    def counts(self, first: int, beyond: int) -> Counts:
        self._seal_in_passing()
        return self._server.read(lambda connection: index.counts(connection, first, beyond))

    def sums(self, edges: Sequence[int], groups: Mapping[int, int]) -> Counts:
        self._seal_in_passing()
        return self._server.read(lambda connection: index.sums(connection, edges, groups))

    def replies(self, dimension: str, first: int, beyond: int) -> Replies:
        self._seal_in_passing()
        return self._server.read(lambda connection: index.replies(connection, dimension, first, beyond))

    def counted_days(self, first: int, beyond: int, other: Collection[int]) -> tuple[int, int] | None:
        return self._server.read(lambda connection: index.days(connection, first, beyond, other))

    def events(self, first: int, before: int, size: int) -> Mapping[int, int]:
        return self._server.read(lambda connection: index.events(connection, first, before, size))

    def placed(self) -> Iterator[tuple[int, int, int]]:
        return self._server.read_all(index.placed, -records.END, lambda found: found[0])

    def found(
        self, ids: Collection[int], first: int, before: int, limit: int
    ) -> tuple[Sequence[tuple[int, Sealed]], int | None]:
        return self._server.read(lambda connection: index.found(connection, ids, first, before, limit))

    def chosen(
        self, ids: Collection[int], first: int, before: int, after: int
    ) -> tuple[Sequence[Sealed], int | None]:
        return self._server.read(lambda connection: index.chosen(connection, ids, first, before, after))

    def count(self, *, patience: float) -> int:
        return self._server.write(sequencer.count, patience) if self._server.may_seal else 0

    def recount(self, *, patience: float) -> None:
        self._server.write(sequencer.recount, patience)

    def opted_out(self, account: str) -> bool:
        return self._server.read(lambda connection: records.opted_out(connection, account))

    def held(self) -> Iterator[Holding]:
        return self._server.read_all(holding.held, "", lambda found: found.link)

    def waiting(self) -> Iterator[tuple[uuid.UUID, bytes, bytes | None]]:
        found = self._server.read_all(holding.waiting, 0, lambda row: row[0])
        return ((id, leaf, body) for _, id, leaf, body in found)

    def account_key(self) -> bytes:
        return self._server.account_key()

    def problems(self) -> Sequence[str]:
        return [*self._server.problems(), *(self._listing.problems() if self._listing else ())]

    def upgrade(self) -> Sequence[str]:
        """Make the tables and begin the log, or bring it to this release's schema; a line for each revision applied."""
        return self._server.upgrade()

    def apply(self, statements: Sequence[str]) -> None:
        """Run *statements* in one transaction; ``roles`` has those to run."""
        self._server.apply(statements)

    def deprived(self) -> Sequence[str]:
        """The roles that are in use here and lack a right which this release gives them."""
        return self._server.read(roles.deprived)

    @property
    def name(self) -> str:
        """What messages call the database: its URL without a password."""
        return self._server.name

    def receive(self, departure: Departure, progress: Progress) -> None:
        """Make the tables and copy the rows of a log that moves here; until ``open`` nothing is recorded in them.

        LedgerError if the schema holds anything but what an interrupted copy of the same log left.
        """
        self._server.receive(departure, progress)

    def arriving(self) -> bool:
        """Whether a log is on its way here, and isn't complete yet."""
        return self._server.read(moved.arriving)

    def open(self) -> None:
        """Let the log that has arrived go on here."""
        self._server.apply([moved.OPEN])
        self._server.close()  # looked at anew

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        self._server.close()

    def _seal_in_passing(self, patience: float = LONGEST, recorded: bool = False) -> None:
        """Seal some of what waits, unless this process tried just now, or may not. Whatever happens is not told.

        Where more waited than one try seals, whoever *recorded* an event goes on: so a burst is worked off by those
        who come, a little by each. Who reads doesn't, as one page reads many times.
        No thread does it: one would have to be started anew in each forked worker, and hold a connection there.
        """
        if time.monotonic() < self._next_try and not (recorded and self._behind):
            return
        if not self._server.may_seal:
            return
        self._next_try, self._behind = time.monotonic() + INTERVAL, False
        self._settle()
        try:
            sealed = self._server.write(
                lambda connection: sequencer.seal(connection, sequencer.IN_PASSING), min(patience, LONGEST)
            )
            self._behind = sealed >= sequencer.IN_PASSING
        except LedgerError as error:
            # What was recorded is durable all the same. What fails may take its time: not everybody waits for that.
            self._next_try = time.monotonic() + PAUSE
            log.warning("nothing was sealed: %s", error)

    def _settle(self) -> None:
        if self._listing is not None:
            self._listing.settle()
