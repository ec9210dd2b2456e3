"""The connections of one process to a PostgreSQL server, and the transactions on them."""

import logging
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import URL, Connection, Engine, PoolProxiedConnection, PoolResetState, create_engine, event

from consent.storage import outages
from consent.storage.bounded import BoundedConnection
from consent.storage.schema import SCHEMA

log = logging.getLogger("consent")

#: Seconds that a read may take, and that opening a connection may.
READING, CONNECTING = 10.0, 2.0

# For this transaction alone: a pooler may hand the connection to somebody else between any two of them.
_BOUNDED = (
    "SELECT set_config('synchronous_commit', 'on', true), set_config('statement_timeout', '{0}', true), "
    "set_config('lock_timeout', '{0}', true), set_config('search_path', 'consent', true)"
)

_ONE_STATE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

Found = TypeVar("Found")


class Connections:
    """What one process has open to the server at *url*: nothing before the first use. A forked child has its own."""

    def __init__(self, url: URL) -> None:
        self.engine = _engine(url)
        # What whoever recorded last left for the next: giving it back to the pool and asking for it costs a process as
        # much as a message to the server.
        self._aside: list[PoolProxiedConnection] = []
        # Whoever forgets a database has it closed, but only in the process that opened it.
        weakref.finalize(self, _close, self.engine, self._aside, os.getpid())

    def read(self, work: Callable[[Connection], Found]) -> Found:
        """What *work* reads in one transaction: all of it as it stood at one moment."""
        with self.engine.connect() as connection, driver(connection).within(READING):
            connection.exec_driver_sql(f"{_ONE_STATE}; {bounded(READING)}")
            return work(connection)

    def write(self, work: Callable[[Connection], Found], patience: float) -> Found:
        """What *work* returns, which writes in one transaction; durable when this returns."""
        with self.engine.connect() as connection, driver(connection).within(patience):
            connection.exec_driver_sql(bounded(patience))
            found = work(connection)
            driver(connection).acknowledged(connection.commit)
            return found

    def drive(self, work: Callable[[BoundedConnection], Found], patience: float) -> Found:
        """What *work* returns, which writes and commits on the driver's own connection; durable when this returns."""
        try:
            pooled = self._aside.pop()
        except IndexError:
            pooled = self.engine.raw_connection()
        connection = cast(BoundedConnection, pooled.driver_connection)
        try:
            with connection.within(patience):
                found = connection.acknowledged(lambda: work(connection))
        except BaseException as error:
            if isinstance(error, psycopg.Error) and outages.lost(error):
                pooled.invalidate(error)
            pooled.close()  # the pool rolls back what was not committed
            raise
        if self._aside or not connection.idle:
            pooled.close()
        else:
            self._aside.append(pooled)
        return found

    def close(self) -> None:
        """Close what is open; the next use opens new ones."""
        _close(self.engine, self._aside, os.getpid())


def driver(connection: Connection) -> BoundedConnection:
    """The driver's own connection, of which *connection* is."""
    return cast(BoundedConnection, connection.connection.driver_connection)


@contextmanager
def heard(connection: Connection) -> Iterator[None]:
    """While the block runs, what the server warns *connection* of is logged as it comes."""

    def tell(said: psycopg.errors.Diagnostic) -> None:
        if said.severity_nonlocalized == "WARNING":
            log.warning("%s", said.message_primary)

    own = driver(connection)
    own.add_notice_handler(tell)
    try:
        yield
    finally:
        own.remove_notice_handler(tell)


def bounded(patience: float) -> str:
    """The statement that makes the transaction it begins durable, and bounds what each further one waits."""
    return _BOUNDED.format(milliseconds(patience))


def milliseconds(patience: float) -> int:
    """*patience*, in seconds, as the server's timeouts take it, where 0 would be no limit."""
    return max(1, int(1000 * patience))


def _close(engine: Engine, aside: list[PoolProxiedConnection], process: int) -> None:
    if os.getpid() == process:
        while aside:
            aside.pop().close()
        engine.dispose()


def _engine(url: URL) -> Engine:
    """An engine that keeps no state in sessions. Nothing is opened yet."""
    usual = {
        "connect_timeout": str(int(CONNECTING)),
        "application_name": "flask-assent",
        "tcp_user_timeout": str(int(1000 * READING)),
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "2",
    }
    options = {name: value for name, value in usual.items() if name not in url.query}
    engine = create_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=CONNECTING,
        pool_reset_on_return=None,
        isolation_level="READ COMMITTED",
        use_native_hstore=False,
        connect_args={**options, "prepare_threshold": None},
        execution_options={"schema_translate_map": {None: SCHEMA}},
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _connected)
    event.listen(engine, "reset", _reset)
    return engine


def _connect(
    dialect: object, record: object, arguments: list[str], options: dict[str, Any]
) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **options)


def _connected(connection: psycopg.Connection, record: object) -> None:
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED


def _reset(connection: BoundedConnection, record: object, state: PoolResetState) -> None:
    # As the pool does by itself; but after most work nothing is open, and the driver takes its time to find that.
    if not state.terminate_only and not connection.idle:
        connection.rollback()
