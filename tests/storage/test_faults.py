"""What can go wrong with a database: each is said in time, with its fix, and over once its cause is."""

import fcntl
import os
import resource
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as sqlalchemy_event

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Document, Ledger
from consent.storage import engine as engines

from .events import change, new_event, open_ledger, record, rows

#: How much longer than its patience an operation may take on a busy machine (seconds).
SLACK = 1.5


@contextmanager
def unavailable(match: str, *, within: float = 0.0) -> Iterator[None]:
    """The block says within so many seconds that the ledger can't be written now, and why."""
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable, match=match) as caught:
        yield
    assert time.monotonic() - began < within + SLACK
    assert caught.value.retry_after >= 1


@contextmanager
def another_program(folder: Path, statement: str) -> Iterator[sqlite3.Connection]:
    """A program that isn't ours holds what *statement* gives it, until the block ends."""
    with closing(sqlite3.connect(folder / "consent.sqlite3", isolation_level=None)) as connection:
        connection.execute(statement)
        yield connection


@pytest.fixture
def begun(filed: Ledger) -> Ledger:
    """A ledger in a file with one event."""
    record(filed)
    return filed


def test_a_database_locked_by_another_program_is_waited_for_and_then_said(
    begun: Ledger, tmp_path: Path
) -> None:
    with (
        another_program(tmp_path, "BEGIN IMMEDIATE"),
        unavailable(r"locked by another program \(SQLITE_BUSY\)\. Find what holds it", within=0.3),
    ):
        record(begun, patience=0.3)
    assert record(begun).index == 2


def test_readers_dont_wait_for_writers(begun: Ledger, tmp_path: Path) -> None:
    with another_program(tmp_path, "BEGIN IMMEDIATE"):
        began = time.monotonic()
        assert begun.size() == 2
        assert time.monotonic() - began < SLACK


