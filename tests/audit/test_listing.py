"""The search on the auditor's lists: its filters stand in the address, and nothing typed there is an error page."""

import html
import re
import secrets
import shlex
import uuid
from datetime import UTC, datetime

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from consent.audit.query import Query
from consent.ledger import Event, Kind, Ledger, erasure
from consent.ledger.tile import WIDTH
from tests.cli.conftest import run_for

from .clinic import (
    AUDIT,
    NEXT_POLICY,
    SAME,
    Auditor,
    MakeApp,
    auditor_of,
    new_event,
    newest,
    record,
    site_of,
    visit,
)
from .test_pages import text_of
from .test_search import HOSTILE


def found(page: TestResponse) -> list[str]:
    """The ids of the events that *page* lists."""
    assert page.status_code == 200, text_of(page.text)
    return re.findall(r'name="event" value="([^"]+)"', page.text)


def older(page: TestResponse) -> str | None:
    """The address of the older events."""
    link = re.search(r'href="([^"]+)" rel="next"', page.text)
    return html.unescape(link[1]) if link else None


def fill_a_tile(ledger: Ledger) -> None:
    """Record so many events that they are counted, and searched by the index."""
    ledger.record_all((new_event(), secrets.token_bytes(32)) for _ in range(WIDTH))
    while ledger.seal():
        pass
    assert ledger.counted()


def test_each_filter_in_the_address_chooses_the_events_it_names(ledger: Ledger, auditor: Auditor) -> None:
    plain = record(ledger, time=datetime(2026, 11, 1, 9, tzinfo=UTC))
    other = record(
        ledger,
        kind=Kind.REFUSED,
        time=datetime(2026, 11, 2, 9, tzinfo=UTC),
        granted=(),
        refused=("statistics",),
        language="de",
        profile="us_ca",
        signal=True,
    )
    for query in (
        {"kind": "refused"},
        {"kind": ["refused", "withdrawn"]},
        {"since": "2026-11-02", "until": "2026-11-02", "kind": ["given", "refused"]},
        {"since": "2026-11-02T08:59", "language": ["de", "en"]},
        {"category": "statistics", "answer": "no"},
        {"language": "de"},
        {"profile": "us_ca"},
        {"signal": "with"},
    ):
        assert found(auditor.open(**query)) == [str(other.id)], query
    assert found(auditor.open(category="statistics", answer="yes")) == [str(plain.id)]
    assert found(auditor.open(signal="without", language="en", answer="", revision=" ")) == [str(plain.id)]


def test_events_are_found_by_revision(make_app: MakeApp) -> None:
    visit(old := make_app(), "all")
    event = newest(old)
    app = make_app(NEXT_POLICY)
    visit(app, "all")
    auditor = auditor_of(app)
    assert found(auditor.open(revision="1", kind="given")) == [str(event.id)]
    assert found(auditor.open(revision="2+", kind="given")) == [str(newest(app).id)]


def test_older_events_keep_the_filters(ledger: Ledger, auditor: Auditor) -> None:
    wanted = [str(record(ledger, language="de").id) for _ in range(60)]
    for _ in range(5):
        record(ledger, language="fr")
    first = auditor.open(language=["de", "es"], kind="given")
    address = older(first)
    assert address
    second = auditor.client.get(address)
    assert found(first) + found(second) == wanted[::-1]
    assert "Older events found" in second.text
    assert "language de; language es" in text_of(second.text)
    assert older(second) is None
    back = re.search(r'href="([^"]+)">Newest events<', second.text)
    assert back
    assert found(auditor.client.get(html.unescape(back[1]))) == found(first)


@pytest.mark.parametrize("many", [False, True])
def test_the_form_offers_what_is_on_record(app: Flask, ledger: Ledger, auditor: Auditor, many: bool) -> None:
    visit(app, "all")
    record(ledger, language="pt", profile="uk")
    if many:
        fill_a_tile(ledger)
    page = auditor.open().text
    options = re.findall(r"<option[^>]*>([^<]+)</option>", page)
    assert {
        "Measurement (performance)",
        "Videos (media)",
        "Visit statistics (statistics)",
        "Films (videos)",
        "1",
    } <= {*options}
    values = re.findall(r'<option value="([^"]+)"', page)
    assert {"media", "performance", "statistics", "videos"} <= {*values}
    assert re.search(r'name="language" value="pt"', page)
    assert not re.search(r'name="language" value="de"', page)
    assert re.search(r'name="profile" value="uk"', page)
    assert "essential" not in values


