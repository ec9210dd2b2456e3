"""What leaves the app, whatever the site's own hooks and middlewares make of it."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import (
    Flask,
    Request,
    Response,
    redirect,
    render_template_string,
    request,
    session,
    stream_with_context,
)
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.testing import FlaskClient
from werkzeug.http import dump_cookie
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client
from werkzeug.wrappers import Response as ResponseBase

from consent import Consent, current_consent, item_blocked
from consent.policy import Cookie
from consent.testing import assert_nothing_undeclared
from consent.web.assets import assets
from consent.web.expiry import MOST_BYTES, MOST_HEADERS, MOST_NAMES, deletions
from consent.web.gate import Gate
from consent.web.headers import keep_private, seal
from consent.web.site import Site

from .clinic import PAGE, POLICY, SAME, Clock, MakeSite, Visitor


def with_headers(app: Flask, *headers: tuple[str, str]) -> Flask:
    """*app*, which from now on says this of every page."""

    @app.after_request
    def say(response: Response) -> Response:
        for name, value in headers:
            response.headers.add(name, value)
        return response

    return app


@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("public", "private"),
        ("public, max-age=60, s-maxage=600", "private, max-age=60"),
        ("PUBLIC, S-MaxAge=600", "private"),
        ('private="Set-Cookie", max-age=60', "private, max-age=60"),
        ("max-age=60, stale-while-revalidate=30", "private, max-age=60, stale-while-revalidate=30"),
        ("no-store", "no-store"),
        ("no-store, public", "no-store, public"),
        ("", "private"),
    ],
)
def test_a_page_made_for_one_answer_stays_out_of_shared_caches(app: Flask, said: str, kept: str) -> None:
    client = with_headers(app, ("Cache-Control", said)).test_client()
    assert client.get("/").headers.getlist("Cache-Control") == [kept]
    assert client.get("/plain").headers["Cache-Control"] == said


@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ([], ["Cookie"]),
        (["Accept-Encoding"], ["Accept-Encoding", "Cookie"]),
        (["Accept-Encoding, cookie"], ["Accept-Encoding, cookie"]),
        (["Accept-Encoding", "COOKIE"], ["Accept-Encoding", "COOKIE"]),
        (["*"], ["*"]),
    ],
)
def test_a_page_made_for_one_answer_varies_by_cookie(app: Flask, said: list[str], kept: list[str]) -> None:
    client = with_headers(app, *(("Vary", value) for value in said)).test_client()
    assert client.get("/").headers.getlist("Vary") == kept
    assert client.get("/plain").headers.getlist("Vary") == said


def test_a_list_of_headers_that_a_middleware_keeps_is_left_as_it_is() -> None:
    constant = [("Content-Type", "text/html"), ("Cache-Control", "public")]
    made = list(constant)
    keep_private(made)
    assert made == [("Content-Type", "text/html"), ("Cache-Control", "private"), ("Vary", "Cookie")]
    seal(made, {"cache-control": "no-store"})
    assert ("cache-control", "no-store") in made
    assert constant == [("Content-Type", "text/html"), ("Cache-Control", "public")]


@pytest.mark.requirement("ENF-06")
def test_what_is_for_everybody_is_private_once_a_hook_asks_who_it_is_for(app: Flask) -> None:
    @app.after_request
    def ask(response: Response) -> Response:
        if "ask" in request.args:
            response.headers["X-Statistics"] = str(current_consent.allows("statistics"))
        return response

    client = app.test_client()
    Visitor(client).answer("none")
    for query, says in (("", "public, max-age=10"), ("?ask", "private, max-age=10")):
        headers = client.get(f"/privacy-choices/checkpoint{query}").headers
        assert headers.getlist("Cache-Control") == [says]


@pytest.mark.parametrize("path", ["", "/mine", "/declaration", "/state", "/static/nothing", "/shown/nothing"])
def test_no_hook_of_the_site_lets_others_frame_keep_or_load_our_pages(app: Flask, path: str) -> None:
    @app.after_request
    def loosen(response: Response) -> Response:
        response.headers["X-Frame-Options"] = "ALLOWALL"
        response.headers["Content-Security-Policy"] = "default-src *"
        response.headers["Cache-Control"] = "public, max-age=600"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    headers = app.test_client().get(f"/privacy-choices{path}").headers
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Content-Security-Policy") == ["default-src *", "frame-ancestors 'none'"]
    assert headers.getlist("Cache-Control") == ["no-store"]
    assert headers.getlist("Cross-Origin-Resource-Policy") == ["same-origin"]
    assert headers.getlist("X-Robots-Tag") == ["noindex"]
    assert app.test_client().get("/plain").headers.getlist("X-Frame-Options") == ["ALLOWALL"]


def test_a_stored_notice_stays_in_its_sandbox_whatever_the_site_says(app: Flask) -> None:
    @app.after_request
    def loosen(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src *"
        return response

    client = app.test_client()
    response = client.get(f"/privacy-choices/notices/{Visitor(client).notice()}")
    policies = response.headers.getlist("Content-Security-Policy")
    assert policies == ["default-src *", "sandbox; default-src 'none'; frame-ancestors 'none'"]


def test_a_body_that_streams_goes_out_as_the_site_made_it(app: Flask) -> None:
    closed: list[bool] = []

    class Body:
        def __init__(self) -> None:
            self.parts = iter(["a", "b"])

        def __iter__(self) -> "Body":
            return self

        def __next__(self) -> str:
            return next(self.parts)

        def close(self) -> None:
            closed.append(True)

    @app.get("/stream")
    def stream() -> Response:
        current_consent.allows("statistics")
        return Response(Body())

    response = app.test_client().get("/stream", buffered=False)
    assert response.headers["Cache-Control"] == "private"
    assert list(response.iter_encoded()) == [b"a", b"b"]
    response.close()
    assert closed == [True]


@pytest.mark.parametrize(
    "page",
    ["/clinic/pages/a", "/clinic/pages/a?b=c&d=%26", "/clinic/pages/caf%C3%A9%20x", "/clinic/pages/a%3Fb"],
)
def test_a_link_leads_back_to_the_very_page_below_a_mount_point(app: Flask, page: str) -> None:
    app.add_url_rule("/pages/<name>", "pages", lambda name: render_template_string("{{ consent_link() }}"))
    mounted = Client(DispatcherMiddleware(Flask("other").wsgi_app, {"/clinic": app.wsgi_app}))
    link = re.search(r'href="([^"]+)"', mounted.get(page).text)
    assert link
    url = urlsplit(unescape(link[1]))
    assert url.path == "/clinic/privacy-choices"
    assert parse_qs(url.query)["next"] == [page]


def test_a_link_on_a_page_whose_address_is_no_path_leads_to_the_centre_alone(app: Flask) -> None:
    app.add_url_rule("/<path:name>", "pages", lambda name: render_template_string("{{ consent_link() }}"))
    html = app.test_client().get("http://localhost//evil.example/x").text
    assert "evil" not in html


def setting(app: Flask, *cookies: str, path: str = "/set") -> Flask:
    """*app* with a view ``set`` that sets *cookies*, each the whole value of a header."""

    @app.get(path, endpoint="set")
    def set_them() -> Response:
        response = Response("set")
        for cookie in cookies:
            response.headers.add("Set-Cookie", cookie)
        return response

    return app


def sent(client: FlaskClient, path: str = "/set", base_url: str | None = None) -> list[str]:
    """The names of the cookies that a response sets, deletions left out."""
    with client.get(path, base_url=base_url) as response:
        values = response.headers.getlist("Set-Cookie")
    return [value.partition("=")[0] for value in values if "Max-Age=0" not in value]


@pytest.mark.requirement("ENF-01")
@pytest.mark.parametrize(
    ("grant", "expected"),
    [((), ["session"]), (("statistics",), ["visit", "session"]), (("names",), ["session"])],
)
def test_a_cookie_leaves_only_while_its_service_may_run(
    app: Flask, grant: tuple[str, ...], expected: list[str]
) -> None:
    setting(app, "visit=1; Path=/; Max-Age=60", "session=2; Path=/")
    client = app.test_client(grant=grant) if grant else app.test_client(refuse=True)
    assert sent(client) == expected


@pytest.mark.requirement("ENF-01")
def test_flasks_own_session_and_cookies_of_errors_redirects_and_static_files_pass_the_gate(
    make_app: MakeSite, tmp_path: Path
) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("a")
    app = make_app(
        POLICY.replace("cookies = { visit", 'cookies = { late = "session", visit'), SESSION_COOKIE_NAME="late"
    )

    @app.route("/login")
    def login() -> str:
        session["who"] = "anna"
        return "in"

    @app.errorhandler(404)
    def missing(error: object) -> tuple[Response, int]:
        response = Response("missing")
        response.set_cookie("visit", "1", max_age=60)
        return response, 404

    @app.get("/away")
    def away() -> ResponseBase:
        response = redirect("/")
        response.set_cookie("visit", "1", max_age=60)
        return response

    @app.after_request
    def count(response: Response) -> Response:
        if request.endpoint == "static":
            response.set_cookie("visit", "1", max_age=60)
        return response

    for grant, expected in (((), []), (("statistics",), None)):
        client = app.test_client(grant=grant)
        for path in ("/login", "/nowhere", "/away", "/static/a.txt"):
            assert sent(client, path) == (
                ["late" if path == "/login" else "visit"] if expected is None else []
            )


def test_an_always_on_cookie_of_the_sites_own_is_never_touched(app: Flask) -> None:
    setting(app, "session=1; Path=/; HttpOnly")
    headers = app.test_client().get("/set").headers
    assert headers.getlist("Set-Cookie") == ["session=1; Path=/; HttpOnly"]
    assert "Cache-Control" not in headers


def test_a_deletion_passes_whatever_it_deletes(app: Flask) -> None:
    deletions = ["visit=; Max-Age=0; Path=/", "unknown=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
    setting(app, *deletions)
    assert app.test_client(refuse=True).get("/set").headers.getlist("Set-Cookie") == deletions


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("visit", True),
        ("=visit=1", False),
        ("visit =1; Max-Age=60", False),
        ("\tvisit=1", False),
        ("visit=1;;;; Max-Age=x", False),
        ('visit="1; Max-Age=60"', False),
        ("VISIT=1", True),
        ("visit=" + "x" * 5000, True),
        ("", True),
        ("visit=é", False),
    ],
)
def test_a_malformed_cookie_passes_or_goes_whole(app: Flask, text: str, passes: bool) -> None:
    setting(app, text)
    values = app.test_client(use_cookies=False).get("/set").headers.getlist("Set-Cookie")
    assert values == ([text] if passes else [])


@pytest.mark.requirement("ENF-01")
def test_an_undeclared_cookie_is_named_once_with_what_set_it(
    app: Flask, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    setting(app, "mystery=1; Max-Age=86400")
    client = app.test_client()
    for _ in range(3):
        assert sent(client) == ["mystery"]
    (fault,) = site.findings.about("undeclared")
    assert fault.place == "cookie mystery, set by endpoint set"
    assert 'cookies = { "mystery" = "1 day" }' in fault.fix
    assert site.findings.counts["undeclared", ""] == 3
    assert [record.message for record in caplog.records].count(str(fault)) == 1


@pytest.mark.requirement("ENF-01")
def test_an_undeclared_cookie_that_browsers_ignore_is_named_as_such_and_judged_all_the_same(
    make_app: MakeSite,
) -> None:
    app = make_app(CONSENT_UNDECLARED="drop")
    setting(app, "__Host-x=1; Path=/; Secure; Domain=localhost")
    assert not sent(app.test_client())
    (fault,) = app.extensions["consent"].findings.about("undeclared")
    assert "browsers ignore it: a name that begins with __host- needs Path=/ and no Domain" in fault.problem


def test_an_undeclared_cookie_is_dropped_where_the_site_says_so(make_app: MakeSite) -> None:
    app = setting(make_app(CONSENT_UNDECLARED="drop"), "mystery=1", "session=2; Path=/")
    told: list[dict[str, object]] = []

    def listen(sender: object, **what: object) -> None:
        told.append(what)

    with item_blocked.connected_to(listen, app):
        assert sent(app.test_client(grant={"statistics"})) == ["session"]
    assert told == [
        {"kind": "cookie", "name": "mystery", "service": None, "reason": "undeclared", "endpoint": "set"}
    ]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_visitors_answer_is_never_taken_for_undeclared(make_app: MakeSite, scheme: str) -> None:
    app = make_app(CONSENT_UNDECLARED="drop")
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = scheme
    assert "consent=" in Visitor(client).answer("all").headers["Set-Cookie"]
    assert app.extensions["consent"].findings.known == {}


@pytest.mark.parametrize("text", ["mystery", "=mystery", " = mystery; Path=/"])
def test_a_cookie_without_a_name_is_to_get_one_since_none_can_be_declared(
    app: Flask, site: Site, text: str
) -> None:
    setting(app, text)
    app.test_client(use_cookies=False).get("/set")
    (fault,) = site.findings.about("undeclared")
    assert fault.place == "cookie (without a name), set by endpoint set"
    assert fault.fix.startswith("Give it a name")
    assert "cookies = {" not in fault.fix


@pytest.mark.requirement("ENF-01")
@pytest.mark.parametrize(
    ("scheme", "name", "cached"),
    [
        ("https", "__Host-consent", False),
        ("http", "consent", False),
        ("https", "__Host-consent-shown", True),
        ("http", "consent-shown", True),
    ],
)
def test_nobody_but_the_component_sets_a_cookie_under_the_name_of_the_answer(
    make_app: MakeSite, scheme: str, name: str, cached: bool
) -> None:
    app = make_app(CONSENT_CACHE_SAFE=cached)
    site: Site = app.extensions["consent"]
    setting(app, f"{name}=theirs; Path=/; Secure", "session=2; Path=/")
    told: list[object] = []

    def listen(sender: object, **what: object) -> None:
        told.append((what["name"], what["service"], what["reason"]))

    with item_blocked.connected_to(listen, app):
        assert sent(app.test_client(), base_url=f"{scheme}://localhost") == ["session"]
    assert told == [(name, None, "answer")]
    (fault,) = site.findings.about("answer")
    assert "nobody else may set it" in fault.problem
    with pytest.raises(AssertionError, match="nobody else may set it"):
        assert_nothing_undeclared(app)


@pytest.mark.requirement("ENF-01")
def test_no_cookie_without_a_name_comes_back_as_the_answer_or_as_what_was_refused(
    app: Flask, site: Site
) -> None:
    setting(app, "=consent=theirs; Path=/", "=visit=1; Path=/")
    assert app.test_client().get("/set").headers.getlist("Set-Cookie") == []
    assert site.findings.about("answer")
    assert site.findings.about("stopped")


@pytest.mark.parametrize(
    ("scheme", "name", "cached"),
    [
        ("https", "consent", True),
        ("http", "__Host-consent", True),
        ("http", "consent-shown", False),
        ("https", "__Host-consent-shown", False),
    ],
)
def test_under_a_name_that_holds_no_answer_there_the_site_sets_what_it_likes(
    make_app: MakeSite, scheme: str, name: str, cached: bool
) -> None:
    app = setting(make_app(CONSENT_CACHE_SAFE=cached), f"{name}=theirs; Path=/; Secure")
    assert sent(app.test_client(), base_url=f"{scheme}://localhost") == [name]
    assert not app.extensions["consent"].findings.about("answer")


def test_an_answer_that_the_site_copies_back_from_a_request_stays_out(app: Flask) -> None:
    @app.after_request
    def renew(response: Response) -> Response:
        for name, value in request.cookies.items():
            response.set_cookie(name, value, max_age=60)
        return response

    client = app.test_client()
    visitor = Visitor(client)
    visitor.answer("all")
    granted = client.get_cookie("consent")
    visitor.answer("none")  # the hook's copy of the old answer comes after the new one
    refused = client.get_cookie("consent")
    assert granted
    assert refused
    assert granted.value != refused.value
    assert "counted" not in client.get("/").text
    assert client.get_cookie("consent") == refused


def test_an_answer_leaves_whatever_the_site_makes_of_its_attributes(app: Flask) -> None:
    @app.after_request
    def harden(response: Response) -> Response:
        values = response.headers.getlist("Set-Cookie")
        response.headers.setlist("Set-Cookie", [value.replace("Lax", "Strict") for value in values])
        return response

    client = app.test_client()
    assert "SameSite=Strict" in Visitor(client).answer("all").headers["Set-Cookie"]
    assert "counted" in client.get("/").text


@pytest.mark.parametrize("cached", [False, True])
def test_an_answer_to_another_app_that_this_one_calls_leaves_it(make_app: MakeSite, cached: bool) -> None:
    inner = make_app(CONSENT_CACHE_SAFE=cached)
    outer = make_app(CONSENT_CACHE_SAFE=cached, CONSENT_DATABASE="sqlite://")
    outer.wsgi_app.application = DispatcherMiddleware(  # type: ignore[attr-defined]
        outer.wsgi_app.application,  # type: ignore[attr-defined]
        {"/inner": lambda environ, start: inner.wsgi_app(dict(environ), start)},
    )
    client = outer.test_client()
    notice = Visitor(inner.test_client()).notice()
    page = client.post(
        "/inner/privacy-choices", data={"notice": notice, "choice": "none"}, headers=SAME, buffered=True
    )
    own = [value.partition("=")[0] for value in page.headers.getlist("Set-Cookie")]
    assert own == (["consent", "consent-shown"] if cached else ["consent"])


def test_code_of_the_site_is_told_of_each_cookie_that_was_stopped(app: Flask, site: Site) -> None:
    setting(app, "visit=1; Path=/; Max-Age=60")
    told: list[object] = []

    def listen(sender: object, **what: object) -> None:
        told.append((what["name"], what["service"], what["reason"], what["endpoint"]))

    with item_blocked.connected_to(listen, app):
        client = app.test_client(refuse=True)
        client.get("/set")
        client.get("/set")
    assert told == [("visit", "statistics", "refused", "set")] * 2
    assert site.findings.counts["stopped", "statistics"] == 2
    assert len(site.findings.about("stopped")) == 1


@pytest.mark.parametrize(
    ("cookie", "says"),
    [
        ("visit=1; Path=/; Max-Age=34560000", "it lives 400 days, declared is 13 months"),
        ("visit=1; Path=/x; Max-Age=60", "its path is /x, declared is /"),
        ("visit=1; Max-Age=60", "its path is /deep, declared is /"),
        ("visit=1; Path=/; Max-Age=60; Domain=localhost", "its domain is localhost, declared is this host"),
        ("visit=1; Path=/; Max-Age=60; SameSite=None", "browsers refuse it"),
        ("visit=1; Path=/; Max-Age=60; Domain=other.example", "browsers ignore it: its domain other.example"),
        ("session=1; Path=/; Max-Age=600", "it lives 10 minutes, declared is session"),
    ],
)
@pytest.mark.requirement("CK-04")
@pytest.mark.requirement("CK-05")
def test_what_is_sent_otherwise_than_declared_is_reported(
    app: Flask, site: Site, cookie: str, says: str
) -> None:
    setting(app, cookie, path="/deep/set")
    assert sent(app.test_client(grant={"statistics"}), "/deep/set")
    (fault,) = site.findings.about("drift")
    assert says in fault.problem


def test_what_is_sent_as_declared_is_not_reported(app: Flask, site: Site) -> None:
    setting(app, "visit=1; Path=/; Max-Age=2592000", "session=1; Path=/; HttpOnly")
    sent(app.test_client(grant={"statistics"}))
    assert site.findings.about("drift", "undeclared", "stopped") == []


@pytest.mark.requirement("ENF-06")
def test_a_response_whose_cookies_were_judged_by_the_answer_is_private(app: Flask) -> None:
    setting(app, "visit=1; Path=/; Max-Age=60")
    headers = app.test_client().get("/set").headers
    assert (headers["Cache-Control"], headers["Vary"]) == ("private", "Cookie")


@pytest.mark.requirement("ENF-08")
def test_what_an_earlier_time_left_behind_is_deleted_with_the_next_page(app: Flask) -> None:
    client = app.test_client(refuse=True)
    client.set_cookie("visit", "1")
    assert client.get("/plain").headers.getlist("Set-Cookie") != []
    assert client.get_cookie("visit") is None
    headers = client.get("/plain").headers
    assert headers.getlist("Set-Cookie") == []
    assert "Cache-Control" not in headers


def test_nothing_is_deleted_by_what_is_no_page_nor_what_may_run(app: Flask) -> None:
    client = app.test_client(grant={"statistics"})
    for name in ("visit", "stranger", "session"):
        client.set_cookie(name, "1")
    client.get("/")
    assert {name for name in ("visit", "stranger", "session") if client.get_cookie(name)} == {
        "visit",
        "stranger",
        "session",
    }
    refusing = app.test_client(refuse=True)
    refusing.set_cookie("visit", "1")
    refusing.get("/privacy-choices/state")
    assert refusing.get_cookie("visit")


def test_on_a_marked_page_what_may_run_elsewhere_is_not_deleted(make_app: MakeSite) -> None:
    app = make_app(POLICY.replace("frame = [", 'cookies = { player = "1 day" }\nframe = ['))
    client = app.test_client(grant={"videos"})
    client.set_cookie("player", "1")
    client.get("/portal")
    assert client.get_cookie("player")


@pytest.mark.requirement("ENF-08")
def test_hundreds_of_tossed_cookies_cannot_swell_a_response(make_app: MakeSite) -> None:
    app = make_app(POLICY.replace('visit = "13 months", "visit_*"', '"visit*"'))
    header = "; ".join(f"visit{number}=1" for number in range(900))
    values = (
        app.test_client(use_cookies=False)
        .get("/plain", headers={"Cookie": header})
        .headers.getlist("Set-Cookie")
    )
    assert 0 < len(values) <= MOST_HEADERS
    assert sum(map(len, values)) <= MOST_BYTES


def test_in_debug_mode_each_drop_shows_on_the_page(app: Flask) -> None:
    app.debug = True
    setting(app, "visit=1; Path=/; Max-Age=60")
    client = app.test_client(refuse=True)
    response = client.get("/set")
    assert "cookie visit, set by endpoint set: it was not sent" in response.text
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert "it was not sent" not in client.get("/plain").text


def test_in_debug_mode_every_one_of_many_drops_shows(app: Flask) -> None:
    app.debug = True

    @app.get("/many")
    def many() -> ResponseBase:
        response = ResponseBase("many", mimetype="text/html")
        for number in range(100):
            response.set_cookie(f"visit_{number}", "1", max_age=60)
        return response

    assert app.test_client(refuse=True).get("/many").text.count("<li>cookie visit_") == 100


def test_in_debug_mode_a_drop_behind_a_redirect_shows_on_the_next_page(app: Flask) -> None:
    app.debug = True

    @app.get("/away")
    def away() -> ResponseBase:
        response = redirect("/plain")
        response.set_cookie("visit", "<b>", max_age=60)
        return response

    response = app.test_client(refuse=True).get("/away", follow_redirects=True)
    assert "endpoint away" in response.text
    assert "<b>" not in response.text


def test_without_debug_mode_no_page_tells(app: Flask) -> None:
    setting(app, "visit=1; Path=/; Max-Age=60")
    assert app.test_client(refuse=True).get("/set").text == "set"


@pytest.mark.requirement("HIP-04")
def test_a_marked_page_tells_its_address_to_nobody(app: Flask) -> None:
    app.add_url_rule("/marked", "marked", Consent().first_party(lambda: render_template_string(PAGE)))
    with_headers(app, ("Referrer-Policy", "unsafe-url"))
    client = app.test_client()
    assert client.get("/marked").headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert client.get("/").headers.getlist("Referrer-Policy") == ["unsafe-url"]


def test_from_a_marked_page_an_answer_returns_to_it_without_a_referrer(app: Flask) -> None:
    app.add_url_rule("/marked", "marked", Consent().first_party(lambda: render_template_string(PAGE)))
    client = app.test_client()
    html = client.get("/marked?a=b").text
    assert html.count('name="next" value="/marked?a=b"') >= 1
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    answer = Visitor(client).answer("all", headers=own, next="/marked?a=b")
    assert answer.headers["Location"] == "/marked?a=b#pc-status"


@pytest.mark.requirement("ENF-06")
def test_what_the_browser_has_stored_stays_private_and_restricted_after_a_304(make_app: MakeSite) -> None:
    app = make_app()

    @app.get("/etag")
    def etag() -> Response:
        response = Response("<p>page</p>", mimetype="text/html")
        response.headers["Content-Security-Policy"] = "frame-src https://video.example"
        response.headers["Cache-Control"] = "public, no-cache"
        response.add_etag()
        response.make_conditional(request)
        return response

    client = app.test_client(refuse=True)
    first = client.get("/etag")
    again = client.get("/etag", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    for name in ("Content-Security-Policy", "Cache-Control", "Vary"):
        assert again.headers[name] == first.headers[name]
    assert "video.example" not in again.headers["Content-Security-Policy"]


def test_a_page_is_known_however_its_type_is_spelled(app: Flask) -> None:
    client = with_headers(app).test_client(refuse=True)
    app.add_url_rule("/upper", "upper", lambda: Response("x", content_type="Text/HTML; charset=utf-8"))
    client.set_cookie("visit", "1")
    client.get("/upper")
    assert client.get_cookie("visit") is None


@pytest.mark.requirement("ENF-06")
@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/gpc.json",
        "/privacy-choices/checkpoint",
        "/privacy-choices/notices/{notice}",
        "/privacy-choices/static/choices.css?v={version}",
    ],
)
def test_what_is_the_same_for_everybody_stays_out_of_shared_caches_with_a_cookie_in_it(
    make_app: MakeSite, path: str
) -> None:
    app = make_app(CONSENT_CSP="off")

    @app.before_request
    def remember() -> None:
        if "name" in request.args:
            session["name"] = "Ada"
            session.permanent = True

    client = app.test_client(grant={"statistics"})
    path = path.format(notice=Visitor(client).notice(), version=assets()["choices.css"].version)
    strangers = app.test_client().get(path)
    assert "Set-Cookie" not in strangers.headers
    assert "public" in strangers.headers["Cache-Control"]
    client.get("/plain?name")
    renewed = client.get(path)
    assert "session=" in renewed.headers["Set-Cookie"]
    assert "public" not in renewed.headers["Cache-Control"]
    assert "private" in renewed.headers["Cache-Control"]
    assert renewed.data == strangers.data


def test_caches_with_headers_of_their_own_are_kept_out_too(app: Flask) -> None:
    said = {
        "CDN-Cache-Control": "public, max-age=600",
        "Surrogate-Control": "max-age=600",
        "X-Accel-Expires": "600",
    }
    client = with_headers(app, *said.items()).test_client()
    for path in ("/", "/privacy-choices", "/privacy-choices/mine"):
        assert said.keys().isdisjoint(client.get(path).headers.keys()), path
    assert said.items() <= {*client.get("/plain").headers.items()}


def test_an_app_that_calls_another_with_the_same_request_keeps_its_own_view(
    make_app: MakeSite, tmp_path: Path
) -> None:
    inner = make_app()
    outer = make_app(CONSENT_DATABASE="sqlite://")

    @outer.get("/both")
    def both() -> str:
        current_consent.allows("statistics")
        environ = request.environ
        path, environ["PATH_INFO"] = environ["PATH_INFO"], "/"
        list(inner.wsgi_app(environ, lambda *_: len))
        environ["PATH_INFO"] = path
        return "both"

    with_headers(outer, ("Cache-Control", "public"))
    assert outer.test_client().get("/both").headers["Cache-Control"] == "private"


def copying(app: Flask) -> Flask:
    """*app* with a middleware of the site's own beneath the gate that gives Flask a copy of the request."""
    beneath = app.wsgi_app.application  # type: ignore[attr-defined]
    app.wsgi_app.application = lambda environ, start: beneath(dict(environ), start)  # type: ignore[attr-defined]
    return app


