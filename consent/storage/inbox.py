"""Recording in PostgreSQL: an event goes into the inbox, in one round trip unless its id or subject is known."""

from collections.abc import Callable, Sequence

import psycopg
from psycopg.rows import TupleRow

from consent.ledger import Document, Entry, Written
from consent.storage.bounded import BoundedConnection
from consent.storage.server import bounded

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


class Append:
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

    def run(self, connection: BoundedConnection) -> Written | None:
        """Where the event ended; None if another append of its id came in between each time."""
        merging = self._repeats is not None and self._entry.subject is not None
        if not self._news and (written := self._insert(connection, alone=merging)):
            return written
        merging = merging or self._news
        for _ in range(_LOOKS):
            if written := self._merge(connection) if merging else self._insert(connection, alone=False):
                return written
        return None

    def _insert(self, connection: BoundedConnection, *, alone: bool) -> Written | None:
        """Insert the event; with *alone* only if its subject has no other. None if nothing was inserted or found."""
        statements = [self._bounds, *([_ADD_DOCUMENTS] if self._documents else []), _APPEND]
        values = {**self._values(alone), **_columns(self._documents)}
        return self._written(connection, connection.at_once("; ".join(statements), values))

    def _merge(self, connection: psycopg.Connection) -> Written | None:
        """Insert the event unless it repeats its subject's newest, or its account's; one of these at a time."""
        latest, key = (_OPTED_OUT, self._entry.account) if self._news else (_LATEST, self._entry.subject)
        with connection.pipeline():
            connection.execute(self._bounds)
            connection.execute(_ONE_BY_ONE, (str(key),))
            found = connection.execute(latest.encode(), (key,)).fetchone()
            if found is not None and (self._news or (self._repeats and self._repeats(found[2], found[6]))):
                add_documents(connection, self._documents)
                connection.execute(TOUCH)
                connection.commit()
                return Written(index=found[0], id=found[1], leaf=found[2])
            add_documents(connection, self._documents)
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
                connection.execute(TOUCH)
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


def add_documents(connection: psycopg.Connection, documents: Sequence[Document]) -> None:
    """Store those of *documents* that aren't there yet."""
    if documents:
        connection.execute(_ADD_DOCUMENTS, _columns(documents))


def _columns(documents: Sequence[Document]) -> dict[str, object]:
    return {
        "hashes": [each.hash for each in documents],
        "kinds": [each.kind for each in documents],
        "bodies": [each.body for each in documents],
    }
