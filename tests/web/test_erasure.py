"""A visitor has their history erased: in two steps, from our own pages only, and no proof breaks (LOG-05)."""

import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from consent.ledger import Kind
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events, locked, use_up_limits

ERASE = "/privacy-choices/mine/erase"
STEP = re.compile(r'name="step" value="([^"]+)"')


def step_in(html: str) -> str:
    """The signed value in the page *html*."""
    found = STEP.search(html)
    assert found
    return found[1]


def send(visitor: Visitor, headers: dict[str, str] = SAME, **fields: str) -> TestResponse:
    """Send the form of one of the two steps."""
    form = "application/x-www-form-urlencoded"  # as browsers name also a form without fields
    return visitor.client.post(ERASE, data=fields, headers=headers, content_type=form)


def erase(visitor: Visitor) -> TestResponse:
    """Go through both steps."""
    return send(visitor, step=step_in(send(visitor).text))


def openings(app: Flask) -> int:
    """How many openings there are that a subject is linked to."""
    with closing(sqlite3.connect(Path(app.instance_path) / "consent.sqlite3")) as database:
        (count,) = database.execute("SELECT count(*) FROM opening WHERE subject IS NOT NULL").fetchone()
        return int(count)


@pytest.fixture
def answered(visitor: Visitor) -> Visitor:
    """Somebody who has accepted everything, and changed one answer since."""
    visitor.answer("all")
    visitor.answer("some", category__media="no", category__performance="yes", category__functionality="yes")
    return visitor


@pytest.mark.requirement("LOG-05")
def test_whoever_erases_their_history_withdraws_everything_and_leaves_no_link(
    answered: Visitor, app: Flask, site: Site
) -> None:
    assert openings(app) == 2
    answered.client.set_cookie("visit", "1")
    response = erase(answered)
    assert (response.status_code, openings(app)) == (200, 0)
    assert "Your history is erased" in response.text
    gone = [c.split("=")[0] for c in response.headers.getlist("Set-Cookie") if "Max-Age=0" in c]
    assert gone == ["visit"]
    assert not answered.allowed("statistics")
    left = site.codec.decode(answered.cookie() or "", now=int(site.clock()))
    assert left is not None
    assert (left.subject, left.granted, left.pending) == (None, frozenset(), None)
    kinds = [record.outline().kind for record in site.recorder.ledger.records()]
    assert kinds[-4:] == ["given", "withdrawn", "withdrawn", "erased"]
    assert [event.kind for event in events(site)] == [Kind.ERASED]
    mine = answered.client.get("/privacy-choices/mine").text
    assert "No history is linked to this browser" in mine
    assert "mine/erase" not in mine
    assert "pc-banner" not in answered.client.get("/").text


def test_the_first_step_changes_nothing_and_the_page_offers_it(
    answered: Visitor, app: Flask, site: Site
) -> None:
    mine = answered.client.get("/privacy-choices/mine").text
    assert f'action="{ERASE}"' in mine
    before = answered.cookie()
    response = send(answered)
    assert response.status_code == 200
    assert "cannot be undone" in response.text
    assert "no-store" in response.headers["Cache-Control"]
    assert (answered.cookie(), openings(app), len(events(site))) == (before, 2, 2)


def test_the_pages_tell_no_script_who_the_visitor_is(answered: Visitor, site: Site) -> None:
    subject = str(events(site)[0].subject)
    for html in (answered.client.get("/privacy-choices/mine").text, send(answered).text):
        assert subject not in html
        assert subject.replace("-", "") not in html


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"},
        {},
    ],
)
@pytest.mark.requirement("LOG-05")
def test_nobody_elses_page_can_erase_anything(answered: Visitor, app: Flask, headers: dict[str, str]) -> None:
    step, before = step_in(send(answered).text), answered.cookie()
    for fields in ({}, {"step": step}):
        assert send(answered, headers, **fields).status_code == 403
    assert (answered.cookie(), openings(app)) == (before, 2)


def test_a_step_holds_for_half_an_hour_for_its_own_browser_and_purpose(
    answered: Visitor, app: Flask, clock: Clock
) -> None:
    other = Visitor(app.test_client())
    other.answer("all")
    theirs, own = step_in(send(other).text), step_in(send(answered).text)
    for step in (theirs, own[:-1], "", "x" * 5000):
        assert "cannot be undone" in send(answered, step=step).text
    clock.now += 30 * 60 + 1
    assert "cannot be undone" in send(answered, step=own).text
    assert openings(app) == 3


def test_whoever_has_no_history_is_sent_to_the_page_that_says_so(visitor: Visitor) -> None:
    visitor.answer("none")
    response = send(visitor)
    assert (response.status_code, response.headers["Location"]) == (303, "/privacy-choices/mine")


def test_whoever_comes_by_the_address_alone_is_back_at_my_consent(answered: Visitor) -> None:
    response = answered.client.get(f"{ERASE}?lang=de")
    assert (response.status_code, response.headers["Location"]) == (303, "/privacy-choices/mine")