def test_a_page_stays_private_below_a_middleware_that_copies_the_request(app: Flask) -> None:
    with_headers(copying(app), ("Cache-Control", "public, max-age=60"))
    client = app.test_client(grant={"statistics"})
    assert client.get("/").headers["Cache-Control"] == "private, max-age=60"
    assert client.get("/plain").headers["Cache-Control"] == "public, max-age=60"
    assert client.get("/privacy-choices").headers.getlist("Cache-Control") == ["no-store"]


def test_an_answer_ends_what_is_refused_below_a_middleware_that_copies_the_request(
    make_app: MakeSite,
) -> None:
    on_a_path = 'remember_name = { lifetime = "30 days", path = "/sign-in" }'
    app = copying(make_app(POLICY.replace('remember_name = "30 days"', on_a_path)))
    sent = Visitor(app.test_client(grant={"names"})).answer("none").headers.getlist("Set-Cookie")
    assert [value.partition("=")[0] for value in sent] == ["consent", "remember_name"]


def test_a_marked_page_is_known_below_a_middleware_that_copies_the_request(make_app: MakeSite) -> None:
    app = copying(make_app(POLICY.replace("frame = [", 'cookies = { player = "1 day" }\nframe = [')))

    @app.after_request
    def play(response: Response) -> Response:
        response.set_cookie("player", "1", max_age=60)
        return response

    client = app.test_client(grant={"videos"})
    assert client.get("/portal").headers["Referrer-Policy"] == "no-referrer"
    assert client.get_cookie("player") is None
    client.get("/plain")
    assert client.get_cookie("player")


