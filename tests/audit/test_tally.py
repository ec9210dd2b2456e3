"""The counts that are kept say what the events say; erased ones stay counted; rates say how sure they are."""

import re
import secrets
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.rates import Rate, Rates
from consent.audit.recount import Difference, compare, recount
from consent.audit.row import Reader
from consent.audit.search import Search, all_found
from consent.audit.span import MOST, Span, spans
from consent.audit.summary import Summary
from consent.audit.tally import Tally, of_rows, tally
from consent.ledger import Facets, Kind, Ledger, erasure
from consent.ledger.replies import YES, is_answer
from consent.ledger.tile import WIDTH
from consent.storage import open_storage
from tests.ledger.strategies import UNHURRIED

from .clinic import new_event, newest, visit
from .tampering import alter

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = [Kind.GIVEN, Kind.REFUSED, Kind.WITHDRAWN, Kind.OPERATED]


@st.composite
def acts(draw: st.DrawFn) -> dict[str, Any]:
    """What some event of a small site's four days says."""
    granted = draw(st.sets(st.sampled_from(["names", "statistics", "videos"])))
    return {
        "kind": draw(st.sampled_from(KINDS)),
        "time": START + timedelta(minutes=draw(st.integers(0, 4 * 24 * 60 - 1))),
        "language": draw(st.sampled_from(["en", "de"])),
        "signal": draw(st.booleans()),
        "granted": tuple(granted),
        "refused": tuple({"names", "statistics", "videos"} - granted),
    }


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """Whatever may be asked of these."""
    since = draw(st.none() | st.integers(0, 95))
    until = draw(st.none() | st.integers(0 if since is None else since + 1, 97))
    return Search(
        kinds=frozenset(draw(st.sets(st.sampled_from(KINDS), max_size=2))),
        since=None if since is None else START + timedelta(hours=since),
        until=None if until is None else START + timedelta(hours=until, minutes=30),
        languages=frozenset(draw(st.sets(st.sampled_from(["en", "de"])))),
        signal=draw(st.none() | st.booleans()),
        category=draw(st.sampled_from([None, "statistics"])),
    )


def counted(tally: Tally) -> Counter[tuple[date, Facets]]:
    """The events that aren't erased, by day and facets."""
    found = Counter[tuple[date, Facets]]()
    for count in tally.counts:
        found[count.day, count.facets] += count.events - count.erased
    return +found


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Ledger, list[uuid.UUID]]]:
    """A ledger of two full tiles in which each example of a test goes on recording, and the ids of what that adds."""
    storage = open_storage("sqlite://", origin="clinic.example/privacy-choices")
    ledger, chance = Ledger(storage, "clinic.example/privacy-choices"), Random(1)
    made = [
        new_event(
            kind=chance.choice(KINDS),
            time=START + timedelta(minutes=chance.randrange(4 * 24 * 60)),
            language=chance.choice(["en", "de"]),
            signal=chance.random() < 0.5,
        )
        for _ in range(2 * WIDTH)
    ]
    ledger.record_all([(event, secrets.token_bytes(32)) for event in made])
    yield ledger, []
    storage.close()


@settings(UNHURRIED, max_examples=40)
@given(searches())
def test_what_the_index_chooses_for_an_export_is_what_reading_the_whole_log_finds(
    shared: tuple[Ledger, list[uuid.UUID]], search: Search
) -> None:
    reader = Reader(shared[0])
    rows = [row for row in reader.rows(reader.ledger.records()) if search.matches(row, None)]
    chosen = list(reader.rows(all_found(reader, search)))
    assert [row for row in chosen if search.matches(row, None)] == rows
    # Beyond them only those are read that are of the same hours, or aren't counted yet.
    if search.since is search.until is None:
        counted = reader.ledger.counted()
        assert [row for row in chosen if (row.index or 0) < counted and row not in rows] == []