def test_a_name_that_no_event_on_record_has_is_said_beside_the_list(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    page = text_of(auditor.open(category="statistcs", answer="no").text)
    assert "No such event is recorded." in page
    assert 'No event on record has category or service "statistcs". Did you mean "statistics"?' in page
    assert "No event on record has" not in text_of(auditor.open(category="statistics", answer="no").text)


def test_the_form_shows_what_was_asked_for(ledger: Ledger, auditor: Auditor) -> None:
    record(ledger)
    page = auditor.open(
        kind="given",
        since="2026-11-01",
        until="2026-11-30T10:00",
        language="xx",
        category="gone",
        signal="without",
    )
    assert page.status_code == 200
    assert '<details class="pc-search" open>' in page.text
    for field in (
        'name="kind" value="given" checked',
        'name="since" type="date" value="2026-11-01"',
        'name="until" type="text" value="2026-11-30T10:00"',
        'name="language" value="xx" checked',
        '<option value="gone" selected>gone</option>',
        "<option selected>without</option>",
    ):
        assert field in page.text, field
    assert "No such event is recorded." in page.text


def test_what_is_typed_wrongly_stays_in_the_form_and_is_told_beside_it(
    ledger: Ledger, auditor: Auditor
) -> None:
    record(ledger)
    for name, text, said in (
        ("since", "yesterday", '"yesterday" is not a date'),
        ("revision", "two", '"two" is no revision'),
    ):
        page = auditor.open(**{name: text, "kind": "given"})
        assert page.status_code == 400
        form = page.text[page.text.index('<form method="get"') :]
        assert said in html.unescape(form)
        assert 'role="alert"' in form
        assert re.search(rf'name="{name}" type="text" value="{text}"', form)
        assert 'name="kind" value="given" checked' in form
        assert "No such event" not in page.text


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2026-11-03", "until": "2026-11-01"},
        {"answer": "no"},
        {"answer": "perhaps", "category": "media"},
        {"kind": "knotted"},
        {"signal": "maybe"},
        {"since": ["2026-11-01", "2026-11-02"]},
    ],
)
def test_what_nothing_can_meet_is_said(ledger: Ledger, auditor: Auditor, query: dict[str, object]) -> None:
    event = record(ledger)
    page = auditor.open(**query)
    assert page.status_code == 400
    assert "Nothing was searched." in page.text
    assert str(event.id) not in page.text


@pytest.mark.parametrize(
    "name",
    [
        "kind",
        "since",
        "until",
        "category",
        "answer",
        "revision",
        "language",
        "profile",
        "signal",
        "before",
        "x",
    ],
)
@pytest.mark.parametrize("path", ["/", "/overview"])
def test_no_hostile_text_in_a_filter_is_an_error_page_or_markup(
    auditor: Auditor, path: str, name: str
) -> None:
    for text in (*HOSTILE, '"><script>alert(1)</script>'):
        page = auditor.open(path, **{name: text.encode("utf-8", "surrogatepass")})
        assert page.status_code in (200, 400), (name, text)
        assert "<script" not in page.text
        assert not re.search("[\x00\x1b\u202e]", page.text)


@pytest.mark.parametrize("path", ["/", "/opt-outs", "/overview"])
def test_a_name_that_asks_for_nothing_is_told_and_no_event_is_shown(
    app: Flask, auditor: Auditor, path: str
) -> None:
    visit(app, "all")
    page = auditor.open(path, sinse="2026-01-01")
    assert page.status_code == 400
    assert '"sinse" is nothing that can be asked for here. Did you mean "since"?' in text_of(page.text)
    assert "<tbody" not in page.text
    assert "<svg" not in page.text


@pytest.mark.parametrize("path", ["/", "/opt-outs", "/overview", "/event"])
def test_what_the_app_itself_adds_to_each_address_is_no_name_that_asks_for_nothing(
    app: Flask, auditor: Auditor, path: str
) -> None:
    @app.url_defaults
    def add(endpoint: str, values: dict[str, object]) -> None:
        values.setdefault("lang", "de")

    for address in (path, "/"):
        page = auditor.client.get(f"{AUDIT}{address}?lang=de", follow_redirects=True)
        assert page.status_code == 200
        assert "?lang=de" in page.text
    assert auditor.open(path if path != "/event" else "/", lang="de", sinse="2026").status_code == 400


