"""One PostgreSQL server: what each process may do there, and how the database is made."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import SQLAlchemyError

from consent.errors import LedgerError, LedgerUnavailable
from consent.storage import arrival, extent, migrate, misfits, moved, outages, records, sequencer
from consent.storage.birth import Birth
from consent.storage.bounded import BoundedConnection
from consent.storage.connections import READING, Connections, bounded, driver, heard
from consent.storage.departure import Departure, Progress
from consent.storage.records import After
from consent.storage.schema import SCHEMA

#: Holds the creation and the upgrade of the database to one process at a time, together with the schema's name.
_CREATING = 0x636F6E73656E74

#: What a URL may hold that is in no message, besides the password that stands before the server.
_SECRET = ("password", "sslpassword", "oauth_client_secret")

_UNHURRIED = "SELECT set_config('statement_timeout', '0', true)"
_UNBOUNDED = text("SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)")
_RIGHTS = text(
    "SELECT current_setting('fsync') = 'on' AS synced, has_table_privilege('consent.inbox', 'DELETE') AS may_seal"
)

Found = TypeVar("Found")


@dataclass(slots=True, eq=False)
class _Process:
    """What one process holds of the server. A forked child has its own, and never its parent's."""

    connections: Connections
    opening: Lock = field(default_factory=Lock)
    ready: bool = False
    refused: LedgerUnavailable | None = None
    """Why nothing may be recorded."""
    may_seal: bool = False


