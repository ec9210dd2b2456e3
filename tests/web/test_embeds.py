"""Embeds: what stands in their place, the ways to them, and what is loaded once: asked for, recorded, gone."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, render_template_string
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent import Consent
from consent.decision import PROFILES
from consent.errors import ConfigurationError
from consent.ledger import Kind
from consent.web.embed import Embed
from consent.web.site import Site

from .clinic import PAGE, POLICY, SAME, Clock, MakeSite, Visitor, events, locked

CROSS = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
FRAMED = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}
JSON = SAME | {"Accept": "application/json"}
SRC = "https://video.example/v/1"
SPECIAL = POLICY.replace("[services.videos]", "[services.videos]\nspecial_category = true")
AGREED = POLICY.replace("[services.videos]", '[services.videos]\nagreement = "of 2026-01-01"')
ELSEWHERE = POLICY.replace("[services.videos]", '[services.videos]\npages = ["portal"]')


def placeholder(client: FlaskClient, path: str = "/", **options: Any) -> str:
    """The placeholder on the page at *path*."""
    found = re.search(r'<div class="pc pc-embed".*', client.get(path, **options).text, re.DOTALL)
    assert found, "the page has no placeholder"
    return found[0].split("</main>")[0]


def fields(markup: str, choice: str) -> dict[str, str]:
    """What its button *choice* sends."""
    assert f'name="choice" value="{choice}"' in markup, f"no way {choice}"
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', markup)
    return {name: html.unescape(value) for name, value in hidden} | {"choice": choice}


def press(client: FlaskClient, choice: str, headers: dict[str, str] = SAME, **changes: str) -> TestResponse:
    """Press the button *choice* of the placeholder on the home page, with *changes* to what it sends."""
    data = fields(placeholder(client), choice) | {k.replace("__", "."): v for k, v in changes.items()}
    return client.post("/privacy-choices", data=data, headers=headers)


def show(app: Flask, template: str) -> str:
    """*template* as a page of *app*, to someone who hasn't answered."""
    app.add_url_rule("/shown", "shown", lambda: render_template_string(template))
    return app.test_client().get("/shown").text


def ways(markup: str) -> set[str]:
    """The ways that a placeholder offers."""
    found = set(re.findall(r'name="choice" value="(\w+)"', markup))
    return found | ({"open"} if 'rel="noopener noreferrer"' in markup else set())


# -- the placeholder


@pytest.mark.requirement("CON-12")
def test_a_placeholder_names_title_provider_and_what_they_get_and_asks_nobody(visitor: Visitor) -> None:
    markup = placeholder(visitor.client)
    assert "A &lt;film&gt;" in markup
    assert "Video Co" in markup
    assert "internet address" in markup.lower() or "address" in markup.lower()
    assert "<iframe" not in markup
    assert not re.search(r'(?:src|srcset)="https', markup)


def test_three_ways_lead_out_of_it_by_form_and_link(visitor: Visitor) -> None:
    markup = placeholder(visitor.client)
    assert ways(markup) == {"once", "always", "open"}
    assert f'<a class="pc-button" href="{SRC}" rel="noopener noreferrer">' in markup
    assert re.findall(r'class="(pc-button[^"]*)"', markup) == ["pc-button"] * 3


def test_it_links_the_preference_centre_and_the_way_back(visitor: Visitor) -> None:
    assert 'href="/privacy-choices?next=/?a%3Db"' in placeholder(visitor.client, "/?a=b")


def test_a_frame_of_the_sites_own_has_no_provider_to_open(app: Flask) -> None:
    markup = show(app, '{{ consent_embed("videos", src="/own", title="Own") }}')
    assert "noopener" not in markup


@pytest.mark.parametrize(
    ("mark", "why"), [("sensitive", "no other company"), ("first_party", "no other company")]
)
def test_on_a_marked_page_it_says_so_and_offers_only_the_link(
    make_app: MakeSite, mark: str, why: str
) -> None:
    markup = marked(make_app(), mark)
    assert ways(markup) == {"open"}
    assert why in markup
    assert 'href="/privacy-choices' not in markup


