"""What was erased stands in the write-ahead log no longer than somebody reads an older state."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consent.ledger import Ledger, erasure

from .events import NOW, SUBJECT, go, new_event, open_ledger, record, start

OTHER = uuid.UUID("c1a5e0de-0000-4000-8000-00000000ffff")
WAL = "consent.sqlite3-wal"
MARK = "consent.sqlite3.unfolded"
ERASE = """
    import uuid
    from consent.ledger import erasure
    said = erasure("visitor", id=uuid.uuid4(), time=NOW)
    print(ledger.erase(said, salt=b"s" * 32, subject=SUBJECT, patience=5))
"""


@contextmanager
def reader(folder: Path) -> Iterator[None]:
    """Somebody who reads the openings while the block runs, and sees them as they were at its beginning."""
    connection = sqlite3.connect(folder / "consent.sqlite3", isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM opening").fetchone()
    try:
        yield
    finally:
        connection.close()


def erase(ledger: Ledger) -> int:
    return ledger.erase(
        erasure("visitor", id=uuid.uuid4(), time=NOW), salt=b"s" * 32, subject=SUBJECT, patience=5
    )


def hits(folder: Path) -> int:
    """How often the subject stands in the files of the database."""
    files = (folder / WAL, folder / "consent.sqlite3")
    return sum(each.read_bytes().count(b'"subject":"%s"' % str(SUBJECT).encode()) for each in files)


def test_the_next_write_after_somebody_has_read_empties_the_write_ahead_log_of_what_was_erased(
    tmp_path: Path,
) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    with reader(tmp_path):
        assert erase(ledger) == 1
        record(ledger, new_event(subject=OTHER))
        assert hits(tmp_path)
    assert hits(tmp_path)
    record(ledger, new_event(subject=OTHER))
    assert not hits(tmp_path)
    assert not (tmp_path / MARK).exists()
    storage.close()


def test_another_process_empties_what_the_one_that_erased_has_left(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    record(ledger, new_event(subject=OTHER))
    with reader(tmp_path):
        other = start(ERASE, tmp_path)
        go(other)
        assert other.communicate() == ("1\n", "")
        assert (tmp_path / MARK).exists()
        assert hits(tmp_path)
    record(ledger, new_event(subject=OTHER))
    assert not hits(tmp_path)
    storage.close()


def test_a_process_empties_at_its_first_use_what_earlier_ones_have_left(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    # Keeps the files in place, as closing the last connection would empty the log by itself.
    idle = sqlite3.connect(tmp_path / "consent.sqlite3")
    idle.execute("SELECT count(*) FROM opening").fetchone()
    with reader(tmp_path):
        assert erase(ledger) == 1
    storage.close()
    assert hits(tmp_path)
    (tmp_path / MARK).unlink()  # as of a release that left none
    ledger, storage = open_ledger(tmp_path)
    ledger.head()
    assert not hits(tmp_path)
    storage.close()
    idle.close()


def test_nobody_waits_for_a_reader_to_let_the_write_ahead_log_be_emptied(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    with reader(tmp_path):
        assert erase(ledger) == 1
        statements = list[str]()
        with storage._database._here().engine.connect() as connection:  # type: ignore[attr-defined]
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.set_trace_callback(statements.append)
        record(ledger, new_event(subject=OTHER))
    assert "PRAGMA wal_checkpoint(TRUNCATE)" in statements
    assert "PRAGMA busy_timeout = 0" in statements[: statements.index("PRAGMA wal_checkpoint(TRUNCATE)")]
    storage.close()


def test_without_an_erasure_the_write_ahead_log_is_left_alone(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    before = (tmp_path / WAL).stat().st_size
    for _ in range(3):
        record(ledger, new_event(subject=OTHER))
    assert (tmp_path / WAL).stat().st_size > before > 0
    storage.close()
