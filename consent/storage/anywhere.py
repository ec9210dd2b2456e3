"""One event, or those of one subject, as a PostgreSQL server has them: in their places, or waiting for these."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from consent.ledger import Record, Sealed, leaf_hash
from consent.storage.altered import as_bytes
from consent.storage.inbox import ANYWHERE

_OF_SUBJECT = text(ANYWHERE.format(":subject", "ASC NULLS LAST", "ASC"))
_BY_ID = text("""
    SELECT e.leaf_index, e.uid, e.leaf, e.leaf_hash, o.subject, o.salt, o.body
    FROM consent.entry e LEFT JOIN consent.opening o USING (uid) WHERE e.uid = :uid
    UNION ALL
    SELECT NULL, i.uid, i.leaf, NULL, o.subject, o.salt, o.body
    FROM consent.inbox i LEFT JOIN consent.opening o USING (uid) WHERE i.uid = :uid
    LIMIT 1
""")

_PREEMPTED = text(
    "SELECT EXISTS (SELECT FROM consent.opening WHERE uid = :uid) "
    "AND NOT EXISTS (SELECT FROM consent.entry WHERE uid = :uid AND leaf IS NOT NULL) "
    "AND NOT EXISTS (SELECT FROM consent.inbox WHERE uid = :uid AND leaf IS NOT NULL)"
)


def preempted(connection: Connection, id: uuid.UUID) -> bool:
    """Whether an opening stands under *id*, and no event, or one without its leaf: nobody of ours wrote that."""
    return bool(connection.execute(_PREEMPTED, {"uid": id}).scalar_one())


def get(connection: Connection, id: uuid.UUID) -> Record | None:
    """The record of the event *id*."""
    row = connection.execute(_BY_ID, {"uid": id}).one_or_none()
    return None if row is None else _record(row)


def of_subject(connection: Connection, subject: uuid.UUID) -> Sequence[Record]:
    """The records linked to *subject*, oldest first, and those that wait last."""
    return [_record(row) for row in connection.execute(_OF_SUBJECT, {"subject": subject})]


def _record(row: Row[Any]) -> Record:
    leaf = as_bytes(row.leaf)
    members = {"id": row.uid, "leaf": leaf, "subject": row.subject, "salt": row.salt, "body": row.body}
    if row.leaf_index is None:
        return Record(index=None, leaf_hash=leaf_hash(leaf), **members)
    return Sealed(index=row.leaf_index, leaf_hash=as_bytes(row.leaf_hash), **members)
