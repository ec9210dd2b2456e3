"""Erasing in PostgreSQL: openings go, and each leaves a tombstone, in the transaction of whoever calls."""

import uuid
from collections.abc import Collection

from sqlalchemy import Connection, text

from consent.ledger import Entry

_ERASE = text(
    "DELETE FROM consent.opening "
    "WHERE subject = CAST(:subject AS uuid) OR uid = ANY(CAST(:ids AS uuid[])) RETURNING uid"
)
_BURY = text("INSERT INTO consent.erased (uid) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING")
# As an append, with no more rights than whoever erases has.
_SAY = text("""
    WITH opened AS (
        INSERT INTO consent.opening (uid, salt, body)
        SELECT :uid, :salt, :body WHERE NOT EXISTS (SELECT FROM consent.entry WHERE uid = :uid)
        ON CONFLICT DO NOTHING RETURNING uid
    )
    INSERT INTO consent.inbox (uid, leaf) SELECT uid, :leaf FROM opened ON CONFLICT DO NOTHING
""")


def erase(connection: Connection, entry: Entry, subject: uuid.UUID | None, ids: Collection[uuid.UUID]) -> int:
    """Delete the openings of *subject*'s events and of *ids*, and say so in *entry*; how many there were."""
    gone = sorted(connection.execute(_ERASE, {"subject": subject, "ids": list(ids)}).scalars())
    if gone:
        connection.execute(_BURY, {"ids": gone})
        said = {"uid": entry.id, "salt": entry.salt, "body": entry.body, "leaf": entry.leaf}
        connection.execute(_SAY, said)
    return len(gone)
