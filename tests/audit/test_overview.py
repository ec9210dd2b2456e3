"""The overview: charts and rates that say what the events say, for whom may see them, whatever is asked for."""

import re
import secrets
import shutil
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from consent.audit.chart import Bars, Lines, Strip
from consent.audit.overview import charts, compared, state_of
from consent.audit.rates import DIMENSIONS
from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.share import FOR_REVIEW
from consent.audit.tally import tally
from consent.audit.totals import totals, totals_of
from consent.errors import LedgerError
from consent.ledger import Kind, Ledger, erasure
from consent.ledger.tile import WIDTH
from consent.storage import OwnStorage

from .clinic import Auditor, Clock, MakeApp, new_event, newest, visit
from .test_pages import text_of

DAY = 86_400
EVERY_DAY = (0, 10**6)


def seen(ledger: Ledger) -> tuple[Bars, list[Lines], Strip]:
    """The charts of all that is recorded."""
    bars, *lines, strip = charts(totals(Reader(ledger), Search(), "revision"))
    assert isinstance(bars, Bars)
    assert isinstance(strip, Strip)
    return bars, [each for each in lines if isinstance(each, Lines)], strip


def test_each_day_has_what_was_answered_on_it(app: Flask, ledger: Ledger, clock: Clock) -> None:
    visit(app, "all")
    visit(app, "none")
    visit(app, "none")
    clock.now += 2 * DAY
    visit(app, "some", category_performance="yes", category_media="no", category_functionality="no")
    bars, lines, strip = seen(ledger)
    assert [series.counts for series in bars.series] == [(1, 0, 0), (0, 0, 1), (2, 0, 0)]
    assert strip.counts == (3, 0, 1)
    assert strip.finding.endswith("1 of 3 days has none.")
    media = next(each for each in lines if each.title == "Answers to media")
    assert [(one.name, one.all.part, one.all.whole) for one in media.lines] == [
        ("yes", 1, 4),
        ("no", 3, 4),
    ]


def test_what_is_drawn_is_called_by_the_span_that_it_is_drawn_of(
    app: Flask, ledger: Ledger, auditor: Auditor, clock: Clock
) -> None:
    visit(app, "all")
    assert [chart.title for chart in seen(ledger)[::2]] == ["Answers", "Days with and without answers"]
    clock.now += 80 * DAY
    visit(app, "none")
    bars, lines, strip = seen(ledger)
    assert strip.title == "Weeks with and without answers"
    assert {chart.step for chart in (bars, *lines, strip)} == {"Weeks"}
    page = text_of(auditor.open("/overview").text)
    assert "Weeks with and without answers" in page
    assert "Days" not in page


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_sums_of_replies_say_what_the_events_say(app: Flask, ledger: Ledger, dimension: str) -> None:
    visit(app, "all")
    policy = newest(app).policy  # on record, so that it is known which services a category has
    sources = ("banner", "centre", "dialog")
    acts = [
        new_event(
            kind=Kind.REFUSED if at % 4 == 0 else Kind.GIVEN,
            policy=policy,
            time=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=7 * at),
            granted=() if at % 4 == 0 else ("statistics",),
            refused=("videos",) if at % 3 else (),
            language=("en", "de")[at % 2],
            profile=("eu", "uk")[at // 2 % 2],
            signal=at % 5 == 0,
            source=sources[at % 3],
        )
        for at in range(2 * WIDTH)
    ]
    ledger.record_all([(event, secrets.token_bytes(32)) for event in acts])
    reader = Reader(ledger)
    assert ledger.replies(dimension, *EVERY_DAY).size == ledger.counted() > 0
    ids = [each.id for each in ledger.records() if each.index in range(20, 300, 40)]
    erased = erasure("operator", id=uuid.uuid4(), time=acts[-1].time, policy=policy)
    ledger.erase(erased, salt=secrets.token_bytes(32), ids=ids, listed=False)
    assert ledger.replies(dimension, *EVERY_DAY).faded
    for search in (
        Search(),
        Search(since=datetime(2026, 3, 9, 9, 30, tzinfo=UTC), until=datetime(2026, 5, 2, 4, tzinfo=UTC)),
        Search(since=datetime(2026, 3, 9, 9, 30, tzinfo=UTC), until=datetime(2026, 3, 9, 19, 45, tzinfo=UTC)),
        Search(since=datetime(2026, 7, 1, tzinfo=UTC)),
        Search(until=datetime(2026, 3, 1, tzinfo=UTC)),
    ):
        assert totals(reader, search, dimension) == totals_of(tally(reader, search), dimension, reader.policy)
    tables = compared(totals(reader, Search(), dimension), dimension)
    assert [len(table.rows) > (dimension != "revision") for table in tables[1:]] == [True, True]


