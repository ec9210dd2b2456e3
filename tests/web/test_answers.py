"""What a visitor's answer does: at once, remembered, and recorded."""

import re

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from consent import Consent
from consent.ledger import Kind
from consent.web.assets import STATIC
from consent.web.site import Site

from .clinic import PAGE, POLICY, SAME, Clock, MakeSite, Visitor, events, held, ticked


@pytest.mark.requirement("CON-01")
def test_the_first_visit_sets_no_cookie(client: FlaskClient) -> None:
    assert "Set-Cookie" not in client.get("/").headers
    assert "Set-Cookie" not in client.get("/privacy-choices").headers


@pytest.mark.requirement("CON-15")
def test_nothing_optional_runs_before_an_answer(visitor: Visitor) -> None:
    html = visitor.client.get("/").text
    assert "counted" not in html
    assert "/count.js" not in html
    assert "/pixel.gif" not in html
    assert "<iframe" not in html
    assert not visitor.allowed("statistics")
    assert visitor.allowed("essential")


@pytest.mark.requirement("CON-02")
def test_accepting_turns_everything_ordinary_on(visitor: Visitor) -> None:
    response = visitor.answer("all")
    assert (response.status_code, response.headers["Location"]) == (303, "/?a=b#pc-status")
    html = visitor.client.get("/").text
    assert "counted" in html
    assert '<script src="/count.js" async></script>' in html
    assert '<iframe src="https://video.example/v/1" title="A &lt;film&gt;"></iframe>' in html


@pytest.mark.requirement("CON-04")
def test_choosing_grants_exactly_what_was_chosen(visitor: Visitor, site: Site) -> None:
    visitor.answer("some", category__performance="some", service__statistics="yes", category__media="no")
    assert visitor.allowed("statistics")
    assert not visitor.allowed("experiment")
    assert not visitor.allowed("performance")
    assert not visitor.allowed("videos")
    (event,) = events(site)
    assert (event.granted, event.refused) == (("statistics",), ("experiment", "names", "videos"))


@pytest.mark.requirement("UI-10")
def test_saving_with_nothing_ticked_is_a_refusal(visitor: Visitor, site: Site) -> None:
    assert visitor.answer("some").status_code == 303
    assert [event.kind for event in events(site)] == [Kind.REFUSED]


@pytest.mark.requirement("REC-06")
def test_a_refusal_leaves_nothing_that_identifies_the_visitor(
    visitor: Visitor, app: Flask, clock: Clock
) -> None:
    visitor.answer("none")
    other = Visitor(app.test_client())
    clock.now += 60
    other.answer("none")
    assert visitor.cookie() == other.cookie()


@pytest.mark.requirement("TTL-01")
def test_a_refusal_is_remembered_as_long_as_a_grant(visitor: Visitor, app: Flask) -> None:
    other = Visitor(app.test_client())
    refused, granted = visitor.answer("none"), other.answer("all")
    ages = [int(r.headers["Set-Cookie"].split("Max-Age=")[1].split(";")[0]) for r in (refused, granted)]
    assert ages == [365 * 86_400, 365 * 86_400]


@pytest.mark.requirement("CK-03")
def test_on_https_the_cookie_is_protected_and_the_plain_name_means_nothing(
    visitor: Visitor, app: Flask
) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    response = visitor.client.post(
        "/privacy-choices", data={"choice": "none"}, headers=headers, base_url="https://localhost"
    )
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-consent=")
    for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert attribute in cookie
    assert "Domain" not in cookie
    client = app.test_client()
    granted = held(app.test_client(grant={"statistics"}))
    client.set_cookie("consent", granted)
    assert client.get("/allowed/statistics").text == "yes"
    assert client.get("/allowed/statistics", base_url="https://localhost").text == "no: undecided"


@pytest.mark.requirement("UI-07")
def test_whoever_has_answered_is_not_asked_again(visitor: Visitor) -> None:
    assert "pc-banner" in visitor.client.get("/").text
    visitor.answer("none")
    for _ in range(20):
        assert "pc-banner" not in visitor.client.get("/").text


