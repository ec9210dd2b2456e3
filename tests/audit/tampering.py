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


def erase(folder: Path, id: uuid.UUID) -> None:
    """Delete the opening of the event *id*, as erasure does."""
    with closing(
        sqlite3.connect(folder / "instance" / "consent.sqlite3", isolation_level=None)
    ) as connection:
        assert connection.execute("DELETE FROM opening WHERE uid = ?", (id.hex,)).rowcount == 1
