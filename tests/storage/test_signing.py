"""Signing checkpoints: which trees are signed, by whom, and what is left wherever a signer is killed."""

import json
import os
import resource
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import URL

from consent.errors import LedgerUnavailable, SigningRefused
from consent.ledger import Checkpoint, Ledger
from consent.ledger.note import sign
from consent.storage import open_storage, roles
from consent.storage.files import replace

from .cluster import Cluster
from .events import ORIGIN, change, go, new_event, open_ledger, open_served, record, rows, seal_all, start
from .test_server_faults import set_up
from .trees import check_notes, opened


@pytest.fixture
def keyed(begun_url: URL, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger on the server, where its key is."""
    ledger, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    yield ledger
    storage.close()


@pytest.fixture(params=["file", "memory", "server"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger of each kind, where its key is."""
    if request.param == "file":
        yield request.getfixturevalue("filed")
    elif request.param == "server":
        yield request.getfixturevalue("keyed")
    else:
        memory = open_storage("sqlite://", origin=ORIGIN)
        yield Ledger(memory, ORIGIN)
        memory.close()


def guard(folder: Path) -> str:
    return (folder / "consent.guard").read_text()


def several(ledger: Ledger, count: int) -> None:
    for _ in range(count):
        record(ledger, new_event(subject=uuid.uuid4()))
    seal_all(ledger)


def restored(folder: Path, before: Path) -> None:
    """Put the database of *before* in the place of the one in *folder*, which is closed."""
    for file in folder.glob("consent.sqlite3*"):
        file.unlink()
    shutil.copy(before / "consent.sqlite3", folder)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A ledger of 7 entries that is signed, in tmp_path; and a copy of its database from when it had 4."""
    before = tmp_path / "before"
    before.mkdir()
    ledger, storage = open_ledger(tmp_path)
    several(ledger, 3)
    ledger.sign()
    storage.close()
    shutil.copy(tmp_path / "consent.sqlite3", before)
    several(ledger, 3)
    ledger.sign()
    storage.close()
    return before


def test_a_signed_note_is_of_the_whole_tree_and_can_be_had_again(own: Ledger) -> None:
    several(own, 3)
    note = own.sign()
    head = own.head()
    assert opened(note, own) == Checkpoint(ORIGIN, 4, head.root)
    assert own.sign() == note == own.checkpoint() == own.checkpoint(3)
    several(own, 1)
    assert opened(own.sign(), own).size == 5


def test_on_one_machine_who_asks_has_the_tree_signed_without_set_up(filed: Ledger) -> None:
    assert opened(filed.checkpoint(), filed).size == 1
    several(filed, 2)
    assert opened(filed.checkpoint(2), filed).size == 3
    several(filed, 1)
    # Who merely asks for the newest gets it signed once a second at most.
    assert opened(filed.checkpoint(), filed).size == 3
    assert opened(filed.checkpoint(3), filed).size == 4
    assert filed.checkpoint(4) is None


def test_on_a_server_only_who_means_to_sign_does_and_those_without_the_key_read_it(
    keyed: Ledger, begun_url: URL
) -> None:
    other, storage = open_served(begun_url)
    several(other, 2)
    assert keyed.checkpoint() is None
    assert other.checkpoint(1) is None
    with pytest.raises(LedgerUnavailable, match="key isn't kept here"):
        other.sign()
    note = keyed.sign()
    assert other.checkpoint() == other.checkpoint(2) == note
    several(other, 1)
    assert other.checkpoint() == note
    assert other.checkpoint(3) is None
    assert other.verifier_keys() == keyed.verifier_keys()
    storage.close()


@pytest.mark.requirement("REC-05")
def test_an_older_database_is_not_signed_and_goes_on_recording(tmp_path: Path, older: Path) -> None:
    restored(tmp_path, older)
    signed = guard(tmp_path)
    ledger, storage = open_ledger(tmp_path)
    with pytest.raises(
        SigningRefused, match=r"of 7 entries was signed, and the database holds 4.*keys recover"
    ):
        ledger.sign()
    assert record(ledger).index == 4
    (problem,) = ledger.problems()
    assert "one of 7 entries where the database has 5" in problem
    with pytest.raises(SigningRefused, match="holds 5"):
        ledger.checkpoint(4)
    several(ledger, 4)
    with pytest.raises(SigningRefused, match="tree of 9 entries doesn't continue the one of 7"):
        ledger.sign()
    assert guard(tmp_path) == signed
    assert [size for (size,) in rows(tmp_path, "SELECT size FROM checkpoint ORDER BY size")] == [4]
    (problem,) = ledger.problems()
    assert "has other entries than the 7" in problem
    assert "flask consent keys recover" in problem
    storage.close()


def test_the_newest_database_put_back_is_signed_again(tmp_path: Path, older: Path) -> None:
    shutil.copy(tmp_path / "consent.sqlite3", newest := tmp_path / "newest.sqlite3")
    restored(tmp_path, older)
    ledger, storage = open_ledger(tmp_path)
    several(ledger, 1)
    with pytest.raises(SigningRefused):
        ledger.sign()
    storage.close()
    newest.rename(older / "consent.sqlite3")
    restored(tmp_path, older)
    several(ledger, 1)
    assert opened(ledger.sign(), ledger).size == 8
    storage.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entry SET leaf_hash = zeroblob(32) WHERE leaf_index = 2",
        "UPDATE head SET root = zeroblob(32)",
    ],
)
def test_a_tree_that_was_changed_is_not_signed(filed: Ledger, tmp_path: Path, damage: str) -> None:
    several(filed, 2)
    filed.sign()
    several(filed, 1)
    triggers = rows(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
    change(tmp_path, *(f"DROP TRIGGER {name}" for (name,) in triggers), damage)
    with pytest.raises(SigningRefused, match="doesn't continue the one of 3"):
        filed.sign()


def test_whoever_may_only_seal_can_sign(
    keyed: Ledger, server: Cluster, begun_url: URL, tmp_path: Path
) -> None:
    several(keyed, 2)
    server.run(*roles.statements(), database=begun_url.database)
    server.run("CREATE ROLE clinic_signer LOGIN IN ROLE consent_sealer", database=begun_url.database)
    try:
        signing = begun_url.set(username="clinic_signer", password=None)
        ledger, storage = open_served(signing, signing_key=tmp_path / "consent.key")
        seal_all(ledger)
        assert opened(ledger.sign(), ledger).size == 3
        storage.close()
    finally:
        server.run("DROP ROLE clinic_signer", database=begun_url.database)


@pytest.mark.parametrize(
    ("left", "said"),
    [(None, "guard file is missing"), (b"?", "holds no checkpoint"), (b"\xff\xfe", "holds no checkpoint")],
)
def test_without_its_guard_nothing_is_signed(
    filed: Ledger, tmp_path: Path, left: bytes | None, said: str
) -> None:
    several(filed, 2)
    if left is None:
        (tmp_path / "consent.guard").unlink()
    else:
        (tmp_path / "consent.guard").write_bytes(left)
    with pytest.raises(SigningRefused, match=said):
        filed.sign()
    assert record(filed).index == 3


def test_a_guard_that_was_restored_with_its_database_is_behind_the_notes_in_it(
    tmp_path: Path, older: Path
) -> None:
    newest = rows(tmp_path, "SELECT note FROM checkpoint WHERE size = 7")[0][0]
    restored(tmp_path, older)
    (tmp_path / "consent.guard").write_bytes(rows(tmp_path, "SELECT note FROM checkpoint")[0][0])
    ledger, storage = open_ledger(tmp_path)
    several(ledger, 4)
    with closing(sqlite3.connect(tmp_path / "consent.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO checkpoint VALUES (7, ?)", (newest,))
    with pytest.raises(SigningRefused, match="doesn't continue the one of 7"):
        ledger.sign()
    # Nor is the note of the lost tree handed out as one of this.
    assert ledger.storage.note(8) == newest.decode()
    assert opened(ledger.checkpoint(3), ledger).size == 4
    storage.close()


def test_what_was_signed_last_and_isnt_stored_is_stored_by_whoever_signs_next(
    filed: Ledger, tmp_path: Path
) -> None:
    for _ in range(3):
        several(filed, 1)
        filed.sign()
    notes = rows(tmp_path, "SELECT size, note FROM checkpoint")
    triggers = rows(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
    change(
        tmp_path, *(f"DROP TRIGGER {name}" for (name,) in triggers), "DELETE FROM checkpoint WHERE size > 2"
    )
    several(filed, 1)
    filed.sign()
    # Of the one before only who holds it still knows.
    assert rows(tmp_path, "SELECT size, note FROM checkpoint")[:2] == [notes[0], notes[2]]


@pytest.mark.parametrize("junk", ["x''", "x'ff'", "'no note'", "7"])
def test_what_somebody_put_in_the_place_of_a_checkpoint_stops_no_signing(
    filed: Ledger, tmp_path: Path, junk: str
) -> None:
    several(filed, 1)
    change(tmp_path, f"INSERT INTO checkpoint VALUES (2, {junk})")
    assert opened(filed.sign(), filed) == opened(guard(tmp_path), filed)
    assert opened(filed.checkpoint(1), filed).size == 2
    several(filed, 1)
    assert opened(filed.sign(), filed).size == 3


def test_without_the_key_nothing_is_signed_and_a_key_of_others_signs_nothing(
    filed: Ledger, tmp_path: Path, key: Path
) -> None:
    several(filed, 1)
    own = (tmp_path / "consent.key").read_bytes()
    (tmp_path / "consent.key").unlink()
    with pytest.raises(LedgerUnavailable, match="None of the log's keys is here"):
        filed.sign()
    (tmp_path / "consent.key").write_bytes(key.read_bytes())
    with pytest.raises(LedgerUnavailable, match="None of the log's keys is here"):
        filed.sign()
    (tmp_path / "consent.key").write_bytes(own)
    assert opened(filed.sign(), filed).size == 2


def test_where_the_guard_cant_be_written_nothing_is_signed_until_it_can(
    filed: Ledger, tmp_path: Path
) -> None:
    several(filed, 2)
    before = guard(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(LedgerUnavailable, match=r"consent\.guard can't be written .*nothing is signed"):
            filed.sign()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert guard(tmp_path) == before
    assert not list(tmp_path.glob(".consent.guard.*"))
    assert not rows(tmp_path, "SELECT * FROM checkpoint")
    assert opened(filed.sign(), filed).size == 3


def test_a_head_that_no_standby_has_confirmed_is_not_signed(
    keyed: Ledger, server: Cluster, tmp_path: Path
) -> None:
    several(keyed, 2)
    before = guard(tmp_path)
    with (
        set_up(server, "synchronous_standby_names", "nobody"),
        pytest.raises(LedgerUnavailable, match=r"gave no answer in time|took too long"),
    ):
        keyed.sign(patience=0.5)
    assert guard(tmp_path) == before
    assert keyed.checkpoint() is None
    assert opened(keyed.sign(), keyed).size == 3


def test_two_signers_with_keys_of_their_own_place_cant_sign_two_trees_of_one_size(
    keyed: Ledger, server: Cluster, begun_url: URL
) -> None:
    several(keyed, 2)
    assert keyed.storage.desk is not None
    other = sign(Checkpoint(ORIGIN, 3, bytes(32)).to_text(), *keyed.storage.desk.signers())
    server.run(
        f"INSERT INTO consent.checkpoint VALUES (3, convert_to('{other}', 'utf8'))",
        database=begun_url.database,
    )
    with pytest.raises(SigningRefused, match="doesn't continue the one of 3 that was signed"):
        keyed.sign()


def test_of_signers_at_once_one_signs_at_a_time_and_all_notes_are_of_one_tree(tmp_path: Path) -> None:
    program = """
        import json

        def work():
            for _ in range(5):
                record(ledger, new_event(subject=uuid.uuid4()), patience=30)
                sys.stdout.write(json.dumps(ledger.sign(patience=30)) + "\\n")

        assert fork(3, work)
    """
    process = start(program, tmp_path)
    go(process)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    ledger, storage = open_ledger(tmp_path)
    notes = [json.loads(line) for line in out.splitlines()]
    assert len(notes) == 15
    check_notes(ledger, notes)
    stored = [size for (size,) in rows(tmp_path, "SELECT size FROM checkpoint ORDER BY size")]
    assert all(old < new for old, new in pairwise(stored))
    assert opened(guard(tmp_path), ledger).size == stored[-1] == 16
    storage.close()


def test_a_file_is_on_the_disk_before_it_gets_its_name_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int]] = []
    synced, renamed = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        done.append(("synced", os.fstat(descriptor).st_ino))
        synced(descriptor)

    def rename(new: str, path: Path) -> None:
        done.append(("renamed", os.stat(new).st_ino))
        renamed(new, path)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    replace(tmp_path / "consent.guard", b"a note")
    file, folder = (tmp_path / "consent.guard").stat(), tmp_path.stat()
    assert done == [("synced", file.st_ino), ("renamed", file.st_ino), ("synced", folder.st_ino)]
