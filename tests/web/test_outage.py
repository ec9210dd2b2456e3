"""When the ledger can't write: nothing is turned on, every refusal holds and is recorded later, once (rule 9)."""

import logging
import threading
import time
from typing import Any

import pytest
from flask import Flask

from consent.errors import LedgerUnavailable
from consent.ledger import Kind, Ledger
from consent.web.limits import TooMany
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events, locked, use_up_limits


@pytest.fixture
def answered(visitor: Visitor) -> Visitor:
    """Somebody who has accepted everything, on a ledger that exists."""
    visitor.answer("all")
    return visitor


def test_a_grant_that_cannot_be_recorded_turns_nothing_on(visitor: Visitor, app: Flask, site: Site) -> None:
    visitor.notice()
    with locked(app):
        response = visitor.answer("all")
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) >= 1
        assert "Set-Cookie" not in response.headers
        assert not visitor.allowed("statistics")
    assert events(site) == []
    assert visitor.answer("all").status_code == 303


@pytest.mark.parametrize(("code", "do"), [(503, "Try again in a few minutes."), (429, "Wait a minute")])
def test_what_to_do_about_it_is_said_in_place_as_on_the_page(
    visitor: Visitor, site: Site, monkeypatch: pytest.MonkeyPatch, code: int, do: str
) -> None:
    raised = {503: LedgerUnavailable, 429: TooMany}[code]
    visitor.notice()

    def failing(*_: object, **__: object) -> None:
        raise raised("the ledger takes nothing now", retry_after=60)

    monkeypatch.setattr(type(site.recorder), "record", failing)
    for accept in ("text/html", "application/json"):
        response = visitor.answer("all", {**SAME, "Accept": accept})
        assert response.status_code == code
        assert do in response.text


