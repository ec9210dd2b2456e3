"""How a log begins: key, entry 0 and guard, whoever comes first and wherever a process is killed."""

import os
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from consent.errors import LedgerUnavailable
from consent.ledger import Kind, Ledger, leaf_hash
from consent.ledger.checkpoint import Checkpoint, open_checkpoint
from consent.ledger.note import verifier_key
from consent.storage import open_storage
from consent.storage.files import publish

from .events import ORIGIN, new_event, open_ledger, record, rows, start

FILES = ["consent.guard", "consent.key", "consent.sqlite3", "consent.sqlite3.lock"]


@pytest.fixture(autouse=True)
def quickly_migrated() -> None:
    """Nothing is quick here: the migrations themselves are tested."""


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm")))


def public_name(folder: Path) -> str:
    key = load_pem_private_key((folder / "consent.key").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return verifier_key(ORIGIN, key.public_key())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nothing_is_opened_or_made_before_the_first_use(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path / "instance")
    assert ledger.problems() == []
    assert not list(tmp_path.iterdir())
    storage.close()


def test_the_first_use_makes_database_key_and_guard_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    ledger, storage = open_ledger(folder, clock=lambda: datetime(2026, 11, 21, 18, 30, tzinfo=UTC))
    assert ledger.size() == 1
    assert files(folder) == FILES
    assert {mode(folder / name) for name in os.listdir(folder)} == {0o600}
    (first,) = ledger.records()
    event = first.event()
    assert event is not None
    assert (event.kind, event.key, event.subject) == (Kind.OPERATED, public_name(folder), None)
    assert event.time == datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
    assert first.outline().origin == ORIGIN
    note = (folder / "consent.guard").read_text()
    guard = open_checkpoint(note, [public_name(folder)], ORIGIN)
    assert guard == Checkpoint(ORIGIN, 1, leaf_hash(first.leaf))
    assert ledger.problems() == []
    storage.close()


def test_a_key_of_ones_own_is_used_with_the_guard_beside_it(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    path = tmp_path / "keys" / "log.pem"
    own = Ed25519PrivateKey.generate()
    path.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    ledger, storage = open_ledger(tmp_path / "data", signing_key=path)
    (first,) = ledger.records()
    assert first.outline().key == verifier_key(ORIGIN, own.public_key())
    assert files(tmp_path / "keys") == ["log.guard", "log.pem"]
    assert ledger.problems() == []
    storage.close()


def test_a_log_in_memory_has_a_key_and_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = open_storage("sqlite://", origin=ORIGIN)
    (first,) = Ledger(storage, ORIGIN).records()
    assert str(first.outline().key).startswith(ORIGIN)
    assert storage.problems() == []
    assert not list(tmp_path.iterdir())
    storage.close()


@pytest.mark.requirement("REC-01")
@pytest.mark.parametrize("count", [8, pytest.param(50, marks=pytest.mark.full)])
def test_processes_that_start_at_once_make_one_log(tmp_path: Path, count: int) -> None:
    process = start(
        f"""
        def work():
            for _ in range(5):
                index = record(ledger, new_event(subject=uuid.uuid4()), patience=30).index
                sys.stdout.write(f"{{index}}\\n")
            assert ledger.problems() == [], ledger.problems()
            storage.close()

        assert fork({count}, work)
        """,
        tmp_path,
    )
    answer, error = process.communicate("\n")
    assert (error, process.returncode) == ("", 0)
    assert sorted(map(int, answer.split())) == list(range(1, 5 * count + 1))
    assert rows(tmp_path, "SELECT count(*), max(leaf_index) FROM entry") == [(5 * count + 1, 5 * count)]
    assert files(tmp_path) == FILES


def killed_with_a_half_made_key(folder: Path) -> None:
    """The key was being written; nothing else is there but the empty database."""
    for name in ("consent.key", "consent.guard", "consent.sqlite3"):
        (folder / name).unlink()
    (folder / "consent.sqlite3").touch()
    (folder / ".consent.key.x7.new").write_bytes(b"-----BEGIN PRI")


def killed_with_a_key(folder: Path) -> None:
    """The key was made; no table is."""
    (folder / "consent.guard").unlink()
    (folder / "consent.sqlite3").unlink()


def killed_before_entry_0(folder: Path) -> None:
    """Key and file were made, the transaction with tables and entry 0 wasn't committed."""
    (folder / "consent.guard").unlink()
    (folder / "consent.sqlite3").write_bytes(b"")


def killed_before_the_guard(folder: Path) -> None:
    """Entry 0 is there, its guard isn't, or is half written under another name."""
    (folder / "consent.guard").rename(folder / ".consent.guard.x7.new")


@pytest.mark.parametrize(
    ("killed", "key_stays"),
    [
        (killed_with_a_half_made_key, False),
        (killed_with_a_key, True),
        (killed_before_entry_0, True),
        (killed_before_the_guard, True),
    ],
)
def test_whatever_a_killed_process_left_the_next_completes(
    tmp_path: Path, killed: Callable[[Path], None], key_stays: bool
) -> None:
    ledger, storage = open_ledger(tmp_path)
    ledger.size()
    storage.close()
    key = (tmp_path / "consent.key").read_bytes()
    killed(tmp_path)

    ledger, storage = open_ledger(tmp_path)
    assert record(ledger).index == 1
    (first, _) = ledger.records()
    assert first.outline().key == public_name(tmp_path)
    assert ((tmp_path / "consent.key").read_bytes() == key) is key_stays
    note = (tmp_path / "consent.guard").read_text()
    guard = open_checkpoint(note, [public_name(tmp_path)], ORIGIN)
    assert guard == Checkpoint(ORIGIN, 1, leaf_hash(first.leaf))
    assert ledger.problems() == []
    assert not list(tmp_path.glob(".consent.key.*"))
    storage.close()


def test_a_published_file_is_never_replaced_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "consent.key"
    assert publish(path, b"first")
    assert not publish(path, b"second")
    assert path.read_bytes() == b"first"
    assert mode(path) == 0o600
    assert files(tmp_path) == ["consent.key"]


def another_key(path: Path) -> None:
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.with_name("consent.key").write_bytes(key)


def an_elliptic_key(path: Path) -> None:
    key = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.with_name("consent.key").write_bytes(key)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda at: at.with_name("consent.key").unlink(), "consent.key is missing"),
        (lambda at: at.with_name("consent.key").write_bytes(b"?"), "consent.key can't be read"),
        (an_elliptic_key, "another type than Ed25519"),
        (another_key, "consent.key is not the one this log names"),
        (lambda at: at.with_name("consent.key").chmod(0o644), "chmod 600"),
        (lambda at: at.with_name("consent.guard").unlink(), "consent.guard is missing"),
        (
            lambda at: at.with_name("consent.guard").write_text("?"),
            "consent.guard doesn't belong to this log",
        ),
    ],
)
def test_with_key_or_guard_lost_or_wrong_recording_goes_on_and_the_problem_is_named(
    tmp_path: Path, spoil: Callable[[Path], None], problem: str
) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    spoil(tmp_path / "consent.sqlite3")

    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)[:-2]}
    assert record(ledger).index == 2
    (found,) = ledger.problems()
    assert problem in found
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    storage.close()


