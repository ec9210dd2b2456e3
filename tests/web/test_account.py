"""The opt-out of an account: it holds wherever its owner signs in, only narrows, and ends with sign-out or account."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Flask, session
from sqlalchemy import Engine, event

from consent.errors import LedgerUnavailable
from consent.ledger import Kind
from consent.web.account import FRESH
from consent.web.extension import Consent
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events, locked

GPC = {"Sec-GPC": "1"}
HONORED = "Opt-Out Request Honored"
UNSOLD = POLICY.replace("sells_or_shares = true", "sells_or_shares = false")
ADVERTS = """
[services.adverts]
category = "media"
provider = "video_co"
purposes = ["advertising"]
title = "Adverts"
text = "Shows adverts."
data = ["pages"]
retention = "1 year"
sells_or_shares = true

"""

Clinic = Callable[..., Flask]


@pytest.fixture
def clinic(make_app: MakeSite) -> Clinic:
    """Makes sites with accounts: ``/in/<name>`` signs in, ``/out`` out."""

    def make(policy: str = POLICY, **config: object) -> Flask:
        app = make_app(policy, **{"CONSENT_ACCOUNT": lambda: session.get("account"), **config})

        @app.get("/in/<name>")
        def sign_in(name: str) -> str:
            session["account"] = name
            return "in"

        @app.get("/out")
        def sign_out() -> str:
            session.clear()
            return "out"

        return app

    return make


@pytest.fixture
def app(clinic: Clinic) -> Flask:
    """The site with accounts."""
    return clinic()


def device(app: Flask, name: str | None = "ada", answer: str | None = "all") -> Visitor:
    """A browser of its own that has given *answer*, then signed in as *name*."""
    visitor = Visitor(app.test_client())
    if answer:
        visitor.answer(answer)
    if name:
        visitor.client.get(f"/in/{name}")
    return visitor


def reason(visitor: Visitor, key: str = "videos") -> str:
    """Whether *key* may run, and why not."""
    return visitor.client.get(f"/allowed/{key}").text


def opt_in(visitor: Visitor) -> None:
    """Opt in to the videos, in two steps."""
    visitor.opt_in("videos")


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def at_look_up(when: str, act: Callable[[], object]) -> Iterator[None]:
    """*act* as soon as the database is next asked whether an account is opted out, *when* ("before", "after")."""
    todo = [act]

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if todo and statement.startswith("SELECT") and "account" in statement:
            todo.pop()()

    event.listen(Engine, f"{when}_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, f"{when}_cursor_execute", note)
    assert not todo, "nobody asked"


# -- what it does


@pytest.mark.requirement("GPC-09")
def test_an_opt_out_holds_on_another_device_as_soon_as_its_owner_signs_in_there(app: Flask) -> None:
    first, second = device(app), device(app, name=None)
    first.answer("opt_out")
    assert second.allowed("videos")
    second.client.get("/in/ada")
    assert reason(second) == "no: opted_out"
    assert second.allowed("statistics"), "what isn't sold or shared stays on"
    assert "<iframe" not in second.client.get("/").text


@pytest.mark.requirement("GPC-09")
def test_the_signal_of_a_signed_in_visitor_opts_out_the_account(app: Flask, site: Site) -> None:
    first, second = device(app, answer="none"), device(app)
    for _ in range(2):
        first.client.get("/", headers=GPC)
    assert reason(second) == "no: opted_out"
    *_, ended = events(site)
    assert (ended.kind, ended.source, ended.opted_out) == (Kind.SIGNAL_OPT_OUT, "signal", True)
    assert (ended.subject, ended.granted, ended.refused) == (None, (), ())
    assert [each.kind for each in events(site)].count(Kind.SIGNAL_OPT_OUT) == 1


def test_a_signal_that_ends_a_grant_opts_out_the_account_with_the_same_event(app: Flask, site: Site) -> None:
    first, second = device(app), device(app)
    first.client.get("/", headers=GPC)
    assert reason(second) == "no: opted_out"
    (ended,) = [each for each in events(site) if each.kind is Kind.SIGNAL_OPT_OUT]
    assert ended.refused == ("videos",)
    first.client.get("/", headers=GPC)
    assert len([each for each in events(site) if each.kind is Kind.SIGNAL_OPT_OUT]) == 1


def test_an_answer_under_the_signal_opts_out_the_account(app: Flask) -> None:
    first, second = device(app, answer=None), device(app)
    first.answer("all", headers={**SAME, **GPC})
    assert reason(second) == "no: opted_out"


def test_a_signal_that_only_scripts_see_opts_out_the_account(app: Flask, site: Site) -> None:
    first, second = device(app, answer="none"), device(app)
    assert 'data-pc-stops="" data-pc-tell' in first.client.get("/").text
    first.client.post("/privacy-choices", data={"choice": "opt_out", "from": "signal"}, headers=SAME)
    assert reason(second) == "no: opted_out"
    assert events(site)[-1].source == "navigator"
    assert "data-pc-tell" not in first.client.get("/").text


@pytest.mark.requirement("GPC-08")
def test_the_pages_confirm_it_on_the_other_device(app: Flask) -> None:
    first, second = device(app), device(app)
    first.answer("opt_out")
    for path in ("/privacy-choices", "/privacy-choices/mine"):
        html = second.client.get(path).text
        assert HONORED in html
        assert "Off for this reason: Videos." in html
    assert HONORED not in device(app, name="bo").client.get("/privacy-choices").text


def test_it_only_narrows(app: Flask, site: Site) -> None:
    first = device(app)
    first.answer("opt_out")
    fresh = device(app, answer=None)
    assert reason(fresh) == "no: undecided"
    assert reason(fresh, "statistics") == "no: undecided"
    assert "pc-banner" in fresh.client.get("/").text
    fresh.answer("all")
    assert reason(fresh) == "no: opted_out"
    assert fresh.allowed("statistics")


# -- how it ends


@pytest.mark.requirement("GPC-09")
def test_it_ends_on_a_device_with_the_sign_out(app: Flask) -> None:
    first, second = device(app), device(app)
    first.answer("opt_out")
    assert not second.allowed("videos")
    second.client.get("/out")
    assert second.allowed("videos")
    first.client.get("/out")
    assert not first.allowed("videos"), "the opt-out of the browser itself stays"


@pytest.mark.requirement("GPC-09")
def test_it_ends_with_the_account(app: Flask) -> None:
    first, second = device(app), device(app)
    first.answer("opt_out")
    with app.app_context():
        consent = Consent()
        assert consent.forget_account("ada")
        assert not consent.forget_account("ada")
    assert second.allowed("videos")
    assert not first.allowed("videos")


def test_it_ends_with_an_opt_in_in_two_steps_and_can_begin_anew(app: Flask) -> None:
    first, second, third = device(app), device(app), device(app)
    first.answer("opt_out")
    second.answer("opt_in", service__videos="yes", from_="centre")
    assert not third.allowed("videos"), "one step changes nothing"
    opt_in(second)
    assert second.allowed("videos")
    assert third.allowed("videos")
    assert not first.allowed("videos"), "another browser's own opt-out stays"
    first.answer("opt_out")
    assert reason(third) == "no: opted_out"
    assert reason(second) == "no: opted_out", "what was confirmed before is opted out of since"
    opt_in(second)
    assert second.allowed("videos")
    assert third.allowed("videos")


@pytest.mark.requirement("GPC-09")
def test_what_somebody_else_confirmed_in_a_shared_browser_overrides_no_accounts_opt_out(app: Flask) -> None:
    device(app).answer("opt_out")
    shared = device(app, name="bo")
    shared.answer("opt_out")
    opt_in(shared)
    assert shared.allowed("videos")
    shared.client.get("/out")
    shared.client.get("/in/ada")
    assert reason(shared) == "no: opted_out"
    assert "Off for this reason: Videos." in shared.client.get("/privacy-choices").text
    shared.client.get("/out")
    assert shared.allowed("videos"), "without an account the browser's own answer counts"


def test_what_was_confirmed_stays_off_while_nobody_can_say_who_is_signed_in(clinic: Clinic) -> None:
    told: dict[str, object] = {"name": None}

    def named() -> object:
        if isinstance(told["name"], Exception):
            raise told["name"]
        return told["name"]

    visitor = Visitor(clinic(CONSENT_ACCOUNT=named).test_client())
    visitor.answer("all")
    visitor.answer("opt_out")
    opt_in(visitor)
    assert visitor.allowed("videos")
    told["name"] = RuntimeError("no connection")
    assert reason(visitor) == "no: opted_out"
    assert 'value="opt_in"' not in visitor.client.get("/privacy-choices").text, "it would lead nowhere"


def test_an_accounts_opt_out_ends_as_a_whole_or_not_at_all(clinic: Clinic) -> None:
    app = clinic(POLICY + ADVERTS)
    device(app, answer=None).answer("opt_out")
    visitor = device(app)
    partly = {"category__media": "some", "service__videos": "yes"}
    visitor.answer("some", SAME, **partly, category__performance="no", category__functionality="no")
    assert 'value="opt_in"' not in visitor.client.get("/privacy-choices").text
    opt_in(visitor)
    assert reason(visitor) == "no: opted_out"
    visitor.answer("all")
    visitor.opt_in("videos", "adverts")
    assert visitor.allowed("videos")
    assert visitor.allowed("adverts")


def test_who_confirmed_in_spite_of_the_signal_is_not_opted_out_by_it_again(app: Flask) -> None:
    first, second = device(app), device(app)
    first.client.get("/", headers=GPC)
    first.opt_in("videos", headers={**SAME, **GPC})
    first.client.get("/", headers=GPC)
    assert second.allowed("videos")


def test_an_opt_in_of_somebody_else_ends_nothing(app: Flask) -> None:
    first, other, second = device(app), device(app, name="bo"), device(app)
    first.answer("opt_out")
    other.answer("opt_out")
    opt_in(other)
    assert not second.allowed("videos")


@pytest.mark.parametrize("source", ["signal", "centre"])
def test_another_site_opts_out_nobodys_account(app: Flask, source: str) -> None:
    first, second = device(app), device(app)
    cross = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    first.client.post("/privacy-choices", data={"choice": "opt_out", "from": source}, headers=cross)
    assert not first.allowed("videos"), "a No is taken from anywhere"
    assert second.allowed("videos")


@pytest.mark.requirement("GPC-09")
def test_the_first_step_of_one_account_is_none_for_another(app: Flask, site: Site) -> None:
    shared, elsewhere = device(app, name="bo"), device(app)
    shared.answer("opt_out")
    elsewhere.answer("opt_out")
    page = shared.answer("opt_in", service__videos="yes", from_="centre").text
    step = re.search(r'name="step" value="([^"]+)"', page)
    assert step
    second = {"service__videos": "yes", "from_": "centre", "confirm": "yes", "step": step[1]}
    before = len(events(site))
    for path in ("/out", "/in/ada"):
        shared.client.get(path)
        assert shared.answer("opt_in", SAME, **second).status_code == 200, "asked again"
        assert len(events(site)) == before
    shared.client.get("/in/bo")
    assert shared.answer("opt_in", SAME, **second).status_code == 303
    assert shared.allowed("videos")
    assert reason(device(app)) == "no: opted_out"


# -- what is kept of it


@pytest.mark.requirement("LOG-01")
def test_neither_the_account_nor_anything_that_could_be_tried_is_stored(app: Flask, site: Site) -> None:
    device(app, name="ada.lovelace").answer("opt_out")
    *_, out = events(site)
    assert out.account is not None
    assert len(out.account) == 22
    assert not any(each.account for each in events(site)[:-1]), "no other event is linked to an account"
    for file in Path(app.instance_path).iterdir():
        assert b"ada.lovelace" not in file.read_bytes(), file.name
    assert b"ada.lovelace" not in (device(app).cookie() or "").encode()


def test_the_link_outlives_every_rotation_of_the_secret_key(clinic: Clinic) -> None:
    device(clinic()).answer("opt_out")
    rotated = clinic(SECRET_KEY="quite another key")
    assert reason(device(rotated)) == "no: opted_out"


def test_without_accounts_or_anything_sold_no_event_is_linked(clinic: Clinic) -> None:
    for app in (clinic(UNSOLD), clinic(CONSENT_ACCOUNT=None)):
        device(app).answer("opt_out", from_="centre")
        assert not any(each.account for each in events(app.extensions["consent"]))


def test_of_a_child_nothing_is_kept(clinic: Clinic) -> None:
    told = {"minor": True}
    app = clinic(CONSENT_MINOR=lambda: told["minor"])
    child = device(app, answer=None)
    child.answer("opt_out")
    child.client.get("/", headers=GPC)
    told["minor"] = False
    assert events(app.extensions["consent"]) == []
    assert device(app).allowed("videos")


# -- what it costs, and what holds when the ledger is silent


def test_who_is_not_signed_in_costs_no_look_up_and_who_is_one_in_a_while(app: Flask, site: Site) -> None:
    stranger, member = device(app, name=None), device(app)
    steady = time.monotonic()
    site.recorder.steady = lambda: steady
    member.client.get("/allowed/videos")  # once per process, the ledger's key is looked at
    site.recorder.opt_outs.clear()
    with statements() as asked:
        stranger.client.get("/allowed/videos")
        assert asked == []
        for _ in range(3):
            member.client.get("/allowed/videos")
        selects = [each for each in asked if each.startswith("SELECT")]
        assert len(selects) == 1
        assert "account" in selects[0]
        steady += FRESH
        member.client.get("/allowed/videos")
        assert len([each for each in asked if each.startswith("SELECT")]) == 2


def test_another_process_follows_within_seconds(clinic: Clinic) -> None:
    one, two = clinic(), clinic()
    here, there = device(one), device(two)
    steady = time.monotonic()
    two.extensions["consent"].recorder.steady = lambda: steady
    assert there.allowed("videos")
    here.answer("opt_out")
    assert there.allowed("videos")
    steady += FRESH
    assert not there.allowed("videos")


def test_while_nobody_can_say_whether_an_account_is_opted_out_it_counts_as_such(clinic: Clinic) -> None:
    device(clinic())
    app = clinic()
    member, stranger = device(app, answer=None), Visitor(app.test_client())
    file = Path(app.instance_path) / "consent.sqlite3"
    for visitor in (member, stranger):
        visitor.answer("all")
    app.extensions["consent"].recorder.opt_outs.clear()
    kept = file.read_bytes()
    app.extensions["consent"].recorder.ledger.storage.close()
    for each in file.parent.glob("consent.sqlite3*"):
        each.unlink()
    file.write_bytes(b"not a database" * 100)
    assert reason(member) == "no: opted_out"
    assert stranger.allowed("videos"), "who isn't signed in needs no look-up"
    file.write_bytes(kept)
    app.extensions["consent"].recorder.steady = lambda: time.monotonic() + 60
    assert member.allowed("videos")


@pytest.mark.parametrize("uid", ["'x'", "''", "0", "x'ff00fe'", "CAST(x'ff' AS TEXT)"])
def test_an_account_whose_row_somebody_altered_counts_as_opted_out_and_is_served(
    clinic: Clinic, uid: str
) -> None:
    device(clinic()).answer("opt_out")
    app = clinic()
    app.extensions["consent"].recorder.ledger.storage.close()
    with closing(
        sqlite3.connect(Path(app.instance_path) / "consent.sqlite3", isolation_level=None)
    ) as database:
        assert database.execute(f"UPDATE account SET uid = {uid}").rowcount == 1
    there = device(app)
    assert reason(there) == "no: opted_out"
    assert there.answer("none").status_code == 303
    assert there.client.get("/", headers=GPC).status_code == 200


def test_without_the_ledgers_key_accounts_count_as_opted_out(clinic: Clinic) -> None:
    device(clinic()).answer("opt_out")
    app = clinic()
    member = device(app, name="bo")
    key = Path(app.instance_path) / "consent.key"
    key.rename(key.with_suffix(".away"))
    assert reason(member) == "no: opted_out"
    with app.app_context(), pytest.raises(LedgerUnavailable, match="signing key"):
        Consent().forget_account("bo")
    key.with_suffix(".away").rename(key)
    app.extensions["consent"].recorder.steady = lambda: time.monotonic() + 60
    assert member.allowed("videos")


def test_where_the_sites_own_function_fails_the_visitor_counts_as_opted_out(clinic: Clinic) -> None:
    def fails() -> str:
        raise RuntimeError("no connection")

    visitor = Visitor(clinic(CONSENT_ACCOUNT=fails).test_client())
    visitor.answer("all")
    assert reason(visitor) == "no: opted_out"
    assert visitor.answer("none").status_code == 303


class Nameless:
    """What a site may return that can't be written down."""

    def __str__(self) -> str:
        raise RuntimeError("no connection")


