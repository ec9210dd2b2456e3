"""What somebody with the database file in hand can do, and what retention will."""

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

_TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"


def alter(folder: Path, statement: str, *values: object) -> None:
    """Run *statement* on the database below *folder*, its triggers taken away first."""
    with closing(
        sqlite3.connect(folder / "instance" / "consent.sqlite3", isolation_level=None)
    ) as connection:
        for (name,) in connection.execute(_TRIGGERS).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        assert connection.execute(statement, values).rowcount


def alter_kept(folder: Path, statement: str) -> None:
    """Run *statement* on the database below *folder*, which has its triggers again after that."""
    with closing(
        sqlite3.connect(folder / "instance" / "consent.sqlite3", isolation_level=None)
    ) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        assert connection.execute(statement).rowcount
        for _, sql in triggers:
            connection.execute(sql)


def allow_null(folder: Path, table: str) -> None:
    """Have *table* let NULL pass, wherever it doesn't."""
    with closing(
        sqlite3.connect(folder / "instance" / "consent.sqlite3", isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name = ?", (table,)
        )


def erase(folder: Path, id: uuid.UUID) -> None:
    """Delete the opening of the event *id*, as erasure does."""
    with closing(
        sqlite3.connect(folder / "instance" / "consent.sqlite3", isolation_level=None)
    ) as connection:
        assert connection.execute("DELETE FROM opening WHERE uid = ?", (id.hex,)).rowcount == 1


def flip(folder: Path, tree: str, needle: str) -> None:
    """Alter one byte of the only *needle* in the pages of *tree*, a table or an index, in the file itself."""
    file = folder / "instance" / "consent.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (tree,)).fetchone()
        ((rows,),) = connection.execute("SELECT count(*) FROM opening").fetchall()
    assert rows < 10, "all of it has to be on one page"
    data = bytearray(file.read_bytes())
    at = data.index(needle.encode(), (root - 1) * size, root * size)
    data[at + 5] ^= 1
    file.write_bytes(data)


def index_all_but(folder: Path, subject: uuid.UUID) -> None:
    """Make the index of subjects without *subject*, under the text of the one that was there."""
    with closing(
        sqlite3.connect(folder / "instance" / "consent.sqlite3", isolation_level=None)
    ) as connection:
        name = "ix_opening_subject"
        ((text,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchall()
        connection.execute(f"DROP INDEX {name}")
        connection.execute(f"{text} WHERE subject <> '{subject.hex}'")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (text, name))
