"""A log in SQLite that is about to leave for another database."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import LargeBinary, Table

from consent.storage import moved
from consent.storage.altered import as_bytes

Row = Sequence[object]
#: Passes rows on and says how far it is: the rows, how many there are, and what they are called.
Progress = Callable[[Iterable[Row], int, str], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Departure:
    """The log in a SQLite database, into which nobody else writes meanwhile."""

    connection: sqlite3.Connection

    def count(self, table: Table) -> int:
        """How many rows *table* has."""
        found: int = self.connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
        return found

    def rows(self, table: Table) -> Iterator[Row]:
        """The rows of *table* in the order in which they were written, in constant memory."""
        # Where rows have no number of their own their order is that of the key.
        numbered = table.dialect_options["sqlite"]["with_rowid"]
        order = "rowid" if numbered else ", ".join(column.name for column in table.primary_key)
        names = ", ".join(column.name for column in table.columns)
        binary = [isinstance(column.type, LargeBinary) for column in table.columns]
        for row in self.connection.execute(f"SELECT {names} FROM {table.name} ORDER BY {order}"):
            yield [
                as_bytes(value) if bytes_ and value is not None else value
                for value, bytes_ in zip(row, binary, strict=True)
            ]

    def first_leaf(self) -> bytes:
        """The leaf of entry 0."""
        found = self.connection.execute("SELECT leaf FROM entry WHERE leaf_index = 0").fetchone()
        return b"" if found is None else as_bytes(found[0])

    def mark(self, to: str) -> None:
        """Say that the log has moved *to* another database, where nothing is recorded from then on."""
        moved.mark(self.connection, to)
