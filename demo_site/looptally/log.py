"""What the third party's server was asked for, in an SQLite file of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SCHEMA = """
    CREATE TABLE IF NOT EXISTS request (
        id      INTEGER PRIMARY KEY,
        time    TEXT NOT NULL,
        path    TEXT NOT NULL,
        origin  TEXT NOT NULL,
        browser TEXT NOT NULL
    ) STRICT"""

#: The newest are kept.
LIMIT = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached the third party."""

    time: datetime
    path: str
    """With query."""
    origin: str
    """What the browser said about the page it came from; empty if it said nothing."""
    browser: str
    """The first characters of the cookie by which the third party knows the browser again, or empty."""


class RequestLog:
    """The requests noted in the file at *path*."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, seen: Seen) -> None:
        """Notes one request, and forgets the oldest beyond the limit."""
        with self._database() as database:
            row = database.execute(
                "INSERT INTO request (time, path, origin, browser) VALUES (?, ?, ?, ?)",
                (seen.time.isoformat(), seen.path[:300], seen.origin[:300], seen.browser),
            )
            database.execute("DELETE FROM request WHERE id <= ?", ((row.lastrowid or 0) - LIMIT,))

    def newest(self, limit: int) -> list[Seen]:
        """The newest requests, newest first."""
        with self._database() as database:
            query = "SELECT time, path, origin, browser FROM request ORDER BY id DESC LIMIT ?"
            rows = database.execute(query, (limit,))
            return [Seen(datetime.fromisoformat(time), *rest) for time, *rest in rows]

    def count(self) -> int:
        """How many requests are kept."""
        with self._database() as database:
            number: int = database.execute("SELECT count(*) FROM request").fetchone()[0]
            return number

    def clear(self) -> None:
        """Forgets all requests."""
        with self._database() as database:
            database.execute("DELETE FROM request")

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.path, timeout=5, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous = OFF")  # a log that a power cut may cost
            database.execute(SCHEMA)
            yield database
        finally:
            database.close()