@pytest.mark.parametrize("named", ["\ud800", Nameless()], ids=["half a character", "no text"])
def test_a_name_that_is_no_text_counts_as_opted_out_and_costs_no_page_and_no_refusal(
    clinic: Clinic, named: object, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = Visitor(clinic(CONSENT_ACCOUNT=lambda: named).test_client())
    visitor.answer("all")
    assert reason(visitor) == "no: opted_out"
    assert visitor.answer("none").status_code == 303
    assert "named no account" in caplog.text


def test_a_look_up_that_the_disk_fails_counts_as_opted_out(
    app: Flask, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = device(app)
    visitor.client.get("/plain")

    def fails() -> None:
        raise OSError("input/output error")

    site.recorder.opt_outs.clear()
    with at_look_up("before", fails):
        assert reason(visitor) == "no: opted_out"
    assert visitor.answer("none").status_code == 303
    assert "input/output error" in caplog.text


def test_a_look_up_that_an_opt_out_overtakes_is_not_remembered(app: Flask, site: Site) -> None:
    first, second = device(app), device(app)
    notice = {"notice": first.notice(), "choice": "opt_out"}
    site.recorder.opt_outs.clear()
    accounts = site.accounts
    assert accounts is not None

    def opt_out() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(first.client.post, "/privacy-choices", data=notice, headers=SAME).result()

    with at_look_up("after", opt_out):
        found = accounts.opted_out(site.recorder.link("ada"), site.recorder.steady())
    assert not found, "it was so when the look-up began"
    assert reason(second) == "no: opted_out"


@pytest.mark.parametrize("nobody", [None, ""])
def test_an_empty_name_is_nobodys(clinic: Clinic, nobody: str | None) -> None:
    visitor = Visitor(clinic(CONSENT_ACCOUNT=lambda: nobody).test_client())
    visitor.answer("all")
    assert visitor.allowed("videos")


def test_an_opt_out_that_cannot_be_recorded_holds_at_once_and_reaches_the_account_later(
    app: Flask, site: Site, clock: Clock
) -> None:
    first, second = device(app), device(app)
    with locked(app):
        first.answer("opt_out")
        assert not first.allowed("videos")
    first.client.get("/out")
    site.recorder.steady = lambda: time.monotonic() + 3600
    first.client.get("/")
    assert [each.kind for each in events(site)] == [Kind.GIVEN, Kind.GIVEN, Kind.OPTED_OUT]
    assert reason(second) == "no: opted_out"


def test_an_opt_out_said_again_after_signing_in_reaches_the_account_though_the_first_still_waits(
    app: Flask, site: Site
) -> None:
    first, second = device(app, name=None), device(app)
    with locked(app):
        first.answer("opt_out")
        first.client.get("/in/ada")
        assert first.answer("opt_out").status_code == 303
    site.recorder.steady = lambda: time.monotonic() + 3600
    first.client.get("/")
    assert [each.kind for each in events(site)] == [Kind.GIVEN, Kind.GIVEN, Kind.OPTED_OUT]
    assert reason(second) == "no: opted_out"


def test_who_opts_out_while_another_accounts_opt_out_still_waits_is_told_to_say_it_again(
    app: Flask, site: Site
) -> None:
    shared, ada, bob = device(app), device(app), device(app, "bob")
    with locked(app):
        assert shared.answer("opt_out").status_code == 303
        shared.client.get("/in/bob")
        assert shared.answer("opt_out").status_code == 503
        assert not shared.allowed("videos"), "it holds in this browser all the same"
    site.recorder.steady = lambda: time.monotonic() + 3600
    shared.client.get("/")
    assert (reason(ada), reason(bob)) == ("no: opted_out", "yes")
    assert shared.answer("opt_out").status_code == 303
    assert reason(bob) == "no: opted_out"


def test_a_signal_that_cannot_be_recorded_reaches_the_account_with_a_later_page(
    app: Flask, site: Site
) -> None:
    first, second = device(app, answer="none"), device(app)
    with locked(app):
        first.client.get("/", headers=GPC)
    assert second.allowed("videos")
    site.recorder.steady = lambda: time.monotonic() + 3600
    first.client.get("/", headers=GPC)
    assert not second.allowed("videos")
