"""What is counted as tiles fill up: it says what the events say, and nothing of what was erased."""

import os
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise, product
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, text

from consent.audit.recount import compare
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Counts, Event, Facets, Kind, Ledger, Sealed, erasure
from consent.ledger.facets import LAST, hour_of, place
from consent.ledger.tile import WIDTH
from consent.storage import GuardedStorage, roles, sequencer, tally, turn

from .cluster import Cluster, libpq
from .events import (
    NOW,
    ORIGIN,
    change,
    new_event,
    open_ledger,
    open_served,
    owner,
    record,
    rows,
    seal_all,
    wait,
)
from .test_pruning import bound
from .test_server import login

EVERY_DAY = (0, 10**6)
#: When the first answered.
EARLY = NOW - timedelta(days=30)


def answer(number: int) -> Event:
    """One of many different answers; every seventh was recorded two days late."""
    granted = ("statistics",) if number % 3 else ()
    return new_event(
        kind=Kind.GIVEN if granted else Kind.REFUSED,
        time=EARLY + timedelta(minutes=20 * number) - timedelta(days=2 * (number % 7 == 0)),
        subject=uuid.uuid4() if granted else None,
        granted=granted,
        refused=("videos",) if granted else ("statistics", "videos"),
        language=("en", "de", "ar")[number % 3],
        signal=number % 5 == 0,
        source="banner",
    )


