"""The database statements that this process runs through SQLAlchemy's connections, whoever runs them."""

import sqlite3
from collections.abc import Callable

from sqlalchemy import Engine, event


class Statements:
    """Counts them. It has to be there before the first connection is opened."""

    def __init__(self) -> None:
        self.connections: list[sqlite3.Connection] = []
        self.tracing = False
        self.count = 0
        event.listen(Engine, "connect", self._connected)

    def made_by(self, run: Callable[[], object]) -> int:
        """How many *run* makes. At other times counting costs nothing."""
        before = self.count
        self._trace(True)
        run()
        self._trace(False)
        return self.count - before

    def _connected(self, connection: sqlite3.Connection, record: object) -> None:
        self.connections.append(connection)
        if self.tracing:
            connection.set_trace_callback(self._made)

    def _trace(self, on: bool) -> None:
        # SQLite's own trace sees what the driver runs too; SQLAlchemy's events would miss that.
        self.tracing = on
        for connection in self.connections:
            connection.set_trace_callback(self._made if on else None)

    def _made(self, statement: str) -> None:
        self.count += 1
