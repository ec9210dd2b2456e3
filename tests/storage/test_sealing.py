"""What is recorded comes under a root, at once or from the inbox, and stays under every later one."""

import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection

from consent.errors import LedgerError
from consent.ledger import Event, Kind, Ledger, leaf_hash
from consent.ledger.tile import WIDTH, tile_root
from consent.storage import extent, records, sequencer, tree

from .events import (
    NOW,
    ORIGIN,
    change,
    grow,
    new_event,
    open_ledger,
    open_served,
    owner,
    record,
    refusal,
    rows,
    seal_all,
)
from .trees import check_growth, check_tree


def refuse(ledger: Ledger, count: int) -> None:
    for _ in range(count):
        record(ledger, refusal())


@pytest.mark.requirement("REC-05")
def test_each_tree_begins_with_the_one_before_and_is_the_root_over_its_entries(ledger: Ledger) -> None:
    heads = [check_tree(ledger)]
    for count in (1, 1, 2, 5, WIDTH - 11, 3, WIDTH + 1):
        refuse(ledger, count)
        seal_all(ledger)
        heads.append(check_tree(ledger))
    assert [head.size for head in heads] == [1, 2, 3, 5, 10, 255, 258, 515]
    check_growth(ledger, heads)
    assert [ledger.root(head.size) for head in heads] == [head.root for head in heads]
    assert ledger.problems() == []


@pytest.mark.parametrize("work", [sequencer.seal, sequencer.count])
def test_no_plan_is_compiled_or_shared_out_while_somebody_seals_or_counts(
    served: Ledger, begun_url: URL, work: Callable[[Connection], int]
) -> None:
    """As the server would, whose statistics make some batches look a hundred times as large as they are."""
    refuse(served, 3)
    settings = "SELECT current_setting('jit'), current_setting('max_parallel_workers_per_gather')"
    with owner(begun_url) as connection:
        connection.exec_driver_sql("SET search_path = consent")
        connection.exec_driver_sql("SET jit = on")
        connection.exec_driver_sql("SET max_parallel_workers_per_gather = 2")
        work(connection)
        assert tuple(connection.exec_driver_sql(settings).one()) == ("off", "0")


def test_a_head_says_when_it_was_sealed(ledger: Ledger) -> None:
    refuse(ledger, 1)
    seal_all(ledger)
    assert abs(ledger.head().at - datetime.now(UTC)) < timedelta(minutes=1)


def test_there_is_no_root_of_a_tree_that_is_not_sealed(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="the largest has 1"):
        ledger.root(2)
    with pytest.raises(LedgerError, match="no tile 1 of level 0"):
        ledger.storage.tile(0, 1)


def test_full_tiles_are_stored_once_and_partial_ones_follow_from_the_entries(
    filed: Ledger, tmp_path: Path
) -> None:
    refuse(filed, WIDTH + 3)
    ((hashes, root),) = rows(tmp_path, "SELECT hashes, root FROM tile")
    leaves = [each.leaf_hash for each in filed.records()]
    assert hashes == b"".join(leaves[:WIDTH])
    assert root == tile_root(hashes)
    assert filed.storage.tile(0, 0) == hashes
    assert filed.storage.tile(0, 1) == b"".join(leaves[WIDTH:])
    assert filed.storage.tile(1, 0) == root


def test_a_clock_that_goes_back_an_hour_changes_nothing_of_the_order(tmp_path: Path) -> None:
    clock = [NOW]
    ledger, storage = open_ledger(tmp_path, clock=lambda: clock[0])
    record(ledger, new_event(time=NOW))
    clock[0] = NOW - timedelta(hours=1)
    record(ledger, new_event(time=clock[0]))
    assert [each.index for each in ledger.records()] == [0, 1, 2]
    assert check_tree(ledger).at == clock[0]
    storage.close()


def test_a_clock_that_goes_back_an_hour_changes_nothing_of_the_order_on_the_server_either(
    begun_url: URL,
) -> None:
    clock = [NOW]
    ledger, storage = open_served(begun_url, clock=lambda: clock[0])
    ids = [record(ledger, new_event(subject=uuid.uuid4())).id]
    clock[0] = NOW - timedelta(hours=1)
    ids.append(record(ledger, new_event(subject=uuid.uuid4(), time=clock[0])).id)
    seal_all(ledger)
    assert [each.id for each in ledger.records()][1:] == ids
    assert check_tree(ledger).size == 3
    assert ledger.problems() == []
    storage.close()


