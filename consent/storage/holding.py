"""Opt-outs of accounts as they stand in the database: what verification compares with what the openings say."""

import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, String, bindparam, func, select, text, type_coerce

from consent.ledger import Holding
from consent.storage.altered import as_bytes, as_id
from consent.storage.schema import account, entry, opening

# As text, since in SQLite who alters a row can put anything for an id.
_UID = type_coerce(account.c.uid, String)
_HELD = (
    select(account.c.link, _UID, entry.c.leaf_index, entry.c.leaf, opening.c.uid.is_not(None))
    .select_from(
        account.outerjoin(entry, entry.c.uid == account.c.uid).outerjoin(
            opening, opening.c.uid == account.c.uid
        )
    )
    .where(account.c.link > bindparam("after"))
    .order_by(account.c.link)
    .limit(bindparam("limit"))
)
# What is no text is no account's link, and in no order with the others.
_HELD_IN_FILE = _HELD.where(func.typeof(account.c.link) == "text")
# In the order in which they are sealed.
_WAITING = text(
    "SELECT i.number, i.uid, i.leaf, o.body FROM consent.inbox i LEFT JOIN consent.opening o USING (uid) "
    "WHERE i.number > :after ORDER BY i.number LIMIT :limit"
)


def held(connection: Connection, after: str, limit: int) -> Sequence[Holding]:
    """Up to *limit* opt-outs that hold, of accounts whose links come after *after*, in the order of these."""
    statement = _HELD_IN_FILE if connection.dialect.name == "sqlite" else _HELD
    rows = connection.execute(statement, {"after": after, "limit": limit})
    return [
        Holding(
            link=link,
            id=as_id(uid),
            index=index,
            leaf=None if leaf is None else as_bytes(leaf),
            opened=bool(opened),
        )
        for link, uid, index, leaf, opened in rows
    ]


def waiting(
    connection: Connection, after: int, limit: int
) -> Sequence[tuple[int, uuid.UUID, bytes, bytes | None]]:
    """Number, id, leaf and opening of up to *limit* events that wait, of higher numbers than *after*."""
    rows = connection.execute(_WAITING, {"after": after, "limit": limit})
    return [
        (number, uid, as_bytes(leaf), None if body is None else as_bytes(body))
        for number, uid, leaf, body in rows
    ]