@pytest.mark.requirement("HIP-04")
def test_on_a_marked_page_no_element_tells_the_address_whatever_its_template_says(make_app: MakeSite) -> None:
    app = make_app(AGREED)
    call = 'consent_embed("videos", src="https://video.example/1", title="A", referrerpolicy="unsafe-url")'
    page = f"{{{{ {call} }}}}"
    app.add_url_rule("/marked", "marked", Consent().sensitive(lambda: render_template_string(page)))
    app.add_url_rule("/other", "other", lambda: render_template_string(page))
    client = app.test_client(grant={"videos"})
    assert 'referrerpolicy="no-referrer"' in client.get("/marked").text
    assert 'referrerpolicy="unsafe-url"' in client.get("/other").text


def test_under_an_agreement_a_marked_page_offers_always_and_never_once(make_app: MakeSite) -> None:
    markup = marked(make_app(AGREED), "sensitive")
    assert ways(markup) == {"always", "open"}


def test_on_a_page_it_does_not_belong_to_it_says_so(make_app: MakeSite) -> None:
    markup = placeholder(make_app(ELSEWHERE).test_client())
    assert ways(markup) == {"open"}
    assert "belongs to other pages" in markup


def test_an_opt_out_is_named_and_after_a_yes_the_two_steps_are_linked(visitor: Visitor) -> None:
    for headers in ({"Sec-GPC": "1"}, {}):
        markup = placeholder(visitor.client, headers=headers)
        assert ways(markup) == {"open"}
        assert "not to sell or share" in markup
        assert 'href="/privacy-choices?next=/"' in markup
        visitor.answer("opt_out")
    visitor.answer("all")
    assert 'href="/privacy-choices?next=/#pc-sale"' in placeholder(visitor.client)


def test_a_child_is_offered_nothing_to_allow(make_app: MakeSite) -> None:
    markup = placeholder(make_app(CONSENT_MINOR=lambda: True).test_client())
    assert ways(markup) == {"open"}
    assert "young people" in markup


def test_special_categories_can_be_allowed_always_by_their_own_yes_and_never_once(make_app: MakeSite) -> None:
    app = make_app(SPECIAL)
    visitor = Visitor(app.test_client())
    assert ways(placeholder(visitor.client)) == {"always", "open"}
    assert press(visitor.client, "always").status_code == 303
    assert visitor.allowed("videos")


def test_one_that_several_services_need_leads_to_the_choices(make_app: MakeSite) -> None:
    more = POLICY + POLICY[POLICY.index("[services.videos]") :].replace("services.videos", "services.talks")
    app = make_app(more)
    markup = show(app, '{{ consent_embed("media", src="https://video.example/1", title="Both") }}')
    assert ways(markup) == {"open"}
    assert 'href="/privacy-choices' in markup


def test_what_has_size_keeps_its_shape_and_nothing_is_styled_in_place(app: Flask) -> None:
    markup = show(app, '{{ consent_embed("videos", src="/v", title="Film", width=640, height=360) }}')
    assert 'viewBox="0 0 640 360"' in markup
    assert "style=" not in markup


