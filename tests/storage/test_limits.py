"""What rows may hold: new ones are held against it, and those that are there keep nobody from anything."""

import hashlib
import os
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Document, Ledger
from consent.storage import GuardedStorage, SqliteStorage, roles

from .cluster import Cluster, libpq
from .events import (
    ORIGIN,
    change,
    new_event,
    open_ledger,
    open_served,
    owner,
    record,
    refusal,
    rows,
    seal_all,
)
from .test_server import login
from .trees import check_tree

LONGEST = 65_535
#: A row that comes under the id of another one's event, with a number that whoever writes it has chosen.
NUMBERED = "INSERT INTO consent.inbox (number, uid, leaf) OVERRIDING SYSTEM VALUE VALUES (-7, %s, %s)"
WAITING = "SELECT count(*) FROM consent.inbox"
ASIDE = "SELECT number, uid, octet_length(leaf) FROM consent.conflict ORDER BY uid"


def write(url: URL, statement: str, *values: object) -> None:
    """Run *statement* as whoever *url* connects as."""
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def without_limits() -> list[str]:
    """What takes the limits away, as in a database of before."""
    names = import_module("consent.storage.migrations.versions.r0011_limits").LIMITS
    return [f"ALTER TABLE consent.{name.partition('_')[0]} DROP CONSTRAINT {name}" for name in names]


@pytest.mark.requirement("REC-05")
@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize(
    ("into", "values", "said"),
    [
        ("inbox (uid, leaf)", f"'{'0' * 32}', repeat('a', {LONGEST + 1})::bytea", "inbox_short"),
        (
            "entry (leaf_index, uid, leaf, leaf_hash)",
            f"9, '{'0' * 32}', repeat('a', {LONGEST + 1})::bytea, ''",
            "entry_short",
        ),
        (
            "opening (uid, salt, body)",
            f"'{'0' * 32}', '', repeat('a', {LONGEST + 1})::bytea",
            "opening_short",
        ),
        ("opening (uid, salt, body)", f"'{'0' * 32}', repeat('a', 33)::bytea, ''", "opening_short"),
        ("document (hash, kind, body)", "'../../x', 'notice', 'a'", "document_addressed"),
        ("document (hash, kind, body)", f"'{'0' * 64}', 'notice', 'a'", "document_addressed"),
        (
            "document (hash, kind, body)",
            "encode(sha256(repeat('a', 4194305)::bytea), 'hex'), 'notice', repeat('a', 4194305)::bytea",
            "document_short",
        ),
    ],
)
def test_the_server_refuses_rows_that_no_release_writes(
    served: Ledger, server: Cluster, begun_url: URL, role: str, into: str, values: str, said: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match=said):
        server.run(
            f"SET session_replication_role = {role}",
            f"INSERT INTO consent.{into} VALUES ({values})",
            database=begun_url.database,
        )
    assert served.problems() == []


def test_the_longest_rows_that_there_can_be_are_taken(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    server.run(
        f"INSERT INTO consent.inbox (uid, leaf) VALUES (gen_random_uuid(), repeat('a', {LONGEST})::bytea)",
        "INSERT INTO consent.opening (uid, salt, body) SELECT uid, repeat('s', 32)::bytea, leaf FROM consent.inbox",
        database=begun_url.database,
    )
    document = Document.of("policy", b"a" * 2**22)
    served.keep([document], patience=30)
    assert served.seal() == 1
    assert served.document(document.hash) == document
    assert served.problems() == []


def test_what_would_be_longer_is_refused_before_it_comes_to_a_database(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"has 4,194,305 bytes; expected 4,194,304 at most"):
        ledger.keep([Document.of("policy", b"a" * (2**22 + 1))])
    with pytest.raises(LedgerError, match=r"opening of event .* has .* bytes; expected 65,535 at most"):
        record(ledger, new_event(detail={"much": "x" * LONGEST}))
    assert ledger.size() == 1


@pytest.mark.requirement("REC-05")
@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO entry SELECT 2, 'x', CAST(printf('%.{LONGEST + 1}c', 'a') AS BLOB), x''",
        f"INSERT INTO entry SELECT 2, 'x', printf('%.{LONGEST + 1}c', 'a'), x''",
        "INSERT INTO document VALUES ('../../x', 'notice', x'')",
        f"INSERT INTO document VALUES ('{'A' * 64}', 'notice', x'')",
        f"INSERT INTO document VALUES (CAST('{'a' * 64}' AS BLOB), 'notice', x'')",
        f"INSERT INTO document VALUES ('{'a' * 64}' || char(0) || '/../x', 'notice', x'')",
        f"INSERT INTO document VALUES ('aa' || char(0) || '{'/' * 61}', 'notice', x'')",
    ],
)
def test_a_file_refuses_leaves_that_are_too_long_and_documents_that_no_hash_names(
    filed: Ledger, tmp_path: Path, statement: str
) -> None:
    record(filed, documents=[Document.of("notice", b"<section>")])
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        change(tmp_path, statement)
    assert rows(tmp_path, "SELECT count(*) FROM entry, document") == [(2,)]


