"""What was recorded is kept for as long as it may matter, and no longer; nobody has to think of it (LOG-04)."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from flask import Flask

from consent.errors import ConfigurationError
from consent.ledger import Event, Kind, derived_id
from consent.web.recorder import moment
from consent.web.retention import PAUSE, REST, STEP, Passed, Retention
from consent.web.site import Site

from .clinic import POLICY, Clock, MakeSite, Visitor, events, locked

#: A site that sells and shares nothing, so that it may keep less long than 24 months.
MODEST = POLICY.replace("sells_or_shares = true", "sells_or_shares = false")
MONTH = 30
#: The longest that an answer holds under any profile here, and the day by which it is counted.
LIVES = 365 + 1


@pytest.fixture
def retention(site: Site) -> Retention:
    """The site's retention, which has to be asked."""
    return site.retention


def through(retention: Retention) -> tuple[int, int]:
    """Go through the log once: how many grants ended, how many events were erased."""
    expired = erased = 0
    passed = Passed()
    while not passed.whole:
        passed = retention.step()
        expired, erased = expired + passed.expired, erased + passed.erased
    return expired, erased


@pytest.mark.requirement("LOG-04")
def test_the_end_of_a_grant_goes_on_record_once_when_it_has_lapsed(
    visitor: Visitor, site: Site, clock: Clock, retention: Retention
) -> None:
    visitor.answer("all")
    given = events(site)[0]
    clock.pass_days(181)
    assert through(retention) == (0, 0)
    clock.pass_days(2)
    assert through(retention) == (1, 0)
    assert through(retention) == (0, 0)
    (_, expired) = events(site)
    assert (expired.kind, expired.subject) == (Kind.EXPIRED, given.subject)
    assert (expired.granted, expired.before_granted) == ((), given.granted)
    assert expired.time == given.time + timedelta(days=182)


def test_the_end_of_a_grant_that_was_withdrawn_or_renewed_is_not_recorded(
    app: Flask, site: Site, clock: Clock, retention: Retention
) -> None:
    withdrawn, renewed = Visitor(app.test_client()), Visitor(app.test_client())
    for visitor in (withdrawn, renewed):
        visitor.answer("all")
    withdrawn.answer("none")
    clock.pass_days(100)
    renewed.answer("all", from_="centre")
    clock.pass_days(100)
    assert through(retention) == (0, 0)
    assert Kind.EXPIRED not in [event.kind for event in events(site)]


@pytest.mark.requirement("LOG-04")
def test_a_refusal_is_erased_when_its_cookie_is_gone_and_it_was_kept_for_36_months(
    visitor: Visitor, site: Site, clock: Clock, retention: Retention
) -> None:
    visitor.answer("none")
    clock.pass_days(LIVES + 1096 - 1)
    assert through(retention) == (0, 0)
    clock.pass_days(2)
    assert through(retention) == (0, 1)
    assert [event.kind for event in events(site)] == [Kind.ERASED]
    assert through(retention) == (0, 0)
    kinds = [each.outline().kind for each in site.recorder.ledger.records()]
    assert kinds == ["operated", "operated", "refused", "erased"]


def test_that_retention_erased_is_on_record_also_where_somebody_took_the_id_of_that(
    visitor: Visitor, site: Site, clock: Clock, retention: Retention
) -> None:
    visitor.answer("none")
    clock.pass_days(LIVES + 1096 + 1)
    ledger, now = site.recorder.ledger, moment(clock())
    taken = derived_id(Kind.ERASED, ledger.origin, "retention", f"{now:%Y-%m-%d}")
    ledger.record(Event(id=taken, kind=Kind.GIVEN, time=now, policy=None), salt=bytes(32))
    assert through(retention) == (0, 1)
    assert [event.kind for event in events(site)] == [Kind.GIVEN, Kind.ERASED]
    clock.pass_days(1)
    assert through(retention) == (0, 0)
    assert len(events(site)) == 2


@pytest.mark.requirement("LOG-04")
def test_what_was_dated_far_ahead_by_a_wrong_clock_keeps_nothing_behind_it(
    app: Flask, site: Site, clock: Clock, retention: Retention
) -> None:
    clock.pass_days(9000)
    Visitor(app.test_client()).answer("none")
    clock.pass_days(-9000)
    Visitor(app.test_client()).answer("none")
    clock.pass_days(LIVES + 1096 + 1)
    assert through(retention) == (0, 1)


def test_an_event_of_the_last_day_of_the_calendar_keeps_no_retention_from_running(
    visitor: Visitor, app: Flask, site: Site, clock: Clock, retention: Retention
) -> None:
    visitor.answer("none")
    Visitor(app.test_client()).answer("all")
    theirs, first = events(site)[0], events(site)[1]
    ledger, last = site.recorder.ledger, datetime(9999, 12, 31, 23, tzinfo=UTC)
    # Only who may write into the database can record these, such as a worker that somebody has taken over.
    ledger.record(replace(first, id=uuid4(), time=last), salt=bytes(32))
    ledger.record(replace(first, id=uuid4()), salt=bytes(32))
    clock.pass_days(LIVES + 1096 + 1)
    assert through(retention) == (1, 1)
    assert theirs.id not in [event.id for event in events(site)]