def test_erasing_twice_says_the_same_and_does_no_more(answered: Visitor, site: Site) -> None:
    step = step_in(send(answered).text)
    held = answered.cookie() or ""
    assert send(answered, step=step).status_code == 200
    size = site.recorder.ledger.size()
    answered.client.set_cookie("consent", held)  # as a second tab that was a moment earlier
    assert send(answered, step=step).status_code == 200
    # The second withdrew what its cookie still held, and that is erased with the rest.
    kinds = [each.outline().kind for each in site.recorder.ledger.records()][size:]
    assert kinds == ["withdrawn", "erased"]
    assert [event.kind for event in events(site)] == [Kind.ERASED, Kind.ERASED]


@pytest.mark.requirement("LOG-05")
@pytest.mark.requirement("WD-04")
def test_a_withdrawals_confirmation_offers_to_erase_what_went_before(
    answered: Visitor, app: Flask, clock: Clock
) -> None:
    location = answered.answer("none", from_="mine").headers["Location"]
    assert openings(app) == 3
    confirmation = answered.client.get(location).text
    assert "What went before is still on record" in confirmation
    explained = send(answered, step=step_in(confirmation))
    assert "Everything optional is turned off" not in explained.text  # it is already
    assert "Your history is erased" in send(answered, step=step_in(explained.text)).text
    assert openings(app) == 0
    clock.now += 30 * 60 + 1
    assert "What went before" not in answered.client.get(location).text


def test_only_the_confirmation_of_a_withdrawal_offers_it(visitor: Visitor) -> None:
    for choice in ("none", "all"):
        location = visitor.answer(choice, from_="centre").headers["Location"]
        assert "erase=" not in location
        assert "What went before" not in visitor.client.get(location).text


@pytest.mark.requirement("WD-02")
def test_where_nothing_can_be_erased_now_the_withdrawal_holds_and_it_can_be_tried_again(
    answered: Visitor, app: Flask, site: Site
) -> None:
    step = step_in(send(answered).text)
    with locked(app):
        failed = send(answered, step=step)
    assert failed.status_code == 503
    assert int(failed.headers["Retry-After"]) >= 1
    assert "We could not erase your history" in failed.text
    assert not answered.allowed("statistics")
    assert openings(app) >= 2
    again = send(answered, step=step_in(failed.text))
    assert (again.status_code, openings(app)) == (200, 0)
    left = site.codec.decode(answered.cookie() or "", now=int(site.clock()))
    assert left is not None
    assert left.pending is None


@pytest.mark.requirement("LOG-05")
def test_nothing_is_erased_while_the_withdrawal_before_it_waits(answered: Visitor, site: Site) -> None:
    step = step_in(send(answered).text)
    use_up_limits(site)
    now, asked = site.recorder.steady(), 0

    def steady() -> float:  # the limits let nothing through at first, and all of it a moment later
        nonlocal asked
        asked += 1
        return now if asked <= 2 else now + 3600

    site.recorder.steady = steady
    failed = send(answered, step=step)
    assert failed.status_code == 503
    assert Kind.ERASED not in [event.kind for event in events(site)]
    done = send(answered, step=step_in(failed.text))
    assert done.status_code == 200
    left = events(site)
    assert not [event for event in left if event.subject], "nothing names the erased subject"


def test_an_erasure_over_the_limits_writes_no_errors_into_the_sites_own_log(
    answered: Visitor, app: Flask, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    step = step_in(send(answered).text)
    use_up_limits(site)
    with caplog.at_level(logging.ERROR, "consent"):
        for _ in range(2):
            failed = send(answered, step=step)
            assert failed.status_code == 503
            assert "We could not erase your history" in failed.text
            assert not answered.allowed("statistics")
            step = step_in(failed.text)
        assert caplog.records == []
        site.recorder.limits.buckets.clear()
        with locked(app):
            assert send(answered, step=step).status_code == 503
    assert [each.getMessage()[:40] for each in caplog.records] == ["a visitor's history could not be erased:"]


def test_a_list_that_cannot_be_written_erases_nothing_and_says_so(answered: Visitor, app: Flask) -> None:
    listed = Path(app.instance_path) / "consent.erased"
    listed.mkdir()
    failed = erase(answered)
    assert (failed.status_code, openings(app)) == (503, 3)
    assert not answered.allowed("statistics")
    listed.rmdir()
    again = send(answered, step=step_in(failed.text))
    assert (again.status_code, openings(app)) == (200, 0)


@pytest.mark.parametrize(("language", "says"), [("de", "Verlauf"), ("ar", "سجلك")])
def test_it_is_said_in_the_visitors_language(make_app: MakeSite, language: str, says: str) -> None:
    policy = POLICY.replace('language = "en"', f'language = "{language}"')
    visitor = Visitor(make_app(policy).test_client())
    visitor.answer("all")
    explained = send(visitor)
    assert says in explained.text
    assert f'lang="{language}"' in explained.text
    assert says in send(visitor, step=step_in(explained.text)).text


@pytest.mark.requirement("UI-12")
def test_it_works_without_javascript_in_the_strictest_policy(answered: Visitor) -> None:
    html = send(answered).text
    assert "<script" not in html.partition('<div class="pc pc-sheet"')[2]
    assert "style=" not in html