@pytest.mark.requirement("REC-01")
def test_leaves_that_come_under_ids_of_others_never_keep_anything_from_being_sealed(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    """Also when whoever wrote them gave them the same number; each of them is kept."""
    first, second = record(served), record(served, new_event(subject=uuid.uuid4()))
    seal_all(served)
    for id in (first.id, second.id):
        write(begun_url, NUMBERED, id, b"another leaf")
        record(served, refusal())
        seal_all(served)
    assert server.run(WAITING, database=begun_url.database) == [(0,)]
    assert server.run(ASIDE, database=begun_url.database) == [
        (-7, id, 12) for id in sorted((first.id, second.id))
    ]
    assert check_tree(served).size == 5
    (problem,) = served.problems()
    assert "Leaves that came under ids that other leaves have: 2," in problem


def test_what_was_set_aside_is_taken_away_as_the_documentation_says(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    id = record(served).id
    seal_all(served)
    write(begun_url, NUMBERED, id, b"another leaf")
    seal_all(served)
    assert len(served.problems()) == 1
    guide = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text()
    for statement in re.findall(r'^\$ psql .*--command="(.*consent\.conflict.*)"$', guide, re.MULTILINE):
        server.run(statement, database=begun_url.database)
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    assert served.problems() == []


@pytest.mark.requirement("REC-01")
def test_a_leaf_that_is_too_long_and_waits_is_set_aside_and_the_others_are_sealed(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    too_long = uuid.uuid4()
    server.run(*without_limits(), database=begun_url.database)
    write(begun_url, NUMBERED, too_long, b"a" * (LONGEST + 1))
    record(served)
    seal_all(served)
    assert check_tree(served).size == 2
    assert server.run(ASIDE, database=begun_url.database) == [(-7, too_long, LONGEST + 1)]
    aside, limits = served.problems()
    assert (
        f"Leaves that were longer than 65,535 bytes: 1, one of them under {too_long}. They are kept aside"
        in aside
    )
    assert "document_addressed, document_short, entry_short, inbox_short, opening_short. Run: flask" in limits


def test_what_is_sealed_ends_before_a_stray_entry_and_goes_on_behind_it(
    served: Ledger, begun_url: URL
) -> None:
    with owner(begun_url) as connection:
        connection.exec_driver_sql(
            "INSERT INTO consent.entry SELECT 3, gen_random_uuid(), leaf, leaf_hash FROM consent.entry"
        )
        for _ in range(6):
            salt, event = os.urandom(32), refusal()
            values = (event.id, event.leaf(ORIGIN, salt))
            connection.exec_driver_sql("INSERT INTO consent.inbox (uid, leaf) VALUES (%s, %s)", values)
    seal_all(served)
    assert check_tree(served).size == 8


@pytest.mark.requirement("REC-05")
def test_who_records_chooses_neither_the_number_of_a_row_nor_since_when_it_waits(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    for granted in (roles.APP, roles.ERASER):
        somebody = login(server, begun_url, granted)
        write(somebody, "INSERT INTO consent.inbox (uid, leaf) VALUES (%s, 'x')", uuid.uuid4())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            write(somebody, NUMBERED, uuid.uuid4(), b"x")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            write(
                somebody,
                "INSERT INTO consent.inbox (uid, leaf, at) VALUES (%s, 'x', '-infinity')",
                uuid.uuid4(),
            )
    assert served.storage.deprived() == []
    server.run("REVOKE INSERT (leaf) ON consent.inbox FROM consent_eraser", database=begun_url.database)
    assert served.storage.deprived() == ["consent_eraser"]


def before(server: Cluster, url: URL) -> None:
    """Make the database at *url* one of the release before this revision, with its roles in use."""
    server.run(
        *without_limits(),
        import_module("consent.storage.migrations.versions.r0006_partitions").POSTGRESQL_STATEMENTS[0],
        "DROP FUNCTION consent.shown(bigint, bigint)",
        "ALTER TABLE consent.conflict ADD PRIMARY KEY (number)",
        "GRANT INSERT ON consent.inbox TO consent_app, consent_eraser",
        "UPDATE consent.consent_alembic_version SET version_num = '0010'",
        database=url.database,
    )


@pytest.fixture
def older(served: Ledger, server: Cluster, begun_url: URL) -> Iterator[Ledger]:
    """A ledger in a database of the release before this revision, for its owner."""
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    before(server, begun_url)
    ledger, storage = open_served(begun_url, first_use=1.0)  # less than what is waited for here takes
    yield ledger
    storage.close()


def test_a_database_with_rows_that_no_release_writes_is_upgraded_and_they_stay(
    older: Ledger, server: Cluster, begun_url: URL
) -> None:
    app = login(server, begun_url, roles.APP)
    write(app, NUMBERED, uuid.uuid4(), b"a" * (LONGEST + 1))
    write(app, "INSERT INTO consent.document (hash, kind, body) VALUES ('../../x', 'notice', '')")
    opened = uuid.uuid4()
    write(
        app,
        "INSERT INTO consent.opening (uid, salt, body) VALUES (%s, '', %s)",
        opened,
        b"a" * (LONGEST + 1),
    )
    assert isinstance(older.storage, GuardedStorage)
    assert [done[:4] for done in older.storage.upgrade()] == ["0011"]
    record(older)
    seal_all(older)
    assert check_tree(older).size == 2
    assert server.run(
        "SELECT (SELECT count(*) FROM consent.document), (SELECT count(*) FROM consent.opening), "
        "(SELECT count(*) FROM consent.conflict)",
        database=begun_url.database,
    ) == [(1, 3, 1)]
    misnamed, long = sorted(older.problems())
    assert "which is no hash" in misnamed
    assert "were longer than 65,535 bytes" in long
    write(begun_url, "DELETE FROM consent.opening WHERE uid = %s", opened)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(app, NUMBERED, uuid.uuid4(), b"x")
    worker, storage = open_served(app)
    record(worker, documents=[Document.of("notice", b"<p>")])
    assert older.storage.deprived() == []
    storage.close()


def test_while_others_record_and_seal_the_limits_are_set_and_nothing_is_lost(
    older: Ledger, server: Cluster, begun_url: URL
) -> None:
    """By the statements of the release before, which they go on with."""
    done, failed, stop = list[uuid.UUID](), list[BaseException](), threading.Event()
    going = threading.Semaphore(0)

    def work() -> None:
        with psycopg.connect(libpq(begun_url), autocommit=True) as connection:
            while not stop.is_set():
                event, salt = refusal(), os.urandom(32)
                body = os.urandom(9)
                values = (event.id, event.leaf(ORIGIN, salt), salt, event.body())
                try:
                    connection.execute(
                        "INSERT INTO consent.document (hash, kind, body) VALUES (%s, 'notice', %s)",
                        (hashlib.sha256(body).hexdigest(), body),
                    )
                    connection.execute(
                        "SELECT consent.record(%s, %s, NULL, %s, %s, false, NULL, false, NULL, '9000')",
                        values,
                    )
                    done.append(event.id)
                    going.release()
                except psycopg.Error as error:
                    failed.append(error)
                    return

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert all(going.acquire(timeout=30) for _ in range(50))
    assert isinstance(older.storage, GuardedStorage)
    upgraded = [line[:4] for line in older.storage.upgrade()]
    many = len(done)
    while len(done) < many + 50 and not failed:
        seal_all(older)
    stop.set()
    for thread in threads:
        thread.join()
    seal_all(older)
    assert (upgraded, failed) == (["0011"], [])
    assert {each.id for each in older.records()} >= set(done)
    assert check_tree(older).size == len(done) + 1
    assert older.problems() == []


@pytest.mark.parametrize("read", ["entry, consent.opening", "conflict"])
def test_limits_that_are_set_wait_for_an_export_and_nobody_waits_behind_them(
    older: Ledger, server: Cluster, begun_url: URL, read: str, caplog: pytest.LogCaptureFixture
) -> None:
    storage, upgraded = older.storage, list[str]()
    assert isinstance(storage, GuardedStorage)
    thread = threading.Thread(target=lambda: upgraded.extend(storage.upgrade()))
    with psycopg.connect(libpq(begun_url)) as exporting:
        exporting.execute(f"SELECT FROM consent.{read}".encode())
        thread.start()
        record_for_a_while(begun_url)
        assert thread.is_alive()
        assert [each.message.partition(":")[0] for each in caplog.records] == [
            "somebody is reading or writing the log"
        ]
    thread.join(30)
    assert [line[:4] for line in upgraded] == ["0011"]
    assert older.problems() == []


def test_nobody_waits_longer_behind_limits_that_wait_for_an_export_while_another_table_is_vacuumed(
    older: Ledger, begun_url: URL
) -> None:
    storage, upgraded = older.storage, list[str]()
    assert isinstance(storage, GuardedStorage)
    thread = threading.Thread(target=lambda: upgraded.extend(storage.upgrade()))
    with psycopg.connect(libpq(begun_url)) as exporting, psycopg.connect(libpq(begun_url)) as vacuuming:
        exporting.execute("SELECT FROM consent.entry")
        vacuuming.execute("LOCK TABLE consent.tally IN SHARE UPDATE EXCLUSIVE MODE")  # as a vacuum does
        thread.start()
        record_for_a_while(begun_url, 6, "700ms")  # ten tries take less, and one of them is patient
        assert thread.is_alive()
    thread.join(30)
    assert [line[:4] for line in upgraded] == ["0011"]


def test_roles_that_are_applied_wait_for_an_export_and_nobody_waits_behind_them(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    storage = served.storage
    assert isinstance(storage, GuardedStorage)
    storage.apply(roles.statements())
    server.run(*without_limits(), database=begun_url.database)
    thread = threading.Thread(target=storage.apply, args=[roles.statements()])
    with psycopg.connect(libpq(begun_url)) as exporting:
        exporting.execute("SELECT FROM consent.entry, consent.opening")
        thread.start()
        record_for_a_while(begun_url)
        assert thread.is_alive()
    thread.join(30)
    assert served.problems() == []


def test_roles_that_could_not_be_applied_for_long_say_who_to_look_for_and_nothing_is_half_done(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    storage = served.storage
    assert isinstance(storage, GuardedStorage)
    server.run(
        *without_limits(),
        "ALTER TABLE consent.tile DISABLE TRIGGER tile_stays",
        database=begun_url.database,
    )
    found = served.problems()
    assert len(found) == 2
    impatient = [each.replace("'5 minutes'", "'1 second'") for each in roles.statements()]
    with psycopg.connect(libpq(begun_url)) as exporting:
        exporting.execute("SELECT FROM consent.entry")
        with pytest.raises(
            LedgerUnavailable, match=r"in use by others for too long \(for five .* pg_stat_activity"
        ):
            storage.apply(impatient)
        assert served.problems() == found
    storage.apply(impatient)
    assert served.problems() == []


def record_for_a_while(url: URL, seconds: float = 2, patience: str = "2s") -> None:
    """Add openings for *seconds*, each of which may wait as long as whoever records does, or for *patience*."""
    ends = time.monotonic() + seconds
    with psycopg.connect(libpq(url), autocommit=True) as recording:
        recording.execute(f"SET lock_timeout = '{patience}'".encode())
        while time.monotonic() < ends:
            event, salt = refusal(), os.urandom(32)
            recording.execute(
                "INSERT INTO consent.opening (uid, salt, body) VALUES (%s, %s, %s)",
                (event.id, salt, event.body()),
            )


def test_limits_that_are_set_wait_long_enough_for_a_vacuum_to_give_way(
    older: Ledger, server: Cluster, begun_url: URL
) -> None:
    """One that the server runs by itself, which it ends for whoever has waited for as long as `deadlock_timeout`."""
    storage, upgraded = older.storage, list[str]()
    assert isinstance(storage, GuardedStorage)
    thread = threading.Thread(target=lambda: upgraded.extend(storage.upgrade()))
    with psycopg.connect(libpq(begun_url)) as vacuuming:
        vacuuming.execute("LOCK TABLE consent.opening IN SHARE UPDATE EXCLUSIVE MODE")  # as a vacuum does
        thread.start()
        ends = time.monotonic() + 30
        while not server.run(
            "SELECT pid FROM pg_locks WHERE NOT granted "
            "AND clock_timestamp() - waitstart > current_setting('deadlock_timeout')::interval "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            database=begun_url.database,
        ):
            assert time.monotonic() < ends
    thread.join(30)
    assert [line[:4] for line in upgraded] == ["0011"]


@pytest.mark.requirement("REC-01")
def test_while_others_record_and_seal_roles_are_applied_and_nobody_fails(
    served: Ledger, begun_url: URL
) -> None:
    storage = served.storage
    assert isinstance(storage, GuardedStorage)
    storage.apply(roles.statements())
    failed, stop = list[LedgerError](), threading.Event()

    def work(act: Callable[[Ledger], object]) -> None:
        ledger, own = open_served(begun_url)
        while not stop.is_set():
            try:
                act(ledger)
            except LedgerError as error:
                failed.append(error)
        own.close()

    acts = [
        *[lambda ledger: record(ledger, refusal(), patience=30)] * 3,
        lambda ledger: ledger.seal(patience=30),
    ]
    threads = [threading.Thread(target=work, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            storage.apply(roles.statements())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert served.problems() == []


def test_a_partition_that_is_made_after_an_upgrade_has_the_limits(
    older: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(older.storage, GuardedStorage)
    older.storage.upgrade()
    assert older.problems() == []
    server.run(
        "ALTER TABLE consent.head DISABLE TRIGGER head_grows",
        "UPDATE consent.head SET size = 2 ^ 24",
        "SELECT consent.make_room()",
        database=begun_url.database,
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="entry_short"):
        write(
            begun_url,
            f"INSERT INTO consent.entry_1 VALUES ({2**24}, gen_random_uuid(), repeat('a', {LONGEST + 1})::bytea, '')",
        )


def test_a_file_with_rows_that_no_release_writes_is_upgraded_and_they_stay(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    change(
        tmp_path,
        *("DROP TRIGGER entry_short", "DROP TRIGGER document_addressed", "DROP TRIGGER entry_in_order"),
        import_module("consent.storage.migrations.versions.r0001_ledger").SQLITE_TRIGGERS[0],
        f"INSERT INTO entry SELECT 2, 'x', CAST(printf('%.{LONGEST + 1}c', 'a') AS BLOB), zeroblob(32)",
        "INSERT INTO document VALUES ('../../x', 'notice', x'')",
        "UPDATE consent_alembic_version SET version_num = '0010'",
    )
    ledger, storage = open_ledger(tmp_path)
    assert [done[:4] for done in storage.upgrade()] == ["0011"]
    assert record(ledger, refusal()).index == 3
    assert rows(tmp_path, "SELECT count(*) FROM entry, document") == [(4,)]
    (problem,) = ledger.problems()
    assert "A document is called '../../x', which is no hash" in problem
    storage.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER entry_in_order",
        "CREATE TRIGGER entry_short BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END",
    ],
)
def test_triggers_that_somebody_dropped_or_made_keep_no_file_from_being_upgraded(
    tmp_path: Path, statement: str
) -> None:
    ledger, storage = open_ledger(tmp_path)
    ledger.size()
    storage.close()
    change(
        tmp_path,
        *("DROP TRIGGER entry_short", "DROP TRIGGER document_addressed"),
        "UPDATE consent_alembic_version SET version_num = '0010'",
        statement,
    )
    ledger, storage = open_ledger(tmp_path)
    assert record(ledger).index == 1
    assert ledger.problems() == []
    storage.close()


def test_a_log_that_moves_to_a_server_takes_such_rows_along_and_has_the_limits_there(
    filed: Ledger, empty: URL, tmp_path: Path
) -> None:
    record(filed)
    change(
        tmp_path,
        "DROP TRIGGER document_addressed",
        "INSERT INTO document VALUES ('../../x', 'notice', x'')",
    )
    assert isinstance(filed.storage, SqliteStorage)
    there, storage = open_served(empty, signing_key=tmp_path / "consent.key")
    assert isinstance(storage, GuardedStorage)
    with filed.storage.leaving(5) as departure:
        storage.receive(departure, lambda rows, total, what: iter(rows))
    storage.open()
    assert [each.hash for each in there.documents("notice")] == ["../../x"]
    (problem,) = there.problems()
    assert "A document is called '../../x', which is no hash" in problem
    storage.close()


@pytest.mark.requirement("REC-05")
def test_where_the_last_entries_were_taken_away_and_a_stray_one_stands_recording_goes_on(
    filed: Ledger, tmp_path: Path
) -> None:
    for _ in range(3):
        record(filed, refusal())
    triggers = rows(
        tmp_path, "SELECT sql FROM sqlite_schema WHERE name IN ('entry_in_order', 'entry_remains')"
    )
    change(
        tmp_path,
        *("DROP TRIGGER entry_in_order", "DROP TRIGGER entry_remains"),
        "INSERT INTO entry SELECT 1000000, 'x', leaf, leaf_hash FROM entry WHERE leaf_index = 1",
        "DELETE FROM entry WHERE leaf_index = 3",
        *(sql for (sql,) in triggers),
    )
    assert record(filed, refusal()).index == 4
    assert filed.head().size == 5


def test_what_says_what_becomes_of_keys_is_read_whatever_kind_stands_beside_it(ledger: Ledger) -> None:
    said, notice = (Document.of("notice", body) for body in (b"consent/ending/v1\n", b"<section>"))
    ledger.keep([said, notice])
    assert [*ledger.documents("key")] == [said]
    assert {*ledger.documents("notice")} == {said, notice}