@settings(UNHURRIED, max_examples=40)
@given(st.lists(acts(), max_size=40), searches(), st.integers(0, 9))
def test_counts_from_the_tally_and_from_the_events_are_the_same(
    shared: tuple[Ledger, list[uuid.UUID]], made: list[dict[str, Any]], search: Search, gone: int
) -> None:
    ledger, ids = shared
    for fields in made:
        event = new_event(**fields)
        ledger.record(event, salt=secrets.token_bytes(32))
        ids.append(event.id)
    said = erasure("forget", id=uuid.uuid4(), time=START)
    ledger.erase(said, salt=secrets.token_bytes(32), ids=ids[-gone:] if gone else [], listed=False)
    reader = Reader(ledger)
    rows = [row for row in reader.rows(ledger.records()) if search.matches(row, reader.policy(row.policy))]
    assert counted(tally(reader, search)) == counted(of_rows(rows))
    assert compare(ledger) is None


def pairs(first: date, last: date) -> list[Span]:
    """The days from *first* to *last*, two at a time."""
    days = [first + timedelta(days=at) for at in range(0, (last - first).days + 1, 2)]
    return [Span(day, min(day + timedelta(days=1), last)) for day in days]


@settings(UNHURRIED, max_examples=40)
@given(searches())
def test_counts_of_spans_are_those_of_their_days(
    shared: tuple[Ledger, list[uuid.UUID]], search: Search
) -> None:
    reader = Reader(shared[0])
    daily, together = tally(reader, search), tally(reader, search, cut=pairs)
    assert together.totals_by_id == daily.totals_by_id
    answers = daily.per_day(lambda facets: facets if is_answer(facets) else None)
    by_span = {
        span.first: sum(
            (counts for day, counts in answers.items() if span.first <= day <= span.last), Counter()
        )
        for span in together.spans
    }
    found = {first: Counter[Facets]() for first in by_span}
    for day, counts in together.per_day(lambda facets: facets if is_answer(facets) else None).items():
        first = max(span.first for span in together.spans if span.first <= day)
        found[first] = found[first] + counts
    assert found == by_span
    assert sum(map(Counter.total, by_span.values())) == sum(map(Counter.total, answers.values()))


def test_of_many_days_no_more_rows_are_read_than_there_are_spans_for_each_facets() -> None:
    storage = open_storage("sqlite://", origin="clinic.example")
    ledger, days = Ledger(storage, "clinic.example"), 2 * WIDTH
    made = [new_event(time=START + timedelta(days=at)) for at in range(days)]
    ledger.record_all([(event, secrets.token_bytes(32)) for event in made])
    reader = Reader(ledger)
    found = tally(reader, Search(), cut=spans)
    assert len(tally(reader, Search()).rows) >= days
    assert len(found.rows) <= MOST + 2  # and one before, in which the log was begun
    assert found.events == ledger.size()
    storage.close()


def fill(ledger: Ledger, size: int, **fields: Any) -> None:
    """Answers up to *size* entries."""
    usual: dict[str, Any] = {"time": START, "granted": ("statistics",), "refused": ("videos",)}
    while ledger.size() < size:
        ledger.record(new_event(**(usual | fields)), salt=secrets.token_bytes(32))


def erase(ledger: Ledger, index: int) -> None:
    """Erase the event at *index*."""
    ids = [each.id for each in ledger.records(index - 1) if each.index == index]
    said = erasure("forget", id=uuid.uuid4(), time=START)
    assert ledger.erase(said, salt=secrets.token_bytes(32), ids=ids, listed=False) == 1


@pytest.mark.requirement("LOG-05")
def test_what_is_erased_counts_by_its_kind_alone_and_is_said_to_be_erased(ledger: Ledger) -> None:
    fill(ledger, WIDTH)
    reader = Reader(ledger)
    before = Summary.of(tally(reader, Search()), reader.policy)
    erase(ledger, 200)
    after = Summary.of(tally(reader, Search(until=START + timedelta(days=9))), reader.policy)
    assert (after.erased, after.answers) == (1, before.answers - 1)
    assert after.kinds["given"] == before.kinds["given"]
    assert after.services["statistics"] == before.services["statistics"] - Counter({YES: 1})