def test_a_template_of_the_sites_cannot_change_its_buttons(make_app: MakeSite, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "consent"
    folder.mkdir(parents=True)
    (folder / "placeholder.html").write_text("<p>{{ title }}</p>{{ ways }}")
    make_app()
    for broken in (
        "<p>{{ title }}</p>",
        "<div hidden>{{ ways }}</div>",
        "{{ ways }}<button name=choice value=all>x</button>",
    ):
        (folder / "placeholder.html").write_text(broken)
        with pytest.raises(ConfigurationError, match=r"placeholder\.html"):
            make_app()


def marked(app: Flask, mark: str) -> str:
    """The placeholder on a marked page of *app*."""
    from consent import Consent

    view: Callable[[], str] = getattr(Consent(), mark)(lambda: render_template_string(PAGE))
    app.add_url_rule("/marked", "marked", view)
    return placeholder(app.test_client(), "/marked")


# -- once


def test_once_answers_with_the_embed_and_keeps_nothing(visitor: Visitor, site: Site) -> None:
    response = press(visitor.client, "once")
    assert response.status_code == 200
    assert f'<iframe src="{SRC}" title="A &lt;film&gt;"></iframe>' in response.text
    assert not response.headers.getlist("Set-Cookie")
    assert not visitor.allowed("videos")
    assert "<iframe" not in visitor.client.get("/").text
    assert "pc-banner" in visitor.client.get("/").text
    [event] = events(site)
    assert (event.kind, event.granted, event.refused) == (Kind.GIVEN_ONCE, ("videos",), ())
    assert (event.subject, event.source, event.language) == (None, "embed", "en")
    assert event.notice == visitor.notice()


def test_once_is_linked_to_nobody_even_where_others_are_allowed(visitor: Visitor, site: Site) -> None:
    visitor.answer("some", category__performance="yes", category__media="no", category__functionality="no")
    before = visitor.cookie()
    assert press(visitor.client, "once").status_code == 200
    assert visitor.cookie() == before
    first, once = events(site)
    assert first.subject
    assert once.subject is None


def test_its_page_lets_in_that_frame_only_and_leads_back(visitor: Visitor) -> None:
    response = press(visitor.client, "once")
    policy = dict(
        each.strip().split(" ", 1) for each in response.headers["Content-Security-Policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "frame-src": "https://video.example",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cache-Control"] == "no-store"
    [place] = re.findall('class="pc pc-embed" id="([^"]+)"', visitor.client.get("/").text)
    assert f'<a href="/#{place}">Back to the page</a>' in response.text
    assert "<script" not in response.text


def test_the_same_film_twice_has_two_places_to_come_back_to(app: Flask, visitor: Visitor) -> None:
    films = f"{{{{ consent_embed('videos', src='{SRC}', title='Film') }}}}" * 3
    app.add_url_rule("/films", "films", lambda: render_template_string(films))
    markup = visitor.client.get("/films").text
    places = re.findall('class="pc pc-embed" id="([^"]+)"', markup)
    assert len(set(places)) == 3
    assert re.findall(r'name="next" value="/films#([^"]+)"', markup) == places
    assert markup == visitor.client.get("/films").text


def test_the_sites_own_policy_lets_the_frame_in_for_that_response(app: Flask, visitor: Visitor) -> None:
    def restrict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response

    app.after_request(restrict)
    theirs = press(visitor.client, "once").headers.getlist("Content-Security-Policy")[0]
    assert "frame-src 'self' https://video.example" in theirs
    assert "video.example" not in visitor.client.get("/").headers["Content-Security-Policy"]


def test_a_page_tells_its_module_which_frames_its_policy_keeps_out(app: Flask, visitor: Visitor) -> None:
    said = {"": None, "default-src 'self'": "videos", "frame-src 'self' https:": None, "img-src 'self'": None}
    policy = ""

    def restrict(response: Response) -> Response:
        if policy:
            response.headers["Content-Security-Policy"] = policy
        return response

    app.after_request(restrict)
    for policy, key in said.items():
        timing = visitor.client.get("/").headers.get("Server-Timing")
        assert timing == (f"pc-service.{key}" if key else None), policy
    visitor.answer("all")
    policy = "default-src 'self'"
    assert "Server-Timing" not in visitor.client.get("/").headers


def test_the_module_gets_the_frame_as_data(visitor: Visitor) -> None:
    response = press(visitor.client, "once", JSON)
    assert response.get_json() == {"ok": True, "frame": {"src": SRC, "title": "A <film>"}}


@pytest.mark.parametrize("headers", [CROSS, FRAMED, {}])
def test_other_sites_frames_and_unknown_senders_load_nothing(
    visitor: Visitor, site: Site, headers: dict[str, str]
) -> None:
    for choice in ("once", "always"):
        assert press(visitor.client, choice, headers).status_code == 403
    assert not events(site)
    assert not visitor.allowed("videos")


def test_a_child_loads_nothing(make_app: MakeSite) -> None:
    child = False
    app = make_app(CONSENT_MINOR=lambda: child)
    client = app.test_client()
    sent = fields(placeholder(client), "once")
    child = True
    for choice in ("once", "always"):
        assert (
            client.post("/privacy-choices", data=sent | {"choice": choice}, headers=SAME).status_code == 403
        )
    assert not events(app.extensions["consent"])


@pytest.mark.parametrize("choice", ["once", "always"])
def test_without_a_known_notice_nothing_is_granted(visitor: Visitor, site: Site, choice: str) -> None:
    for notice in ("", "0" * 64, "nonsense"):
        assert press(visitor.client, choice, notice=notice).status_code == 409
    assert not events(site)


@pytest.mark.parametrize("choice", ["once", "always"])
def test_it_is_about_exactly_one_service_that_the_notice_shows(
    visitor: Visitor, site: Site, choice: str
) -> None:
    sent = fields(placeholder(visitor.client), choice)
    none = {name: value for name, value in sent.items() if not name.startswith("service.")}
    for wrong in (
        none,
        sent | {"service.statistics": "yes"},
        none | {"service.nothing": "yes"},
        sent | {"service.videos": "no"},
    ):
        assert visitor.client.post("/privacy-choices", data=wrong, headers=SAME).status_code == 400
    assert not events(site)


@pytest.mark.parametrize("choice", ["once", "always"])
def test_changed_terms_are_asked_about_anew(make_app: MakeSite, choice: str) -> None:
    client = make_app().test_client()
    sent = fields(placeholder(client), choice)
    changed = make_app(
        POLICY.replace("revision = 1", 'revision = 2\nchange = "Longer."').replace(
            '"30 days"\nsells', '"2 years"\nsells'
        )
    )
    site: Site = changed.extensions["consent"]
    response = changed.test_client().post("/privacy-choices", data=sent, headers=SAME)
    assert response.status_code == 409
    assert not events(site)


def test_nobody_can_have_another_address_shown(visitor: Visitor, app: Flask, make_app: MakeSite) -> None:
    sent = fields(placeholder(visitor.client), "once")
    foreign = make_app(SECRET_KEY="another site's key").extensions["consent"]
    forged = Embed(
        service="videos", attributes={"src": "https://evil.example", "title": "x"}, endpoint="home"
    )
    for embed in (
        "",
        "nonsense",
        sent["embed"][:-1],
        sent["embed"] + "x",
        forged.signed(foreign),
        "." * 9000,
    ):
        response = visitor.client.post("/privacy-choices", data=sent | {"embed": embed}, headers=SAME)
        assert response.status_code == 400
        assert "<iframe" not in response.text
    other = Embed(service="statistics", attributes=forged.attributes, endpoint="home")
    response = visitor.client.post(
        "/privacy-choices", data=sent | {"embed": other.signed(app.extensions["consent"])}, headers=SAME
    )
    assert response.status_code == 400
    assert not events(app.extensions["consent"])


@pytest.mark.parametrize(
    ("policy", "headers", "endpoint", "why"),
    [
        (POLICY, {}, "portal", "no other company"),
        (AGREED, {}, "portal", "nothing is loaded just once"),
        (ELSEWHERE, {}, "home", "belongs to other pages"),
        (SPECIAL, {}, "home", "nothing is loaded just once"),
        (POLICY, {"Sec-GPC": "1"}, "home", "not to sell or share"),
    ],
)
def test_what_may_not_run_there_stays_off_and_says_why(
    make_app: MakeSite, policy: str, headers: dict[str, str], endpoint: str, why: str
) -> None:
    app = make_app(policy)
    site: Site = app.extensions["consent"]
    visitor = Visitor(app.test_client())
    embed = Embed(service="videos", attributes={"src": SRC, "title": "x"}, endpoint=endpoint).signed(site)
    sent = {"service__videos": "yes", "embed": embed, "from_": "embed"}
    for form, said in ((SAME, "text/html"), (JSON, "application/json")):
        response = visitor.answer("once", form | headers, **sent)
        assert response.status_code == 403
        assert response.mimetype == said
        assert why in response.text
        assert "<iframe" not in response.text
    assert not events(site)


def test_an_opt_out_on_record_stops_it_too(visitor: Visitor, site: Site) -> None:
    sent = fields(placeholder(visitor.client), "once")
    visitor.answer("opt_out")
    assert visitor.client.post("/privacy-choices", data=sent, headers=SAME).status_code == 403
    assert [event.kind for event in events(site)] == [Kind.OPTED_OUT]


def test_what_cannot_be_recorded_is_not_loaded(visitor: Visitor, app: Flask) -> None:
    sent = fields(placeholder(visitor.client), "once")
    with locked(app):
        response = visitor.client.post("/privacy-choices", data=sent, headers=SAME)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "<iframe" not in response.text


def test_too_many_at_once_are_not_loaded(visitor: Visitor) -> None:
    sent = fields(placeholder(visitor.client), "once")
    codes = [visitor.client.post("/privacy-choices", data=sent, headers=JSON).status_code for _ in range(140)]
    assert codes[0] == 200
    assert codes[-1] == 429


# -- always


def test_always_adds_its_own_yes_and_leaves_all_other_answers(visitor: Visitor, site: Site) -> None:
    visitor.answer(
        "some",
        category__performance="some",
        service__statistics="yes",
        category__media="no",
        category__functionality="no",
    )
    response = press(visitor.client, "always")
    assert (response.status_code, response.headers["Location"]) == (303, "/#pc-status")
    assert visitor.allowed("videos")
    assert visitor.allowed("statistics")
    assert not visitor.allowed("experiment")
    first, added = events(site)
    assert (added.kind, added.source, added.subject) == (Kind.GIVEN, "embed", first.subject)
    assert added.granted == ("statistics", "videos")
    assert added.refused == ("experiment", "names")
    assert added.before_refused == ("experiment", "names", "videos")
    assert f'<iframe src="{SRC}"' in visitor.client.get("/").text


def test_always_from_who_has_not_answered_grants_that_one_alone(visitor: Visitor, site: Site) -> None:
    press(visitor.client, "always")
    [event] = events(site)
    assert (event.granted, event.refused) == (("videos",), ())
    assert not visitor.allowed("statistics")


def test_a_refusal_in_the_same_form_is_the_last_word(visitor: Visitor, site: Site) -> None:
    sent = [*fields(placeholder(visitor.client), "always").items(), ("choice", "none")]
    visitor.client.post(
        "/privacy-choices",
        data="&".join(f"{k}={v}" for k, v in sent),
        headers=SAME,
        content_type="application/x-www-form-urlencoded",
    )
    assert not visitor.allowed("videos")


def test_profiles_change_nothing_about_it(make_app: MakeSite) -> None:
    for profile in PROFILES:
        assert ways(placeholder(make_app(CONSENT_PROFILE=profile).test_client())) == {
            "once",
            "always",
            "open",
        }


# -- bad input

BREAKING = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "blob:https://video.example/1",
    "about:blank",
    "//evil.example/x",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "video.html",
    "https:/video.example",
    "https://",
    "https:///v",
    "https://[::1/v",
    "https://video.example]/",
    "https://video.example:port/",
    "https://user@evil.example/",
    "https://video.example/\n",
    '" onload="alert(1)',
    '/x" onload="alert(1)',
    "https://video.example/><script>",
    "",
]
HELPERS = [
    'consent_embed("statistics", src=src, title="T")',
    'consent_script("statistics", src=src)',
    'consent_pixel("statistics", src=src)',
]


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("granted", [True, False])
def test_addresses_are_http_or_paths_of_the_site_and_all_else_names_place_and_fix(
    app: Flask, helper: str, granted: bool
) -> None:
    src = ""
    app.add_url_rule("/s", "s", lambda: render_template_string("{{ " + helper + " }}", src=src))
    client = app.test_client(grant={"statistics"}) if granted else app.test_client()
    for src in BREAKING:  # noqa: B007 - the page reads it
        with pytest.raises(ValueError, match=r'consent_\w+\("statistics"\): src is .*; expected .*https://'):
            client.get("/s")
    for src in ("/v/1?a=b&c='d'#t", "https://video.example", "http://[::1]:8000/v/ü"):  # noqa: B007 - the same
        assert client.get("/s").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "onload",
        "ONLOAD",
        "on_load",
        "onload_",
        "on load",
        "a b",
        'x"y',
        "x>y",
        "x/y",
        "x=y",
        "srcdoc",
        "SrcDoc",
        "style",
        "http_equiv",
        "formaction",
        "srcset",
        "href",
        "ping",
        "attributionsrc",
        "dynsrc",
        "data_service",
        "data-category",
        "data_src",
        "data_srcset",
        "data_href",
        "data_type",
        "data_pc_instead",
        "",
        "_",
        "1a",
    ],
)
@pytest.mark.parametrize("helper", ["consent_embed", "consent_script"])
def test_attribute_names_are_plain_and_run_nothing(app: Flask, name: str, helper: str) -> None:
    title = 'title="T", ' if helper == "consent_embed" else ""
    template = "{{ " + helper + '("statistics", src="/v", ' + title + "**more) }}"
    app.add_url_rule("/s", "s", lambda: render_template_string(template, more={name: "alert(1)"}))
    with pytest.raises(ValueError, match=r"can't be an attribute"):
        app.test_client(grant={"statistics"}).get("/s")


