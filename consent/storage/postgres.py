"""The ledger's storage in PostgreSQL: an event is one insert into the inbox, and sealed from there."""

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import Connection, Row, TextClause, text

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Document, Entry, Head, Record, Sealed, Written, leaf_hash
from consent.ledger.signing import Desk
from consent.storage import eraser, records, sequencer
from consent.storage.birth import first_leaf
from consent.storage.server import Server, bounded

log = logging.getLogger("consent")

#: Seconds between two tries of one process to seal in passing.
INTERVAL = 1.0
#: How many are in memory at a time where all are read.
_DOCUMENTS = 20
#: How often an append looks again when another one of the same id was in between.
_LOOKS = 3

# An event that is there, sealed or not, is found and nothing is stored. Its opening goes first: that its id is free
# there is what two appends of one id meet at, also when the first was sealed in between.
_APPEND = """
    WITH known AS MATERIALIZED (
        SELECT leaf_index, leaf FROM consent.entry WHERE uid = %(uid)s
        UNION ALL SELECT NULL, leaf FROM consent.inbox WHERE uid = %(uid)s
    ), opened AS (
        INSERT INTO consent.opening (uid, subject, salt, body)
        SELECT %(uid)s, %(subject)s::uuid, %(salt)s, %(body)s WHERE NOT EXISTS (SELECT FROM known)
        AND NOT (%(alone)s AND EXISTS (SELECT FROM consent.opening WHERE subject = %(subject)s::uuid))
        ON CONFLICT DO NOTHING RETURNING uid
    ), added AS (
        INSERT INTO consent.inbox (uid, leaf) SELECT uid, %(leaf)s FROM opened ON CONFLICT DO NOTHING RETURNING uid
    ), begun AS (
        INSERT INTO consent.account (link, uid)
        SELECT %(account)s::text, uid FROM added WHERE %(account)s::text IS NOT NULL AND %(opted_out)s
        ON CONFLICT (link) DO UPDATE SET uid = excluded.uid
    ), ended AS (
        DELETE FROM consent.account
        WHERE link = %(account)s::text AND NOT %(opted_out)s AND EXISTS (SELECT FROM added)
    )
    SELECT leaf_index, leaf, false FROM known UNION ALL SELECT NULL, %(leaf)s, true FROM added
"""
_ADD_DOCUMENTS = """
    INSERT INTO consent.document (hash, kind, body)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[]) ON CONFLICT DO NOTHING
"""
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
# Makes a commit that wrote nothing wait as one that wrote: what was found may still be on its way to a standby.
_TOUCH = "SELECT pg_logical_emit_message(true, 'consent', '')"

_ANYWHERE = """
    SELECT e.leaf_index, o.uid, coalesce(e.leaf, i.leaf) AS leaf, e.leaf_hash, o.subject, o.salt, o.body
    FROM consent.opening o LEFT JOIN consent.entry e USING (uid) LEFT JOIN consent.inbox i USING (uid)
    WHERE o.subject = {} AND (e.uid IS NOT NULL OR i.uid IS NOT NULL)
    ORDER BY e.leaf_index {}, i.number {}
"""
_OF_SUBJECT = text(_ANYWHERE.format(":subject", "ASC NULLS LAST", "ASC"))
_LATEST = _ANYWHERE.format("%s", "DESC NULLS FIRST", "DESC") + " LIMIT 1"
# In the order of _LATEST's columns, as far as they are used.
_OPTED_OUT = """
    SELECT e.leaf_index, a.uid, coalesce(e.leaf, i.leaf), NULL, NULL, NULL, NULL
    FROM consent.account a LEFT JOIN consent.entry e USING (uid) LEFT JOIN consent.inbox i USING (uid)
    WHERE a.link = %s AND (e.uid IS NOT NULL OR i.uid IS NOT NULL)
"""
_OPT_IN = text("DELETE FROM consent.account WHERE link = :link")
_ADD_NOTE = text("INSERT INTO consent.checkpoint (size, note) VALUES (:size, :note) ON CONFLICT DO NOTHING")
_BY_ID = text("""
    SELECT e.leaf_index, e.uid, e.leaf, e.leaf_hash, o.subject, o.salt, o.body
    FROM consent.entry e LEFT JOIN consent.opening o USING (uid) WHERE e.uid = :uid
    UNION ALL
    SELECT NULL, i.uid, i.leaf, NULL, o.subject, o.salt, o.body
    FROM consent.inbox i LEFT JOIN consent.opening o USING (uid) WHERE i.uid = :uid
    LIMIT 1
""")


