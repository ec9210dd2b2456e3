"""What is erased is gone for good, also from a backup that is put back, and breaks no proof."""

import logging
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import URL

from consent.errors import LedgerUnavailable
from consent.ledger import Checkpoint, Kind, Ledger, Record, erasure
from consent.ledger.bundle import Bundle
from consent.ledger.note import Signer, sign
from consent.storage import GuardedStorage, roles
from consent.storage.tombstones import Tombstones
from consent.verify import Key, verify
from tests.ledger.memory import files_of
from tests.verify.bundles import folder

from .cluster import Cluster, libpq, machine, newest_programs
from .events import NOW, ORIGIN, SUBJECT, new_event, open_ledger, open_served, record, rows, seal_all
from .test_server import login
from .trees import check_tree

OTHER = uuid.UUID("c1a5e0de-0000-4000-8000-00000000ffff")


def erase(ledger: Ledger, subject: uuid.UUID | None = SUBJECT, **options: object) -> int:
    """Erase *subject*, as an operator does."""
    event = erasure("operator", id=uuid.uuid4(), time=NOW)
    return ledger.erase(event, salt=os.urandom(32), subject=subject, **options)  # type: ignore[arg-type]


def kinds(ledger: Ledger) -> list[str]:
    """What the leaves say that happened."""
    seal_all(ledger)
    return [each.outline().kind for each in ledger.records()]


def test_without_an_index_as_much_is_told_of_an_id_as_with_one_and_none_contradicts_its_table(
    ledger: Ledger,
) -> None:
    own = [record(ledger, new_event()).id for _ in range(3)]
    record(ledger, new_event(subject=OTHER))
    storage = ledger.storage
    assert [storage.told_of(each) for each in (SUBJECT, OTHER, own[0])] == [(0, 3), (0, 1), (1, 0)]
    assert erase(ledger) == 3
    assert [storage.told_of(each) for each in (SUBJECT, OTHER, own[0])] == [(0, 0), (0, 1), (1, 0)]
    assert storage.told_of(uuid.uuid4()) == (0, 0)
    assert not storage.contradictions()


@pytest.mark.requirement("LOG-05")
def test_erasing_a_subject_takes_its_openings_and_nobody_elses(ledger: Ledger) -> None:
    own = [record(ledger, new_event()).id for _ in range(3)]
    others = new_event(subject=OTHER)
    record(ledger, others)
    head = ledger.head()
    assert erase(ledger) == 3
    assert ledger.of_subject(SUBJECT) == []
    for id in own:
        left = ledger.get(id)
        assert left is not None
        assert (left.body, left.salt, left.subject, left.outline().kind) == (None, None, None, Kind.GIVEN)
    assert [each.event() for each in ledger.of_subject(OTHER)] == [others]
    assert kinds(ledger) == ["operated", "given", "given", "given", "given", "erased"]
    assert list(ledger.tombstones()) == sorted(own)
    assert [id for _, id in ledger.erased()] == own
    assert check_tree(ledger).size >= head.size


@pytest.mark.requirement("LOG-05")
def test_what_says_that_something_was_erased_says_not_whose_it_was(ledger: Ledger) -> None:
    record(ledger, new_event())
    erase(ledger)
    seal_all(ledger)
    (said,) = ledger.newest(limit=1)
    event = said.event()
    assert event is not None
    assert (event.kind, event.subject, event.detail) == (Kind.ERASED, None, {"by": "operator"})
    assert said.body is not None
    assert str(SUBJECT).encode() not in said.body


def test_one_event_can_be_erased_alone(ledger: Ledger) -> None:
    first, second = (record(ledger, new_event()).id for _ in range(2))
    assert erase(ledger, None, ids=[first]) == 1
    assert [each.id for each in ledger.of_subject(SUBJECT)] == [second]


def test_erasing_twice_changes_nothing_more(ledger: Ledger) -> None:
    record(ledger, new_event())
    assert erase(ledger) == 1
    before = kinds(ledger), list(ledger.tombstones()), ledger.head()
    assert erase(ledger) == 0
    assert (kinds(ledger), list(ledger.tombstones()), ledger.head()) == before


def test_an_event_that_is_sent_again_stays_erased(ledger: Ledger) -> None:
    event, salt = new_event(), os.urandom(32)
    ledger.record(event, salt=salt)
    erase(ledger)
    ledger.record(event, salt=salt)
    found = ledger.get(event.id)
    assert found is not None
    assert found.body is None


