"""Finding events from the newest back, and reading what people type for ids, places and dates."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from consent.audit.row import Reader
from consent.audit.search import (
    Revisions,
    Search,
    SearchError,
    find,
    read_before,
    read_id,
    read_moment,
)
from consent.ledger import Kind, Ledger
from consent.ledger.tile import WIDTH

from .clinic import record, visit
from .tampering import erase


def day(number: int, hour: int = 12) -> datetime:
    """A day of November 2026."""
    return datetime(2026, 11, number, hour, tzinfo=UTC)


def indexes(
    ledger: Ledger, search: Search, *, before: int | None = None, limit: int = 50
) -> list[int | None]:
    """The places of what is found."""
    return [row.index for row in find(Reader(ledger), search, before=before, limit=limit).rows]


#: After whatever the site itself recorded.
LATER = datetime(2100, 1, 1, 12, tzinfo=UTC)


def test_pages_hold_every_event_once_newest_first(ledger: Ledger) -> None:
    for _ in range(6):
        record(ledger, time=LATER)
    reader, seen, before = Reader(ledger), list[int | None](), None
    while True:
        found = find(reader, Search(), before=before, limit=3)
        seen += [row.index for row in found.rows]
        if (before := found.before) is None:
            break
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_a_page_stays_the_same_while_others_record(ledger: Ledger) -> None:
    for _ in range(4):
        record(ledger, time=LATER)
    first = find(Reader(ledger), Search(), limit=2)
    record(ledger, time=LATER)
    assert indexes(ledger, Search(), before=first.before, limit=2) == [2, 1]


def test_the_last_page_says_that_it_is_the_last_even_when_it_is_full(ledger: Ledger) -> None:
    record(ledger)
    assert find(Reader(ledger), Search(), limit=2).before is None


def test_kind_and_span_are_met_together_since_inclusive_until_exclusive(ledger: Ledger) -> None:
    record(ledger, time=day(1), kind=Kind.GIVEN)
    record(ledger, time=day(2), kind=Kind.REFUSED)
    record(ledger, time=day(3), kind=Kind.REFUSED)
    record(ledger, time=day(4), kind=Kind.REFUSED)
    search = Search(kinds=frozenset({Kind.REFUSED}), since=day(2), until=day(4))
    assert indexes(ledger, search) == [3, 2]


def test_an_event_recorded_late_is_found_by_its_own_time(ledger: Ledger) -> None:
    record(ledger, time=day(20))
    record(ledger, time=day(2))  # carried in a cookie for weeks
    record(ledger, time=day(21))
    assert indexes(ledger, Search(until=day(3))) == [2]
    assert indexes(ledger, Search(since=day(20))) == [3, 1]


def test_the_newest_are_those_of_the_last_hour_however_late_others_were_recorded(ledger: Ledger) -> None:
    for time in (LATER, LATER + timedelta(hours=1), LATER, LATER + timedelta(minutes=59)):
        record(ledger, time=time)
    assert indexes(ledger, Search(), limit=4) == [2, 4, 3, 1]


def test_a_match_behind_many_others_is_found(ledger: Ledger) -> None:
    wanted = record(ledger, kind=Kind.WITHDRAWN)
    for _ in range(2 * WIDTH):
        record(ledger)
    found = find(Reader(ledger), Search(kinds=frozenset({Kind.WITHDRAWN})), limit=1)
    assert [row.id for row in found.rows] == [str(wanted.id)]


def test_an_erased_event_is_found_when_any_part_of_its_hour_lies_in_the_span(
    ledger: Ledger, tmp_path: Path
) -> None:
    event = record(ledger, time=day(5, hour=9).replace(minute=10))
    erase(tmp_path, event.id)
    half_past = day(5, hour=9).replace(minute=30)
    assert indexes(ledger, Search(since=half_past, until=day(6))) == [1]
    assert indexes(ledger, Search(since=day(5, hour=10), until=day(6))) == []
    assert indexes(ledger, Search(since=day(4), until=day(5, hour=9))) == []


def answered(ledger: Ledger, **fields: Any) -> None:
    """An answer under the site's policy."""
    (policy,) = (document.hash for document in ledger.documents("policy"))
    usual: dict[str, Any] = {
        "kind": Kind.GIVEN,
        "policy": policy,
        "granted": ("statistics",),
        "refused": ("experiment", "names", "videos"),
    }
    record(ledger, **(usual | fields))