class PostgresStorage:
    """Keeps the promises of ``consent.ledger.Storage``: an append is one commit, and sealing another.

    Each process seals in passing: after recording and before reading the log, at most once a second, if its role
    may. Where that is left to ``flask consent seal --every 1s``, workers need no right to do it.
    """

    def __init__(self, server: Server, desk: Desk | None) -> None:
        self._server = server
        self.desk: Desk | None = desk
        self._next_try = 0.0

    def append(
        self,
        entry: Entry,
        *,
        documents: Sequence[Document],
        repeats: Callable[[bytes, bytes], bool] | None,
        patience: float,
        news: bool = False,
    ) -> Written:
        append = _Append(entry, sorted(documents, key=lambda each: each.hash), repeats, patience, news)
        written = self._server.pipeline(append.run, patience)
        if written is None:
            raise LedgerUnavailable(f"event {entry.id} is being recorded by somebody else", retry_after=1)
        self._seal_in_passing(patience)
        return written

    def seal(self, *, patience: float) -> int:
        return self._server.write(sequencer.seal, patience)

    def head(self) -> Head:
        self._seal_in_passing()
        return self._server.read(records.head)

    def durable_head(self, *, patience: float) -> Head:
        def read(connection: Connection) -> Head:
            head = records.head(connection)
            connection.exec_driver_sql(_TOUCH)
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

    def keep(self, documents: Sequence[Document], *, patience: float) -> None:
        hashes = [each.hash for each in documents]
        stored = self._server.read(lambda connection: records.stored_hashes(connection, hashes))
        if missing := [each for each in documents if each.hash not in stored]:

            def store(connection: psycopg.Connection) -> None:
                with connection.pipeline():
                    connection.execute(bounded(patience))
                    _add_documents(connection, sorted(missing, key=lambda each: each.hash))
                    connection.commit()

            self._server.pipeline(store, patience)

    def document(self, hash: str) -> Document | None:
        return self._server.read(lambda connection: records.stored_document(connection, hash))

    def documents(self, kind: str) -> Iterator[Document]:
        def read(connection: Connection, after: str, limit: int) -> Sequence[Document]:
            return records.documents(connection, kind, after, limit)

        return self._server.read_all(read, "", lambda document: document.hash, _DOCUMENTS)

    def get(self, id: uuid.UUID) -> Record | None:
        return next(iter(self._server.read(lambda connection: _records(connection, _BY_ID, uid=id))), None)

    def newest(self, before: int | None, limit: int) -> Sequence[Sealed]:
        self._seal_in_passing()
        return self._server.read(lambda connection: records.below(connection, before, limit))

    def records(self, after: int) -> Iterator[Sealed]:
        self._seal_in_passing()
        return self._server.read_all(records.above, after, lambda record: record.index)

    def of_subject(self, subject: uuid.UUID) -> Sequence[Record]:
        return self._server.read(lambda connection: _records(connection, _OF_SUBJECT, subject=subject))

    def erase(
        self,
        entry: Entry,
        *,
        subject: uuid.UUID | None,
        ids: Collection[uuid.UUID],
        listed: bool,
        patience: float,
    ) -> int:
        count = self._server.write(lambda each: eraser.erase(each, entry, subject, ids), patience)
        self._seal_in_passing(patience)
        return count

    def tombstones(self) -> Iterator[uuid.UUID]:
        return self._server.read_all(records.tombstones, records.FIRST_ID, lambda id: id)

    def erased(self) -> Iterator[tuple[int, uuid.UUID]]:
        self._seal_in_passing()
        return self._server.read_all(records.erased, -1, lambda found: found[0])

    def size(self) -> int:
        self._seal_in_passing()
        return self._server.read(records.size)

    def opted_out(self, account: str) -> bool:
        return self._server.read(lambda connection: records.opted_out(connection, account))

    def forget_account(self, account: str, *, patience: float) -> bool:
        def forget(connection: Connection) -> bool:
            return connection.execute(_OPT_IN, {"link": account}).rowcount > 0

        return self._server.write(forget, patience)

    def account_key(self) -> bytes:
        return self._server.secret(b"consent/account/v1")

    def problems(self) -> Sequence[str]:
        return self._server.problems()

    def upgrade(self) -> Sequence[str]:
        """Make the tables and begin the log, or bring it to this release's schema; a line for each revision applied."""
        return self._server.upgrade()

    def apply(self, statements: Sequence[str]) -> None:
        """Run *statements* in one transaction; ``roles`` has those to run."""
        self._server.apply(statements)

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        self._server.close()

    def _seal_in_passing(self, patience: float = 2.0) -> None:
        """Seal some of what waits, unless this process tried just now, or may not. Whatever happens is not told.

        No thread does it: one would have to be started anew in each forked worker, and hold a connection there.
        """
        if time.monotonic() < self._next_try:
            return
        if not self._server.may_seal:
            return
        self._next_try = time.monotonic() + INTERVAL
        try:
            self._server.write(lambda connection: sequencer.seal(connection, sequencer.IN_PASSING), patience)
        except LedgerError as error:
            # What was recorded is durable all the same, and the next one tries again.
            log.warning("nothing was sealed: %s", error)


