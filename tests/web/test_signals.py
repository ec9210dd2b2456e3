"""Global Privacy Control: what it ends, how that is recorded and said, and that it never grants."""

import json
import re
import time
from pathlib import Path

import pytest
from flask import Flask, Response, render_template_string, request

from consent import consent_withdrawn, current_consent
from consent.decision import Decision
from consent.ledger import Kind
from consent.web.recorder import PATIENCE
from consent.web.request import here
from consent.web.signalled import signalled
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events, locked

GPC = {"Sec-GPC": "1"}
HONORED = "Opt-Out Request Honored"
#: Nothing of it sells or shares.
UNSOLD = POLICY.replace("sells_or_shares = true", "sells_or_shares = false")


@pytest.fixture
def app(make_app: MakeSite) -> Flask:
    """The site, honouring the signal."""
    return make_app()


def decided(site: Site, visitor: Visitor) -> Decision:
    """The answer that the visitor's browser holds."""
    found = site.codec.decode(visitor.cookie() or "", now=int(site.clock()))
    assert found is not None
    return found


# -- what the signal ends


@pytest.mark.requirement("GPC-06")
@pytest.mark.requirement("GPC-04")
def test_the_signal_ends_a_grant_on_its_own_response_and_stays_ended(visitor: Visitor, site: Site) -> None:
    visitor.answer("all")
    before = decided(site, visitor)
    response = visitor.client.get("/", headers=GPC)
    assert "<iframe" not in response.text
    after = decided(site, visitor)
    videos = site.policy.terms["videos"]
    assert after.granted == before.granted - {videos}
    assert after.refused == before.refused | {videos}
    assert (after.opted_out, after.at, after.subject) == (True, before.at, before.subject)
    assert "Vary" in response.headers
    assert "private" in response.headers["Cache-Control"]
    assert not visitor.allowed("videos"), "its absence isn't an opt-in"
    assert visitor.allowed("statistics")


@pytest.mark.requirement("GPC-06")
@pytest.mark.requirement("WD-06")
@pytest.mark.parametrize("choice", ["none", "some"])
def test_the_signal_brings_back_nothing_that_another_tab_has_withdrawn_meanwhile(
    visitor: Visitor, app: Flask, site: Site, choice: str
) -> None:
    visitor.answer("all")
    slow = Visitor(app.test_client())
    slow.client.set_cookie("consent", visitor.cookie() or "")  # its request left before the answer came
    visitor.answer(choice, category__functionality="yes")
    response = slow.client.get("/", headers=GPC)
    assert "Set-Cookie" in response.headers, "the opt-out is stored"
    held, after = decided(site, visitor), decided(site, slow)
    assert after.opted_out
    assert after.granted == held.granted
    assert after.refused >= held.refused
    assert not slow.allowed("statistics")
    assert events(site)[-1].granted == events(site)[-2].granted


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_only_a_page_that_is_asked_for_ends_a_grant_but_everything_goes_by_the_signal(
    app: Flask, visitor: Visitor, site: Site, method: str
) -> None:
    @app.route("/form", methods=["GET", "POST"])
    def form() -> Response:
        allowed = current_consent.allows("videos")
        return Response("form", mimetype="text/html", headers={"X-Videos": str(allowed)})

    visitor.answer("all")
    before = decided(site, visitor)
    response = visitor.client.open("/form", method=method, headers=GPC)
    assert response.headers["X-Videos"] == "False"
    assert "Set-Cookie" not in response.headers
    assert decided(site, visitor) == before
    assert len(events(site)) == 1


@pytest.mark.requirement("GPC-04")
def test_what_it_ends_is_deleted_with_the_same_response(make_app: MakeSite) -> None:
    sold = POLICY.replace("[services.videos]", '[services.videos]\ncookies = { seen = "1 year" }')
    visitor = Visitor(make_app(sold).test_client())
    visitor.answer("all")
    visitor.client.set_cookie("seen", "7")
    response = visitor.client.get("/plain", headers=GPC)
    gone = [each for each in response.headers.getlist("Set-Cookie") if each.startswith("seen=;")]
    assert gone
    assert visitor.client.get_cookie("seen") is None