def test_a_stream_that_asks_too_late_is_told_so_below_a_middleware_that_copies_the_request(
    app: Flask,
) -> None:
    @app.get("/stream")
    def stream() -> Response:
        return Response(stream_with_context("yes" if current_consent.decided else "no" for _ in "a"))

    assert copying(app).test_client(grant={"statistics"}).get("/stream").text == "no"


def test_a_page_made_within_another_by_a_copy_of_its_request_is_told_by_its_own_endpoint(app: Flask) -> None:
    @app.get("/outer")
    def outer() -> list[str | None]:
        told = [current_consent.endpoint]
        with app.request_context({**request.environ, "PATH_INFO": "/portal"}):
            app.preprocess_request()
            return [*told, current_consent.endpoint]

    assert app.test_client().get("/outer").json == ["outer", "portal"]


def test_a_request_that_the_app_makes_of_itself_is_judged_by_its_own_page(make_app: MakeSite) -> None:
    app = make_app()

    @app.get("/batch")
    def batch() -> list[str]:
        before = current_consent.allows("videos")
        inner = {**request.environ, "PATH_INFO": "/portal"}
        [body] = app.wsgi_app(inner, lambda *_: len)
        return [str(before), body.decode(), str(current_consent.allows("videos"))]

    assert app.test_client(grant={"videos"}).get("/batch").json == ["True", "no: marked", "True"]


