"""Opting out of sale and sharing here, and in again in two steps, without JavaScript and with it."""

import re
import time
from collections.abc import Mapping

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from consent.decision import Decision
from consent.ledger import Kind
from consent.web.confirmation import VALID
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events, held, locked

GPC = {"Sec-GPC": "1"}
JSON = {**SAME, "Accept": "application/json"}
CROSS = {"Sec-Fetch-Site": "cross-site"}
FRAMED = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}
UNSOLD = POLICY.replace("sells_or_shares = true", "sells_or_shares = false")
TWO = (
    POLICY
    + """
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
)


def decided(site: Site, visitor: Visitor) -> Decision | None:
    """The answer that the visitor's browser holds."""
    return site.codec.decode(visitor.cookie() or "", now=int(site.clock()))


def opt_in(visitor: Visitor, headers: dict[str, str] = SAME, **fields: str) -> TestResponse:
    """Send an opt-in to the videos; one that confirms follows a first step."""
    if "confirm" in fields:
        return visitor.opt_in("videos", headers=headers, **fields)
    return visitor.answer("opt_in", headers, **{"service__videos": "yes", "from_": "centre", **fields})


def fields_of(html: str, choice: str) -> dict[str, str]:
    """What the form in *html* sends whose choice is *choice*."""
    for form in re.findall(r"<form.*?</form>", html, re.DOTALL):
        if f'name="choice" value="{choice}"' in form:
            return dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    raise AssertionError(f"no form sends choice={choice}")


# -- out


@pytest.mark.requirement("TTL-06")
@pytest.mark.parametrize("by_signal", [False, True])
def test_the_cookie_with_an_opt_out_outlives_the_grants_that_it_leaves_by_a_year(
    visitor: Visitor, site: Site, clock: Clock, by_signal: bool
) -> None:
    visitor.answer("all")
    clock.pass_days(175)
    response = (
        visitor.client.get("/", headers=GPC) if by_signal else visitor.answer("opt_out", from_="centre")
    )
    [age] = re.findall(r"Max-Age=(\d+)", "; ".join(response.headers.getlist("Set-Cookie")))
    assert int(age) == 365 * 86_400
    clock.pass_days(364)  # the browser has kept the cookie so long
    after = decided(site, visitor)
    assert after
    assert after.opted_out
    assert (
        "videos"
        not in site.verdicts.asking(after, lifetimes=site.lifetimes["default"], now=int(clock.now)).services
    )


@pytest.mark.parametrize(
    ("policy", "settings", "days"),
    [
        (UNSOLD, {"CONSENT_PROFILE": "us_ca"}, 365),
        (UNSOLD, {"CONSENT_PROFILE": "eu"}, 200),
        (UNSOLD, {"CONSENT_PROFILE": lambda: "eu"}, 365),
        (POLICY, {"CONSENT_PROFILE": "eu"}, 365),
    ],
)
def test_the_declaration_says_the_longest_that_an_answer_is_kept(
    make_app: MakeSite, policy: str, settings: Mapping[str, object], days: int
) -> None:
    short = {"CONSENT_GRANT_LIFETIME": 200 * 86_400, "CONSENT_REFUSAL_LIFETIME": 200 * 86_400}
    page = make_app(policy, **short, **settings).test_client().get("/privacy-choices/declaration").text
    name = page.index("consent</code>") if "consent</code>" in page else page.index(">consent<")
    assert re.findall(r"(\d+) days", page[name:])[0] == str(days)


@pytest.mark.requirement("CA-02")
@pytest.mark.requirement("CA-03")
@pytest.mark.requirement("CA-04")
def test_one_button_behind_the_link_opts_out_and_asks_for_nothing(visitor: Visitor, site: Site) -> None:
    visitor.answer("all")
    fields = fields_of(visitor.client.get("/privacy-choices").text, "opt_out")
    assert fields == {"choice": "opt_out"}
    assert visitor.client.post("/privacy-choices", data=fields, headers=SAME).status_code == 303
    assert not visitor.allowed("videos")
    assert visitor.allowed("statistics")
    given, out = events(site)
    assert (out.kind, out.opted_out, out.subject) == (Kind.OPTED_OUT, True, given.subject)
    assert (out.before_granted, out.refused) == (given.granted, ("videos",))


@pytest.mark.requirement("CA-05")
def test_it_works_at_once_and_on_its_own_response(make_app: MakeSite) -> None:
    sold = POLICY.replace("[services.videos]", '[services.videos]\ncookies = { seen = "1 year" }')
    visitor = Visitor(make_app(sold).test_client())
    visitor.answer("all")
    visitor.client.set_cookie("seen", "7")
    response = visitor.answer("opt_out")
    assert any(each.startswith("seen=;") for each in response.headers.getlist("Set-Cookie"))


def test_an_opt_out_that_leaves_no_grant_leaves_no_identifier(visitor: Visitor, app: Flask) -> None:
    visitor.answer("some", category__media="yes", category__performance="no", category__functionality="no")
    other = Visitor(app.test_client())
    other.answer("none")
    for each in (visitor, other):
        each.answer("opt_out", from_="centre")
    assert visitor.cookie() == other.cookie()


def test_who_has_not_answered_can_opt_out_and_is_not_asked_to_opt_in(visitor: Visitor, site: Site) -> None:
    visitor.answer("opt_out")
    after = decided(site, visitor)
    assert after is not None
    assert (set(after.refused), after.opted_out) == ({site.policy.terms["videos"]}, True)
    assert "pc-banner" not in visitor.client.get("/").text


@pytest.mark.parametrize("headers", [SAME, CROSS, FRAMED, {}, {"Origin": "https://evil.example"}])
@pytest.mark.parametrize("notice", [None, "0" * 64, "nonsense"])
def test_an_opt_out_is_taken_from_anywhere_with_any_notice(
    visitor: Visitor, site: Site, headers: dict[str, str], notice: str | None
) -> None:
    visitor.answer("all")
    data = {"choice": "opt_out", "service.videos": "yes", "category.x": "y"}
    data |= {"notice": notice} if notice else {}
    assert visitor.client.post("/privacy-choices", data=data, headers=headers).status_code == 303
    assert not visitor.allowed("videos")
    assert events(site)[-1].notice is None


def test_an_opt_out_during_an_outage_holds_and_is_recorded_later(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.answer("all")
    with locked(app):
        assert visitor.client.post("/privacy-choices", data={"choice": "opt_out"}).status_code == 303
        assert not visitor.allowed("videos")
    site.recorder.steady = lambda: time.monotonic() + 3600
    visitor.client.get("/")
    assert [event.kind for event in events(site)] == [Kind.GIVEN, Kind.OPTED_OUT]


def test_an_opt_out_after_a_refusal_of_everything_is_kept_through_an_outage(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.answer("all")
    with locked(app):
        visitor.answer("none")
        site.recorder.steady = lambda: time.monotonic() + 60
        visitor.answer("opt_out")
    after = decided(site, visitor)
    assert after is not None
    assert after.opted_out


def test_json_says_what_holds(visitor: Visitor) -> None:
    visitor.answer("all")
    told = visitor.answer("opt_out", JSON).json
    assert told is not None
    assert told["ok"]
    assert told["reload"]
    assert "videos" in told["refused"]
    assert "statistics" in told["granted"]


@pytest.mark.requirement("GPC-05")
def test_a_later_yes_to_everything_does_not_undo_it_and_says_why(visitor: Visitor) -> None:
    visitor.answer("opt_out")
    told = visitor.answer("all", JSON).json
    assert told is not None
    assert "videos" in told["refused"]
    assert told["message"].endswith(
        "Videos stays off, because you or your browser asked us not to sell or share your data."
    )
    assert visitor.client.get("/allowed/videos").text == "no: opted_out"


@pytest.mark.parametrize(
    ("profile", "policy", "offered"),
    [("us_ca", POLICY, True), ("default", POLICY, True), ("eu", POLICY, False), ("us_ca", UNSOLD, False)],
)
def test_the_button_is_there_where_the_profile_and_the_policy_want_it(
    make_app: MakeSite, profile: str, policy: str, offered: bool
) -> None:
    client = make_app(policy, CONSENT_PROFILE=profile).test_client()
    for path in ("/privacy-choices", "/privacy-choices/mine"):
        assert ("Do not sell or share my data" in client.get(path).text) is offered


# -- the conflict, in words


@pytest.mark.requirement("GPC-06")
def test_a_yes_under_the_signal_is_answered_in_plain_words_with_the_way_to_the_two_steps(
    visitor: Visitor,
) -> None:
    told = visitor.answer("all", {**JSON, **GPC}).json
    assert told is not None
    said = "Videos stays off, because your browser asks us not to sell or share your data."
    assert told["message"].endswith(said)
    html = visitor.client.get("/", headers=GPC).text
    assert said in html
    assert 'href="/privacy-choices#pc-sale"' in html
    for path in ("/privacy-choices", "/privacy-choices/mine"):
        html = visitor.client.get(path, headers=GPC).text
        assert said in html
        assert 'id="pc-sale"' in html
        assert fields_of(html, "opt_in")["service.videos"] == "yes"
    assert "Your browser or you asked us not to sell or share data." in html


@pytest.mark.requirement("GPC-06")
def test_the_history_says_off_of_what_the_signal_kept_off_and_on_once_it_was_confirmed(
    visitor: Visitor,
) -> None:
    visitor.answer("all", {**SAME, **GPC})
    mine = visitor.client.get("/privacy-choices/mine", headers=GPC).text
    assert re.search(r"On: [^.]*Statistics, New features\. Off: Videos\.", mine)
    step = fields_of(visitor.client.get("/privacy-choices", headers=GPC).text, "opt_in")
    page = visitor.client.post("/privacy-choices", data=step, headers={**SAME, **GPC})
    second = {**fields_of(page.text, "opt_in"), "confirm": "yes"}
    visitor.client.post("/privacy-choices", data=second, headers={**SAME, **GPC})
    newest, first = re.findall(r"On: [^<]*", visitor.client.get("/privacy-choices/mine", headers=GPC).text)
    assert newest.strip().endswith("New features, Videos.")
    assert "Off: Videos." in first


def test_without_a_conflict_nothing_is_said_of_one(visitor: Visitor) -> None:
    visitor.answer("none", {**SAME, **GPC})
    for path in ("/", "/privacy-choices", "/privacy-choices/mine"):
        html = visitor.client.get(path, headers=GPC).text
        assert "stays off, because" not in html
        assert "pc-sale" not in html


# -- in again, in two steps


@pytest.mark.requirement("TTL-08")
@pytest.mark.requirement("GPC-06")
def test_two_steps_lead_in_again_without_javascript(visitor: Visitor, site: Site) -> None:
    visitor.answer("all", {**SAME, **GPC})
    step = fields_of(visitor.client.get("/privacy-choices", headers=GPC).text, "opt_in")
    page = visitor.client.post("/privacy-choices", data=step, headers={**SAME, **GPC})
    assert page.status_code == 200
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    for words in ("Your browser asks us not to sell", "Video Co", "internet address (IP)", "30 days"):
        assert words in page.text
    assert len(events(site)) == 1
    keep, turn_on = re.findall(r"<button[^>]*>", page.text)
    assert keep.replace('"no"', '"yes"') == turn_on, "No and Yes are alike"
    second = {**fields_of(page.text, "opt_in"), "confirm": "yes"}
    response = visitor.client.post("/privacy-choices", data=second, headers={**SAME, **GPC})
    assert response.status_code == 303
    assert visitor.client.get("/allowed/videos", headers=GPC).text == "yes"
    first, confirmed = events(site)
    assert (confirmed.kind, confirmed.granted) == (Kind.GIVEN, first.granted)
    assert confirmed.detail == {"confirmed": ["videos"]}
    assert confirmed.notice == second["notice"]
    centre = visitor.client.get("/privacy-choices", headers=GPC).text
    assert "On, because you confirmed it: Videos." in centre
    assert "Opt-Out Request Honored" not in centre
    assert "choice=opt_out" not in centre
    assert fields_of(centre, "opt_out")


def test_the_second_step_can_be_declined(visitor: Visitor, site: Site) -> None:
    visitor.answer("opt_out")
    held = visitor.cookie()
    response = opt_in(visitor, confirm="no", next="/plain")
    assert (response.status_code, response.headers["Location"]) == (
        303,
        "/privacy-choices?next=/plain#pc-status",
    )
    assert "Set-Cookie" not in response.headers
    assert (visitor.cookie(), len(events(site))) == (held, 1)
    told = opt_in(visitor, JSON, confirm="no").json
    assert told is not None
    assert (told["ok"], told["reload"]) == (True, False)


def test_only_what_is_named_is_turned_on(make_app: MakeSite) -> None:
    app = make_app(TWO)
    visitor = Visitor(app.test_client())
    visitor.answer("opt_out")
    assert opt_in(visitor, confirm="yes").status_code == 303
    assert visitor.allowed("videos")
    assert not visitor.allowed("adverts")
    assert not visitor.allowed("statistics")
    visitor.answer("all")
    assert visitor.client.get("/allowed/adverts").text == "no: opted_out"
    assert visitor.allowed("videos")
    html = visitor.client.get("/privacy-choices").text
    assert "Off for this reason: Adverts." in html
    assert "On, because you confirmed it: Videos." in html


@pytest.mark.requirement("GPC-06")
def test_the_signal_does_not_end_what_was_confirmed_and_an_opt_out_does(visitor: Visitor) -> None:
    opt_in(visitor, {**SAME, **GPC}, confirm="yes")
    assert visitor.client.get("/allowed/videos", headers=GPC).text == "yes"
    visitor.answer("opt_out")
    assert visitor.client.get("/allowed/videos").text == "no: refused"


def test_json_callers_take_the_two_steps_too(visitor: Visitor, site: Site) -> None:
    visitor.answer("opt_out")
    data = {"notice": visitor.notice(), "choice": "opt_in", "service.videos": "yes"}
    first = visitor.client.post("/privacy-choices", json=data, headers=JSON)
    told = first.json
    assert told is not None
    assert (first.status_code, told["ok"], told["confirm"]) == (200, True, ["videos"])
    assert told["message"] == (
        "You or your browser asked us before not to sell or share your data. "
        "Do you want to turn this on all the same: Videos? Nothing has been turned on yet."
    )
    assert "videos" in told["refused"]
    second = visitor.client.post(
        "/privacy-choices",
        json={**data, "notice": told["notice"], "step": told["step"], "confirm": "yes"},
        headers=JSON,
    ).json
    assert second is not None
    assert "videos" in second["granted"]
    assert len(events(site)) == 2


@pytest.mark.requirement("TTL-08")
@pytest.mark.parametrize("step", [{}, {"step": ""}, {"step": "nonsense"}])
def test_a_second_step_without_the_first_is_taken_for_the_first(
    visitor: Visitor, site: Site, step: dict[str, str]
) -> None:
    visitor.answer("opt_out")
    page = visitor.answer("opt_in", SAME, service__videos="yes", from_="centre", confirm="yes", **step)
    assert (page.status_code, len(events(site))) == (200, 1)
    assert "Set-Cookie" not in page.headers
    assert not visitor.allowed("videos")
    second = {**fields_of(page.text, "opt_in"), "confirm": "yes"}
    assert visitor.client.post("/privacy-choices", data=second, headers=SAME).status_code == 303
    assert visitor.allowed("videos")


def test_a_first_step_holds_for_half_an_hour(visitor: Visitor, clock: Clock) -> None:
    visitor.answer("opt_out")
    for later, taken in ((VALID + 1, 200), (VALID, 303)):
        page = opt_in(visitor)
        clock.now += later
        second = {**fields_of(page.text, "opt_in"), "confirm": "yes"}
        assert visitor.client.post("/privacy-choices", data=second, headers=SAME).status_code == taken
    assert visitor.allowed("videos")


def test_a_first_step_counts_for_what_it_named_only(make_app: MakeSite) -> None:
    visitor = Visitor(make_app(TWO).test_client())
    visitor.answer("opt_out")
    step = fields_of(opt_in(visitor).text, "opt_in")["step"]
    both = {"service__videos": "yes", "service__adverts": "yes"}
    assert visitor.answer("opt_in", SAME, **both, confirm="yes", step=step).status_code == 200
    assert not visitor.allowed("videos")
    assert not visitor.allowed("adverts")


@pytest.mark.requirement("GPC-06")
def test_where_nothing_is_opted_out_of_there_is_nothing_to_confirm(visitor: Visitor, site: Site) -> None:
    visitor.answer("opt_out")
    step = fields_of(opt_in(visitor).text, "opt_in")["step"]
    visitor.client.delete_cookie("consent")
    for fields in ({}, {"confirm": "yes", "step": step}):
        response = visitor.answer("opt_in", SAME, service__videos="yes", from_="centre", **fields)
        assert (response.status_code, response.headers["Location"]) == (303, "/privacy-choices#pc-status")
    assert (visitor.cookie(), len(events(site))) == (None, 1)
    visitor.answer("all")
    visitor.answer("opt_in", service__videos="yes", confirm="yes", step=step)
    assert visitor.client.get("/allowed/videos", headers=GPC).text == "no: opted_out"


# -- bad input


@pytest.mark.parametrize("headers", [CROSS, FRAMED, {}, {"Origin": "null"}])
@pytest.mark.parametrize("confirm", [{}, {"confirm": "yes"}, {"confirm": "no"}])
def test_an_opt_in_from_elsewhere_is_refused(
    visitor: Visitor, site: Site, headers: dict[str, str], confirm: dict[str, str]
) -> None:
    visitor.answer("opt_out")
    held = visitor.cookie()
    response = opt_in(visitor, headers, **confirm)
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
    assert (visitor.cookie(), len(events(site))) == (held, 1)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "&confirm=yes",
        "&service.statistics=yes&confirm=yes",
        "&service.videos=yes&service.statistics=yes&confirm=yes",
        "&service.nonsense=yes&confirm=yes",
        "&service.videos=no&confirm=yes",
        "&service.videos=yes&service.videos=yes&confirm=yes",
        "&service.videos=yes&confirm=yes&confirm=yes",
        "&service.videos=yes&confirm=on",
        "&service.videos=yes&confirm=yes&choice=opt_in",
        "&category.media=yes&confirm=yes",
    ],
)
def test_an_opt_in_that_is_not_ours_changes_nothing(visitor: Visitor, site: Site, body: str) -> None:
    visitor.answer("opt_out")
    data = f"notice={visitor.notice()}&choice=opt_in{body}"
    for accept in ("text/html", "application/json"):
        response = visitor.client.post(
            "/privacy-choices",
            data=data,
            headers={**SAME, "Accept": accept},
            content_type="application/x-www-form-urlencoded",
        )
        assert response.status_code == 400
        assert response.mimetype == accept
        assert "checked" not in response.text.replace('value="no" checked', "")
    assert not visitor.allowed("videos")
    assert len(events(site)) == 1


@pytest.mark.parametrize("confirm", [{}, {"confirm": "yes"}])
@pytest.mark.parametrize("notice", ["", "0" * 64])
def test_an_opt_in_on_an_unknown_notice_is_a_conflict(
    visitor: Visitor, notice: str, confirm: dict[str, str]
) -> None:
    visitor.answer("opt_out")
    assert opt_in(visitor, SAME, notice=notice, **confirm).status_code == 409
    assert not visitor.allowed("videos")


def test_an_opt_in_to_terms_that_changed_meanwhile_is_a_conflict(
    visitor: Visitor, make_app: MakeSite
) -> None:
    old = visitor.notice()
    visitor.answer("opt_out")
    changed = POLICY.replace("revision = 1", 'revision = 2\nchange = "Longer."')
    new = Visitor(make_app(changed.replace('"30 days"\nsells', '"90 days"\nsells')).test_client())
    new.client.set_cookie("consent", held(visitor.client))
    assert opt_in(new, notice=old).status_code == 409
    assert opt_in(new, notice=old, confirm="yes").status_code == 409
    assert not new.allowed("videos")
    assert opt_in(new, confirm="yes").status_code == 303
    assert new.allowed("videos")


def test_an_opt_in_that_cannot_be_recorded_turns_nothing_on(visitor: Visitor, app: Flask, site: Site) -> None:
    visitor.answer("opt_out")
    notice = visitor.notice()
    held = visitor.cookie()
    with locked(app):
        response = opt_in(visitor, {**SAME, **GPC}, notice=notice, confirm="yes")
    assert response.status_code == 503
    assert "Set-Cookie" not in response.headers
    assert visitor.cookie() == held
    assert not visitor.allowed("videos")


def test_a_grant_under_the_signal_that_cannot_be_recorded_leaves_nothing(
    visitor: Visitor, app: Flask
) -> None:
    visitor.answer("none", {**SAME, **GPC})
    fresh = Visitor(app.test_client())
    notice = fresh.notice()
    with locked(app):
        response = fresh.answer("all", {**SAME, **GPC}, notice=notice)
    assert response.status_code == 503
    assert fresh.cookie() is None


def test_no_get_changes_anything(visitor: Visitor, site: Site) -> None:
    visitor.answer("all")
    held = visitor.cookie()
    for query in ("choice=opt_out", "choice=opt_in&service.videos=yes&confirm=yes"):
        assert visitor.client.get(f"/privacy-choices?{query}").status_code == 200
    assert (visitor.cookie(), len(events(site))) == (held, 1)


# -- children


@pytest.fixture
def child(make_app: MakeSite) -> tuple[Visitor, Site, dict[str, bool]]:
    """A visitor whom the site takes for a child while ``told["minor"]`` says so."""
    told = {"minor": True}
    app = make_app(CONSENT_MINOR=lambda: told["minor"])
    return Visitor(app.test_client()), app.extensions["consent"], told


@pytest.mark.requirement("CH-01")
@pytest.mark.parametrize("choice", ["none", "opt_out", "some"])
def test_a_childs_no_holds_and_nothing_is_recorded(
    child: tuple[Visitor, Site, dict[str, bool]], choice: str
) -> None:
    visitor, site, told = child
    assert visitor.answer(choice).status_code == 303
    after = decided(site, visitor)
    assert after is not None
    assert after.pending is None
    assert site.policy.terms["videos"] in after.refused
    assert events(site) == []
    told["minor"] = False
    assert visitor.client.get("/allowed/videos").text == "no: refused"


@pytest.mark.requirement("CA-06")
@pytest.mark.parametrize(
    "fields",
    [
        {"choice": "all"},
        {"choice": "some", "category__media": "yes", "category__performance": "no"},
        {"choice": "opt_in", "service__videos": "yes"},
        {"choice": "opt_in", "service__videos": "yes", "confirm": "yes"},
    ],
)
def test_a_childs_yes_is_refused_in_words_and_nothing_is_recorded(
    child: tuple[Visitor, Site, dict[str, bool]], fields: dict[str, str]
) -> None:
    visitor, site, _ = child
    choice, *rest = fields.values()
    response = visitor.answer(choice, SAME, **dict(zip(list(fields)[1:], rest, strict=True)))
    assert response.status_code == 403
    assert "This site asks young people nothing" in response.text
    assert visitor.client.get("/allowed/videos").text == "no: minor"
    assert events(site) == []


def test_a_childs_withdrawal_ends_on_record_what_is_on_record(
    child: tuple[Visitor, Site, dict[str, bool]],
) -> None:
    visitor, site, told = child
    told["minor"] = False
    visitor.answer("all")
    told["minor"] = True
    assert visitor.answer("none").status_code == 303
    assert [event.kind for event in events(site)] == [Kind.GIVEN, Kind.WITHDRAWN]
    told["minor"] = False
    assert not visitor.allowed("statistics")


def test_a_child_is_offered_nothing_about_sale(child: tuple[Visitor, Site, dict[str, bool]]) -> None:
    visitor, _, _ = child
    html = visitor.client.get("/privacy-choices", headers=GPC).text
    assert "pc-sale" not in html
    assert "Opt-Out Request Honored" not in html
