"""One SQLite database: opened on first use in each process, made ready once, and its transactions."""

import logging
import os
import sqlite3
import threading
import time
import uuid
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import Connection, Engine

from consent.errors import LedgerUnavailable
from consent.storage import appending, erasing, extent, faults, migrate, misfits, moved, sealing, triggers
from consent.storage import engine as engines
from consent.storage.birth import Birth
from consent.storage.folding import MOMENT, Folding
from consent.storage.place import Identity, Place
from consent.storage.queue import OutOfPatienceError, Queue
from consent.storage.tombstones import Tombstones, erased_again

log = logging.getLogger("consent")

#: Seconds that the first use of a database may take, while it is created or upgraded here or elsewhere.
FIRST_USE = 15.0
#: Seconds between two looks at the file, and at the room on its disk.
_LOOK = 1.0


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Process:
    """What one process holds of the database. A forked child has its own, and never its parent's."""

    engine: Engine
    queue: Queue
    folding: Folding
    opening: threading.Lock = field(default_factory=threading.Lock)
    ready: bool = False
    identity: Identity | None = None
    looked: float = 0.0
    measured: float = 0.0
    upgraded: tuple[str, ...] = ()
    foreign: LedgerUnavailable | None = None

    def __post_init__(self) -> None:
        # Whoever forgets a database has it closed: Python 3.13 and later complain of connections left open.
        weakref.finalize(self, self.engine.dispose)

    def close(self) -> None:
        self.ready = False
        self.engine.dispose()