class _Append:
    """One event on its way into the inbox: one round trip, and more only for an id or a subject that is known."""

    def __init__(
        self,
        entry: Entry,
        documents: Sequence[Document],
        repeats: Callable[[bytes, bytes], bool] | None,
        patience: float,
        news: bool,
    ) -> None:
        self._entry = entry
        self._news = news
        self._documents = documents
        self._repeats = repeats
        self._bounds = bounded(patience)

    def run(self, connection: psycopg.Connection) -> Written | None:
        """Where the event ended; None if another append of its id came in between each time."""
        merging = self._repeats is not None and self._entry.subject is not None
        if not self._news and (written := self._insert(connection, alone=merging)):
            return written
        merging = merging or self._news
        for _ in range(_LOOKS):
            if written := self._merge(connection) if merging else self._insert(connection, alone=False):
                return written
        return None

    def _insert(self, connection: psycopg.Connection, *, alone: bool) -> Written | None:
        """Insert the event; with *alone* only if its subject has no other. None if nothing was inserted or found."""
        with connection.pipeline():
            connection.execute(self._bounds)
            _add_documents(connection, self._documents)
            cursor = connection.execute(_APPEND, self._values(alone))
            connection.commit()
        return self._written(connection, cursor.fetchone())

    def _merge(self, connection: psycopg.Connection) -> Written | None:
        """Insert the event unless it repeats its subject's newest, or its account's; one of these at a time."""
        latest, key = (_OPTED_OUT, self._entry.account) if self._news else (_LATEST, self._entry.subject)
        with connection.pipeline():
            connection.execute(self._bounds)
            connection.execute(_ONE_BY_ONE, (str(key),))
            found = connection.execute(latest.encode(), (key,)).fetchone()
            if found is not None and (self._news or (self._repeats and self._repeats(found[2], found[6]))):
                _add_documents(connection, self._documents)
                connection.execute(_TOUCH)
                connection.commit()
                return Written(index=found[0], id=found[1], leaf=found[2])
            _add_documents(connection, self._documents)
            cursor = connection.execute(_APPEND, self._values(False))
            connection.commit()
        return self._written(connection, cursor.fetchone())

    def _written(self, connection: psycopg.Connection, row: TupleRow | None) -> Written | None:
        if row is None:
            return None
        index, leaf, added = row
        if not added:
            with connection.pipeline():
                connection.execute(self._bounds)
                connection.execute(_TOUCH)
                connection.commit()
        return Written(index=index, id=self._entry.id, leaf=leaf)

    def _values(self, alone: bool) -> dict[str, object]:
        new = self._entry
        return {
            "uid": new.id,
            "leaf": new.leaf,
            "subject": new.subject,
            "salt": new.salt,
            "body": new.body,
            "alone": alone,
            "account": new.account,
            "opted_out": new.opted_out,
        }


def _add_documents(connection: psycopg.Connection, documents: Sequence[Document]) -> None:
    if documents:
        columns = zip(*((each.hash, each.kind, each.body) for each in documents), strict=True)
        connection.execute(_ADD_DOCUMENTS, [list(column) for column in columns])


def _records(connection: Connection, statement: TextClause, **parameters: object) -> Sequence[Record]:
    return [_record(row) for row in connection.execute(statement, parameters)]


def _record(row: Row[Any]) -> Record:
    members = {"id": row.uid, "leaf": row.leaf, "subject": row.subject, "salt": row.salt, "body": row.body}
    if row.leaf_index is None:
        return Record(index=None, leaf_hash=leaf_hash(row.leaf), **members)
    return Sealed(index=row.leaf_index, leaf_hash=row.leaf_hash, **members)