EVIL = "\"'><script>alert(1)</script><a onload=x href='"


@pytest.mark.parametrize("granted", [True, False])
def test_titles_values_and_nonces_stay_what_they_are(app: Flask, granted: bool) -> None:
    template = (
        "{{ consent_head(nonce=evil) }}<main>"
        '{{ consent_embed("videos", src="https://video.example/v", title=evil, data_note=evil, class_=evil) }}'
        '{{ consent_script("videos", src="/v", nonce=evil) }}</main>'
    )
    app.add_url_rule("/s", "s", lambda: render_template_string(template, evil=EVIL))
    client = app.test_client(grant={"videos"}) if granted else app.test_client()
    for text in (client.get("/s").text, press_on(client, "/s") if not granted else ""):
        assert "<script>alert" not in text
        assert not re.search(r"<[^>]*\sonload=x", re.sub(r'"[^"]*"', '""', text))


def press_on(client: FlaskClient, path: str) -> str:
    """What loading the embed of the page at *path* once answers."""
    sent = fields(placeholder(client, path), "once")
    return client.post("/privacy-choices", data=sent, headers=SAME).text


def test_an_unknown_key_is_named_and_never_shown(app: Flask) -> None:
    with pytest.raises(LookupError):
        show(app, "{{ consent_embed('<b>', src='/v', title='T') }}")