@pytest.mark.requirement("WD-03")
@pytest.mark.requirement("WD-04")
def test_a_withdrawal_works_on_its_own_response_and_the_grant_stays_on_record(
    visitor: Visitor, site: Site
) -> None:
    visitor.answer("all")
    for name in ("visit", "visit_7", "unrelated"):
        visitor.client.set_cookie(name, "1")
    response = visitor.answer("none", from_="mine")
    gone = [c.split("=")[0] for c in response.headers.getlist("Set-Cookie") if "Max-Age=0" in c]
    assert sorted(gone) == ["visit", "visit_7"]
    assert not visitor.allowed("statistics")
    first, second = events(site)
    assert (first.kind, second.kind) == (Kind.GIVEN, Kind.WITHDRAWN)
    assert first.subject == second.subject is not None
    assert second.before_granted == first.granted
    assert site.codec.decode(visitor.cookie() or "", now=int(site.clock())).subject is None  # type: ignore[union-attr]


def test_an_answer_leaves_the_cookies_of_services_that_belong_to_other_pages(make_app: MakeSite) -> None:
    limited = POLICY.replace(
        'cookies = { variant = "30 days" }', 'cookies = { variant = "30 days" }\npages = ["home"]'
    )
    visitor = Visitor(make_app(limited).test_client())
    visitor.answer("all")
    visitor.client.set_cookie("variant", "a")
    response = visitor.answer("all", from_="centre")
    assert len(response.headers.getlist("Set-Cookie")) == 1
    state = visitor.client.get("/privacy-choices/state").json
    assert state is not None
    assert "experiment" in state["granted"]
    assert "performance" in state["granted"]
    assert not visitor.allowed("experiment")


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("REC-02")
def test_each_answer_is_one_event_with_the_notice_that_was_shown(visitor: Visitor, site: Site) -> None:
    notice = visitor.notice()
    visitor.answer("all")
    visitor.answer("none")
    assert [event.notice for event in events(site)] == [notice, notice]
    document = site.recorder.ledger.document(notice)
    assert document is not None
    assert visitor.client.get(f"/privacy-choices/notices/{notice}").data == document.body
    assert b'name="notice" value=""' in document.body
    assert b"checked" not in document.body
    served = str(site.notices.by_hash[notice].banner)
    assert served.replace(notice, "") in document.body.decode()


def test_the_same_answer_within_a_minute_is_recorded_once(visitor: Visitor, site: Site, clock: Clock) -> None:
    visitor.answer("all")
    clock.now += 20
    visitor.answer("all")
    assert len(events(site)) == 1
    clock.now += 100
    visitor.answer("all")
    assert len(events(site)) == 2


@pytest.mark.requirement("TTL-09")
def test_a_grant_ends_after_its_time_and_the_visitor_is_asked_again(visitor: Visitor, clock: Clock) -> None:
    visitor.answer("all")
    clock.pass_days(181)
    assert visitor.allowed("statistics")
    clock.pass_days(2)
    assert visitor.client.get("/allowed/statistics").text == "no: expired"
    html = visitor.client.get("/").text
    assert "pc-banner" in html
    assert "Your last answer has reached its end." in html


@pytest.mark.requirement("TTL-02")
@pytest.mark.requirement("INF-06")
def test_a_new_revision_asks_again_only_for_what_it_touches(visitor: Visitor, make_app: MakeSite) -> None:
    visitor.answer("some", category__performance="yes", category__media="no", category__functionality="yes")
    changed = POLICY.replace("revision = 1", 'revision = 2\nchange = "We now keep it for two years."')
    new = Visitor(make_app(changed.replace('variant = "30 days"', 'variant = "60 days"')).test_client())
    new.client.set_cookie("consent", visitor.cookie() or "")
    html = new.client.get("/").text
    assert "We now keep it for two years." in html
    assert "New features" in html
    assert new.allowed("statistics")
    assert new.allowed("names")
    assert new.client.get("/allowed/experiment").text == "no: changed"
    centre = new.client.get("/privacy-choices").text
    assert {"category.media=no", "service.statistics=yes"} <= ticked(centre)
    for page in (html, centre):
        assert "Your other answers still stand. “Reject all” and “Accept all” change them too." in page
    new.answer("all")
    assert new.allowed("videos"), "as it was said"


def test_a_page_left_open_over_a_new_revision_cannot_grant_what_it_did_not_show(
    visitor: Visitor, make_app: MakeSite
) -> None:
    old = visitor.notice()
    changed = POLICY.replace("revision = 1", 'revision = 2\nchange = "Longer."')
    new = Visitor(make_app(changed.replace('variant = "30 days"', 'variant = "60 days"')).test_client())
    response = new.client.post("/privacy-choices", data={"notice": old, "choice": "all"}, headers=SAME)
    assert response.status_code == 303
    assert new.allowed("statistics")
    assert not new.allowed("experiment")


