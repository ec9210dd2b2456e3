"""The SQLAlchemy engine: how connections to SQLite are opened, and how their transactions begin."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

#: Seconds a reader waits when a database is locked as a whole, which in WAL mode hardly happens.
PATIENCE = 2.0

#: ``fullfsync``: on macOS a plain fsync may stay in the drive's cache. ``secure_delete``: an erased opening is
#: overwritten. ``trusted_schema``: a schema that somebody changed calls no functions.
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)


def make(file: Path | None) -> Engine:
    """An engine for the database *file*; None: for one in memory, with one connection that nobody may share.

    Nothing is opened yet. Its transactions are deferred; ``immediate`` begins others.
    """
    if file is None:
        engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": PATIENCE}
        )
    else:
        # Without a limit to the pool nobody waits for a connection; the web server's threads are the limit.
        url = URL.create("sqlite", database=str(file))
        engine = create_engine(url, max_overflow=-1, connect_args={"timeout": PATIENCE})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begin)
    return engine


def _connected(connection: sqlite3.Connection, record: object) -> None:
    # sqlite3 begins transactions by itself, late and deferred, unless it is told that it has no business there.
    connection.isolation_level = None
    # A text that is no UTF-8 was altered, or is damaged: it is read all the same, so that it can be named, and hides
    # nothing else.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("consent_writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")


@contextmanager
def creating(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes, for creating and upgrading."""
    with engine.execution_options(consent_writes=True).begin() as connection:
        yield connection


@contextmanager
def immediate(engine: Engine, deadline: float) -> Iterator[sqlite3.Connection]:
    """A transaction that writes, on the driver's own connection; committed once the block is left.

    An append is seven short statements, and the engine's way of running each takes longer than SQLite does.
    *deadline*: until when to wait for other programs' locks (``time.monotonic`` seconds).
    """
    pooled = engine.raw_connection()
    try:
        connection = cast(sqlite3.Connection, pooled.driver_connection)
        milliseconds = max(1, int(1000 * (deadline - time.monotonic())))
        connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(1000 * PATIENCE)}")
    finally:
        pooled.close()  # the pool rolls back what was not committed


@contextmanager
def reading(engine: Engine) -> Iterator[sqlite3.Connection]:
    """The driver's own connection, for statements that read, each a state of its own."""
    pooled = engine.raw_connection()
    try:
        yield cast(sqlite3.Connection, pooled.driver_connection)
    finally:
        pooled.close()


def fold(engine: Engine, milliseconds: int) -> bool:
    """Fold the write-ahead log back into the file and empty it; whether others who read let it in that time."""
    with reading(engine) as connection:
        connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(1000 * PATIENCE)}")
    return not busy


def use_write_ahead_log(engine: Engine) -> None:
    """Switch the database file to WAL for good, which can't be done inside a transaction."""
    pooled = engine.raw_connection()
    try:
        pooled.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        pooled.close()