def test_who_asks_before_the_page_is_known_is_told_what_may_run_on_every_page(make_app: MakeSite) -> None:
    app = make_app()
    told: list[tuple[bool, bool]] = []

    class Early(SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
            told.append((current_consent.allows("statistics"), current_consent.allows("videos")))
            return super().open_session(app, request)

    app.session_interface = Early()
    with_headers(app, ("Cache-Control", "public"))
    everything = app.test_client(grant={"statistics", "videos"})
    assert everything.get("/allowed/videos").text == "yes"
    assert everything.get("/portal").text != everything.get("/").text
    assert "video.example" not in everything.get("/portal").text
    assert everything.get("/plain").headers["Cache-Control"] == "private"
    assert everything.get("/portal").headers["Referrer-Policy"] == "no-referrer"
    assert told == [(True, False)] * 6


def test_a_server_that_names_its_arguments_is_understood(app: Flask) -> None:
    told: list[object] = []

    def inside(environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")], exc_info=None)
        return [b""]

    gate = Gate(inside, app.extensions["consent"])
    list(gate({"REQUEST_METHOD": "GET"}, lambda status, headers, exc_info=None: told.append(status)))
    assert told == ["200 OK"]


@pytest.mark.requirement("ENF-08")
def test_every_leftover_has_its_turn(make_app: MakeSite, clock: Clock) -> None:
    app = make_app(POLICY.replace('visit = "13 months", "visit_*"', '"visit*"'))
    left = {f"visit{number:02d}" for number in range(40)} | {"visit" + "x" * 2500}
    for _ in range(60):
        header = "; ".join(f"{name}=1" for name in sorted(left))
        client = app.test_client(use_cookies=False)
        page = client.get("/plain", headers={"Cookie": header}, base_url="http://www.clinic.example")
        wide = [value for value in page.headers.getlist("Set-Cookie") if "Domain=clinic.example" in value]
        left -= {value.partition("=")[0] for value in wide}
        clock.now += 7
    assert left == {"visit" + "x" * 2500}


@pytest.mark.parametrize(
    "host", ["www..clinic.example", f"{'a' * 64}.clinic.example", "ü.clinic.example", "."]
)
def test_a_host_that_is_none_breaks_no_page(app: Flask, host: str) -> None:
    client = app.test_client(use_cookies=False)
    headers = {"Cookie": "visit=1; visit_\u00c3\u00a9=1", "Host": host}
    assert client.get("/plain", headers=headers).status_code in (200, 400)


@pytest.mark.parametrize("status", ["Fine", "2x", 299])
def test_a_status_that_is_none_breaks_no_page(app: Flask, status: str | int) -> None:
    app.add_url_rule("/odd", "odd", lambda: ResponseBase("odd", status=status, mimetype="text/html"))
    assert app.test_client().get("/odd").text == "odd"


def test_no_more_deletions_are_made_than_a_response_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def writing(name: str, *given: Any, **attributes: Any) -> str:
        made.append(name)
        return dump_cookie(name, *given, **attributes)

    monkeypatch.setattr("consent.web.expiry.dump_cookie", writing)
    cookie = Cookie(name="visit*", lifetime=None)
    sent = [(f"visit{number}", cookie) for number in range(200)]
    assert len(deletions(sent, host="www.clinic.example", secure=True)) == MOST_HEADERS
    assert len(made) == MOST_HEADERS


def test_of_more_names_than_browsers_keep_no_more_are_looked_at(site: Site) -> None:
    names = [f"visit_{number}" for number in range(2 * MOST_NAMES)]
    assert list(site.sent.suspects("; ".join(names))) == names[:MOST_NAMES]


def test_a_leftover_is_deleted_under_the_name_that_the_browser_sent(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    sent = "visit_é".encode().decode("latin-1")
    values = client.get("/plain", headers={"Cookie": f"{sent}=1"}).headers.getlist("Set-Cookie")
    assert values
    assert all(value.startswith(f"{sent}=;") for value in values)


@pytest.mark.requirement("WD-03")
def test_on_https_a_partitioned_leftover_is_deleted_too(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    page = client.get("/plain", headers={"Cookie": "visit=1"}, base_url="https://clinic.example")
    assert any("Partitioned" in value for value in page.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize("status", [204, 206, 304])
def test_in_debug_mode_only_whole_pages_are_added_to(app: Flask, status: int) -> None:
    app.debug = True

    @app.get("/part")
    def part() -> Response:
        response = Response("" if status != 206 else "part", status, mimetype="text/html")
        response.set_cookie("visit", "1", max_age=60)
        return response

    @app.get("/packed")
    def packed() -> Response:
        return Response("packed", mimetype="text/html", headers={"Content-Encoding": "br"})

    client = app.test_client(refuse=True)
    assert "Flask-Assent" not in client.get("/part").text
    assert client.get("/packed").text == "packed"
    assert "Flask-Assent" not in client.get("/plain", headers={"Sec-Fetch-Dest": "empty"}).text
    assert "cookie visit" in client.get("/plain").text