def test_an_event_that_waits_to_be_sealed_is_erased_too(served: Ledger) -> None:
    record(served, new_event(subject=OTHER))  # after it nothing is sealed in passing for a second
    waiting = record(served, new_event())
    assert waiting.index is None
    assert erase(served) == 1
    assert list(served.tombstones()) == [waiting.id]
    assert kinds(served) == ["operated", "given", "given", "erased"]
    check_tree(served)


def test_tombstones_lie_on_the_server_in_the_order_of_their_ids(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    own = sorted(record(served, new_event()).id for _ in range(20))
    erase(served)
    lying = server.run("SELECT uid FROM consent.erased ORDER BY ctid", database=begun_url.database)
    assert [id for (id,) in lying] == own


def test_erasing_while_others_record_loses_nothing_of_theirs(ledger: Ledger) -> None:
    """Whatever of the subject was recorded before is gone; what others record all stays."""
    before = [record(ledger, new_event()).id for _ in range(20)]
    theirs = [new_event(subject=uuid.uuid4()) for _ in range(40)]
    threads = [
        threading.Thread(target=lambda part=part: [record(ledger, each, patience=30) for each in part])
        for part in (theirs[:20], theirs[20:])
    ]
    for thread in threads:
        thread.start()
    assert erase(ledger, patience=30) == 20
    for thread in threads:
        thread.join()
    assert [found and found.event() for found in (ledger.get(each.id) for each in theirs)] == theirs
    assert list(ledger.tombstones()) == sorted(before)
    seal_all(ledger)
    assert check_tree(ledger).size == 1 + 20 + 40 + 1


@pytest.mark.requirement("LOG-05")
@pytest.mark.parametrize("kind", ["filed", "served"])
def test_the_log_still_verifies_and_the_verdict_is_erased(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    ledger: Ledger = request.getfixturevalue(kind)
    for _ in range(3):
        record(ledger, new_event(notice=None, policy=None))
    record(ledger, new_event(subject=OTHER, policy=None))
    held = tmp_path / "held by an outsider"
    held.write_text(checkpoint(ledger, tmp_path))
    erase(ledger)
    path = folder(tmp_path / "bundle", files_of(bundle_of(ledger, tmp_path).parts()))
    report = verify(path, [Key.parse(signer_in(tmp_path).key)], checkpoints=[held], now=datetime.now(UTC))
    assert (report.verdict, report.right) == ("erased", True)
    assert {finding.verdict for finding in report.findings} == {"erased"}


def signer_in(folder: Path) -> Signer:
    """The log's signer, whose key is in *folder*."""
    key = load_pem_private_key((folder / "consent.key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return Signer.of(ORIGIN, key)


def checkpoint(ledger: Ledger, folder: Path) -> str:
    """The signed checkpoint of all that is recorded."""
    seal_all(ledger)
    head = ledger.head()
    return sign(Checkpoint(ORIGIN, head.size, head.root).to_text(), signer_in(folder))


def bundle_of(ledger: Ledger, folder: Path) -> Bundle:
    """What goes into a bundle of *ledger*, in which there is no document."""
    return Bundle(
        checkpoint=checkpoint(ledger, folder),
        records=ledger.records,
        tiles=ledger.storage,
        documents=(),
        document=lambda hash: b"",
        erased=ledger.erased,
        program=b"",
    )


def test_the_list_beside_the_key_holds_ids_in_their_own_order(filed: Ledger, tmp_path: Path) -> None:
    own = sorted(record(filed, new_event()).id for _ in range(20))
    erase(filed)
    theirs = [record(filed, new_event(subject=OTHER)).id for _ in range(3)]
    erase(filed, OTHER)
    listed = tmp_path / "consent.erased"
    assert listed.read_text().split() == [str(each) for each in sorted(own + theirs)]
    if os.name == "posix":
        assert listed.stat().st_mode & 0o077 == 0
    assert rows(tmp_path, "SELECT * FROM erased") == [(each.hex,) for each in sorted(own + theirs)]


@pytest.mark.requirement("LOG-05")
def test_what_was_erased_is_in_no_file_of_the_database(filed: Ledger, tmp_path: Path) -> None:
    record(filed, new_event(detail={"mark": "a mark to look for"}))
    held = [file for file in tmp_path.iterdir() if b"a mark to look for" in file.read_bytes()]
    assert held
    erase(filed)
    assert [file for file in tmp_path.iterdir() if b"a mark to look for" in file.read_bytes()] == []


def commands(word: str) -> list[list[str]]:
    """The lines of the documentation that run ``psql`` with *word*, each in its arguments."""
    guide = (Path(__file__).parents[2] / "docs" / "retention.md").read_text()
    found = [shlex.split(line) for line in re.findall(r"^\$ (psql .*)$", guide, re.MULTILINE)]
    return [line for line in found if word in line[-1]]


def statement(command: list[str]) -> str:
    """What a ``psql`` command runs."""
    return command[-1].removeprefix("--command=")


@pytest.mark.requirement("LOG-05")
def test_what_was_erased_is_in_no_file_of_a_server_once_its_tables_are_written_anew(
    key: Path, tmp_path: Path
) -> None:
    """Deleting and a vacuum don't do that."""
    shutil.copy2(key, tmp_path)
    with machine() as made:
        made.make()
        made.start(autovacuum="off")
        with made.cluster.database() as url:
            ledger, storage = open_served(url, signing_key=tmp_path / key.name)
            assert isinstance(storage, GuardedStorage)
            storage.upgrade()
            salts, gone = [os.urandom(32) for _ in range(400)], [uuid.uuid4() for _ in range(40)]
            subjects = [gone[number // 10] if number % 10 == 0 else uuid.uuid4() for number in range(400)]
            ledger.record_all(
                [(new_event(subject=who), salt) for who, salt in zip(subjects, salts, strict=True)],
                patience=30,
            )

            def held() -> int:
                """How many marks of what was erased are in files."""
                made.cluster.run("CHECKPOINT")
                marks = [salts[10 * number] for number in range(40)]
                marks += [each.bytes for each in gone] + [str(each).encode() for each in gone]
                files = [
                    file.read_bytes() for file in (made.folder / "data" / "base").rglob("*") if file.is_file()
                ]
                return sum(mark in data for mark in marks for data in files)

            for subject in gone:
                erase(ledger, subject)
            made.cluster.run("VACUUM", database=url.database)
            assert held() > 0
            (writing_anew,) = commands("VACUUM")
            made.cluster.run(statement(writing_anew), database=url.database)
            assert held() == 0
            assert ledger.problems() == []
            storage.close()


def test_which_tombstones_came_together_no_column_tells_once_their_table_is_written_anew(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    for number in range(6):
        record(served, new_event(subject=(SUBJECT, OTHER)[number % 2]))
    erase(served)
    erase(served, OTHER)
    together = "SELECT count(DISTINCT xmin::text) FROM consent.erased"
    server.run("VACUUM FREEZE consent.erased", database=begun_url.database)
    assert server.run(together, database=begun_url.database) == [(2,)]
    for command in commands("consent.erased"):
        server.run(statement(command), database=begun_url.database)
    assert server.run(together, database=begun_url.database) == [(1,)]
    rows = server.run("SELECT uid FROM consent.erased ORDER BY ctid", database=begun_url.database)
    assert rows == sorted(rows)
    assert served.problems() == []


@pytest.mark.requirement("LOG-05")
def test_a_backup_that_is_put_back_is_cleared_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger, storage = open_ledger(tmp_path)
    erased, kept = record(ledger, new_event()).id, record(ledger, new_event(subject=OTHER)).id
    with (
        closing(sqlite3.connect(tmp_path / "consent.sqlite3")) as live,
        closing(sqlite3.connect(tmp_path / "backup")) as backup,
    ):
        live.backup(backup)
    erase(ledger)
    storage.close()
    for left in tmp_path.glob("consent.sqlite3*"):
        left.unlink()
    shutil.copy(tmp_path / "backup", tmp_path / "consent.sqlite3")
    assert len(rows(tmp_path, "SELECT * FROM opening WHERE uid = ?", erased.hex)) == 1

    ledger, storage = open_ledger(tmp_path)
    with caplog.at_level(logging.WARNING, "consent"):
        assert ledger.of_subject(SUBJECT) == []
    assert "1 events that had been erased were back, and are erased again" in caplog.text
    found = ledger.get(kept)
    assert found is not None
    assert found.body is not None
    assert list(ledger.tombstones()) == [erased]
    assert [said_by(each) for each in ledger.newest(limit=1)] == ["list"]
    check_tree(ledger)
    storage.close()


def said_by(record: Record) -> object:
    """Who erased, as *record* says."""
    event = record.event()
    return event and event.kind is Kind.ERASED and (event.detail or {}).get("by")


@pytest.mark.requirement("LOG-05")
def test_an_erasure_that_was_killed_once_it_was_listed_is_done_to_the_end_and_on_record_once(
    tmp_path: Path,
) -> None:
    ledger, storage = open_ledger(tmp_path)
    listed, kept = record(ledger, new_event()).id, record(ledger, new_event(subject=OTHER)).id
    storage.close()
    Tombstones(tmp_path / "consent.erased").add([listed])  # and there it was killed
    for _ in range(2):
        ledger, storage = open_ledger(tmp_path)
        assert list(ledger.tombstones()) == [listed]
        assert [each.id for each in ledger.of_subject(OTHER)] == [kept]
        assert kinds(ledger) == ["operated", "given", "given", "erased"]
        assert [said_by(each) for each in ledger.newest(limit=1)] == ["list"]
        check_tree(ledger)
        storage.close()


def test_nothing_is_erased_that_the_list_cannot_take(filed: Ledger, tmp_path: Path) -> None:
    record(filed, new_event())
    (tmp_path / "consent.erased").mkdir()
    with pytest.raises(LedgerUnavailable, match=r"consent\.erased, can't be read"):
        erase(filed)
    assert len(filed.of_subject(SUBJECT)) == 1
    assert list(filed.tombstones()) == []


def test_a_list_that_cannot_be_read_is_a_problem_and_stops_nobody(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger, new_event())
    storage.close()
    (tmp_path / "consent.erased").write_text("no id\n")
    ledger, storage = open_ledger(tmp_path)
    record(ledger, new_event())
    (problem,) = ledger.problems()
    assert "line 1 is 'no id'; expected the id of an event" in problem
    storage.close()


def test_what_retention_erases_is_not_listed_for_it_is_erased_again_by_itself(
    filed: Ledger, tmp_path: Path
) -> None:
    record(filed, new_event())
    assert erase(filed, listed=False) == 1
    assert not (tmp_path / "consent.erased").exists()
    assert len(list(filed.tombstones())) == 1


def test_the_site_needs_a_right_of_its_own_to_erase_on_the_server(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    site, site_storage = open_served(login(server, begun_url, roles.APP))
    record(site, new_event())
    with pytest.raises(LedgerUnavailable, match="refuses this role a right"):
        erase(site)
    assert len(site.of_subject(SUBJECT)) == 1
    both, both_storage = open_served(login(server, begun_url, roles.APP, roles.ERASER))
    assert erase(both) == 1
    eraser, eraser_storage = open_served(login(server, begun_url, roles.ERASER))
    record(site, new_event(subject=OTHER))
    assert erase(eraser, OTHER) == 1
    for storage in (site_storage, both_storage, eraser_storage):
        storage.close()


@pytest.mark.requirement("LOG-05")
def test_a_dump_that_is_put_back_is_cleared_by_the_list(
    dump: tuple[Callable[[], None], Callable[[], None]], begun_url: URL
) -> None:
    """As an operator does it who kept the list of ``forget --list``."""
    back_up, restore = dump
    ledger, storage = open_served(begun_url)
    record(ledger, new_event())
    kept = record(ledger, new_event(subject=OTHER))
    seal_all(ledger)
    back_up()
    erase(ledger)
    listed = list(ledger.tombstones())
    storage.close()
    restore()

    ledger, storage = open_served(begun_url)
    assert len(ledger.of_subject(SUBJECT)) == 1
    assert erase(ledger, None, ids=listed) == 1
    assert ledger.of_subject(SUBJECT) == []
    assert list(ledger.tombstones()) == listed
    assert [each.id for each in ledger.of_subject(OTHER)] == [kept.id]
    seal_all(ledger)
    check_tree(ledger)
    assert ledger.problems() == []  # the triggers are back, too
    storage.close()


@pytest.fixture
def signer(begun_url: URL, tmp_path: Path) -> Iterator[Ledger]:
    """The ledger on the server as whoever has the key sees it."""
    ledger, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    yield ledger
    storage.close()


@pytest.fixture
def dump(begun_url: URL, tmp_path: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    """What backs the database up, and what puts that back, with the commands of docs/retention.md."""
    guide = (Path(__file__).parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")
    backups = guide[guide.index("$ pg_dump") :]
    commands = re.findall(r"^\$ ((?:pg_dump|psql|pg_restore) .*)$", backups, re.MULTILINE)

    def run(*commands: str) -> None:
        for command in commands:
            run_there(command, begun_url, tmp_path)

    return partial(run, *commands[:1]), partial(run, *commands[1:])


def test_whoever_has_the_key_lists_what_others_erase(
    served: Ledger, signer: Ledger, server: Cluster, begun_url: URL, tmp_path: Path
) -> None:
    own = sorted(record(served, new_event()).id for _ in range(20))
    erase(served)
    theirs = record(served, new_event(subject=OTHER)).id
    erase(served, OTHER, listed=False)  # as retention does, which erases again by itself
    assert not (tmp_path / "consent.erased").exists()
    signer.seal()
    assert (tmp_path / "consent.erased").read_text().split() == [str(each) for each in own]
    assert sorted(served.tombstones()) == sorted([*own, theirs])
    assert server.run("SELECT count(*) FROM consent.unlisted", database=begun_url.database) == [(0,)]


def test_who_only_reads_keeps_nothing_from_being_listed(
    signer: Ledger, server: Cluster, begun_url: URL, tmp_path: Path
) -> None:
    assert isinstance(signer.storage, GuardedStorage)
    signer.storage.apply(roles.statements())
    own = record(signer, new_event()).id
    reader = login(server, begun_url, roles.READER)
    with psycopg.connect(libpq(reader), autocommit=True) as connection:
        # The number that was locked here once, which anybody may lock who may connect.
        connection.execute("SELECT pg_advisory_lock(7163384699739271540)")
        erase(signer)
        signer.seal()
    assert (tmp_path / "consent.erased").read_text().split() == [str(own)]
    assert server.run("SELECT count(*) FROM consent.unlisted", database=begun_url.database) == [(0,)]


@pytest.mark.requirement("LOG-05")
def test_a_dump_that_is_put_back_is_cleared_again_where_the_list_is(
    served: Ledger,
    signer: Ledger,
    dump: tuple[Callable[[], None], Callable[[], None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By a process that starts, and by one that runs all the time."""
    back_up, restore = dump
    erased, kept = record(served, new_event()).id, record(served, new_event(subject=OTHER)).id
    back_up()
    erase(served)
    signer.seal()
    for _ in range(2):
        restore()
        assert len(served.of_subject(SUBJECT)) == 1
        with caplog.at_level(logging.WARNING, "consent"):
            signer.seal()
        assert caplog.text.count("1 events that had been erased were back, and are erased again") == 1
        caplog.clear()
        assert served.of_subject(SUBJECT) == []
        assert list(served.tombstones()) == [erased]
        assert [each.id for each in served.of_subject(OTHER)] == [kept]
        seal_all(signer)
        assert [said_by(each) for each in served.newest(limit=1)] == ["list"]
    check_tree(served)


def test_where_who_signs_may_not_erase_it_is_a_problem_that_something_is_back(
    served: Ledger,
    dump: tuple[Callable[[], None], Callable[[], None]],
    server: Cluster,
    begun_url: URL,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    back_up, restore = dump
    assert isinstance(served.storage, GuardedStorage)
    record(served, new_event())
    back_up()
    erase(served)
    served.storage.apply(roles.statements())
    sealing = login(server, begun_url, roles.SEALER)
    signer, storage = open_served(sealing, signing_key=tmp_path / "consent.key")
    signer.seal()
    restore()
    served.storage.apply(roles.statements())
    for _ in range(2):
        signer.seal()
    assert caplog.text.count("refuses this role a right") == 1
    (problem,) = signer.problems()
    listed = tmp_path / "consent.erased"
    assert problem.startswith("1 events that had been erased are back, as after a restore.")
    assert problem.endswith(f"run: flask consent forget --from {listed}")
    erase(served, None, ids=[uuid.UUID(each) for each in listed.read_text().split()])
    assert signer.problems() == []
    storage.close()


def test_a_list_that_cannot_be_read_keeps_nobody_from_sealing(
    served: Ledger, signer: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(served, new_event())
    erase(served)
    (tmp_path / "consent.erased").write_text("no id\n")
    seal_all(signer)
    assert signer.size() == 3
    assert "line 1 is 'no id'; expected the id of an event" in caplog.text
    assert ["line 1 is 'no id'" in problem for problem in signer.problems()] == [True]
    (tmp_path / "consent.erased").unlink()
    signer.seal()
    assert (
        len((tmp_path / "consent.erased").read_text().split()) == 1
    )  # nothing was taken from the table in vain


def run_there(command: str, url: URL, folder: Path) -> None:
    """Run *command*, which names the database ``clinic``, in *folder* for the database at *url*."""
    program, *arguments = shlex.split(command)
    named = [each.replace("clinic", libpq(url)) for each in arguments]
    done = subprocess.run(
        [newest_programs() / program, *named], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