@pytest.mark.parametrize("name", ["sinse", "before"])
def test_nothing_is_handed_out_for_a_name_that_asks_for_nothing(
    app: Flask, auditor: Auditor, name: str
) -> None:
    visit(app, "all")
    form = {"csrf_token": auditor.token(), "format": "jsonl", name: "2026-01-01"}
    response = auditor.client.post(f"{AUDIT}/export", data=form, headers=SAME)
    assert response.status_code == 400
    assert f'"{name}" is nothing that can be asked for here' in text_of(response.text)


@pytest.mark.parametrize("name", ["since", "until", "by"])
def test_the_overview_takes_one_of_each(auditor: Auditor, name: str) -> None:
    page = auditor.client.get(f"{AUDIT}/overview?{name}=&{name}=2026-11-01&{name}=2020-01-01")
    assert page.status_code == 400
    assert f"{name} is given 2 times; expected it once." in page.text


def test_the_overview_goes_by_what_a_blank_one_stands_beside(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    page = auditor.client.get(f"{AUDIT}/overview?since=&since=2030-01-01")
    assert "Nothing was answered then." in page.text


def test_the_overview_shows_a_time_of_day_again(auditor: Auditor) -> None:
    page = auditor.open("/overview", since="2026-11-02T09:30", until="2026-11-04")
    assert 'name="since" type="text" value="2026-11-02T09:30"' in page.text
    assert 'name="until" type="date" value="2026-11-04"' in page.text


def test_a_place_is_given_once(auditor: Auditor) -> None:
    page = auditor.client.get("/privacy-choices/audit/?before=9&before=12")
    assert page.status_code == 400
    assert "before is given 2 times; expected it once." in page.text


@pytest.mark.parametrize("year", ["0001", "1969", "2926", "2999", "9999"])
def test_a_span_far_from_any_event_is_searched_like_any_other(
    ledger: Ledger, auditor: Auditor, year: str
) -> None:
    fill_a_tile(ledger)
    event = str(record(ledger).id)
    assert (event in found(auditor.open(since=f"{year}-01-01"))) == (year < "2026")
    assert (event in found(auditor.open(until=f"{year}-01-01"))) == (year > "2026")


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:01",
        "1960-05-05T05:30",
        "2926-12-20T07:30",
        "2999-05-05T05:30",
        "9999-12-31T23:59:59.9",
    ],
)
def test_a_moment_far_from_any_event_is_searched_counted_and_exported_like_any_other(
    ledger: Ledger, auditor: Auditor, moment: str
) -> None:
    fill_a_tile(ledger)
    event = str(record(ledger).id)
    for span, holds in (({"since": moment}, moment < "2026"), ({"until": moment}, moment > "2026")):
        page = auditor.open(**span)
        assert (event in found(page)) == holds
        assert (f"{ledger.size():,} events" in text_of(page.text)) == holds
        assert auditor.open("/overview", **span).status_code == 200
        answer = auditor.client.post(
            f"{AUDIT}/export",
            data={"csrf_token": auditor.token(), "format": "csv", **span},
            headers=SAME,
            buffered=True,
        )
        assert (event in answer.text) == holds
        assert answer.status_code == 200


def test_nothing_lies_before_the_calendar_begins(ledger: Ledger, auditor: Auditor) -> None:
    for path in ("/", "/overview"):
        page = auditor.open(path, until="0001-01-01T00:00")
        assert (page.status_code, "Nothing lies from" in page.text) == (400, True)


def test_a_search_shows_no_subject_and_keeps_ids_out_of_addresses(ledger: Ledger, auditor: Auditor) -> None:
    event = record(ledger)
    page = auditor.open(kind="given")
    assert found(page) == [str(event.id)]
    assert str(event.subject) not in page.text
    assert not any(str(event.id) in each for each in re.findall(r'(?:href|action)="([^"]*)"', page.text))
    assert re.search(rf'<form method="post" action="{AUDIT}/event"', page.text)
    assert page.headers["Cache-Control"] == "no-store"


# --- opt-outs and erasures


def ended(ledger: Ledger) -> list[Event]:
    """Events of the kinds that this page is for, oldest first, among others; the erased one isn't returned."""
    signal = record(
        ledger, kind=Kind.SIGNAL_OPT_OUT, profile="us_ca", granted=(), source="signal", signal=True
    )
    record(ledger)
    out = record(ledger, kind=Kind.OPTED_OUT, granted=(), refused=("videos",), language="de")
    erased = record(ledger)
    act = erasure("visitor", id=uuid.uuid4(), time=erased.time, policy=erased.policy)
    assert ledger.erase(act, salt=secrets.token_bytes(32), ids=[erased.id]) == 1
    return [signal, out, act]