@contextmanager
def hanging_process(folder: Path, seconds: float | None = None) -> Iterator[None]:
    """Somebody else has the turn, for so long; for None as long as the block takes, however slow this machine is."""
    descriptor = os.open(folder / "consent.sqlite3.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    release = threading.Timer(seconds or 0, fcntl.flock, (descriptor, fcntl.LOCK_UN))
    if seconds is not None:
        release.start()
    try:
        yield
    finally:
        if seconds is not None:
            release.join()
        os.close(descriptor)


def test_a_turn_that_comes_in_time_is_waited_for(begun: Ledger, tmp_path: Path) -> None:
    with hanging_process(tmp_path, 0.3):
        assert record(begun, patience=10).index == 2


def test_a_turn_that_doesnt_come_is_said_in_time(begun: Ledger, tmp_path: Path) -> None:
    with hanging_process(tmp_path), unavailable("in use by others for 0.2 s", within=0.2):
        record(begun, patience=0.2)
    assert record(begun).index == 2


def test_queue_and_lock_together_are_waited_for_no_longer_than_ones_patience(
    begun: Ledger, tmp_path: Path
) -> None:
    with (
        hanging_process(tmp_path, 0.1),
        another_program(tmp_path, "BEGIN IMMEDIATE"),
        unavailable("locked by another program", within=0.7),
    ):
        record(begun, patience=0.7)
    assert record(begun).index == 2


def test_a_commit_that_finds_the_database_busy_is_undone_and_the_connection_serves_on(tmp_path: Path) -> None:
    # In this journal mode it is the commit that waits for readers.
    path = tmp_path / "consent.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("CREATE TABLE entry (leaf_index)")
    engine = engines.make(path)
    with another_program(tmp_path, "BEGIN") as reader:
        reader.execute("SELECT * FROM entry").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            add_to(engine, time.monotonic() + 0.2)
    assert rows(tmp_path, "SELECT count(*) FROM entry") == [(0,)]
    add_to(engine, time.monotonic() + 10)
    assert rows(tmp_path, "SELECT count(*) FROM entry") == [(1,)]
    engine.dispose()


def test_a_writers_short_patience_is_not_left_to_readers(tmp_path: Path) -> None:
    engine = engines.make(tmp_path / "consent.sqlite3")
    with engines.immediate(engine, time.monotonic() + 1) as connection:
        (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
        assert 1 <= milliseconds <= 1000 < 1000 * engines.PATIENCE
    with engine.connect() as reader:
        assert reader.exec_driver_sql("PRAGMA busy_timeout").scalar() == 1000 * engines.PATIENCE
    engine.dispose()


def add_to(engine: Engine, deadline: float) -> None:
    with engines.immediate(engine, deadline) as connection:
        connection.execute("INSERT INTO entry VALUES (0)")


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder that an ordinary user may enter, which those of pytest are not."""
    folder = Path(mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def without_rights() -> Iterator[None]:
    """Be an ordinary user within the block: the rights of files don't bind root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(("of_file", "of_folder"), [(0o444, 0o555), (0o444, 0o755), (0o000, 0o755)])
def test_a_read_only_database_is_said_and_written_again_once_it_can_be(
    own_folder: Path, of_file: int, of_folder: int
) -> None:
    ledger, storage = open_ledger(own_folder)
    record(ledger)
    storage.close()
    paths = [own_folder / "consent.sqlite3", own_folder]
    for path, mode in zip(paths, (of_file, of_folder), strict=True):
        path.chmod(mode)
    with without_rights(), unavailable("Give this process's user write access"):
        record(ledger)
    for path, mode in zip(paths, (0o600, 0o755), strict=True):
        path.chmod(mode)
    assert record(ledger).index == 2
    storage.close()


def test_a_connection_opened_while_all_was_read_only_is_opened_again(own_folder: Path) -> None:
    first, writer = open_ledger(own_folder)
    record(first)  # and keeps its connection, and so the files of the write-ahead log
    paths = [path for path in own_folder.iterdir() if path.name.startswith("consent.sqlite3")]
    for path in paths:
        path.chmod(0o666 if path.suffix == ".lock" else 0o444)
    ledger, storage = open_ledger(own_folder)
    with without_rights():
        assert ledger.size() == 2
        with unavailable(r"read-only \(SQLITE_READONLY\)"):
            record(ledger)
    for path in paths:
        path.chmod(0o600)
    assert record(ledger).index == 2
    storage.close()
    writer.close()


def test_a_folder_that_cant_be_made_is_said(own_folder: Path) -> None:
    ledger, storage = open_ledger(own_folder / "no" / "such")
    with unavailable(r"A folder for the ledger's files is missing.*Create it"):
        record(ledger)
    ledger, storage = open_ledger(own_folder / "instance")
    own_folder.chmod(0o555)
    with without_rights(), unavailable("Permission denied.*write access"):
        record(ledger)
    own_folder.chmod(0o755)
    assert record(ledger).index == 1
    storage.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """Within the block no database that is opened can grow."""

    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # which SQLite takes as: no more than there are

    sqlalchemy_event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        sqlalchemy_event.remove(Engine, "connect", limit)


def test_a_full_disk_records_nothing_and_recording_goes_on_after(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    big, event = Document.of("notice", bytes(100_000)), new_event()
    ledger.size()
    storage.close()
    with full_disk(), unavailable(r"the disk is full \(SQLITE_FULL\)"):
        record(ledger, event, documents=[big])
    assert ledger.document(big.hash) is None
    assert ledger.get(event.id) is None
    storage.close()
    assert record(ledger, event, documents=[big]).index == 1
    storage.close()


def test_a_write_that_the_system_refuses_records_nothing(begun: Ledger) -> None:
    event = new_event()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        with unavailable("the disk reports an error"):
            record(begun, event)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert record(begun, event).index == 2


def test_below_the_floor_of_free_space_nothing_is_recorded(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    ledger, storage = open_ledger(tmp_path, floor=2 * free)
    for _ in range(2):
        with unavailable(r"MiB are free on the disk of .*; recording stops below \d+ MiB\. Make room"):
            record(ledger)
    assert ledger.size() == 1
    storage.close()


@pytest.mark.parametrize(
    ("place", "damage", "said"),
    [(0, b"This is no database, this is a letter.", "not a database"), (100, b"\xff" * 3996, "damaged")],
)
def test_a_damaged_database_is_said_and_its_restored_backup_is_used(
    tmp_path: Path, place: int, damage: bytes, said: str
) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    path = tmp_path / "consent.sqlite3"
    shutil.copy(path, tmp_path / "backup")
    with path.open("r+b") as file:
        file.seek(place)
        file.write(damage)
    with unavailable(f"{said}.*restore it from a backup"):
        record(ledger)
    with pytest.raises(LedgerError, match=said):
        ledger.size()
    (tmp_path / "backup").rename(path)
    assert record(ledger).index == 2
    storage.close()


def test_what_the_database_refuses_for_another_reason_is_an_error_of_ours(
    begun: Ledger, tmp_path: Path
) -> None:
    change(tmp_path, "ALTER TABLE opening RENAME TO missing")
    with pytest.raises(LedgerError, match=r"refused what was asked of it: no such table: .*opening"):
        record(begun)
    change(tmp_path, "ALTER TABLE missing RENAME TO opening")
    assert record(begun).index == 2