@pytest.mark.requirement("UI-09")
def test_the_preference_centre_shows_the_stored_answers(visitor: Visitor) -> None:
    assert "checked" not in visitor.client.get("/privacy-choices").text
    visitor.answer("some", category__performance="some", service__statistics="yes", category__media="yes")
    html = visitor.client.get("/privacy-choices").text
    assert ticked(html) == {
        "category.performance=some",
        "service.statistics=yes",
        "category.media=yes",
        "category.functionality=no",
    }


@pytest.mark.requirement("LOG-08")
def test_my_consent_shows_the_history_of_this_browser_only(visitor: Visitor, app: Flask) -> None:
    visitor.answer("all")
    other = Visitor(app.test_client())
    other.answer("some", category__media="yes")
    assert visitor.client.get("/privacy-choices/mine").text.count('<time datetime="') == 1
    visitor.answer("some", category__media="yes")
    assert visitor.client.get("/privacy-choices/mine").text.count('<time datetime="') == 2


@pytest.mark.requirement("CH-01")
def test_a_child_is_asked_nothing_and_grants_nothing(make_app: MakeSite) -> None:
    child = Visitor(make_app(CONSENT_MINOR=lambda: True).test_client())
    assert "pc-banner" not in child.client.get("/").text
    assert child.answer("all").status_code == 403
    assert child.client.get("/allowed/statistics").text == "no: minor"


@pytest.mark.requirement("CH-01")
def test_while_nobody_can_say_who_is_a_child_everybody_counts_as_one(make_app: MakeSite) -> None:
    def fail() -> bool:
        raise RuntimeError("the site's own fault")

    client = make_app(CONSENT_MINOR=fail).test_client(grant={"statistics"})
    assert client.get("/allowed/statistics").text == "no: minor"
    assert "pc-banner" not in client.get("/").text


def test_signals_say_what_changed(visitor: Visitor, app: Flask) -> None:
    from consent import consent_given, consent_withdrawn

    told: list[tuple[str, frozenset[str]]] = []

    def given(sender: object, granted: frozenset[str], **_: object) -> None:
        told.append(("given", granted))

    def withdrawn(sender: object, withdrawn: frozenset[str], **_: object) -> None:
        told.append(("withdrawn", withdrawn))

    with consent_given.connected_to(given, app), consent_withdrawn.connected_to(withdrawn, app):
        visitor.answer("some", category__media="yes")
        visitor.answer("none")
    assert told == [("given", frozenset({"videos"})), ("withdrawn", frozenset({"videos"}))]


def test_a_view_that_needs_consent_asks_for_it(visitor: Visitor) -> None:
    response = visitor.client.get("/beta")
    assert response.status_code == 403
    assert "/privacy-choices?next=/beta" in response.text
    visitor.answer("all")
    assert visitor.client.get("/beta").text == "beta"


@pytest.mark.parametrize(
    ("query", "led"),
    [
        ("?next=/beta?a%3Db", ["/beta?a=b"]),
        ("?next=/privacy-choices/mine", ["/privacy-choices/mine"]),
        ("?next=//evil.example", []),
        ("?next=/privacy-choices?next%3D/beta", []),
        ("", []),
    ],
)
def test_the_result_on_the_centre_leads_back_to_the_page_asked_for_and_never_to_the_centre_itself(
    visitor: Visitor, query: str, led: list[str]
) -> None:
    html = visitor.client.get(f"/privacy-choices{query}").text
    [result] = re.findall(r'<p class="pc-message">.*?</div>', html, re.DOTALL)
    assert re.findall(r'href="([^"]+)"', result) == [*led, "/privacy-choices/mine", "#pc-hide"]


def test_a_marked_page_keeps_third_parties_out_whatever_was_granted(visitor: Visitor) -> None:
    visitor.answer("all")
    assert visitor.client.get("/portal").text == "no: marked"
    assert visitor.allowed("videos")


def test_the_privacy_signal_turns_off_what_sells_or_shares(app: Flask) -> None:
    told = {
        value: app.test_client(grant={"videos"}).get("/allowed/videos", headers={"Sec-GPC": value}).text
        for value in ("1", "0", "1,0")
    }
    assert told == {"1": "no: opted_out", "0": "yes", "1,0": "no: opted_out"}