@pytest.mark.parametrize("running", [True, False], ids=["while the site runs", "at its start"])
@pytest.mark.parametrize("emptied", [True, False], ids=["emptied", "gone"])
def test_a_lost_database_is_refused_and_no_other_log_begins_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: bool, emptied: bool
) -> None:
    monkeypatch.setattr("consent.storage.database._LOOK", 0.0)
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    if not running:
        storage.close()
    for file in tmp_path.glob("consent.sqlite3*"):
        if file.suffix != ".lock":
            file.unlink()
    if emptied:
        (tmp_path / "consent.sqlite3").touch(0o600)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    for ask in (lambda: record(ledger), ledger.size, ledger.checkpoint):
        with pytest.raises(LedgerUnavailable, match="The database is missing, but the guard file") as refused:
            ask()
        assert refused.value.retry_after == 300
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before
    assert ["The database is missing" in each for each in ledger.problems()] == [True]

    # Whoever has given it up says so by moving the guard away.
    (tmp_path / "consent.guard").rename(tmp_path / "lost.guard")
    assert record(ledger).index == 1
    assert ledger.problems() == []
    storage.close()


def test_a_restored_backup_is_opened_while_the_site_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.storage.database._LOOK", 0.0)
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    shutil.copy(tmp_path / "consent.sqlite3", tmp_path / "backup")
    for _ in range(3):
        record(ledger)
    storage_of_another_process = open_ledger(tmp_path)[1]
    storage_of_another_process.size()
    for name in ("consent.sqlite3", "consent.sqlite3-wal", "consent.sqlite3-shm"):
        (tmp_path / name).unlink()
    storage_of_another_process.close()
    (tmp_path / "backup").rename(tmp_path / "consent.sqlite3")
    assert record(ledger).index == 2
    assert rows(tmp_path, "SELECT max(leaf_index) FROM entry") == [(2,)]
    storage.close()


def test_what_is_written_to_a_file_that_was_taken_away_counts_as_not_written(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    (tmp_path / "kept").hardlink_to(tmp_path / "consent.sqlite3")
    shutil.copy(tmp_path / "consent.sqlite3", tmp_path / "backup")
    (tmp_path / "backup").rename(tmp_path / "consent.sqlite3")
    with pytest.raises(LedgerUnavailable, match="removed or replaced"):
        record(ledger)
    storage.close()


def test_a_key_that_cant_be_used_for_a_new_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "consent.key").write_text("not a key")
    ledger, storage = open_ledger(tmp_path)
    with pytest.raises(LedgerUnavailable, match=r"consent\.key can't be used"):
        ledger.size()
    (tmp_path / "consent.key").unlink()
    assert record(ledger).index == 1
    storage.close()


def test_the_log_of_another_site_is_read_but_not_written(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    other = open_storage(f"sqlite:///{tmp_path}/consent.sqlite3", origin="other.example/privacy-choices")
    staging = Ledger(other, "other.example/privacy-choices")
    with pytest.raises(LedgerUnavailable, match=f"holds the log {ORIGIN}.*CONSENT_SITE"):
        record(staging, new_event())
    (found,) = staging.problems()
    assert "holds the log" in found
    assert staging.size() == 2
    other.close()