@pytest.fixture
def log(url: URL | None, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger that has its key."""
    ledger, storage = (
        open_ledger(tmp_path) if url is None else open_served(url, signing_key=tmp_path / "consent.key")
    )
    yield ledger
    storage.close()


def fill(ledger: Ledger, size: int, url: URL | None) -> None:
    """Answers up to *size* entries, sealed; put where they wait at once, to be quick."""
    made = [answer(number) for number in range(ledger.size(), size)]
    if url is not None:
        wait(url, made)
        seal_all(ledger)
        return
    salt = os.urandom(32)
    for each in made:
        record(ledger, each, salt=salt)


def read(record: Sealed) -> tuple[int, Facets]:
    return Facets.read(record.leaf, record.body)[:2]


def from_events(ledger: Ledger) -> Counter[tuple[int, Facets]]:
    """The counts of the entries that are counted, as the entries say them now."""
    found = (read(each) for each in ledger.records() if each.index < ledger.counted())
    return Counter((hour // 24, facets) for hour, facets in found)


def from_tally(ledger: Ledger) -> tuple[Counter[tuple[int, Facets]], Counter[tuple[int, Facets]]]:
    """What was counted, and what of that was erased."""
    known, events, erased = ledger.facets(), Counter[tuple[int, Facets]](), Counter[tuple[int, Facets]]()
    for day, id, many, gone in ledger.counts(*EVERY_DAY).rows:
        events[day, known[id]] += many
        erased[day, known[id]] += gone
    return events, +erased


def all_found(ledger: Ledger, ids: set[int], limit: int = 50) -> list[tuple[int, Sealed]]:
    """Everything with these facets, page by page."""
    rows, before = list[tuple[int, Sealed]](), LAST
    while True:
        page, going_on = ledger.found(ids, before=before, limit=limit)
        rows += page
        if going_on is None:
            return rows
        before = going_on


def erase(ledger: Ledger, ids: list[uuid.UUID]) -> None:
    ledger.erase(
        erasure("forget", id=uuid.uuid4(), time=NOW), salt=os.urandom(32), ids=ids, listed=False, patience=30
    )
    seal_all(ledger)


def indexed(url: URL | None, folder: Path) -> list[int]:
    """The entries that the index knows."""
    if url is None:
        return [index for (index,) in rows(folder, "SELECT leaf_index FROM indexed")]
    with owner(url) as connection:
        return list(connection.execute(text("SELECT leaf_index FROM consent.indexed")).scalars())


def test_nothing_is_counted_before_a_tile_is_full_and_then_all_of_it(log: Ledger, url: URL | None) -> None:
    fill(log, WIDTH - 1, url)
    assert log.counted() == 0
    assert log.counts(*EVERY_DAY) == Counts(0, 0, ())
    fill(log, 2 * WIDTH + 3, url)
    assert log.counted() == 2 * WIDTH
    events, erased = from_tally(log)
    assert events == from_events(log)
    assert not erased
    assert events.total() == 2 * WIDTH


def test_while_more_waits_it_is_sealed_first_and_counted_with_the_last_of_it(
    served: Ledger, begun_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.storage.postgres.INTERVAL", 3600.0)
    wait(begun_url, [answer(number) for number in range(served.size(), 4 * WIDTH)])
    found = []
    for _ in range(2):
        with owner(begun_url) as connection:
            connection.exec_driver_sql("SET search_path = consent")
            sealed = sequencer.seal(connection, 2 * WIDTH)
        found.append((sealed, served.counted()))
    assert found == [(2 * WIDTH, 0), (2 * WIDTH - 1, 4 * WIDTH)]
    assert from_tally(served)[0] == from_events(served)


def test_counts_of_a_span_are_those_of_its_days(log: Ledger, url: URL | None) -> None:
    fill(log, WIDTH, url)
    today = hour_of(EARLY) // 24
    expected = sum(many for (day, _), many in from_events(log).items() if day == today + 1)
    assert expected
    assert sum(events for _, _, events, _ in log.counts(today + 1, today + 2).rows) == expected
    assert log.counts(today + 90, today + 99) == Counts(WIDTH, 0, [])


def test_sums_are_the_counts_of_the_days_and_facets_that_belong_together(
    log: Ledger, url: URL | None
) -> None:
    fill(log, 2 * WIDTH, url)
    known, first = log.facets(), hour_of(EARLY) // 24 - 2
    edges = [first, first + 1, first + 4, first + 10]
    firsts = dict[str | None, int]()
    groups = {id: firsts.setdefault(each.language, id) for id, each in known.items() if each.language != "ar"}
    expected = Counter[tuple[int, int]]()
    for day, id, many, _ in log.counts(edges[0], edges[-1]).rows:
        if id in groups:
            expected[max(edge for edge in edges if edge <= day), groups[id]] += many
    found = log.sums(edges, groups)
    assert found.size == 2 * WIDTH
    assert {(edge, group): many for edge, group, many, _ in found.rows} == expected
    assert len(found.rows) == len(expected) > len(edges)


def test_events_are_found_by_their_facets_each_once_the_newest_first(log: Ledger, url: URL | None) -> None:
    fill(log, 2 * WIDTH, url)
    known = log.facets()
    for language, limit in product(("en", "de"), (7, 200)):
        ids = {id for id, facets in known.items() if facets.language == language}
        found = all_found(log, ids, limit)
        expected = [each.index for each in log.records() if read(each)[1].language == language]
        assert sorted(each.index for _, each in found) == expected
        assert all(first > second for (first, _), (second, _) in pairwise(found))
        assert all(at == place(read(each)[0], each.index) for at, each in found)
    assert log.found(set()) == ([], None)


def test_a_span_of_places_holds_its_events_and_no_others(log: Ledger, url: URL | None) -> None:
    fill(log, WIDTH, url)
    first, before = hour_of(EARLY) + 3, hour_of(EARLY) + 9
    found, _ = log.found(set(log.facets()), place(first, 0), place(before, 0), 200)
    expected = {each.index for each in log.records() if first <= read(each)[0] < before}
    assert {each.index for _, each in found} == expected != set()


@pytest.mark.requirement("LOG-05")
def test_what_is_erased_is_found_and_counted_by_its_leaf_alone(log: Ledger, url: URL | None) -> None:
    fill(log, WIDTH, url)
    before, _ = from_tally(log)
    gone = next(each for each in log.records() if read(each)[1].language == "de")
    hour, facets = read(gone)
    erase(log, [gone.id])
    events, erased = from_tally(log)
    day = hour // 24
    assert events + Counter({(day, facets): 1}) == before + Counter({(day, facets.bare): 1})
    assert erased == {(day, facets.bare): 1}
    assert events == from_events(log)
    assert gone.index not in [each.index for _, each in all_found(log, {facets.id})]
    assert gone.index in [each.index for _, each in all_found(log, {facets.bare.id})]


@pytest.mark.requirement("LOG-05")
def test_what_is_erased_before_it_is_counted_is_never_in_the_index(log: Ledger, url: URL | None) -> None:
    fill(log, 9, url)
    gone = next(each for each in log.records() if read(each)[1].language == "de")
    hour, facets = read(gone)
    erase(log, [gone.id])
    fill(log, WIDTH, url)
    assert gone.index not in [each.index for _, each in all_found(log, set(log.facets()) - {facets.bare.id})]
    assert from_tally(log)[1] == {(hour // 24, facets.bare): 1}


def test_what_is_pruned_is_found_no_more_and_its_count_stays(
    log: Ledger, url: URL | None, tmp_path: Path
) -> None:
    fill(log, WIDTH + 1, url)
    erase(log, [each.id for each in log.records() if 0 < each.index < WIDTH])
    before, _ = from_tally(log)
    bound(log, WIDTH)
    log.storage.prune(0, patience=30)
    seal_all(log)
    assert [each.index for _, each in all_found(log, set(log.facets()))] == [0]
    assert indexed(url, tmp_path) == [0]
    assert from_tally(log)[0] == before
    log.recount(patience=30)
    while log.count(patience=30):
        pass
    assert log.counts(*EVERY_DAY).missing == WIDTH - 1


def test_counting_anew_comes_to_the_same(log: Ledger, url: URL | None) -> None:
    fill(log, 2 * WIDTH + 5, url)
    before, found = from_tally(log), all_found(log, set(log.facets()))
    log.recount(patience=30)
    assert log.counted() == 0
    assert log.count(patience=30) == 0
    assert from_tally(log) == before
    assert all_found(log, set(log.facets())) == found


@pytest.mark.requirement("LOG-05")
def test_what_is_erased_before_it_is_counted_anew_is_taken_out_of_no_count(
    log: Ledger, url: URL | None
) -> None:
    tiles = tally.IN_PASSING + 2
    fill(log, tiles * WIDTH - 1, url)
    log.recount(patience=30)
    record(log, answer(1))
    seal_all(log)
    assert log.counted() == tally.IN_PASSING * WIDTH
    gone = [each for each in log.records() if log.counted() <= each.index < log.counted() + 9]
    erase(log, [each.id for each in gone])
    found = all_found(log, {read(each)[1].id for each in gone})
    assert not {each.index for each in gone} & {each.index for _, each in found}
    while log.count(patience=30):
        pass
    assert log.counted() == tiles * WIDTH
    assert compare(log) is None


def test_a_log_of_an_older_release_is_counted_a_few_tiles_at_a_time(log: Ledger, url: URL | None) -> None:
    tiles = tally.IN_PASSING + 1
    fill(log, tiles * WIDTH - 1, url)
    log.recount(patience=30)
    record(log, answer(1))
    seal_all(log)
    assert log.counted() == tally.IN_PASSING * WIDTH
    assert log.count(patience=30) == 0
    assert log.counted() == tiles * WIDTH
    assert from_tally(log)[0] == from_events(log)


def test_what_keeps_events_from_being_counted_keeps_nobody_from_answering(
    log: Ledger, url: URL | None, tmp_path: Path
) -> None:
    fill(log, WIDTH - 1, url)
    if url is None:
        change(tmp_path, "DROP TABLE counted")
    else:
        with owner(url) as connection:
            connection.execute(text("DROP TABLE consent.counted"))
    record(log, answer(1))
    seal_all(log)
    assert log.size() == WIDTH


def test_a_record_that_cannot_be_read_is_counted_as_far_as_it_can(filed: Ledger, tmp_path: Path) -> None:
    fill(filed, 40, None)
    change(
        tmp_path,
        "DROP TRIGGER opening_stays",
        "DROP TRIGGER entry_stays",
        "UPDATE opening SET body = x'ff' WHERE uid = (SELECT uid FROM entry WHERE leaf_index = 7)",
        "UPDATE entry SET leaf = x'ff' WHERE leaf_index = 8",
    )
    fill(filed, WIDTH, None)
    assert filed.counted() == WIDTH
    assert sum(many for (_, facets), many in from_tally(filed)[0].items() if facets.kind is None) == 1


@pytest.mark.parametrize(
    "member",
    [
        r'"kind":"\ud800"',
        '"kind":"e\u0301"',
        '"hour":"9998-01-01T00:00:00Z"',
        '"hour":"1900-01-01T00:00:00Z"',
    ],
)
def test_a_leaf_that_was_altered_keeps_nobody_from_answering(
    filed: Ledger, tmp_path: Path, member: str
) -> None:
    fill(filed, WIDTH - 1, None)
    altered = f"UPDATE entry SET leaf = x'{f'{{{member}}}'.encode().hex()}' WHERE leaf_index = 8"
    change(tmp_path, "DROP TRIGGER entry_stays", altered)
    fill(filed, WIDTH, None)
    assert filed.counted() == WIDTH
    assert [many for (day, facets), many in from_tally(filed)[0].items() if day == 0 or not facets.kind] == [
        1
    ]


def test_counting_anew_mends_facets_that_were_altered(log: Ledger, url: URL | None, tmp_path: Path) -> None:
    fill(log, WIDTH, url)
    before = from_tally(log)
    if url is None:
        change(tmp_path, "UPDATE facets SET said = x'7b7d'")
    else:
        with owner(url) as connection:
            connection.execute(text("UPDATE consent.facets SET said = '{}'"))
    again, storage = open_ledger(tmp_path) if url is None else open_served(url)
    with pytest.raises(LedgerError, match="--rebuild"):
        again.facets()
    again.recount(patience=30)
    again.count(patience=30)
    assert from_tally(again) == before
    storage.close()


def test_counting_anew_waits_for_whoever_seals_and_says_when_that_takes_too_long(
    served: Ledger, begun_url: URL
) -> None:
    fill(served, WIDTH, begun_url)
    with owner(begun_url) as connection:
        connection.execute(text("SELECT size FROM consent.head FOR UPDATE"))
        with pytest.raises(LedgerUnavailable):
            served.recount(patience=0.2)
    assert served.counted() == WIDTH


@pytest.mark.requirement("LOG-05")
def test_counting_anew_beside_an_erasure_waits_for_it_and_neither_for_the_other_for_ever(
    served: Ledger, begun_url: URL
) -> None:
    fill(served, WIDTH, begun_url)
    counts = [id for _, id, _, _ in served.counts(*EVERY_DAY).rows]
    first, last = (
        {read(each)[1].id: each for each in served.records()}[id] for id in (counts[0], counts[-1])
    )
    erasing = text("DELETE FROM consent.opening WHERE uid = :uid")
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    done = list[bool]()

    def count_anew() -> None:
        served.recount(patience=30)
        done.append(True)

    counting = threading.Thread(target=count_anew)
    with owner(begun_url) as connection:
        connection.execute(erasing, {"uid": last.id})
        counting.start()
        with owner(begun_url) as watching:
            while counting.is_alive() and not watching.execute(waiting).scalar_one():
                pass
        connection.execute(erasing, {"uid": first.id})
    counting.join(30)
    assert (done, served.counted()) == ([True], 0)
    assert served.count(patience=30) == 0
    assert from_tally(served)[1].total() == 2


def test_whoever_seals_counts_without_a_right_to_read_openings(
    served: Ledger, begun_url: URL, server: Cluster
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    ledger, storage = open_served(login(server, begun_url, roles.SEALER))
    salt, made = os.urandom(32), [answer(number) for number in range(1, WIDTH)]
    with owner(begun_url) as connection:
        for each in made:
            values = {"uid": each.id, "salt": salt, "body": each.body(), "leaf": each.leaf(ORIGIN, salt)}
            connection.execute(
                text("INSERT INTO consent.opening (uid, salt, body) VALUES (:uid, :salt, :body)"), values
            )
            connection.execute(text("INSERT INTO consent.inbox (uid, leaf) VALUES (:uid, :leaf)"), values)
    seal_all(ledger)
    assert from_tally(served)[0] == from_events(served)
    assert from_tally(served)[0].total() == WIDTH
    storage.close()


SPOKEN = answer(1).body()
#: Openings that no release writes, and JSON that not every program reads alike.
ODD = [
    *(b"", b"\xff", b"\0", b"{}", b'{"source":"x","subject":7}', b'{"subject"' + b" " * 39),
    SPOKEN.replace(b'"de"', b'"\\u0000"'),
    SPOKEN.replace(b'"de"', b'"\\ud800"'),
    SPOKEN.replace(b'"statistics"', b'"\\u0000","statistics"'),
    SPOKEN.replace(b'"statistics"', b"NaN"),
    SPOKEN.replace(b'"statistics"', b"1e999"),
    SPOKEN.replace(b'"statistics"', b"9" * 5000),
    SPOKEN.replace(b'"statistics"', b"[" * 900 + b"]" * 900),
    SPOKEN.replace(b',"granted"', b', "granted"'),
    SPOKEN.replace(b',"granted"', b',"granted":["videos"],"granted"'),
    SPOKEN.replace(b',"subject"', b',"subject":null,"subject"'),
    SPOKEN.replace(b',"subject"', b""),
    SPOKEN[:-20],
    SPOKEN.decode().encode("utf-16"),
    SPOKEN.decode().encode("utf-8-sig"),
    b'{"granted":["videos"],"refused":[],"signal":true,"subject":null}',
    b',"subject":' + SPOKEN,
]


def test_an_opening_that_no_release_writes_is_counted_on_the_server_as_everywhere(
    served: Ledger, begun_url: URL
) -> None:
    fill(served, WIDTH, begun_url)
    with owner(begun_url) as connection:
        connection.execute(text("ALTER TABLE consent.opening DISABLE TRIGGER opening_stays"))
        for index, body in enumerate(ODD, start=10):
            connection.execute(
                text(
                    "UPDATE consent.opening SET body = :body FROM consent.entry e "
                    "WHERE e.uid = opening.uid AND leaf_index = :index"
                ),
                {"body": body, "index": index},
            )
    served.recount(patience=30)
    assert (served.count(patience=30), served.counted()) == (0, WIDTH)
    assert from_tally(served)[0] == from_events(served)
    assert len({facets.language for _, facets in from_events(served)}) > 3


def test_whoever_counts_is_shown_nothing_of_an_opening_that_names_anybody(
    served: Ledger, begun_url: URL
) -> None:
    somebody = new_event(account="link-of-somebody", detail={"of": "somebody"}, language="de")
    record(served, somebody)
    seal_all(served)
    with owner(begun_url) as connection:
        rows = connection.execute(text("SELECT said FROM consent.shown(1, 2)")).all()
    ((said,),) = rows
    assert b'"language":"de"' in said
    assert b"somebody" not in said
    assert str(somebody.subject).encode() not in said
    assert b"2026" not in said


@pytest.mark.requirement("LOG-05")
def test_while_somebody_erases_nothing_is_counted_and_then_without_what_went(
    served: Ledger, begun_url: URL
) -> None:
    fill(served, WIDTH - 1, begun_url)
    gone = next(each for each in served.records() if read(each)[1].language == "de")
    with owner(begun_url) as connection:
        connection.execute(text("DELETE FROM consent.opening WHERE uid = :uid"), {"uid": gone.id})
        record(served, answer(1))
        sealing = threading.Thread(target=seal_all, args=[served])
        sealing.start()
        sealing.join(10)
        assert not sealing.is_alive()
        assert (served.size(), served.counted()) == (WIDTH, 0)
    assert served.count(patience=30) == 0
    assert served.counted() == WIDTH
    assert gone.index in [each.index for _, each in all_found(served, {read(gone)[1].bare.id})]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM consent.opening WHERE uid = :uid", "SELECT FROM consent.head FOR UPDATE"]
)
def test_who_does_nothing_but_count_waits_a_moment_for_whoever_erases_or_seals(
    served: Ledger, begun_url: URL, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    fill(served, WIDTH, begun_url)
    with owner(begun_url) as connection:
        connection.exec_driver_sql("SET search_path = consent")
        tally.forget(tally.on_server(connection))
    gone = next(each for each in served.records() if read(each)[1].language == "de")
    begun, ended = threading.Event(), threading.Event()

    def busy() -> None:
        with owner(begun_url) as connection:
            connection.execute(text(statement), {"uid": gone.id} if ":uid" in statement else {})
            begun.set()
            ended.wait(0.2)

    other = threading.Thread(target=busy)
    other.start()
    assert begun.wait(10)
    served.count(patience=30)
    other.join()
    assert served.counted() == WIDTH
    with owner(begun_url) as connection:
        connection.execute(text(statement), {"uid": gone.id} if ":uid" in statement else {})
        tally.forget(tally.on_server(connection))
        monkeypatch.setattr(turn, "MOMENT", "50ms")
        assert served.count(patience=30) == 0  # who waits longer leaves it for later, and that is no error


@pytest.mark.requirement("REC-05")
def test_who_may_only_read_keeps_nothing_from_being_erased_or_counted(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    fill(served, WIDTH - 1, begun_url)
    gone = next(each for each in served.records() if read(each)[1].language == "de")
    reader = login(server, begun_url, roles.READER)
    with psycopg.connect(libpq(reader), autocommit=True) as connection:
        # The number that was locked here once, which anybody may lock who may connect.
        connection.execute("SELECT pg_advisory_lock(7163384699739271541)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(f"{turn.TURN} NOWAIT".encode())
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE consent.counted IN ACCESS SHARE MODE")
        erase(served, [gone.id])
        assert served.counted() == WIDTH
    assert gone.index in [each.index for _, each in all_found(served, {read(gone)[1].bare.id})]


def test_no_statement_of_a_recording_looks_at_the_counts(filed: Ledger, tmp_path: Path) -> None:
    record(filed, answer(1))
    assert rows(tmp_path, "SELECT count(*) FROM indexed") == [(0,)]