def test_where_replies_are_of_fewer_entries_than_are_counted_those_are_summed_up_instead(
    app: Flask, ledger: Ledger, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(app, "all")
    policy = newest(app).policy
    acts = [new_event(policy=policy, time=datetime(2026, 3, 1, tzinfo=UTC)) for _ in range(WIDTH)]
    ledger.record_all([(event, secrets.token_bytes(32)) for event in acts])
    shown = auditor.open("/overview").text
    with closing(sqlite3.connect(Path(app.instance_path) / "consent.sqlite3")) as connection, connection:
        connection.execute("UPDATE replied SET size = 0")
        connection.execute("UPDATE replies SET events = 0")

    def refuse(*_: object, **__: object) -> int:
        raise LedgerError("this role may not count")

    with monkeypatch.context() as context:
        context.setattr(Ledger, "count", refuse)
        assert auditor.open("/overview").text == shown
    assert ledger.replies("revision", *EVERY_DAY).size == 0
    assert auditor.open("/overview").text == shown
    assert ledger.replies("revision", *EVERY_DAY).size == ledger.counted()


def test_rates_are_compared_by_what_is_asked_for(app: Flask, ledger: Ledger) -> None:
    visit(app, "all")
    visit(app, "none")
    tables = compared(totals(Reader(ledger), Search(), "language"), "language")
    assert [table.category for table in tables] == ["functionality", "media", "performance"]
    assert tables[0].columns == ("language", "answers", "yes", "some", "no")
    assert tables[0].rows == [
        (
            "en",
            "2",
            "too few for a rate (1 of 2)",
            "too few for a rate (0 of 2)",
            "too few for a rate (1 of 2)",
        )
    ]


def test_the_page_shows_each_chart_with_its_table_and_what_rates_are_for(
    app: Flask, auditor: Auditor
) -> None:
    visit(app, "all")
    page = auditor.open("/overview")
    assert page.status_code == 200
    assert FOR_REVIEW in text_of(page.text)
    assert page.text.count('role="img"') == page.text.count(", as a table</summary>") == 5
    assert "1 answer on" in page.text
    assert not re.search(r"<script|<style|\sstyle=", page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert '/privacy-choices/audit/overview"' in auditor.open().text


def test_the_page_calls_categories_and_sources_by_their_titles_beside_their_keys(
    app: Flask, auditor: Auditor
) -> None:
    visit(app, "all")
    words = text_of(auditor.open("/overview", by="source").text)
    assert "Answers to Videos (media) All together" in words
    assert "Videos (media), by source" in words
    assert "the banner (banner) 1 too few" in words
    assert "Measurement (performance), by source" in words


def test_a_span_of_days_is_asked_for_by_the_query(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    assert "Nothing was answered then." in auditor.open("/overview", since="2030-01-01").text
    day = re.search(r"1 answer on (\d{4}-\d\d-\d\d)", text_of(auditor.open("/overview").text))
    assert day
    one = auditor.open("/overview", since=day[1], until=day[1], by="language").text
    assert f"1 answer on {day[1]}" in text_of(one)
    assert f'value="{day[1]}"' in one
    assert "<option selected>language</option>" in one


@pytest.mark.parametrize(
    "query",
    [
        {"since": "<script>alert(1)</script>"},
        {"until": "2026-13-01"},
        {"by": "subject' OR 1=1"},
        {"since": "2026-02-01", "until": "2026-01-01"},
        {"since": "9" * 5000},
    ],
)
def test_what_cannot_be_understood_is_said_and_nothing_is_shown(
    app: Flask, auditor: Auditor, query: dict[str, str]
) -> None:
    visit(app, "all")
    page = auditor.open("/overview", **query)
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert "<svg" not in page.text
    assert "<script" not in page.text


def test_it_says_how_far_the_log_is_sealed_and_signed(app: Flask, ledger: Ledger, auditor: Auditor) -> None:
    visit(app, "all")
    ledger.sign()
    visit(app, "none")
    state = dict(state_of(ledger))
    assert state["entries"].startswith("4, sealed last at ")
    assert state["signed"] == "the newest checkpoint is over 3 entries; 1 have come since"
    assert state["keys"] == ledger.verifier_keys()[0]
    assert "the newest checkpoint is over 3 entries; 1 have come since" in auditor.open("/overview").text


def test_it_says_that_a_longer_log_was_signed_than_is_there(
    app: Flask, auditor: Auditor, ledger: Ledger, tmp_path: Path
) -> None:
    visit(app, "all")
    file = tmp_path / "instance" / "consent.sqlite3"
    with closing(sqlite3.connect(file)) as now:
        now.execute(f"VACUUM INTO '{tmp_path / 'backup'}'")
    visit(app, "all")
    ledger.sign()
    assert isinstance(ledger.storage, OwnStorage)
    ledger.storage.close()
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    shutil.copy(tmp_path / "backup", file)
    said = "a log of 4 entries was signed last, and here are 3: the others are gone, or an older copy was put back"
    assert dict(state_of(ledger))["signed"] == said
    assert said in auditor.open("/overview").text


def test_an_overview_of_nothing_says_so(app: Flask, auditor: Auditor) -> None:
    assert "Nothing was answered then." in auditor.open("/overview").text


def test_a_stranger_finds_no_overview(app: Flask, make_app: MakeApp) -> None:
    assert app.test_client().get("/privacy-choices/audit/overview").status_code == 404
