"""Appending in SQLite: an entry with its opening, and sealed, in the transaction of whoever calls."""

import sqlite3
from collections.abc import Callable, Sequence

from consent.ledger import Document, Entry, Written
from consent.storage import sealing, tally
from consent.storage.altered import as_bytes, id_or_none

# For the driver itself, as all that writes (``engine.immediate`` says why).
_KNOWN = "SELECT leaf_index, leaf FROM entry WHERE uid = ?"
_OPENED = "SELECT 1 FROM opening WHERE uid = ?"
# A row's own number orders openings as the index does, and stands in every index of SQLite: no sorting.
_LATEST = """
    SELECT entry.leaf_index, entry.uid, entry.leaf, opening.body
    FROM opening JOIN entry ON entry.uid = opening.uid
    WHERE opening.subject = ? ORDER BY opening.rowid DESC LIMIT 1
"""
_ADD_ENTRY = "INSERT INTO entry (leaf_index, uid, leaf, leaf_hash) VALUES (?, ?, ?, ?)"
_ADD_OPENING = "INSERT INTO opening (uid, subject, salt, body) VALUES (?, ?, ?, ?)"
_OPTED_OUT = (
    "SELECT entry.leaf_index, entry.uid, entry.leaf FROM account JOIN entry USING (uid) WHERE link = ?"
)
_OPT_OUT = "INSERT OR REPLACE INTO account (link, uid) VALUES (?, ?)"
_OPT_IN = "DELETE FROM account WHERE link = ?"
_ADD_DOCUMENT = "INSERT OR IGNORE INTO document (hash, kind, body) VALUES (?, ?, ?)"


def known(connection: sqlite3.Connection, new: Entry) -> Written | None:
    """Where the event of *new* is, if it is there already."""
    row = connection.execute(_KNOWN, (new.id.hex,)).fetchone()
    return None if row is None else Written(index=row[0], id=new.id, leaf=row[1])


def preempted(connection: sqlite3.Connection, new: Entry) -> bool:
    """Whether an opening stands under the id of *new*, which isn't there yet: nobody of ours wrote it."""
    return connection.execute(_OPENED, (new.id.hex,)).fetchone() is not None


def repeated(
    connection: sqlite3.Connection, new: Entry, repeats: Callable[[bytes, bytes], bool] | None
) -> Written | None:
    """Where the newest event of the subject of *new* is, if *repeats* says yes to its leaf and body."""
    if repeats is None or new.subject is None:
        return None
    row = connection.execute(_LATEST, (new.subject.hex,)).fetchone()
    if row is None or not repeats(as_bytes(row[2]), as_bytes(row[3])):
        return None
    return _written(*row[:3])


def opted_out(connection: sqlite3.Connection, new: Entry) -> Written | None:
    """Where the event is by which the account of *new* is opted out already."""
    row = connection.execute(_OPTED_OUT, (new.account,)).fetchone()
    return None if row is None else _written(*row)


def _written(index: int, uid: object, leaf: object) -> Written | None:
    """Where the event *uid* is; None if that is no id, so that the new one is recorded."""
    id = id_or_none(uid)
    return None if id is None else Written(index=index, id=id, leaf=as_bytes(leaf))


def add(connection: sqlite3.Connection, new: Entry, now: int) -> Written:
    """Store *new* as the next entry, and seal it; *now* in milliseconds since 1970."""
    tree = sealing.read(connection)
    index, subject = tree.next, None if new.subject is None else new.subject.hex
    connection.execute(_ADD_ENTRY, (index, new.id.hex, new.leaf, new.leaf_hash))
    connection.execute(_ADD_OPENING, (new.id.hex, subject, new.salt, new.body))
    if new.account is not None and new.opted_out:
        connection.execute(_OPT_OUT, (new.account, new.id.hex))
    elif new.account is not None:
        connection.execute(_OPT_IN, (new.account,))
    sealing.seal(connection, tree, [new.leaf_hash], now)
    return Written(index=index, id=new.id, leaf=new.leaf)


def add_all(connection: sqlite3.Connection, entries: Sequence[Entry], now: int) -> None:
    """Store *entries*, whose ids are all new, as the next ones, and seal them; *now* as above."""
    tree = sealing.read(connection)
    connection.executemany(
        _ADD_ENTRY, [(at, new.id.hex, new.leaf, new.leaf_hash) for at, new in enumerate(entries, tree.next)]
    )
    connection.executemany(
        _ADD_OPENING, [(new.id.hex, new.subject and new.subject.hex, new.salt, new.body) for new in entries]
    )
    sealing.seal(connection, tree, [new.leaf_hash for new in entries], now)
    tally.count_in_file(connection, tree.edge.size, tally.AT_ONCE)


def add_documents(connection: sqlite3.Connection, documents: Sequence[Document]) -> None:
    """Store those of *documents* that aren't stored yet."""
    if documents:
        connection.executemany(_ADD_DOCUMENT, [(each.hash, each.kind, each.body) for each in documents])
