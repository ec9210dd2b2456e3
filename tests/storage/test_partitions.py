"""On a server entries lie in partitions: made ahead by whoever seals, one at a time, and guarded as one table."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Connection

from consent.ledger import Ledger
from consent.storage import GuardedStorage, SqliteStorage, migrate, roles, routines, sequencer

from .cluster import Cluster
from .events import grow, new_event, open_served, record, seal_all
from .test_server import login
from .trees import check_growth, check_tree

#: Asks for the text of the function that makes partitions.
SOURCE = "SELECT pg_get_functiondef('consent.make_room'::regproc)"


def narrowing(source: str) -> list[str]:
    """What makes partitions take 64 entries, from the *source* of the function that makes them."""
    assert source.count("16777216") == 4
    return [
        source.replace("16777216", "64"),
        "ALTER TABLE consent.entry DETACH PARTITION consent.entry_0",
        "ALTER TABLE consent.entry ATTACH PARTITION consent.entry_0 FOR VALUES FROM (0) TO (64)",
    ]


@pytest.fixture
def narrow(
    served: Ledger, server: Cluster, begun_url: URL, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ledger]:
    """A ledger on the server whose partitions take 64 entries, for who may only record and seal."""
    assert isinstance(served.storage, GuardedStorage)
    ((found,),) = server.run(SOURCE, database=begun_url.database)
    server.run(*narrowing(str(found)), database=begun_url.database)
    for role in (roles.APP, roles.SEALER):
        server.run(f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    rights = [each for each in roles.statements() if each.startswith(("GRANT", "REVOKE"))]
    server.run(
        *(each for each in rights if roles.APP in each or roles.SEALER in each), database=begun_url.database
    )
    monkeypatch.setattr(sequencer, "SPAN", 64)
    ((body,),) = server.run(
        "SELECT prosrc FROM pg_proc WHERE oid = 'consent.make_room'::regproc", database=begun_url.database
    )
    monkeypatch.setitem(
        routines.FUNCTIONS, "make_room", routines.Routine(routines.digest(str(body)), definer=True)
    )
    ledger, storage = open_served(login(server, begun_url, roles.APP, roles.SEALER))
    yield ledger
    storage.close()


def partitions(server: Cluster, url: URL) -> dict[str, int]:
    """How many entries each partition has."""
    names = server.run(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = 'consent.entry'::regclass ORDER BY relname",
        database=url.database,
    )
    counts = dict[str, int]()
    for (name,) in names:
        ((count,),) = server.run(f"SELECT count(*) FROM consent.{name}", database=url.database)
        counts[str(name)] = int(str(count))
    return counts


def test_partitions_are_made_ahead_by_whoever_seals_and_guarded_as_the_first(
    narrow: Ledger, server: Cluster, begun_url: URL
) -> None:
    heads = [check_tree(narrow)]
    for size in range(25, 176, 25):
        grow(narrow, size, begun_url)
        heads.append(check_tree(narrow))
    check_growth(narrow, heads)
    assert partitions(server, begun_url) == {"entry_0": 64, "entry_1": 64, "entry_2": 47, "entry_3": 0}
    assert narrow.problems() == []
    for change in ("UPDATE {} SET leaf = ''", "DELETE FROM {}", "TRUNCATE {}"):
        for setting in ("origin", "replica"):
            with pytest.raises(psycopg.errors.RestrictViolation, match="refuses"):
                server.run(
                    f"SET session_replication_role = {setting}",
                    change.format("consent.entry_1"),
                    database=begun_url.database,
                )
    server.run("ALTER TABLE consent.entry_2 DISABLE TRIGGER entry_remains", database=begun_url.database)
    assert "switched off on entry" in narrow.problems()[0]


def test_that_there_is_no_further_partition_is_a_problem_and_stops_nobody_while_there_is_room(
    narrow: Ledger, server: Cluster, begun_url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    server.run("REVOKE ALL ON FUNCTION consent.make_room() FROM consent_sealer", database=begun_url.database)
    grow(narrow, 50, begun_url)
    assert check_tree(narrow).size == 50
    assert "the next partition of entries could not be made: permission denied" in caplog.text
    (problem,) = narrow.problems()
    assert "More than half of the last partition of entries is filled" in problem


def test_who_seal_at_once_make_one_partition_and_lose_nothing(
    narrow: Ledger, server: Cluster, begun_url: URL
) -> None:
    grow(narrow, 25, begun_url)
    sealers = [open_served(begun_url) for _ in range(4)]
    for _ in range(15):
        record(narrow, new_event(subject=uuid.uuid4()))
    threads = [threading.Thread(target=seal_all, args=[ledger]) for ledger, _ in sealers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_all(narrow)
    record(narrow)
    seal_all(narrow)
    assert check_tree(narrow).size == 41
    assert [*partitions(server, begun_url)] == ["entry_0", "entry_1"]
    for _, storage in sealers:
        storage.close()


def test_a_log_that_moves_here_finds_room_for_all_its_entries(
    filed: Ledger, empty: URL, server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(filed, 150, None)
    upgrade = migrate.upgrade

    def upgrade_narrowly(connection: Connection) -> Sequence[str]:
        done = upgrade(connection)
        for statement in narrowing(str(connection.exec_driver_sql(SOURCE).scalar_one())):
            connection.exec_driver_sql(statement)
        return done

    monkeypatch.setattr(migrate, "upgrade", upgrade_narrowly)
    monkeypatch.setattr(sequencer, "SPAN", 64)
    assert isinstance(filed.storage, SqliteStorage)
    there, storage = open_served(empty, signing_key=tmp_path / "consent.key")
    assert isinstance(storage, GuardedStorage)
    with filed.storage.leaving(5) as departure:
        storage.receive(departure, lambda rows, total, what: iter(rows))
    assert partitions(server, empty) == {"entry_0": 64, "entry_1": 64, "entry_2": 22}
    assert there.head() == filed.head()
    check_tree(there)
    storage.open()
    for size in (165, 200):
        grow(there, size, empty)
        seal_all(there)
    assert check_tree(there).size == 200
    assert partitions(server, empty) == {"entry_0": 64, "entry_1": 64, "entry_2": 64, "entry_3": 8}
    storage.close()