def test_the_newest_are_counted_although_no_tile_is_full(ledger: Ledger) -> None:
    fill(ledger, WIDTH + 9)
    found = tally(Reader(ledger), Search(kinds=frozenset({Kind.GIVEN})))
    assert sum(count.events for count in found.counts) == WIDTH + 9 - 1
    assert found.read == 9


def test_the_first_day_that_differs_is_named(app: Flask, ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, 100)
    fill(ledger, WIDTH, time=START + timedelta(days=3))
    assert compare(ledger) is None
    alter(tmp_path, "UPDATE tally SET events = events + 1 WHERE day = ?", 20513)
    found = compare(ledger)
    assert isinstance(found, Difference)
    assert found.day == date(2026, 3, 1) == date(1970, 1, 1) + timedelta(days=20513)
    assert found.counted == found.found + 1
    for _ in recount(ledger):
        pass
    assert compare(ledger) is None


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        ("dimension = ''", r"2026-\d\d-\d\d: \d+ events were counted \(\w+ to \w+\), and \d+ are there\."),
        (
            "dimension = 'language'",
            r"All days: \d+ events were counted \(\w+ to \w+, language \w+\), and ",
        ),
    ],
)
def test_a_reply_that_is_not_counted_as_the_events_say_is_named(
    app: Flask, ledger: Ledger, tmp_path: Path, altered: str, said: str
) -> None:
    visit(app, "all")
    fill(ledger, WIDTH, policy=newest(app).policy)
    assert compare(ledger) is None
    alter(tmp_path, f"UPDATE replies SET events = events + 100 WHERE {altered}")
    found = compare(ledger)
    assert found is not None
    assert re.match(said, found.in_words()), found.in_words()


def test_an_opening_that_went_past_all_triggers_is_a_difference(
    app: Flask, ledger: Ledger, tmp_path: Path
) -> None:
    fill(ledger, WIDTH)
    id = next(each.id for each in ledger.records(99))
    alter(tmp_path, "DELETE FROM opening WHERE uid = ?", id.hex)
    found = compare(ledger)
    assert isinstance(found, Difference)
    assert found.day == START.date()
    assert str(found.counted - found.found) in "1-1"


def test_rates_are_told_apart_by_what_is_asked(ledger: Ledger) -> None:
    fill(ledger, 40, language="de")
    fill(ledger, 50, language="en", granted=(), refused=("statistics", "videos"), kind=Kind.REFUSED)
    reader = Reader(ledger)
    rates = Rates.of(tally(reader, Search()), reader.policy, "language")
    every = rates.to("statistics")
    assert (every.yes, every.no) == (39, 10)
    by = rates.by("language", "statistics")
    assert list(by) == ["de", "en"]
    assert by["en"] == Rate(yes=0, some=0, no=10)
    assert by["en"].share("no").value is None
    assert by["de"].share("yes").value == 1.0


def test_a_rate_of_few_answers_is_not_stated() -> None:
    few, enough = Rate(yes=19, some=0, no=0), Rate(yes=19, some=0, no=1)
    assert few.members()["yes"] == {"count": 19, "share": None, "interval": None}
    assert enough.members()["yes"] == {"count": 19, "share": 0.95, "interval": [0.764, 0.991]}


def test_days_without_events_have_no_count_and_the_others_are_in_order() -> None:
    said = Facets.of(new_event())
    facets = {1: replace(said, language="a"), 2: replace(said, language="b")}
    found = Tally([(20521, 1, 2, 0), (20514, 2, 2, 1)], facets).per_day(lambda facets: facets.language)
    assert list(found.items()) == [(date(2026, 3, 2), {"b": 2}), (date(2026, 3, 9), {"a": 2})]