class Database:
    """The database at *place*, or in this process's memory if that is None, in which *birth* begins a log."""

    def __init__(
        self,
        place: Place | None,
        birth: Birth,
        first_use: float = FIRST_USE,
        tombstones: Tombstones | None = None,
    ) -> None:
        self._place = place
        self._birth = birth
        self._tombstones = tombstones
        self._first_use = first_use
        self._processes = {os.getpid(): self._process()}

    @property
    def name(self) -> str:
        """What messages call it."""
        return "in memory" if self._place is None else str(self._place.file)

    def now(self) -> int:
        """The time in milliseconds since 1970."""
        return round(self._birth.clock().timestamp() * 1000)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads one state of the database."""
        process = self._ready()
        with self._explained(process):
            if self._place is not None:
                with process.engine.connect() as connection:
                    yield connection
            else:  # memory has one connection, and reading is using it
                with self._turn(process, engines.PATIENCE), process.engine.connect() as connection:
                    yield connection

    @contextmanager
    def writing(self, patience: float) -> Iterator[sqlite3.Connection]:
        """A transaction that writes, durable once the block is left; it waits *patience* seconds in all."""
        deadline = time.monotonic() + patience
        process = self._ready()
        if process.foreign is not None:
            raise process.foreign
        with self._explained(process), self._turn(process, patience, deadline):
            self._require_space(process)
            with engines.immediate(process.engine, deadline) as connection:
                yield connection
            self._require_same(process)
            process.folding.fold(process.engine)

    def prepare(self) -> Sequence[str]:
        """Create or upgrade the database now; what was done when this process opened it, line by line."""
        return self._ready().upgraded

    def problems(self) -> Sequence[str]:
        """What is wrong with the log's beginning, its tree and its triggers. No database is made for this."""
        if self._place is not None and self._place.empty():
            return self._birth.bereaved()
        if to := self.moved_to():
            return [str(moved.gone(self.name, to))]
        with self.reading() as connection:
            found = [*self._birth.problems(connection), *extent.problems(connection)]
            found += [*misfits.problems(connection), *triggers.problems(connection)]
        try:
            if self._tombstones is not None:
                self._tombstones.read()
        except LedgerUnavailable as error:
            found.append(str(error))
        return found

    def account_key(self) -> bytes:
        """The 32 bytes under which accounts are linked; LedgerError when they aren't to be had here."""
        with self.reading() as connection:
            return self._birth.account_key(connection)

    def moved_to(self) -> str | None:
        """Where the log has moved to; None as long as it is here."""
        with self.reading() as connection:
            return moved.moved_to(_driver(connection))

    def require_here(self) -> None:
        """LedgerUnavailable if the log has moved: then what is here may be out of date."""
        if to := self.moved_to():
            raise moved.gone(self.name, to)

    def list_erased(self, ids: Sequence[uuid.UUID]) -> None:
        """Enter *ids* in the list of what was erased, by whoever is writing; LedgerUnavailable when that fails."""
        if self._tombstones is not None:
            self._tombstones.add(ids)

    def owe_fold(self) -> None:
        """Have the write-ahead log emptied after what is being erased by whoever is writing: at once, or later."""
        self._here().folding.owe()

    def fold(self) -> None:
        """Fold the write-ahead log back into the file, so that what was overwritten is in neither.

        Who reads an older state at this moment keeps it from being emptied; then the next write does that.
        """
        process = self._ready()
        if process.folding.due:
            with suppress(LedgerUnavailable), self._turn(process, engines.PATIENCE):
                process.folding.fold(process.engine, MOMENT)

    def close(self) -> None:
        """Close what this process holds; the next use opens it again."""
        process = self._here()
        process.close()
        process.queue.close()

    def _process(self) -> _Process:
        if self._place is None:
            return _Process(engines.make(None), Queue(None), Folding(None))
        mark = self._place.beside(".unfolded")
        return _Process(engines.make(self._place.file), Queue(self._place.beside(".lock")), Folding(mark))

    def _here(self) -> _Process:
        process = self._processes.get(os.getpid())
        if process is None:
            # Forked. SQLite keeps count of its locks in memory, which is now copied: beside the parent's
            # connections new ones would believe in locks that the child doesn't have, and another process
            # could take the write-ahead log away under them. So the parent's idle ones are closed first,
            # which does the parent no harm.
            for parent in self._processes.values():
                parent.close()
                parent.queue.close()
            process = self._process()
            self._processes = {os.getpid(): process}
        return process

    def _ready(self) -> _Process:
        process = self._here()
        if process.ready and self._place is not None and time.monotonic() - process.looked > _LOOK:
            process.looked = time.monotonic()
            if self._place.identity() != process.identity:
                process.close()  # the file was replaced, as when a backup is restored
        if not process.ready:
            self._open(process)
        return process

    def _require_same(self, process: _Process) -> None:
        """LedgerUnavailable if the file has been taken away: what was just written went with it."""
        if self._place is not None and self._place.identity() != process.identity:
            process.close()
            raise faults.replaced(self.name)

    def _require_space(self, process: _Process) -> None:
        if self._place is not None and time.monotonic() - process.measured > _LOOK:
            self._place.require_space()
            process.measured = time.monotonic()

    def _open(self, process: _Process) -> None:
        if not process.opening.acquire(timeout=self._first_use):
            raise faults.busy(self.name, self._first_use)
        try:
            with self._explained(process):
                if not process.ready:
                    self._make_ready(process)
        finally:
            process.opening.release()

    def _make_ready(self, process: _Process) -> None:
        if self._lacking(process):
            if self._place is not None:
                self._place.make_folder()
            with self._turn(process, self._first_use):
                # Where many start at once, most find when their turn comes that there is nothing left to do.
                if self._lacking(process):
                    migrate.load()
                    self._create(process)
        with process.engine.connect() as connection:
            process.foreign = self._birth.foreign(connection)
        if process.foreign is None:
            self._erase_again(process)
            process.folding.fold(process.engine)
        process.identity = None if self._place is None else self._place.identity()
        process.looked = time.monotonic()
        process.ready = True

    def _erase_again(self, process: _Process) -> None:
        """Erase what is there of what the list says was erased, and say so in the log, unless that has moved.

        An older backup has brought it back; or whoever listed it was killed before it was gone.
        """
        try:
            listed = self._tombstones.read() if self._tombstones else frozenset()
        except LedgerUnavailable as error:
            log.error("%s", error)  # ``problems`` says so, too; visitors are served
            return
        if not listed:
            return
        with engines.reading(process.engine) as connection:
            back = erasing.with_openings(connection, None, listed)
        if back:
            with self._turn(process, self._first_use):
                with engines.immediate(process.engine, time.monotonic() + self._first_use) as connection:
                    found = erasing.with_openings(connection, None, back)
                    process.folding.owe()
                    erasing.erase(connection, found)
                    if found and moved.moved_to(connection) is None:
                        said = erased_again(self._birth.origin, self._birth.clock())
                        appending.add(connection, said, self.now())
                process.folding.fold(process.engine, MOMENT)
            log.warning("%d events that had been erased were back, and are erased again", len(back))

    def _lacking(self, process: _Process) -> bool:
        """Whether there is something to do that needs the queue."""
        if self._place is None or self._place.empty():
            return True  # and an empty file isn't opened out of turn: that disturbs whoever is filling it
        with process.engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            return mode != "wal" or bool(migrate.pending(connection)) or self._birth.lacking(connection)

    def _create(self, process: _Process) -> None:
        if self._place is not None:
            if self._place.empty() and (lost := self._birth.bereaved()):
                raise LedgerUnavailable(lost[0], retry_after=300)
            self._place.create()
            engines.use_write_ahead_log(process.engine)
        with engines.creating(process.engine) as connection:
            process.upgraded += tuple(migrate.upgrade(connection))
            self._birth.enter(connection)
            # Over what an older release has recorded, the tree is built here.
            driver = _driver(connection)
            sealing.seal(driver, sealing.read(driver), (), self.now())
        with process.engine.connect() as connection:
            self._birth.settle(connection)

    @contextmanager
    def _turn(self, process: _Process, patience: float, deadline: float | None = None) -> Iterator[None]:
        try:
            with process.queue.turn(deadline or time.monotonic() + patience):
                yield
        except OutOfPatienceError:
            raise faults.busy(self.name, patience) from None

    @contextmanager
    def _explained(self, process: _Process) -> Iterator[None]:
        try:
            yield
        except faults.RAISED as error:
            if not faults.passing(error):
                process.close()
            raise faults.explain(error, self.name) from error


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