class OlderRelease:
    """Writes as the release before did, which knows no tree."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "consent.sqlite3"

    def record(self, count: int) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            for _ in range(count):
                (index,) = connection.execute(
                    "SELECT coalesce(max(leaf_index), -1) + 1 FROM entry"
                ).fetchone()
                event = new_event(kind=Kind.REFUSED, subject=None, granted=())
                leaf = event.leaf(ORIGIN, bytes(32))
                connection.execute(
                    "INSERT INTO entry VALUES (?, ?, ?, ?)", (index, event.id.hex, leaf, leaf_hash(leaf))
                )
            connection.commit()


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OlderRelease:
    """A database that the release before has made, with 300 entries."""
    ledger, storage = open_ledger(tmp_path)
    refuse(ledger, 1)
    storage.close()
    # What the release before made is what is left without this one's tables.
    triggers = rows(
        tmp_path,
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' "
        "AND tbl_name IN ('tile', 'head', 'checkpoint', 'erased', 'bound')",
    )
    change(
        tmp_path,
        *(f"DROP TRIGGER {name}" for (name,) in triggers),
        "DROP TRIGGER opening_uncounted",
        *(f"DROP TABLE {table}" for table in ("tile", "head", "checkpoint", "erased", "bound")),
        *(
            f"DROP TABLE {table}"
            for table in ("facets", "indexed", "tally", "counted", "replies", "replied", "faded")
        ),
        *("DROP TRIGGER entry_short", "DROP TRIGGER document_addressed", "DROP TRIGGER entry_in_order"),
        import_module("consent.storage.migrations.versions.r0001_ledger").SQLITE_TRIGGERS[0],
        "UPDATE consent_alembic_version SET version_num = '0002'",
    )
    release = OlderRelease(tmp_path)
    release.record(298)
    return release


def test_an_upgrade_builds_the_tree_over_the_stored_leaf_hashes(older: OlderRelease, tmp_path: Path) -> None:
    before = rows(tmp_path, "SELECT * FROM entry")
    ledger, storage = open_ledger(tmp_path)
    assert list(storage.upgrade()) == [
        "0003: the tree over the entries; on PostgreSQL the inbox, and the triggers",
        "0004: the bound below which entries may be pruned, and triggers that let only those go",
        "0005: what was erased on PostgreSQL and isn't in the list beside the key yet",
        "0006: on PostgreSQL, entries in partitions of 2^24",
        "0007: on PostgreSQL, recording as a function of the database",
        "0008: counts by day, and where events with the same facets are",
        "0009: on PostgreSQL, recording by one statement, and openings that are alike counted together",
        "0010: what answers said, counted by itself, so that sums of it cost the same however different they are",
        "0011: limits on what rows may hold; on PostgreSQL, what is counted is cut out of openings, and not read there",
    ]
    assert check_tree(ledger).size == 300
    assert rows(tmp_path, "SELECT * FROM entry") == before
    assert rows(tmp_path, "SELECT level, n FROM tile") == [(0, 0)]
    refuse(ledger, 1)
    assert check_tree(ledger).size == 301
    assert ledger.problems() == []
    storage.close()


def test_what_an_older_release_writes_beside_this_one_is_sealed_with_the_next(
    older: OlderRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "_BATCH", 100)
    ledger, storage = open_ledger(tmp_path)
    heads = [check_tree(ledger)]
    older.record(250)
    assert (ledger.size(), ledger.head().size) == (550, 300)
    refuse(ledger, 1)
    heads.append(check_tree(ledger))
    older.record(1)
    assert ledger.seal() == 1
    heads.append(check_tree(ledger))
    assert [head.size for head in heads] == [300, 551, 552]
    check_growth(ledger, heads)
    storage.close()


def test_where_entries_were_taken_away_recording_goes_on_and_nothing_is_sealed_over_the_gap(
    filed: Ledger, tmp_path: Path
) -> None:
    refuse(filed, 5)
    change(tmp_path, "DROP TRIGGER entry_remains", "DELETE FROM entry WHERE leaf_index > 3")
    record(filed)
    assert (filed.size(), filed.head().size) == (5, 6)
    problem, unguarded = filed.problems()
    assert "5 entries, but its tree was sealed over 6" in problem
    assert "triggers are missing on entry" in unguarded


def test_a_head_that_was_set_back_behind_what_was_signed_is_noticed(filed: Ledger, tmp_path: Path) -> None:
    refuse(filed, 5)
    filed.sign()
    assert filed.problems() == []
    ((trigger,),) = rows(tmp_path, "SELECT sql FROM sqlite_schema WHERE name = 'head_grows'")
    change(tmp_path, "DROP TRIGGER head_grows", "UPDATE head SET size = 3", trigger)
    problem, rootless = filed.problems()
    assert "The tiles of the tree of 3 entries, and the entries after them, have another root" in rootless
    assert "head of the database's tree is at 3 entries, and the guard file" in problem
    assert "knows 6: it was set back" in problem


def test_a_tile_that_was_taken_away_is_noticed(filed: Ledger, tmp_path: Path) -> None:
    refuse(filed, WIDTH)
    change(tmp_path, "DROP TRIGGER tile_remains", "DELETE FROM tile")
    problem, unguarded = filed.problems()
    assert "0 whole tiles of its tree where 1 belong" in problem
    assert "triggers are missing on tile" in unguarded


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("hashes = ''", "0 whole tiles of its tree where 1 belong"),
        ("hashes = CAST(substr(hashes, 33) AS BLOB)", "0 whole tiles of its tree where 1 belong"),
        ("n = 0.5", "0 whole tiles of its tree where 1 belong"),
        ("n = 1", "0 whole tiles of its tree where 1 belong"),
        ("level = 0.5", "0 whole tiles of its tree where 1 belong"),
        (
            "root = zeroblob(32)",
            "The tiles of the tree of 258 entries, and the entries after them, have another root",
        ),
    ],
)
def test_a_tile_that_is_not_stored_as_it_was_is_noticed(
    filed: Ledger, tmp_path: Path, change: str, said: str
) -> None:
    refuse(filed, WIDTH + 1)
    altered(tmp_path, "tile", change)
    assert [each for each in filed.problems() if said in each]


@pytest.mark.parametrize("frontier", ["x''", "zeroblob(32)", "zeroblob(length(frontier))", "'text'"])
def test_a_head_from_which_no_tree_grows_is_noticed(filed: Ledger, tmp_path: Path, frontier: str) -> None:
    refuse(filed, 5)
    altered(tmp_path, "head", f"frontier = {frontier}")
    assert [each for each in filed.problems() if "hashes to grow from that don't lead to its root" in each]


def test_a_tree_that_grew_from_what_somebody_put_there_is_noticed(filed: Ledger, tmp_path: Path) -> None:
    refuse(filed, 5)
    altered(tmp_path, "head", "frontier = zeroblob(length(frontier))")
    refuse(filed, 1)
    assert [
        each
        for each in filed.problems()
        if "The tiles of the tree of 7 entries, and the entries after" in each
    ]


def altered(folder: Path, table: str, how: str) -> None:
    """Change the rows of *table* in the database in *folder*, as whoever has the file can."""
    triggers = rows(
        folder, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", table
    )
    drops = [f"DROP TRIGGER {name}" for name, _ in triggers]
    change(folder, *drops, f"UPDATE {table} SET {how}", *(sql for _, sql in triggers))


def test_an_event_that_waits_is_found_by_id_and_subject_and_comes_last(
    served: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.storage.sequencer._HEAD", "SELECT 1 WHERE false")  # somebody else is at it
    first, second = new_event(), new_event(granted=())
    assert record(served, first).index is None
    monkeypatch.undo()
    seal_all(served)
    monkeypatch.setattr("consent.storage.sequencer._HEAD", "SELECT 1 WHERE false")
    assert record(served, second).index is None
    found = served.get(second.id)
    assert found is not None
    assert (found.index, found.event()) == (None, second)
    assert [each.index for each in served.of_subject(first.subject or uuid.uuid4())] == [1, None]
    assert [each.id for each in served.newest(limit=1)] == [first.id]
    monkeypatch.undo()
    seal_all(served)
    assert [each.index for each in served.of_subject(first.subject or uuid.uuid4())] == [1, 2]


def test_a_process_seals_in_passing_once_in_an_interval(
    served: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.storage.postgres.INTERVAL", 3600.0)
    refuse(served, 3)  # the first of them was sealed as it was recorded
    assert served.head().size == 2
    monkeypatch.setattr("consent.storage.postgres.time.monotonic", lambda: 1e9)
    assert served.head().size == 4


def test_where_more_waits_than_is_sealed_in_passing_the_next_events_go_on(
    served: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.storage.postgres.INTERVAL", 3600.0)
    monkeypatch.setattr("consent.storage.sequencer.IN_PASSING", 2)
    events = [refusal() for _ in range(13)]

    def wait_after(some: list[Event]) -> list[int]:
        """How many events wait after each of *some*, which doesn't seal by itself."""
        found = []
        for event in some:
            record(served, event)
            kept = [served.get(each.id) for each in events]
            found.append(sum(each is not None and each.index is None for each in kept))
        return found

    assert wait_after(events[:6]) == [0, 1, 2, 3, 4, 5]
    monkeypatch.setattr("consent.storage.postgres.time.monotonic", lambda: 1e9)
    assert wait_after(events[6:]) == [4, 3, 2, 1, 0, 0, 1]


