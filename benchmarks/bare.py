"""The raw limit: sqlite3 alone, writing the rows that the ledger writes, as durably."""

import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Those of the ledger that bear on the cost of a commit.
PRAGMAS = ("PRAGMA synchronous = FULL", "PRAGMA fullfsync = ON", "PRAGMA secure_delete = ON")
#: Seconds that the driver waits for another writer, by its own polling.
WAIT = 10.0

_ROWS = """
    SELECT uid, leaf, leaf_hash, subject, salt, body
    FROM entry JOIN opening USING (uid) ORDER BY leaf_index
"""
_SCHEMA = """
    SELECT sql FROM sqlite_master
    WHERE tbl_name IN ('entry', 'opening') AND type != 'trigger' AND sql NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One event as it lies in the ledger's two tables."""

    id: str
    leaf: bytes
    leaf_hash: bytes
    subject: str | None
    salt: bytes
    body: bytes

    def again(self) -> "Row":
        """The same row under another id and subject."""
        return Row(uuid.uuid4().hex, self.leaf, self.leaf_hash, uuid.uuid4().hex, self.salt, self.body)


def rows(ledger: Path) -> Sequence[Row]:
    """The events in the ledger's database, oldest first."""
    with sqlite3.connect(ledger) as connection:
        return [Row(*found) for found in connection.execute(_ROWS)]


def create(path: Path, *, like: Path) -> None:
    """Make a database with the tables and indexes of the ledger *like*, in WAL mode, without its triggers."""
    with sqlite3.connect(like) as ledger:
        found = ledger.execute(_SCHEMA).fetchall()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for (statement,) in found:
        connection.execute(statement)
    connection.close()


class Writer:
    """A connection to the database at *path* that commits one row at a time."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        for pragma in PRAGMAS:
            self.connection.execute(pragma)

    def write(self, row: Row) -> None:
        """Commit *row* at the next index; it is durable when this returns."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        (index,) = execute("SELECT coalesce(max(leaf_index), -1) + 1 FROM entry").fetchone()
        execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (index, row.id, row.leaf, row.leaf_hash))
        execute("INSERT INTO opening VALUES (?, ?, ?, ?)", (row.id, row.subject, row.salt, row.body))
        execute("COMMIT")