def test_no_template_hides_anything_in_noscript() -> None:
    root = Path(__file__).parents[2]
    found = [
        path.name
        for folder in ("templates", "demo_site")
        for path in (root / folder).rglob("*.html")
        if "<noscript" in path.read_text()
    ]
    assert not found


WILD = POLICY.replace(
    'frame = ["https://video.example"]', 'frame = ["https://*.films.example"]\nscript = ["https://s.example"]'
)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ('consent_embed("videos", src="https://other.example/x", title="T")', "frame"),
        ('consent_embed("media", src="https://films.example/x", title="T")', "frame"),
        ('consent_embed("videos", src="http://a.films.example/x", title="T")', "frame"),
        ('consent_embed("videos", src="https://a.films.example:8443/x", title="T")', "frame"),
        ('consent_script("videos", src="https://a.films.example/x.js")', "script"),
        ('consent_embed("videos", src="https://a.b.films.example/x", title="T")', None),
        ('consent_embed("media", src="https://A.films.example:443/x", title="T")', None),
        ('consent_embed("videos", src="http://localhost/own", title="T")', None),
        ('consent_script("videos", src="https://s.example/x.js")', None),
        ('consent_pixel("videos", src="https://anywhere.example/x.gif")', None),
    ],
)
def test_an_address_is_on_an_origin_that_its_service_declares_where_it_declares_any(
    make_app: MakeSite, call: str, kind: str | None
) -> None:
    app = make_app(WILD)
    if kind is None:
        assert show(app, "{{ " + call + " }}<p>whole</p>").endswith("<p>whole</p>")
        return
    with pytest.raises(ValueError, match=rf"consent_\w+\(.*\): src is .*; expected .* under {kind}\. Add"):
        show(app, "{{ " + call + " }}")