def test_a_withdrawal_holds_at_once_and_is_recorded_later_once_under_its_id(
    answered: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    subject = events(site)[0].subject
    with locked(app):
        assert answered.answer("none").status_code == 303
        assert not answered.allowed("statistics")
        pending = site.codec.decode(answered.cookie() or "", now=int(clock()))
        assert pending is not None
        assert pending.pending is not None
    clock.now += 3600
    site.recorder.steady = lambda: time.monotonic() + 3600
    for _ in range(3):
        answered.client.get("/")
    withdrawn = events(site)[1:]
    assert [event.kind for event in withdrawn] == [Kind.WITHDRAWN]
    assert withdrawn[0].id == pending.pending.id
    assert withdrawn[0].subject == subject
    assert withdrawn[0].time.timestamp() == clock.now - 3600
    after = site.codec.decode(answered.cookie() or "", now=int(clock()))
    assert after is not None
    assert after.pending is None
    assert after.at == pending.at


def test_of_a_mixed_answer_the_refusals_hold_and_nothing_new_is_granted(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.notice()
    with locked(app):
        response = visitor.answer("some", category__media="yes", category__performance="no")
        assert response.status_code == 503
        assert "Each No you gave counts." in response.text
    assert visitor.client.get("/allowed/statistics").text == "no: refused"
    assert visitor.client.get("/allowed/videos").text == "no: undecided"
    visitor.client.get("/")
    (event,) = events(site)
    assert (event.kind, event.granted, event.refused) == (
        Kind.REFUSED,
        (),
        ("experiment", "names", "statistics"),
    )


def moved_to(app: Flask, visitor: Visitor) -> Visitor:
    """The same browser, when the site runs as *app*."""
    found = Visitor(app.test_client())
    found.client.set_cookie("consent", visitor.cookie() or "")
    return found


@pytest.mark.parametrize("choice", [{"choice": "none"}, {"choice": "some", "category__media": "yes"}])
def test_a_late_event_names_no_policy_and_no_notice_that_never_came_on_record(
    make_app: MakeSite, choice: dict[str, Any]
) -> None:
    """As when a release is replaced that had never reached the ledger: they would look taken away."""
    first, second, third = (
        make_app(POLICY.replace("Counts", said)) for said in ("Counts", "Tells", "Sums up")
    )
    visitor = Visitor(first.test_client())
    visitor.answer("all")
    during = moved_to(second, visitor)
    with locked(first):
        assert during.answer(**choice).status_code == 303
    afterwards = moved_to(third, during)
    assert afterwards.client.get("/").status_code == 200
    site: Site = third.extensions["consent"]
    (event,) = events(site)[1:]
    assert (event.kind, event.policy, event.notice) == (Kind.WITHDRAWN, None, None)
    assert "statistics" in event.refused
    assert afterwards.client.get("/privacy-choices/mine").status_code == 200
    # Where the replaced one reaches it after all, its documents are there, and the event is the one that is.
    again = moved_to(second, during)
    assert again.answer("all").status_code == 303
    assert [each.kind for each in events(site)] == [Kind.GIVEN, Kind.WITHDRAWN, Kind.GIVEN]


def test_two_answers_during_an_outage_become_one_event_that_tells_the_whole_way(
    answered: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    subject = events(site)[0].subject
    with locked(app):
        answered.answer("some", category__media="yes")
        answered.answer("none")
    clock.now += 60
    answered.client.get("/")
    (event,) = events(site)[1:]
    assert (event.kind, event.subject) == (Kind.WITHDRAWN, subject)
    assert event.before_granted == ("experiment", "names", "statistics", "videos")
    assert event.granted == ()


def test_a_refusal_repeated_during_an_outage_is_recorded_once(
    visitor: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    visitor.notice()
    with locked(app):
        visitor.answer("none")
        first = visitor.cookie()
        visitor.answer("none")
        assert visitor.cookie() == first
    clock.now += 60
    visitor.client.get("/")
    assert len(events(site)) == 1


def test_a_repeated_yes_during_an_outage_renews_nothing(
    answered: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    held = answered.cookie()
    clock.pass_days(100)
    with locked(app):
        assert answered.answer("all").status_code == 503
    assert answered.cookie() == held
    assert answered.allowed("statistics")


@pytest.mark.full
def test_while_the_database_is_locked_for_half_a_minute_nobody_waits_long_and_no_refusal_is_lost(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.notice()
    refusing, longest = list[Visitor](), 0.0
    with locked(app):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            granting, other = Visitor(app.test_client()), Visitor(app.test_client())
            for each, choice, code in ((granting, "all", 503), (other, "none", 303)):
                began = time.monotonic()
                assert each.answer(choice).status_code == code
                longest = max(longest, time.monotonic() - began)
            assert granting.cookie() is None
            assert not other.allowed("statistics")
            refusing.append(other)
    # The patience of a visitor's answer, on a machine that does other things, too.
    assert longest < 6
    assert events(site) == []
    assert len(refusing) >= 3
    site.recorder.steady = lambda: time.monotonic() + 3600
    for each in refusing:
        each.client.get("/")
    assert [event.kind for event in events(site)] == [Kind.REFUSED] * len(refusing)
    assert visitor.answer("all").status_code == 303


def test_a_no_to_an_earlier_notice_holds_though_the_ledger_falls_silent_once_it_has_said_what_that_showed(
    answered: Visitor, make_app: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = answered.notice()
    newer = make_app(POLICY.replace("revision = 1", 'revision = 2\nchange = "More."').replace("30", "60"))
    storage = newer.extensions["consent"].recorder.ledger.storage
    found, asked = storage.document, list[str]()

    def fall_silent(hash: str) -> object:
        asked.append(hash)
        if len(asked) > 2:
            raise LedgerUnavailable("the ledger is busy", retry_after=2)
        return found(hash)

    visitor = Visitor(newer.test_client())
    visitor.client.set_cookie("consent", answered.cookie() or "")
    monkeypatch.setattr(storage, "document", fall_silent)
    form = {"notice": notice, "choice": "some", "category.performance": "no"}
    assert visitor.client.post("/privacy-choices", data=form, headers=SAME).status_code == 303
    assert len(asked) == 2
    assert not visitor.allowed("statistics")


@pytest.mark.requirement("UI-10")
@pytest.mark.parametrize(("performance", "code"), [("no", 303), ("some", 303), ("yes", 503)])
def test_a_form_without_any_yes_is_a_refusal_though_nobody_can_look_up_what_it_showed(
    answered: Visitor, make_app: MakeSite, monkeypatch: pytest.MonkeyPatch, performance: str, code: int
) -> None:
    notice = answered.notice()
    newer = make_app(POLICY.replace("revision = 1", 'revision = 2\nchange = "More."').replace("30", "60"))

    def silent(hash: str) -> object:
        raise LedgerUnavailable("the ledger is busy", retry_after=2)

    monkeypatch.setattr(newer.extensions["consent"].recorder.ledger.storage, "document", silent)
    visitor = Visitor(newer.test_client())
    visitor.client.set_cookie("consent", answered.cookie() or "")
    form = {"notice": notice, "choice": "some", "category.performance": performance, "category.media": "no"}
    assert visitor.client.post("/privacy-choices", data=form, headers=SAME).status_code == code
    refused = visitor.client.get("/allowed/statistics").text == "no: refused"
    assert refused is (code == 303)


def test_pages_are_served_while_the_ledger_is_stuck(answered: Visitor, app: Flask) -> None:
    with locked(app):
        for path in ("/", "/privacy-choices", "/privacy-choices/mine", "/privacy-choices/declaration"):
            assert answered.client.get(path).status_code == 200


def test_a_revision_with_other_terms_takes_no_grants_and_keeps_refusals(
    answered: Visitor, make_app: MakeSite
) -> None:
    altered = make_app(POLICY.replace('variant = "30 days"', 'variant = "60 days"'))
    visitor = Visitor(altered.test_client())
    response = visitor.answer("all")
    assert response.status_code == 503
    assert visitor.answer("none").status_code == 303
    (problem, *_) = altered.extensions["consent"].recorder.problems()
    assert "revision 1" in problem
    assert "Write revision = 2" in problem


def test_over_the_limits_a_grant_waits_and_a_refusal_still_holds(app: Flask, site: Site) -> None:
    now = site.recorder.steady()
    site.recorder.steady = lambda: now  # however long a machine takes, nothing is regained meanwhile
    codes = [Visitor(app.test_client()).answer("all").status_code for _ in range(121)]
    assert codes == [*[303] * 120, 429]
    late = Visitor(app.test_client())
    response = late.answer("none")
    assert response.status_code == 303
    assert late.client.get("/allowed/statistics").text == "no: refused"


def test_who_is_over_the_limits_writes_no_errors_into_the_sites_own_log(
    visitor: Visitor, app: Flask, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    visitor.notice()
    use_up_limits(site)
    with caplog.at_level(logging.ERROR, "consent"):
        assert visitor.answer("all").status_code == 429
        assert caplog.records == []
        site.recorder.limits.buckets.clear()
        with locked(app):
            assert visitor.answer("all").status_code == 503
    assert [each.getMessage()[:30] for each in caplog.records] == ["a grant could not be recorded:"]


def test_a_hospital_behind_one_address_may_answer_all_at_once(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    notice = visitor.notice()
    now = site.recorder.steady()
    site.recorder.steady = lambda: now  # nobody loses patience because this machine does other things, too
    codes: list[int] = []

    def accept() -> None:
        data = {"notice": notice, "choice": "all"}
        codes.append(app.test_client().post("/privacy-choices", data=data, headers=SAME).status_code)

    crowd = [threading.Thread(target=accept) for _ in range(119)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert codes == [303] * 119
    assert len(events(site)) == 119


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("declaration/7", "Cookies and services"),
        (f"shown/{'0' * 64}", "What was shown"),
        (f"notices/{'0' * 64}", "What was shown"),
    ],
)
def test_what_stood_there_before_is_said_to_be_unreadable_on_a_page_of_ours(
    app: Flask, site: Site, path: str, title: str
) -> None:
    def locked_out() -> Ledger:
        raise LedgerUnavailable("locked", retry_after=7)

    site.recorder.open = locked_out
    page = app.test_client().get(f"/privacy-choices/{path}?a=b")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "7")
    assert page.headers["Cache-Control"] == "no-store"
    assert f"<h1>{title}</h1>" in page.text
    assert "cannot be read at the moment. Try again in a few minutes." in page.text
    assert f'href="/privacy-choices/{path}?a=b">Try again</a>' in page.text
    assert "<footer" in page.text