@pytest.mark.parametrize("tiles", [0, 1])
def test_events_are_found_by_what_they_answered_and_how_whether_counted_yet_or_not(
    app: Flask, ledger: Ledger, tiles: int
) -> None:
    visit(app, "none")
    start = ledger.size()
    answered(ledger, language="de", profile="eu")
    answered(
        ledger, language="en", signal=True, granted=("experiment", "statistics"), refused=("names", "videos")
    )
    answered(ledger, kind=Kind.REFUSED, granted=(), refused=("experiment", "names", "statistics", "videos"))
    answered(ledger, kind=Kind.EXPIRED, granted=(), refused=("statistics",))
    while ledger.size() < tiles * WIDTH:
        record(ledger, kind=Kind.OPERATED, granted=(), refused=(), language=None, profile=None)
    found: dict[str, Search] = {
        "0": Search(languages=frozenset({"de"})),
        "1": Search(languages=frozenset({"en"}), signal=True),
        "01": Search(category="statistics", answer="yes"),
        "2": Search(category="statistics", answer="no", since=day(18, 0), until=day(19, 0)),
        "0 ": Search(category="performance", answer="some"),
        "1 ": Search(category="performance", answer="yes"),
        "012": Search(category="performance", since=day(18, 0), until=day(19, 0)),
        "0  ": Search(profiles=frozenset({"eu"})),
        "": Search(languages=frozenset({"de"}), profiles=frozenset({"fr"})),
        " ": Search(category="nothing"),
        "  ": Search(revisions=Revisions(2, None)),
        "2 ": Search(
            kinds=frozenset({Kind.REFUSED}), revisions=Revisions(1, 1), since=day(18, 0), until=day(19, 0)
        ),
    }
    for places, search in found.items():
        expected = [start + int(place) for place in reversed(places.strip())]
        places_found = [index for index in indexes(ledger, search) if index is not None and index >= start]
        assert places_found == expected, search


@pytest.mark.parametrize(
    ("text", "inside", "outside", "said"),
    [
        ("3", [3], [2, 4], "3"),
        ("3+", [3, 99], [2], "3+"),
        ("2-4", [2, 4], [1, 5], "2-4"),
        (" 3-3 ", [3], [4], "3"),
    ],
)
def test_revisions_are_one_or_several_or_all_from_one_on(
    text: str, inside: list[int], outside: list[int], said: str
) -> None:
    read = Revisions.read(text)
    assert str(read) == said
    assert all(each in read for each in inside)
    assert not any(each in read for each in outside)


@pytest.mark.parametrize("text", ["4-2", "+", "3++", "-3", "3-", "3,4"])
def test_what_is_no_revision_is_refused(text: str) -> None:
    with pytest.raises(SearchError, match="is no revision"):
        Revisions.read(text)


def test_an_answer_needs_to_know_to_what_and_is_yes_no_or_some() -> None:
    with pytest.raises(SearchError, match="to what"):
        Search(answer="yes")
    with pytest.raises(SearchError, match="expected one of: yes, some, no"):
        Search(category="performance", answer="maybe")


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(SearchError, match="Exchange the two"):
        Search(since=day(4), until=day(2))


HOSTILE = [
    "",
    "1",
    "x" * 100_000,
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202e1234",
    "../../etc/passwd",
    "%00",
    "\0",
    "é" * 36,
    "٣" * 36,
    "-1",
    "1e9",
    "0x10",
    "{12345678-1234-1234-1234-123456789abc}",
    "urn:uuid:12345678-1234-1234-1234-123456789abc",
    "12345678123412341234123456789abc",
    "12345678-1234-1234-1234-123456789ab",
    "12345678-1234-1234-1234-123456789abg",
    "1234567-81234-1234-1234-123456789abc",
    "\ud800",
]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text != "1"])
def test_hostile_text_is_no_revision(text: str) -> None:
    with pytest.raises(SearchError) as refused:
        Revisions.read(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_id_is_refused_in_a_short_visible_sentence(text: str) -> None:
    with pytest.raises(SearchError) as refused:
        read_id(text)
    assert len(str(refused.value)) < 600
    assert str(refused.value).isprintable()


def test_an_id_is_read_with_blanks_around_it_and_in_capitals() -> None:
    id = uuid.uuid4()
    assert read_id(f"  {str(id).upper()}\n") == id


@pytest.mark.parametrize("text", [*(t for t in HOSTILE if t != "1"), "9" * 19, "9" * 5000, "²", "1 "])
def test_what_is_no_place_in_the_list_is_refused(text: str) -> None:
    with pytest.raises(SearchError) as refused:
        read_before(text)
    assert str(refused.value).isprintable()


def test_places_are_whole_numbers() -> None:
    assert read_before(None) is None
    assert read_before("0") == 0
    assert read_before(str(2**63 - 1)) == 2**63 - 1


def test_dates_are_read_in_utc_and_a_day_has_an_end() -> None:
    assert read_moment("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)
    assert read_moment("2026-11-01", end=True) == datetime(2026, 11, 2, tzinfo=UTC)
    assert read_moment("2026-11-01T09:30", end=True) == datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    assert read_moment("2026-11-01T09:30+02:00") == datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
    assert read_moment("2026W10T09", end=True) == datetime(2026, 3, 2, 9, tzinfo=UTC), (
        "a moment, short as it is"
    )
    for text in ("9999-12-31", "0001-01-01T00:00+14:00"):
        with pytest.raises(SearchError, match="end of the calendar"):
            read_moment(text, end=True)


@pytest.mark.parametrize(
    "text", [*HOSTILE, "2026-13-01", "yesterday", "9999-12-31", "0001-01-01T00:00+14:00", "2026-02-30"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(SearchError) as refused:
        read_moment(text, end=True)
    assert str(refused.value).isprintable()