def test_what_was_signed_of_another_origin_is_not_loaded(visitor: Visitor, site: Site) -> None:
    other = Embed(service="videos", attributes={"src": "https://o.example/", "title": "x"}, endpoint="home")
    assert press(visitor.client, "once", embed=other.signed(site)).status_code == 400
    assert not events(site)


def test_what_a_page_asked_long_ago_is_asked_anew(visitor: Visitor, clock: Clock) -> None:
    sent = fields(placeholder(visitor.client), "once")
    clock.pass_days(29)
    assert visitor.client.post("/privacy-choices", data=sent, headers=SAME).status_code == 200
    clock.pass_days(3)
    late = visitor.client.post("/privacy-choices", data=sent, headers=SAME)
    assert late.status_code == 400
    assert 'action="/privacy-choices"' in late.text
    assert press(visitor.client, "once").status_code == 200


def test_what_was_signed_under_another_policy_is_asked_anew(make_app: MakeSite) -> None:
    sent = fields(placeholder(make_app().test_client()), "once")
    client = make_app(POLICY.replace("Plays the clinic's videos.", "Plays videos.")).test_client()
    notice = Visitor(client).notice()
    response = client.post("/privacy-choices", data=sent | {"notice": notice}, headers=SAME)
    assert response.status_code == 400


def test_however_much_is_loaded_once_answers_are_still_taken(visitor: Visitor, site: Site) -> None:
    sent = fields(placeholder(visitor.client), "once")
    for _ in range(40):
        last = visitor.client.post("/privacy-choices", data=sent, headers=SAME)
    assert last.status_code == 429
    assert not site.recorder.limits.buckets
    assert visitor.answer("all").status_code == 303
    assert visitor.allowed("videos")
