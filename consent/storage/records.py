"""Reading the tables: the statements, and how rows become records and documents."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from consent.ledger import Document, Record
from consent.storage.schema import account, document, entry, opening

_RECORD = select(
    entry.c.leaf_index,
    entry.c.uid,
    entry.c.leaf,
    entry.c.leaf_hash,
    opening.c.subject,
    opening.c.salt,
    opening.c.body,
).select_from(entry.outerjoin(opening, entry.c.uid == opening.c.uid))

_BY_ID = _RECORD.where(entry.c.uid == bindparam("uid"))
_OF_SUBJECT = _RECORD.where(opening.c.subject == bindparam("subject")).order_by(entry.c.leaf_index)
_BELOW = (
    _RECORD.where(entry.c.leaf_index < bindparam("before"))
    .order_by(entry.c.leaf_index.desc())
    .limit(bindparam("limit"))
)
_ABOVE = (
    _RECORD.where(entry.c.leaf_index > bindparam("after"))
    .order_by(entry.c.leaf_index)
    .limit(bindparam("limit"))
)
_NEXT = select(func.coalesce(func.max(entry.c.leaf_index), -1) + 1)
_ANY_DOCUMENT = select(document.c.hash, document.c.kind, document.c.body)
_DOCUMENT = _ANY_DOCUMENT.where(document.c.hash == bindparam("hash"))
_DOCUMENTS_ABOVE = (
    _ANY_DOCUMENT.where(document.c.kind == bindparam("kind"), document.c.hash > bindparam("after"))
    .order_by(document.c.hash)
    .limit(bindparam("limit"))
)
_STORED = select(document.c.hash).where(document.c.hash.in_(bindparam("hashes", expanding=True)))

_OPTED_OUT = select(account.c.uid).where(account.c.link == bindparam("link"))

#: No log is longer: the largest whole number both databases hold.
_END = 2**63 - 1


def get(connection: Connection, id: uuid.UUID) -> Record | None:
    """The record of the event *id*."""
    return next(iter(_records(connection, _BY_ID, uid=id)), None)


def below(connection: Connection, before: int | None, limit: int) -> Sequence[Record]:
    """Up to *limit* records below index *before* (None: from the end), newest first."""
    return _records(connection, _BELOW, before=_END if before is None else before, limit=limit)


def above(connection: Connection, after: int, limit: int) -> Sequence[Record]:
    """Up to *limit* records above index *after*, in index order."""
    return _records(connection, _ABOVE, after=after, limit=limit)


def of_subject(connection: Connection, subject: uuid.UUID) -> Sequence[Record]:
    """The records linked to *subject*, oldest first."""
    return _records(connection, _OF_SUBJECT, subject=subject)


def size(connection: Connection) -> int:
    """The number of entries, which is also the next index."""
    return int(connection.execute(_NEXT).scalar_one())


def documents(connection: Connection, kind: str, after: str, limit: int) -> Sequence[Document]:
    """Up to *limit* documents of *kind* whose hashes come after *after*, in the order of their hashes."""
    rows = connection.execute(_DOCUMENTS_ABOVE, {"kind": kind, "after": after, "limit": limit})
    return [Document(hash=row.hash, kind=row.kind, body=row.body) for row in rows]


def stored_document(connection: Connection, hash: str) -> Document | None:
    """The document with this hash."""
    row = connection.execute(_DOCUMENT, {"hash": hash}).one_or_none()
    return None if row is None else Document(hash=row.hash, kind=row.kind, body=row.body)


def stored_hashes(connection: Connection, hashes: Sequence[str]) -> frozenset[str]:
    """Those of *hashes* under which there is a document."""
    return frozenset(connection.execute(_STORED, {"hashes": list(hashes)}).scalars())


def opted_out(connection: Connection, link: str) -> bool:
    """Whether the account with this link is opted out."""
    return connection.execute(_OPTED_OUT, {"link": link}).one_or_none() is not None


def _records(connection: Connection, statement: Select[Any], **parameters: object) -> Sequence[Record]:
    return [
        Record(
            index=row.leaf_index,
            id=row.uid,
            leaf=row.leaf,
            leaf_hash=row.leaf_hash,
            subject=row.subject,
            salt=row.salt,
            body=row.body,
        )
        for row in connection.execute(statement, parameters)
    ]