def test_whoever_reads_seals_a_part_and_no_more_however_much_waits(
    served: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.storage.postgres.INTERVAL", 3600.0)
    monkeypatch.setattr("consent.storage.sequencer.IN_PASSING", 2)
    refuse(served, 6)  # the first of them was sealed as it was recorded
    monkeypatch.setattr("consent.storage.postgres.time.monotonic", lambda: 1e9)
    assert [served.size(), served.head().size, len(list(served.records())), served.counted()] == [4, 4, 4, 0]


def test_when_sealing_in_passing_fails_those_who_record_do_not_all_wait_for_it(
    served: Ledger, begun_url: URL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("consent.storage.postgres.INTERVAL", 0.0)
    monkeypatch.setattr("consent.storage.postgres.LONGEST", 0.2)
    with owner(begun_url) as connection:
        connection.exec_driver_sql("LOCK TABLE consent.entry IN SHARE MODE")  # as CREATE INDEX does
        refuse(served, 5)
    assert [each.message.partition(":")[0] for each in caplog.records] == ["nothing was sealed"]
    monkeypatch.setattr("consent.storage.postgres.time.monotonic", lambda: 1e9)
    assert served.size() == 6


def stray(folder: Path, url: URL | None) -> None:
    """Put an entry far behind the end of the tree, as only somebody else would; all else is as it was made."""
    far = "SELECT 1000000, {}, leaf, leaf_hash FROM {} WHERE leaf_index = 1"
    if url is None:
        ((trigger,),) = rows(folder, "SELECT sql FROM sqlite_schema WHERE name = 'entry_in_order'")
        inserting = f"INSERT INTO entry {far.format(repr('00' * 16), 'entry')}"
        change(folder, "DROP TRIGGER entry_in_order", inserting, trigger)
        return
    with owner(url) as connection:
        connection.exec_driver_sql(
            f"INSERT INTO consent.entry {far.format(repr(str(uuid.UUID(int=1))), 'consent.entry')}"
        )


@pytest.mark.requirement("REC-05")
@pytest.mark.parametrize("ledger", ["file", "server"], indirect=True)
def test_an_entry_far_behind_the_tree_keeps_nothing_out_of_it_and_is_a_problem(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    refuse(ledger, 2)
    seal_all(ledger)
    kind = request.node.callspec.params["ledger"]
    stray(tmp_path, request.getfixturevalue("begun_url") if kind == "server" else None)
    refuse(ledger, 3)
    seal_all(ledger)
    assert ledger.head().size == 6
    assert ledger.root(6) == ledger.head().root
    assert [*ledger.storage.strays()] == [1_000_000]
    assert any("index 1000000" in each for each in ledger.problems())


def put(folder: Path, url: URL | None, *statements: str) -> None:
    """Run *statements* as who may do anything, on tables whose triggers are put back."""
    if url is None:
        triggers = rows(folder, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        change(folder, *(f"DROP TRIGGER {name}" for name, _ in triggers))
        change(folder, *statements, *(trigger for _, trigger in triggers))
        return
    with owner(url) as connection:
        connection.exec_driver_sql("SET LOCAL search_path = consent")
        for table in ("entry", "tile"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            connection.exec_driver_sql(statement.replace("x'", "'\\x"))
        for table, trigger in connection.exec_driver_sql(
            "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0 "
            "AND tgrelid IN ('entry'::regclass, 'tile'::regclass)"
        ).all():
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


@pytest.mark.requirement("REC-01")
@pytest.mark.parametrize("ledger", ["file", "server"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO entry SELECT 3, '{'f' * 32}', leaf, x'00' FROM entry WHERE leaf_index = 1",
        "UPDATE entry SET leaf_hash = x'' WHERE leaf_index = 1",
        "UPDATE entry SET leaf_hash = 'é' WHERE leaf_index = 2",
    ],
)
def test_an_entry_whose_leaf_hash_is_none_keeps_nothing_from_being_recorded_and_sealed(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest, statement: str
) -> None:
    refuse(ledger, 2)
    seal_all(ledger)
    server = request.node.callspec.params["ledger"] == "server"
    url = request.getfixturevalue("begun_url") if server else None
    put(tmp_path, url, statement.replace("'é'", "x'00'") if server else statement)
    refuse(ledger, 2)
    seal_all(ledger)
    assert any("leaf hash of entry" in each for each in ledger.problems())
    grow(ledger, WIDTH + 2, url)
    size = ledger.head().size
    assert size == WIDTH + 2
    assert ledger.root(size) == ledger.head().root
    leaves = [leaf_hash(each.leaf) for each in ledger.records()]
    assert ledger.storage.tile(0, 0) == b"".join(leaves[:WIDTH])


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        ("frontier = 7", "not the right edge of a tree of 2 entries"),
        ("size = 'x'", "altered the tree's head: a size of 'x'"),
        ("size = 1.5", "altered the tree's head: a size of 1.5"),
    ],
)
def test_a_head_whose_values_are_of_another_kind_is_refused_as_any_other_that_somebody_altered(
    filed: Ledger, tmp_path: Path, altered: str, said: str
) -> None:
    refuse(filed, 1)
    put(tmp_path, None, f"UPDATE head SET {altered}")
    with pytest.raises(LedgerError, match=said):
        refuse(filed, 1)


@pytest.mark.requirement("REC-01")
@pytest.mark.parametrize("ledger", ["file", "server"], indirect=True)
def test_a_tile_that_somebody_put_where_the_next_one_comes_keeps_nothing_from_being_recorded(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.node.callspec.params["ledger"] == "server"
    url = request.getfixturevalue("begun_url") if server else None
    refuse(ledger, 1)
    seal_all(ledger)
    put(tmp_path, url, "INSERT INTO tile (level, n, root, hashes) VALUES (0, 0, x'00', x'00')")
    grow(ledger, WIDTH + 2, url)
    assert ledger.head().size == WIDTH + 2
    assert any("0 whole tiles of its tree where 1 belong" in each for each in ledger.problems())


@pytest.mark.parametrize("step", ["following", "head"])
def test_what_is_sealed_while_somebody_looks_stands_outside_no_tree(
    served: Ledger, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    refuse(served, 2)
    seal_all(served)
    module = {"following": extent, "head": records}[step]
    read, told = getattr(module, step), list[object]()

    def read_while_others_seal(*arguments: object) -> object:
        found = read(*arguments)
        if not told:
            told.append(found)
            refuse(served, WIDTH)
            seal_all(served)
        return found

    monkeypatch.setattr(module, step, read_while_others_seal)
    assert [*served.storage.strays()] == []
    told.clear()
    assert served.problems() == []
    assert told


def test_what_is_signed_while_somebody_looks_is_no_other_log(
    filed: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(filed, 2)
    filed.sign()
    read, told = records.size, list[int]()

    def read_while_others_sign(connection: Connection) -> int:
        told.append(read(connection))
        if len(told) == 1:
            refuse(filed, 1)
            filed.sign()
        return told[-1]

    monkeypatch.setattr(records, "size", read_while_others_sign)
    assert filed.problems() == []
    assert told[0] == 3


def test_with_its_triggers_in_place_a_file_takes_nothing_behind_a_gap(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    refuse(ledger, 2)
    with pytest.raises(sqlite3.IntegrityError, match="each at the next index"):
        change(tmp_path, "INSERT INTO entry SELECT 9, 'x', leaf, leaf_hash FROM entry WHERE leaf_index = 1")
    storage.close()