@pytest.mark.requirement("LOG-04")
def test_a_history_is_kept_whole_for_as_long_as_its_newest_event(
    visitor: Visitor, site: Site, clock: Clock, retention: Retention
) -> None:
    visitor.answer("all")
    clock.pass_days(100)
    visitor.answer("all", from_="centre")
    clock.pass_days(1096 + LIVES - 100 + 1)  # the first alone would be over
    assert through(retention) == (1, 0)
    clock.pass_days(99)
    assert through(retention) == (0, 3)
    assert [event.kind for event in events(site)] == [Kind.ERASED]


@pytest.mark.requirement("LOG-04")
def test_no_event_is_touched_whose_cookie_may_still_live(make_app: MakeSite, clock: Clock) -> None:
    app = make_app(MODEST, CONSENT_RETENTION=86_400, CONSENT_REFUSAL_LIFETIME=timedelta(days=400))
    site: Site = app.extensions["consent"]
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    visitor.answer("some", category__media="no", category__performance="yes", category__functionality="no")
    cookie = visitor.cookie() or ""
    clock.pass_days(399)
    assert site.codec.decode(cookie, now=int(clock())) is not None
    assert through(site.retention) == (1, 0)
    clock.pass_days(3)
    assert through(site.retention) == (0, 3)


def test_an_accounts_opt_out_is_kept_for_as_long_as_it_holds(make_app: MakeSite, clock: Clock) -> None:
    app = make_app(CONSENT_ACCOUNT=lambda: "somebody")
    site: Site = app.extensions["consent"]
    visitor = Visitor(app.test_client())
    visitor.answer("opt_out", from_="centre")
    assert events(site)[0].account is not None
    clock.pass_days(4000)
    assert through(site.retention) == (0, 0)
    assert site.recorder.forget_account("somebody")
    assert through(site.retention) == (0, 1)


def test_what_the_site_ran_under_stays(
    visitor: Visitor, site: Site, clock: Clock, retention: Retention
) -> None:
    visitor.answer("none")
    clock.pass_days(4000)
    through(retention)
    kinds = [each.kind for each in map(lambda r: r.event(), site.recorder.ledger.records()) if each]
    assert kinds == [Kind.OPERATED, Kind.OPERATED, Kind.ERASED]


@pytest.mark.requirement("LOG-04")
def test_it_runs_by_itself_in_bounded_steps(
    app: Flask, site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    site.recorder.steady = lambda: now[0]
    for _ in range(5):
        Visitor(app.test_client()).answer("none")
    clock.pass_days(4000)
    monkeypatch.setattr("consent.web.retention.STEP", 4)
    assert STEP == 500

    def answer() -> list[str]:
        """What became of the earlier events once somebody else had answered."""
        Visitor(app.test_client()).answer("none")
        return [each.outline().kind for each in site.recorder.ledger.records() if each.body is None]

    assert answer() == []
    now[0] += PAUSE
    assert answer() == ["refused"] * 3  # four records: what the site ran under, and three of these
    assert answer() == ["refused"] * 3  # one step a minute
    now[0] += PAUSE
    assert answer() == ["refused"] * 5
    assert site.retention.due == now[0] + REST  # it has come to what is young


def test_a_ledger_that_cannot_erase_now_costs_no_visitor_an_answer(
    app: Flask, site: Site, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    visitor.answer("none")
    site.retention.due = 0.0
    site.retention.kept = timedelta(days=-1000)
    site.retention.lifetimes = {"default": replace(site.lifetimes["default"], grant=1, refusal=1)}
    with caplog.at_level(logging.WARNING, "consent"), locked(app):
        site.retention.recorder.clock = lambda: 1_999_999_999.0
        site.retention.in_passing()
    assert "retention could not run" in caplog.text
    assert site.retention.due > site.recorder.steady() + 3000


@pytest.mark.requirement("REC-10")
@pytest.mark.requirement("REC-11")
def test_where_anything_is_sold_opt_outs_are_kept_for_24_months(make_app: MakeSite) -> None:
    with pytest.raises(ConfigurationError, match=r"CONSENT_RETENTION is 730 days.*Expected at least 731"):
        make_app(CONSENT_RETENTION=timedelta(days=730))
    make_app(MODEST, CONSENT_RETENTION=timedelta(days=30))


@pytest.mark.parametrize("value", [0, 86_399, 3654 * 86_400, "36 months", None, True])
def test_nothing_is_kept_for_ever(make_app: MakeSite, value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"CONSENT_RETENTION is .* from 1 day to 3653 days"):
        make_app(MODEST, CONSENT_RETENTION=value)