@pytest.mark.requirement("CK-07")
@pytest.mark.parametrize("choice", ["all", "none", "opt_out"])
@pytest.mark.parametrize("headers", [SAME, {**SAME, "Sec-GPC": "1"}])
def test_a_response_sets_the_answer_once(
    visitor: Visitor, site: Site, choice: str, headers: dict[str, str]
) -> None:
    visitor.answer("all")
    responses = [visitor.answer(choice, headers), visitor.client.get("/", headers=headers)]
    for response in responses:
        names = [each.partition("=")[0] for each in response.headers.getlist("Set-Cookie")]
        assert names.count("consent") <= 1
    assert "consent" in responses[0].headers["Set-Cookie"]


@pytest.mark.requirement("CK-08")
def test_the_answers_cookie_is_set_by_the_server_and_out_of_reach_of_scripts(visitor: Visitor) -> None:
    response = visitor.answer("all")
    assert "HttpOnly" in response.headers["Set-Cookie"]
    for script in STATIC.glob("*.js"):
        # The first paint of a page from a cache goes by another cookie, which it reads.
        source = script.read_text().replace("document.cookie.match(", "", script.name == "first.js")
        assert not re.search(r"document\s*\.\s*cookie|cookieStore", source), script.name


@pytest.mark.requirement("HLT-02")
def test_a_new_purpose_with_special_data_waits_for_a_yes_of_its_own(make_app: MakeSite) -> None:
    special = POLICY.replace('title = "Statistics"', 'title = "Statistics"\nspecial_category = true')
    visitor = Visitor(make_app(special).test_client())
    visitor.answer("some", category__performance="some", service__statistics="yes")
    assert visitor.allowed("statistics")
    widened = special.replace("revision = 1", 'revision = 2\nchange = "We now test with it, too."').replace(
        'purposes = ["measurement"]', 'purposes = ["measurement", "testing"]'
    )
    later = Visitor(make_app(widened).test_client())
    later.client.set_cookie("consent", held(visitor.client))
    assert later.client.get("/allowed/statistics").text == "no: changed"
    page = later.client.get("/").text
    assert "We now test with it, too." in page
    later.answer("all")
    assert not later.allowed("statistics"), "Accept all is no Yes to it"
    page = later.client.get("/").text
    assert "Everything optional is on." not in page
    assert "Off: Statistics." in page
    later.answer("some", category__performance="some", service__statistics="yes")
    assert later.allowed("statistics")


@pytest.mark.requirement("HIP-02")
def test_no_yes_given_here_lets_another_company_into_a_marked_page(visitor: Visitor) -> None:
    visitor.answer("all")
    assert visitor.allowed("videos")
    assert visitor.client.get("/portal").text == "no: marked"
    visitor.answer("opt_out")
    visitor.opt_in("videos")
    assert visitor.allowed("videos")
    assert visitor.client.get("/portal").text == "no: marked"


@pytest.mark.requirement("HIP-05")
def test_what_may_not_run_is_stopped_before_anything_is_sent_to_it(visitor: Visitor, app: Flask) -> None:
    app.add_url_rule("/marked", "marked", Consent().sensitive(lambda: render_template_string(PAGE)))
    marked = visitor.client.get("/marked").text
    refused = visitor.client.get("/").text
    visitor.answer("all")
    assert 'src="https://video.example/v/1"' in visitor.client.get("/").text
    for html in (marked, refused, visitor.client.get("/marked").text):
        loading = re.findall(r'<(?:iframe|script|img|link)[^>]*(?:src|href)="([^"]+)"', html)
        assert loading
        assert not [each for each in loading if "video.example" in each]


@pytest.mark.requirement("HIP-04")
@pytest.mark.parametrize("mark", ["sensitive", "first_party"])
def test_the_link_on_a_marked_page_keeps_its_address_to_itself(app: Flask, mark: str) -> None:
    view = getattr(Consent(), mark)(lambda: render_template_string("{{ consent_link() }}"))
    app.add_url_rule("/topics/hiv", "topic", view)
    app.add_url_rule("/open", "open", lambda: render_template_string("{{ consent_link() }}"))
    client = app.test_client()
    assert 'href="/privacy-choices?next=/open"' in client.get("/open").text
    assert 'href="/privacy-choices"' in client.get("/topics/hiv").text