@pytest.mark.requirement("REC-10")
def test_opt_outs_and_erasures_are_listed_with_their_dates_and_nothing_else(
    ledger: Ledger, auditor: Auditor
) -> None:
    events = ended(ledger)
    page = auditor.open("/opt-outs")
    assert found(page) == [str(each.id) for each in reversed(events)]
    words = text_of(page.text)
    assert "2026-11-18 09:30:00 Opted out of sale and sharing" in words
    assert "Consent ended by a signal of the browser" in words
    assert "Personal part erased" in words
    assert "by: visitor" in words
    assert "us_ca" in words
    assert "at least 1096 days" in words
    assert not any(str(each.subject) in page.text for each in events if each.subject)
    assert f'href="{AUDIT}/opt-outs"' in auditor.open().text


def test_opt_outs_are_searched_as_the_log_is(ledger: Ledger, auditor: Auditor) -> None:
    signal, out, act = ended(ledger)
    assert found(auditor.open("/opt-outs", kind="erased")) == [str(act.id)]
    assert found(auditor.open("/opt-outs", language="de")) == [str(out.id)]
    assert found(auditor.open("/opt-outs", profile="us_ca", until="2026-11-18")) == [str(signal.id)]
    assert found(auditor.open("/opt-outs", since="2026-11-19")) == []
    assert re.search(rf'<form method="get" action="{AUDIT}/opt-outs"', auditor.open("/opt-outs").text)
    refused = auditor.open("/opt-outs", kind="given")
    assert refused.status_code == 400
    assert "is no kind of event on this page" in refused.text


def test_older_opt_outs_are_a_link_away(ledger: Ledger, auditor: Auditor) -> None:
    wanted = [str(record(ledger, kind=Kind.OPTED_OUT).id) for _ in range(51)]
    first = auditor.open("/opt-outs")
    address = older(first)
    assert address
    assert address.startswith(f"{AUDIT}/opt-outs?")
    assert found(first) + found(auditor.client.get(address)) == wanted[::-1]


def test_a_search_says_how_many_it_finds_and_how_they_are_taken_away(app: Flask, auditor: Auditor) -> None:
    for choice in ("all", "none", "none"):
        visit(app, choice)
    assert "found in all" not in auditor.open().text
    words = text_of(auditor.open(category="statistics", answer="no", language="en", since="2026-11-01").text)
    assert "2 events are found in all." in words
    assert (
        "flask consent export --language=en --since=2026-11-01 --category=statistics --answer=no --format csv"
        in words
    )
    assert "One event is found in all." in text_of(auditor.open(kind="given").text)
    none = text_of(auditor.open(kind="withdrawn").text)
    assert "No events are found in all." in none
    assert "To take them away" not in none


def test_the_command_for_what_was_found_finds_the_same(app: Flask, auditor: Auditor) -> None:
    for choice in ("all", "none", "none"):
        visit(app, choice)
    record(site_of(app).recorder.ledger, kind=Kind.OPTED_OUT)
    asked_of: dict[str, dict[str, str]] = {
        "/": {"category": "media", "answer": "no"},
        "/opt-outs": {"signal": "without", "profile": "default"},
    }
    for path, asked in asked_of.items():
        page = text_of(auditor.open(path, **asked).text)
        command = re.search(r"(flask consent export .*?) --format csv", page)
        assert command
        rows = run_for(app)(*shlex.split(command[1])[2:]).stdout.splitlines()
        assert ("One event is found" if len(rows) == 1 else f"{len(rows)} events are found") in page
        assert rows


def test_what_is_typed_is_no_part_of_another_command(auditor: Auditor) -> None:
    page = auditor.open(category="statistics", language="en; rm -r / #", profile="$(x)", kind="operated")
    assert page.status_code == 200
    assert "To take them away" not in page.text
    query = Query.of(MultiDict({"language": "en; rm -r / #"}))
    assert shlex.join(query.options(tuple(Kind))) == "'--language=en; rm -r / #'"
    assert Query.of(MultiDict({"language": "e\x1b[2J"})).options(tuple(Kind)) == []
