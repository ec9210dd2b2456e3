"""Recording in PostgreSQL: an event goes into the inbox by a function of the database, in one round trip mostly."""

from collections.abc import Callable, Sequence

import psycopg
from psycopg.pq import Format
from sqlalchemy import Connection, text

from consent.ledger import Document, Entry, Written
from consent.storage.altered import as_bytes
from consent.storage.bounded import BoundedConnection
from consent.storage.connections import bounded, milliseconds

#: How often an append looks again when another one of the same id was in between.
_LOOKS = 3
#: Bytes in which the function says where an event is that was there.
_INDEX = 8

# The migration says what it does and why. As one message by the server's own numbers, and among others by the driver's.
_RECORD = "SELECT consent.record({})"
_AT_ONCE = _RECORD.format(", ".join(f"${number}" for number in range(1, 11))).encode()
_FORMATS = [*[Format.BINARY] * 5, *[Format.TEXT] * 5]
_AMONG_OTHERS = _RECORD.format(", ".join(["%s"] * 10)).encode()
_ADD_DOCUMENTS = """
    INSERT INTO consent.document (hash, kind, body)
    SELECT * FROM unnest(%(hashes)s::text[], %(kinds)s::text[], %(bodies)s::bytea[]) ON CONFLICT DO NOTHING
"""
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
# Makes a commit that wrote nothing wait as one that wrote: what was found may still be on its way to a standby.
TOUCH = "SELECT pg_logical_emit_message(true, 'consent', '')"
ANYWHERE = """
    SELECT e.leaf_index, o.uid, coalesce(e.leaf, i.leaf) AS leaf, e.leaf_hash, o.subject, o.salt, o.body
    FROM consent.opening o LEFT JOIN consent.entry e USING (uid) LEFT JOIN consent.inbox i USING (uid)
    WHERE o.subject = {} AND (e.uid IS NOT NULL OR i.uid IS NOT NULL)
    ORDER BY e.leaf_index {}, i.number {}
"""
_LATEST = ANYWHERE.format("%s", "DESC NULLS FIRST", "DESC") + " LIMIT 1"
# In the order of _LATEST's columns, as far as they are used.
_OPTED_OUT = """
    SELECT e.leaf_index, a.uid, coalesce(e.leaf, i.leaf), NULL, NULL, NULL, NULL
    FROM consent.account a LEFT JOIN consent.entry e USING (uid) LEFT JOIN consent.inbox i USING (uid)
    WHERE a.link = %s AND (e.uid IS NOT NULL OR i.uid IS NOT NULL)
"""


_PUT_OPENINGS = text(
    "INSERT INTO consent.opening (uid, subject, salt, body) SELECT * FROM unnest("
    "CAST(:uids AS uuid[]), CAST(:subjects AS uuid[]), CAST(:salts AS bytea[]), CAST(:bodies AS bytea[]))"
)
_PUT = text(
    "INSERT INTO consent.inbox (uid, leaf) SELECT uid, leaf FROM "
    "unnest(CAST(:uids AS uuid[]), CAST(:leaves AS bytea[])) WITH ORDINALITY AS new (uid, leaf, number) ORDER BY number"
)


def put_all(connection: Connection, entries: Sequence[Entry]) -> None:
    """Put *entries*, whose ids are all new, into the inbox in their order."""
    uids = [new.id for new in entries]
    values = {
        "uids": uids,
        "subjects": [new.subject for new in entries],
        "salts": [new.salt for new in entries],
        "bodies": [new.body for new in entries],
    }
    connection.execute(_PUT_OPENINGS, values)
    connection.execute(_PUT, {"uids": uids, "leaves": [new.leaf for new in entries]})


class Append:
    """One event on its way into the inbox: one round trip, and more only for a known subject or a new document."""

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
        self._patience = patience

    def run(self, connection: BoundedConnection) -> Written | None:
        """Where the event ended; None if another append of its id came in between each time."""
        merging = self._repeats is not None and self._entry.subject is not None
        # Those of one account are recorded one by one: what holds must be what the last of them in the log says.
        at_once = not self._news and self._entry.account is None
        if at_once and (written := self._at_once(connection, alone=merging)):
            return written
        for _ in range(_LOOKS):
            if written := self._step_by_step(connection, merging=merging or self._news):
                return written
        return None

    def _at_once(self, connection: BoundedConnection, *, alone: bool) -> Written | None:
        """Insert the event, or find it; with *alone* only if its subject has no other. None when nothing was done."""
        new = self._entry
        documents = ",".join(each.hash for each in self._documents) if self._documents else None
        values = [
            new.id.bytes,
            new.leaf,
            None if new.subject is None else new.subject.bytes,
            new.salt,
            new.body,
            b"t" if alone else b"f",
            None if new.account is None else new.account.encode(),
            b"t" if new.opted_out else b"f",
            None if documents is None else b"{%b}" % documents.encode(),
            b"%d" % milliseconds(self._patience),
        ]
        return self._written(connection.at_once(_AT_ONCE, values, _FORMATS))

    def _step_by_step(self, connection: psycopg.Connection, *, merging: bool) -> Written | None:
        """Store the documents, and insert the event or find it, in a transaction of several statements.

        *merging*: unless it repeats its subject's newest, or its account's; one of these at a time.
        """
        new, bounds = self._entry, bounded(self._patience)
        with connection.pipeline():
            connection.execute(bounds)
            if new.account is not None:
                connection.execute(_ONE_BY_ONE, (new.account,))
            if merging and (written := self._repeated(connection)):
                add_documents(connection, self._documents)
                connection.execute(TOUCH)
                connection.commit()
                return written
            add_documents(connection, self._documents)
            values = [new.id, new.leaf, new.subject, new.salt, new.body, False, new.account, new.opted_out]
            cursor = connection.execute(_AMONG_OTHERS, [*values, None, str(milliseconds(self._patience))])
            connection.commit()
        (found,) = cursor.fetchone() or (None,)
        return self._written(found)

    def _repeated(self, connection: psycopg.Connection) -> Written | None:
        """What the event repeats, while no other of its subject or account is recorded."""
        latest, key = (_OPTED_OUT, self._entry.account) if self._news else (_LATEST, self._entry.subject)
        connection.execute(_ONE_BY_ONE, (str(key),))
        found = connection.execute(latest.encode(), (key,)).fetchone()
        if found is None:
            return None
        leaf, body = as_bytes(found[2]), as_bytes(found[6])
        if not (self._news or (self._repeats and self._repeats(leaf, body))):
            return None
        return Written(index=found[0], id=found[1], leaf=leaf)

    def _written(self, found: bytes | None) -> Written | None:
        """What the function says with *found*; None that nothing was done."""
        if found is None:
            return None
        if not found:
            return Written(index=None, id=self._entry.id, leaf=self._entry.leaf)
        index = int.from_bytes(found[:_INDEX], signed=True)
        return Written(index=None if index < 0 else index, id=self._entry.id, leaf=found[_INDEX:])


def add_documents(connection: psycopg.Connection, documents: Sequence[Document]) -> None:
    """Store those of *documents* that aren't there yet."""
    if documents:
        columns = {
            "hashes": [each.hash for each in documents],
            "kinds": [each.kind for each in documents],
            "bodies": [each.body for each in documents],
        }
        connection.execute(_ADD_DOCUMENTS, columns)