@pytest.mark.requirement("GPC-06")
def test_it_is_recorded_once_however_many_requests_bring_it(
    visitor: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    visitor.answer("all")
    old = visitor.cookie() or ""
    for _ in range(3):
        other = app.test_client()
        other.set_cookie("consent", old)
        other.get("/", headers=GPC)
        clock.now += 1
    given, ended = events(site)
    assert (ended.kind, ended.source, ended.signal, ended.opted_out) == (
        Kind.SIGNAL_OPT_OUT,
        "signal",
        True,
        True,
    )
    assert ended.subject == given.subject
    assert (ended.before_granted, ended.granted) == (
        given.granted,
        ("experiment", "names", "statistics"),
    )
    assert ended.refused == ("videos",)
    assert ended.notice is None


def test_with_the_last_grant_it_ends_the_subject(visitor: Visitor, site: Site) -> None:
    visitor.answer("some", category__media="yes")
    visitor.client.get("/", headers=GPC)
    after = decided(site, visitor)
    assert (after.granted, after.subject, after.at % 86_400) == (frozenset(), None, 0)
    given, ended = events(site)
    assert ended.subject == given.subject is not None


def test_the_sites_own_code_is_told(visitor: Visitor, app: Flask) -> None:
    told: list[frozenset[str]] = []

    def withdrawn(sender: object, withdrawn: frozenset[str], **_: object) -> None:
        told.append(withdrawn)

    visitor.answer("all")
    with consent_withdrawn.connected_to(withdrawn, app):
        visitor.client.get("/", headers=GPC)
        visitor.client.get("/", headers=GPC)
    assert told == [frozenset({"videos"})]


@pytest.mark.requirement("GPC-01")
@pytest.mark.parametrize("value", ["", "0", "true", "1.0", '"1"', "11", "1;a", "yes"])
def test_nothing_but_exactly_1_is_a_signal(visitor: Visitor, site: Site, value: str) -> None:
    visitor.answer("all")
    held = visitor.cookie()
    assert "Set-Cookie" not in visitor.client.get("/", headers={"Sec-GPC": value}).headers
    assert (visitor.cookie(), len(events(site))) == (held, 1)
    assert visitor.allowed("videos")


@pytest.mark.requirement("GPC-01")
@pytest.mark.parametrize("value", ["1", "0,1", "1, 0", "x,\t1 "])
def test_of_joined_headers_one_is_enough(visitor: Visitor, site: Site, value: str) -> None:
    visitor.answer("all")
    visitor.client.get("/", headers={"Sec-GPC": value})
    assert len(events(site)) == 2
    assert not visitor.allowed("videos")


@pytest.mark.requirement("GPC-05")
def test_the_signal_grants_nothing_and_sets_nothing_before_an_answer(visitor: Visitor, site: Site) -> None:
    response = visitor.client.get("/", headers=GPC)
    assert "Set-Cookie" not in response.headers
    assert "pc-banner" in response.text
    assert events(site) == []
    assert visitor.client.get("/allowed/statistics", headers=GPC).text == "no: undecided"


def test_a_refusal_or_a_grant_of_other_things_is_left_alone(visitor: Visitor, site: Site) -> None:
    visitor.answer("some", category__performance="yes")
    held = visitor.cookie()
    assert "Set-Cookie" not in visitor.client.get("/", headers=GPC).headers
    assert visitor.cookie() == held
    assert len(events(site)) == 1


def test_a_page_that_asks_nothing_of_the_answer_stays_cacheable_where_the_signal_ends_nothing(
    visitor: Visitor,
) -> None:
    visitor.answer("none")
    assert "Vary" not in visitor.client.get("/plain", headers=GPC).headers


def test_an_answer_under_the_signal_stores_the_opt_out_with_it(visitor: Visitor, site: Site) -> None:
    visitor.answer("all", headers={**SAME, **GPC})
    (given,) = events(site)
    assert (given.kind, given.signal, given.opted_out) == (Kind.GIVEN, True, True)
    visitor.client.get("/", headers=GPC)
    assert len(events(site)) == 1, "no grant was in force that the signal could end"
    assert visitor.client.get("/allowed/videos").text == "no: opted_out"
    visitor.answer("all")
    assert visitor.client.get("/allowed/videos").text == "no: opted_out"


def test_where_nothing_is_sold_the_signal_changes_nothing(make_app: MakeSite) -> None:
    app = make_app(UNSOLD)
    visitor = Visitor(app.test_client())
    visitor.answer("all", headers={**SAME, **GPC})
    assert "Set-Cookie" not in visitor.client.get("/", headers=GPC).headers
    assert visitor.client.get("/allowed/videos", headers=GPC).text == "yes"
    assert not decided(app.extensions["consent"], visitor).opted_out
    assert HONORED not in visitor.client.get("/privacy-choices", headers=GPC).text


def test_of_a_child_nothing_is_recorded(make_app: MakeSite) -> None:
    grown = True
    app = make_app(CONSENT_MINOR=lambda: not grown)
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    grown = False
    assert "Set-Cookie" not in visitor.client.get("/", headers=GPC).headers
    assert len(events(app.extensions["consent"])) == 1


def test_asking_what_the_signal_would_end_changes_nothing(visitor: Visitor, app: Flask, site: Site) -> None:
    visitor.answer("all")
    with app.test_request_context("/", headers={**GPC, "Cookie": f"consent={visitor.cookie()}"}):
        after = signalled(here())
        assert after is not None
        assert after.refused == {site.policy.terms["videos"]}
        assert current_consent.decision is not None
        assert not current_consent.decision.opted_out
    assert len(events(site)) == 1


# -- when the ledger can't record it


def test_what_cannot_be_recorded_holds_at_once_and_is_recorded_later_once(
    visitor: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    visitor.answer("all")
    old = visitor.cookie() or ""
    with locked(app):
        visitor.client.get("/", headers=GPC)
        begun = time.monotonic()
        other = app.test_client()
        other.set_cookie("consent", old)
        other.get("/", headers=GPC)
        assert time.monotonic() - begun < PATIENCE, "the next one doesn't wait for the ledger"
        held = decided(site, visitor)
        assert held.pending is not None
        assert held.pending.kind == Kind.SIGNAL_OPT_OUT
        assert not visitor.allowed("videos")
    clock.now += 60
    site.recorder.steady = lambda: time.monotonic() + 3600
    for client in (visitor.client, other, visitor.client):
        client.get("/")
    (ended,) = events(site)[1:]
    assert (ended.id, ended.kind) == (held.pending.id, Kind.SIGNAL_OPT_OUT)
    assert visitor.answer("all").status_code == 303
    assert decided(site, visitor).pending is None


def test_a_refusal_after_it_during_an_outage_makes_one_event_of_both(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.answer("all")
    with locked(app):
        visitor.client.get("/", headers=GPC)
        site.recorder.steady = lambda: time.monotonic() + 60
        visitor.answer("none")
    site.recorder.steady = lambda: time.monotonic() + 3600
    visitor.client.get("/")
    given, ended = events(site)
    assert (ended.kind, ended.before_granted, ended.granted) == (Kind.WITHDRAWN, given.granted, ())
    assert ended.subject == given.subject
    assert ended.opted_out


def test_the_signal_after_a_late_withdrawal_makes_one_event_of_both(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.answer("all")
    with locked(app):
        visitor.answer("some", category__media="yes", category__functionality="yes")
        site.recorder.steady = lambda: time.monotonic() + 60
        visitor.client.get("/", headers=GPC)
    assert [event.kind for event in events(site)] == [Kind.GIVEN]
    site.recorder.steady = lambda: time.monotonic() + 3600
    visitor.client.get("/")
    given, ended = events(site)
    assert (ended.before_granted, ended.granted) == (given.granted, ("names",))
    assert ended.kind == Kind.WITHDRAWN


def test_over_the_limits_the_signal_holds_all_the_same(visitor: Visitor, app: Flask, site: Site) -> None:
    now = time.monotonic()
    site.recorder.steady = lambda: now
    visitor.answer("all")
    while (response := Visitor(app.test_client()).answer("all")).status_code == 303:
        pass
    assert response.status_code == 429
    visitor.client.get("/", headers=GPC)
    assert not visitor.allowed("videos")
    assert decided(site, visitor).pending is not None


# -- what is said of it


@pytest.mark.requirement("GPC-07")
@pytest.mark.parametrize("path", ["/privacy-choices", "/privacy-choices/mine"])
@pytest.mark.parametrize("profile", ["us_ca", "us_other", "default"])
def test_the_page_says_that_the_request_was_honored(make_app: MakeSite, path: str, profile: str) -> None:
    client = make_app(CONSENT_PROFILE=profile).test_client()
    html = client.get(path, headers=GPC).text
    assert HONORED in html
    assert "Off for this reason: Videos." in html
    assert HONORED not in client.get(path).text


@pytest.mark.requirement("GPC-08")
@pytest.mark.parametrize("path", ["/privacy-choices", "/privacy-choices/mine"])
def test_a_stored_opt_out_is_confirmed_there_without_the_signal(visitor: Visitor, path: str) -> None:
    visitor.answer("opt_out")
    html = visitor.client.get(path).text
    assert HONORED in html
    assert "You or your browser asked us not to sell or share your data" in html


@pytest.mark.requirement("GPC-07")
def test_a_page_of_the_hosts_own_can_say_it(make_app: MakeSite) -> None:
    app = make_app()
    app.add_url_rule("/signal", "signal", lambda: render_template_string("[{{ consent_signal() }}]"))
    client = app.test_client()
    plain = client.get("/signal")
    assert plain.text == "[]"
    assert "private" in plain.headers["Cache-Control"]
    said = client.get("/signal", headers=GPC)
    assert HONORED in said.text
    assert "private" in said.headers["Cache-Control"]
    assert "<form" not in said.text


@pytest.mark.parametrize(("profile", "policy"), [("eu", POLICY), ("uk", POLICY), ("us_ca", UNSOLD)])
def test_nothing_is_said_where_no_profile_asks_for_it_or_nothing_is_sold(
    make_app: MakeSite, profile: str, policy: str
) -> None:
    html = make_app(policy, CONSENT_PROFILE=profile).test_client().get("/privacy-choices", headers=GPC).text
    assert HONORED not in html


def test_in_every_language_it_is_said(make_app: MakeSite, tmp_path: Path) -> None:
    for tag in ("de", "ar"):
        (tmp_path / f"consent.{tag}.toml").write_text(
            '[categories.media]\ntitle = "X"\ntext = "X"\n'
            + "".join(
                f'[services.{key}]\ntext = "X"\ntitle = "X"\n'
                for key in ("names", "statistics", "experiment", "videos")
            )
        )
    named = POLICY.replace(
        'text = "Remembers your sign-in', 'title = "Names"\ntext = "Remembers your sign-in'
    )
    client = make_app(named).test_client()
    for tag, words in (
        ("de", "Ihr Widerspruch ist berücksichtigt"),
        ("ar", "تم تنفيذ طلب عدم البيع أو المشاركة"),
    ):
        html = client.get("/privacy-choices", headers={**GPC, "Accept-Language": tag}).text
        assert words in html
        assert HONORED not in html


@pytest.mark.requirement("GPC-12")
def test_the_eu_profile_honours_the_signal_all_the_same_and_still_asks(make_app: MakeSite) -> None:
    visitor = Visitor(make_app(CONSENT_PROFILE="eu").test_client())
    assert "pc-banner" in visitor.client.get("/", headers=GPC).text
    visitor.answer("all")
    assert visitor.client.get("/allowed/videos", headers=GPC).text == "no: opted_out"


# -- where only scripts see it

TOLD = {"choice": "opt_out", "from": "signal"}


def stops(html: str) -> tuple[str, bool] | None:
    """What the module is told of a signal that only it can see; None where there is none."""
    found = re.search(r'<script[^>]*data-pc-stops="([^"]*)"( data-pc-tell)?>', html)
    return (found[1], bool(found[2])) if found else None


@pytest.mark.requirement("GPC-02")
@pytest.mark.parametrize(
    "headers", [SAME, {"Origin": "http://localhost"}, {**SAME, "Accept": "application/json"}]
)
def test_what_a_script_sees_of_the_signal_ends_what_the_header_would(
    visitor: Visitor, site: Site, headers: dict[str, str]
) -> None:
    visitor.answer("all")
    for _ in range(2):
        assert visitor.client.post("/privacy-choices", data=TOLD, headers=headers).status_code in (200, 303)
    assert not visitor.allowed("videos")
    assert visitor.allowed("statistics")
    given, ended = events(site)
    assert (ended.kind, ended.source, ended.signal) == (Kind.SIGNAL_OPT_OUT, "navigator", True)
    assert (ended.before_granted, ended.refused) == (given.granted, ("videos",))


@pytest.mark.requirement("GPC-10")
def test_of_header_and_script_the_one_that_speaks_counts_and_the_record_says_which(
    visitor: Visitor, site: Site
) -> None:
    visitor.answer("all")
    visitor.client.post("/privacy-choices", data=TOLD, headers={**SAME, "Sec-GPC": "0"})
    other = Visitor(visitor.client.application.test_client())
    other.answer("all")
    other.client.post("/privacy-choices", data=TOLD, headers={**SAME, **GPC})
    assert [each.source for each in events(site) if each.kind is Kind.SIGNAL_OPT_OUT] == [
        "navigator",
        "signal",
    ]
    assert not visitor.allowed("videos")
    assert not other.allowed("videos")


@pytest.mark.requirement("GPC-10")
def test_an_answer_says_that_a_script_saw_the_signal(visitor: Visitor, site: Site) -> None:
    response = visitor.answer("all", {**SAME, "Accept": "application/json"}, signal="1")
    assert "videos" not in response.get_json()["granted"]
    (given,) = events(site)
    assert (given.kind, given.signal, given.opted_out) == (Kind.GIVEN, True, True)
    assert visitor.client.get("/allowed/videos").text == "no: opted_out", "absence later is no opt-in"


@pytest.mark.parametrize("value", ["0", "true", "", "11"])
def test_nothing_else_in_that_field_is_a_signal(visitor: Visitor, value: str) -> None:
    visitor.answer("all", signal=value)
    assert visitor.allowed("videos")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"},
        {},
    ],
)
def test_nobody_else_can_speak_of_a_visitors_signal_and_what_they_send_is_a_plain_no(
    visitor: Visitor, site: Site, headers: dict[str, str]
) -> None:
    visitor.answer("all")
    visitor.client.post("/privacy-choices", data={**TOLD, "notice": visitor.notice()}, headers=headers)
    assert not visitor.allowed("videos")
    assert visitor.allowed("statistics")
    visitor.client.post("/privacy-choices", data={"choice": "none", "signal": "1"}, headers=headers)
    said = [(each.kind, each.source, each.signal) for each in events(site)[1:]]
    assert said == [(Kind.OPTED_OUT, "centre", False), (Kind.WITHDRAWN, "centre", False)]


@pytest.mark.parametrize("choice", ["all", "some", "opt_in"])
def test_nothing_can_be_granted_in_the_signals_name(visitor: Visitor, site: Site, choice: str) -> None:
    visitor.answer(choice, from_="signal", service__videos="yes", category__performance="yes")
    assert events(site) == []
    assert not visitor.allowed("videos")


def test_a_refusal_of_everything_holds_in_the_signals_name_too(visitor: Visitor) -> None:
    visitor.answer("all")
    visitor.client.post("/privacy-choices", data={**TOLD, "choice": ["opt_out", "none"]}, headers=SAME)
    assert not visitor.allowed("statistics")


def test_what_scripts_see_changes_nothing_where_nothing_is_granted(visitor: Visitor, site: Site) -> None:
    response = visitor.client.post("/privacy-choices", data=TOLD, headers=SAME)
    assert "Set-Cookie" not in response.headers
    assert events(site) == []


@pytest.mark.requirement("GPC-02")
def test_a_page_says_what_a_signal_would_stop_that_only_scripts_see(visitor: Visitor, site: Site) -> None:
    assert stops(visitor.client.get("/").text) == ("", False)
    visitor.answer("all")
    assert stops(visitor.client.get("/").text) == ("media videos", True)
    assert stops(visitor.client.get("/", headers=GPC).text) is None, "the server knows it"
    assert stops(visitor.client.get("/").text) == ("", False)


def test_what_was_confirmed_in_spite_of_a_signal_is_not_stopped_by_a_script(visitor: Visitor) -> None:
    visitor.answer("opt_out")
    visitor.opt_in("videos")
    assert stops(visitor.client.get("/").text) == ("", False)
    visitor.client.post("/privacy-choices", data=TOLD, headers=SAME)
    assert visitor.allowed("videos")


def test_where_nothing_is_sold_or_a_child_visits_no_page_listens(make_app: MakeSite) -> None:
    for app in (make_app(UNSOLD), make_app(CONSENT_MINOR=lambda: True)):
        client = app.test_client()
        assert stops(client.get("/").text) is None
        assert client.post("/privacy-choices", data=TOLD, headers=SAME).status_code == 303
        assert events(app.extensions["consent"]) == []


# -- /.well-known/gpc.json


@pytest.mark.requirement("GPC-03")
def test_the_site_says_at_the_well_known_address_that_it_listens(make_app: MakeSite) -> None:
    client = make_app(CONSENT_URL_PREFIX="/elsewhere/choices").test_client()
    client.set_cookie("consent", "anything")
    response = client.get("/.well-known/gpc.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert json.loads(response.data) == {"gpc": True, "lastUpdate": "2026-11-01"}
    assert response.headers["Cache-Control"] == "public, max-age=86400"
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in response.headers
    assert client.post("/.well-known/gpc.json").status_code == 405


def test_a_host_that_serves_that_address_itself_keeps_it(make_app: MakeSite) -> None:
    app = make_app()

    @app.get("/.well-known/gpc.json")
    async def own() -> dict[str, bool]:
        return {"gpc": False}

    assert app.test_client().get("/.well-known/gpc.json").json == {"gpc": False}


def test_a_page_for_every_other_address_does_not_hide_it(make_app: MakeSite) -> None:
    app = make_app()
    app.add_url_rule("/<path:rest>", "rest", lambda rest: "page")
    assert app.test_client().get("/.well-known/gpc.json").json == {"gpc": True, "lastUpdate": "2026-11-01"}


# -- the link


def link(make_app: MakeSite, policy: str = POLICY, call: str = "consent_link()", **config: object) -> str:
    """The link that a page shows."""
    app = make_app(policy, **config)
    app.add_url_rule("/link", "link", lambda: render_template_string(f"{{{{ {call} }}}}"))
    return app.test_client().get("/link").text


@pytest.mark.requirement("CA-01")
@pytest.mark.parametrize("profile", ["us_ca", "us_other", "default"])
def test_where_anything_is_sold_the_link_is_called_your_privacy_choices_with_its_icon(
    make_app: MakeSite, profile: str
) -> None:
    html = link(make_app, CONSENT_PROFILE=profile)
    assert re.search(r">Your Privacy Choices <svg [^>]*aria-hidden=\"true\".*</svg></a>$", html)
    assert "style" not in html
    assert 'width="30" height="14"' in html


@pytest.mark.requirement("CA-01")
@pytest.mark.parametrize("path", ["/", "/privacy-choices", "/privacy-choices/declaration"])
def test_every_page_of_ours_calls_the_choices_as_the_link_does(make_app: MakeSite, path: str) -> None:
    client = make_app(CONSENT_PROFILE=lambda: request.headers.get("X-Region")).test_client()
    for region, words in (("eu", "Privacy choices"), ("us_ca", "Your Privacy Choices")):
        html = client.get(path, headers={"X-Region": region}).text
        found = re.findall(r"<(?:a|h1)\b[^>]*>((?:Your )?Privacy choices)<", html, re.IGNORECASE)
        assert {*found} == {words}


@pytest.mark.requirement("CA-01")
def test_the_sites_own_words_keep_the_icon(make_app: MakeSite) -> None:
    html = link(make_app, call='consent_link("Do Not <Sell>")')
    assert ">Do Not &lt;Sell&gt; <svg " in html


@pytest.mark.parametrize(("profile", "policy"), [("eu", POLICY), ("fr", POLICY), ("us_ca", UNSOLD)])
def test_elsewhere_the_link_is_as_it_was(make_app: MakeSite, profile: str, policy: str) -> None:
    assert link(make_app, policy, CONSENT_PROFILE=profile).endswith(">Privacy choices</a>")


def test_each_profile_has_its_own_link_and_no_cache_mixes_them(make_app: MakeSite) -> None:
    app = make_app(CONSENT_PROFILE=lambda: request.headers.get("X-Region"))
    app.add_url_rule("/link", "link", lambda: render_template_string("{{ consent_link() }}"))
    client = app.test_client()
    for region, words in (("eu", "Privacy choices"), ("us_ca", "Your Privacy"), ("eu", ">Privacy choices<")):
        response = client.get("/link", headers={"X-Region": region})
        assert words in response.text
        assert "private" in response.headers["Cache-Control"]
    assert "Your Privacy Choices" in client.get("/link", headers={"X-Region": "atlantis"}).text


# -- profiles


@pytest.mark.requirement("US-01")
@pytest.mark.parametrize("profile", ["eu", "uk", "fr", "us_ca", "us_other", "default"])
def test_every_profile_honours_the_signal(make_app: MakeSite, profile: str) -> None:
    app = make_app(CONSENT_PROFILE=profile)
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    visitor.client.get("/", headers=GPC)
    assert [event.kind for event in events(app.extensions["consent"])] == [Kind.GIVEN, Kind.SIGNAL_OPT_OUT]
    assert not visitor.allowed("videos")


@pytest.mark.requirement("TTL-03")
def test_of_the_profiles_then_and_now_the_shorter_grant_and_the_longer_refusal_hold(
    make_app: MakeSite, clock: Clock
) -> None:
    region = "us_ca"
    app = make_app(
        CONSENT_PROFILE=lambda: region,
        CONSENT_GRANT_LIFETIME=300 * 86_400,
        CONSENT_REFUSAL_LIFETIME=300 * 86_400,
    )
    granting, refusing = Visitor(app.test_client()), Visitor(app.test_client())
    granting.answer("all")
    refusing.answer("none")
    clock.pass_days(200)
    assert granting.allowed("statistics"), "in California a grant may hold for a year"
    region = "eu"
    assert granting.client.get("/allowed/statistics").text == "no: expired"
    clock.pass_days(150)
    assert refusing.client.get("/allowed/statistics").text == "no: refused", "as long as California's"
    clock.pass_days(16)
    assert refusing.client.get("/allowed/statistics").text == "no: expired"


@pytest.mark.requirement("GPC-13")
def test_the_declaration_says_how_the_signal_is_treated_where_it_matters(make_app: MakeSite) -> None:
    assert "Global Privacy Control" in make_app().test_client().get("/privacy-choices/declaration").text
    assert "Global Privacy" not in make_app(UNSOLD).test_client().get("/privacy-choices/declaration").text