class Server:
    """The database at *url*, in which *birth* begins a log.

    It is made by ``upgrade`` and by nothing else: whoever merely records needs neither the right to create tables
    nor the key.
    """

    def __init__(self, url: URL, birth: Birth, first_use: float) -> None:
        self._url = url
        self._birth = birth
        self._first_use = first_use
        self._processes = {os.getpid(): _Process(Connections(url))}

    @property
    def name(self) -> str:
        """What messages call it: its URL, in which other servers may be named behind the question mark."""
        return self._url.difference_update_query(_SECRET).render_as_string()

    @property
    def may_seal(self) -> bool:
        """Whether the role that this process connects as may seal."""
        return self._ready(READING).may_seal

    def read(self, work: Callable[[Connection], Found]) -> Found:
        """What *work* reads in one transaction. A lost connection is opened anew, once."""
        return self._twice(self._ready(READING), lambda each: each.read(work), READING)

    def read_all(
        self,
        read: Callable[[Connection, After, int], Sequence[Found]],
        after: After,
        key: Callable[[Found], After],
        limit: int = 500,
    ) -> Iterator[Found]:
        """All that *read* finds above *after*, and then above the last one's *key*: *limit* in each transaction."""

        def batch(after: After) -> Sequence[Found]:
            return self.read(lambda connection: read(connection, after, limit))

        return records.paged(batch, after, key, limit)

    def write(self, work: Callable[[Connection], Found], patience: float) -> Found:
        """What *work* returns, which writes in one transaction; durable when this returns."""
        process = self._writable(patience)
        return self._twice(process, lambda each: each.write(work, patience), patience)

    def pipeline(self, work: Callable[[BoundedConnection], Found], patience: float) -> Found:
        """What *work* returns, which writes and commits on the driver's own connection; durable when this returns.

        A connection that is lost is opened anew, once, and *work* done again: whatever it writes, it writes under
        an id, and a second time finds it.
        """
        process = self._writable(patience)
        return self._twice(process, lambda each: each.drive(work, patience), patience)

    def upgrade(self) -> Sequence[str]:
        """Make schema and tables, or bring them to this release's; then begin the log, if it isn't begun.

        A line for each revision applied. LedgerUnavailable when the role may not, or without the key.
        """
        migrate.load()
        process = self._here()
        try:
            with process.connections.engine.begin() as connection:
                self._take_turn(connection)
                connection.exec_driver_sql(_UNHURRIED)
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
                with heard(connection):
                    done = migrate.upgrade(connection)
            with process.connections.engine.begin() as connection:
                self._take_turn(connection)
                self._birth.enter(connection)
                sequencer.seal(connection, 0)
            with process.connections.engine.connect() as connection:
                self._birth.settle(connection)
        except SQLAlchemyError as error:
            raise outages.explain(error, self.name) from error
        process.ready = False
        return done

    def receive(self, departure: Departure, progress: Progress) -> None:
        """Make the tables and copy *departure*'s rows into them, in one transaction, and closed until ``apply``.

        LedgerError unless there is room (``arrival.make_room``).
        """
        migrate.load()
        process = self._here()
        try:
            with process.connections.engine.connect() as connection:
                self._take_turn(connection)
                connection.execute(_UNBOUNDED)
                arrival.make_room(connection, departure, self.name)
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
                migrate.upgrade(connection)
                arrival.fill(connection, departure, progress)
                connection.exec_driver_sql(moved.CLOSE)
                driver(connection).acknowledged(connection.commit)
        except outages.RAISED as error:
            raise outages.explain(error, self.name) from error
        process.ready = False

    def arriving(self) -> bool:
        """Whether a log is on its way here, and isn't complete yet."""
        return self.read(moved.arriving)

    def account_key(self) -> bytes:
        """The 32 bytes under which accounts are linked; LedgerError when they aren't to be had here."""
        return self.read(self._birth.account_key)

    def apply(self, statements: Sequence[str]) -> None:
        """Run *statements*, which change rights, in one transaction; LedgerUnavailable when the role may not."""
        engine = self._here().connections.engine
        try:
            with engine.begin() as connection, heard(connection):
                for statement in (bounded(READING), _UNHURRIED, *statements):
                    connection.exec_driver_sql(statement)
        except SQLAlchemyError as error:
            raise outages.explain(error, self.name) from error

    def problems(self) -> Sequence[str]:
        """What is wrong with the log's beginning, its tree, its rows that wait, and how the server is set up."""
        try:
            process = self._ready(READING)
        except LedgerUnavailable as error:
            return [str(error)]
        found = list[str]()
        for look in (self._birth.problems, extent.problems, misfits.problems, sequencer.problems):
            found += [each for each in self._told(look) if each not in found]
        if process.refused is not None and str(process.refused) not in found:
            found.append(str(process.refused))
        return found

    def _told(self, look: Callable[[Connection], Iterable[str]]) -> Sequence[str]:
        """What *look* finds wrong; that it can't, where what was altered keeps it from looking further."""
        try:
            return self.read(lambda connection: list(look(connection)))
        except LedgerUnavailable:
            raise
        except LedgerError as error:
            return [str(error)]

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        process = self._here()
        process.ready = False
        process.connections.close()

    def _here(self) -> _Process:
        process = self._processes.get(os.getpid())
        if process is None:
            # Forked. The parent's connections are the parent's: they are neither used nor closed here.
            process = _Process(Connections(self._url))
            self._processes = {os.getpid(): process}
        return process

    def _ready(self, patience: float) -> _Process:
        process = self._here()
        if not process.ready:
            if not process.opening.acquire(timeout=patience):
                raise outages.busy(self.name, patience)
            try:
                if not process.ready:
                    self._twice(
                        process, lambda each: each.read(lambda found: self._look(process, found)), patience
                    )
                    process.ready = True
            finally:
                process.opening.release()
        return process

    def _look(self, process: _Process, connection: Connection) -> None:
        if migrate.pending(connection):
            raise outages.lacking(self.name)
        if records.size(connection) == 0:
            raise outages.unbegun(self.name)
        rights = connection.execute(_RIGHTS).one()
        if moved.arriving(connection):
            process.refused = moved.incomplete(self.name)
        elif not rights.synced:
            process.refused = outages.unsynced(self.name)
        else:
            process.refused = self._birth.foreign(connection)
        process.may_seal = rights.may_seal and process.refused is None

    def _writable(self, patience: float) -> _Process:
        process = self._ready(patience)
        if process.refused is not None:
            process.ready = False  # looked at again by the next one, as it may be mended by then
            raise process.refused
        return process

    def _twice(self, process: _Process, work: Callable[[Connections], Found], patience: float) -> Found:
        deadline = time.monotonic() + patience
        try:
            try:
                return work(process.connections)
            except outages.RAISED as error:
                if not outages.lost(error) or time.monotonic() > deadline:
                    raise
                process.connections.close()  # the others of the pool are as old
                return work(process.connections)
        except outages.RAISED as error:
            if outages.lost(error):
                process.connections.close()
            raise outages.explain(error, self.name) from error

    def _take_turn(self, connection: Connection) -> None:
        connection.exec_driver_sql(bounded(self._first_use))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATING})
