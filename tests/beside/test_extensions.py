"""Other extensions, unchanged: what each sets goes through the gate, and none breaks the other."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from cachelib.file import FileSystemCache
from flask import Flask, render_template_string, request, session
from flask.testing import FlaskClient
from flask_babel import Babel
from flask_caching import Cache
from flask_login import LoginManager, UserMixin, login_user
from flask_session import Session
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from consent import Consent, current_consent
from consent.testing import assert_nothing_undeclared
from consent.web.site import Site
from tests.web.clinic import PAGE, POLICY, SAME, Clock, MakeSite, Visitor, events

#: The policy with Flask-Login's cookie, which waits for a Yes.
REMEMBERING = POLICY.replace(
    'remember_name = "30 days"', 'remember_name = "30 days", remember_token = "365 days"'
)


def names(client: FlaskClient, path: str, **options: str) -> list[str]:
    """The names of the cookies that the page at *path* sets."""
    values = client.get(path, **options).headers.getlist("Set-Cookie")
    return sorted(value.partition("=")[0] for value in values if "Max-Age=0" not in value)


@pytest.mark.requirement("ENF-01")
def test_flask_logins_cookie_waits_for_a_yes_and_its_session_does_not(
    make_app: MakeSite, clock: Clock
) -> None:
    clock.now = time.time()  # by which Flask-Login dates its cookie
    app = make_app(REMEMBERING)
    manager = LoginManager(app)

    class User(UserMixin):  # type: ignore[misc]
        id = "anna"

    manager.user_loader(lambda id: User())

    @app.get("/in")
    def sign_in() -> str:
        login_user(User(), remember=True)
        return "in"

    assert names(app.test_client(refuse=True), "/in") == ["session"]
    assert names(app.test_client(grant={"names"}), "/in") == ["remember_token", "session"]
    assert_nothing_undeclared(app)


@pytest.mark.parametrize("first", [True, False])
def test_flask_session_keeps_its_session_whoever_comes_first(
    make_app: MakeSite, tmp_path: Path, first: bool
) -> None:
    settings: dict[str, Any] = {
        "SESSION_TYPE": "cachelib",
        "SESSION_CACHELIB": FileSystemCache(str(tmp_path / "sessions")),
        "SESSION_PERMANENT": False,
    }
    app = make_app(**settings)
    if first:  # another app, in which the sessions come first
        app = Flask("clinic", root_path=str(tmp_path), instance_path=str(tmp_path / "other"))
        app.config.from_mapping(SECRET_KEY="a key for tests", **settings)
        Session(app)
        Consent(app)
    else:
        Session(app)

    @app.get("/count")
    def count() -> str:
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])

    client = app.test_client()
    assert [client.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    assert_nothing_undeclared(app)


def test_talismans_headers_stand_and_our_pages_stay_unframed(make_app: MakeSite) -> None:
    app = make_app()
    Talisman(app, force_https=False, frame_options="SAMEORIGIN", session_cookie_secure=False)
    client = app.test_client()
    page = client.get("/").headers
    assert page["X-Frame-Options"] == "SAMEORIGIN"
    assert "default-src 'self'" in page["Content-Security-Policy"]
    own = client.get("/privacy-choices").headers
    assert own.getlist("X-Frame-Options") == ["DENY"]
    assert "frame-ancestors 'none'" in own.getlist("Content-Security-Policy")
    assert Visitor(client).answer("all").status_code == 303


@pytest.mark.parametrize("first", [True, False])
def test_csrf_protection_asks_no_token_of_an_answer_and_guards_the_sites_own_forms(
    make_app: MakeSite, tmp_path: Path, first: bool
) -> None:
    make_app()
    app = Flask("clinic", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.config["SECRET_KEY"] = "a key for tests"
    extensions = [CSRFProtect(), Consent()]
    for extension in extensions if first else reversed(extensions):
        extension.init_app(app)
    app.add_url_rule("/own", "own", lambda: "taken", methods=["POST"])
    client = app.test_client()
    assert Visitor(client).answer("all").status_code == 303
    assert client.post("/own").status_code == 400


@pytest.mark.requirement("ENF-06")
def test_a_page_cache_inside_the_app_keeps_visitors_apart_by_the_cache_key(make_app: MakeSite) -> None:
    app = make_app()
    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    made: list[str] = []

    @app.get("/cached")
    @cache.cached(make_cache_key=lambda *_, **__: current_consent.cache_key)
    def cached() -> str:
        made.append(current_consent.cache_key)
        return render_template_string(PAGE)

    refusing, granting, undecided = (
        app.test_client(refuse=True),
        app.test_client(grant={"statistics"}),
        app.test_client(),
    )
    for _ in range(2):
        assert "pixel.gif" in granting.get("/cached").text
        for client in (refusing, undecided):
            response = client.get("/cached")
            assert "pixel.gif" not in response.text
            assert response.headers["Cache-Control"] == "private"
        assert "pc-banner" in undecided.get("/cached").text
        assert 'class="pc-banner' not in refusing.get("/cached").text
    assert len(made) == len(set(made)) == 3


def test_with_flask_babel_its_locale_decides(make_app: MakeSite, tmp_path: Path) -> None:
    from tests.web.clinic import WORDING

    make_app()
    (tmp_path / "consent.de.toml").write_text(WORDING)
    app = make_app()
    Babel(app, locale_selector=lambda: request.args.get("lang", "en"))
    client = app.test_client()
    english = {"Accept-Language": "en"}
    assert 'lang="de"' in client.get("/?lang=de_AT", headers=english).text
    assert 'lang="en"' in client.get("/?lang=fr", headers={"Accept-Language": "de"}).text


def test_behind_a_proxy_that_is_trusted_the_public_address_counts(make_app: MakeSite) -> None:
    app = make_app()
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "clinic.example",
        "X-Forwarded-Prefix": "/site",
        "X-Forwarded-For": "192.0.2.7",
    }
    client = app.test_client(use_cookies=False)
    page = client.get("/privacy-choices", headers=forwarded)
    assert 'action="/site/privacy-choices"' in page.text
    notice = page.text.partition('name="notice" value="')[2][:64]
    data = {"notice": notice, "choice": "all", "from": "banner"}
    answer = client.post(
        "/privacy-choices", data=data, headers={**forwarded, "Origin": "https://clinic.example"}
    )
    assert answer.status_code == 303
    assert answer.headers["Set-Cookie"].startswith("__Host-consent=")
    assert "Secure" in answer.headers["Set-Cookie"]
    from_elsewhere = {**forwarded, "Origin": "http://localhost"}
    assert client.post("/privacy-choices", data=data, headers=from_elsewhere).status_code == 403


def test_one_app_on_several_hosts_keeps_an_answer_for_each(make_app: MakeSite) -> None:
    client = make_app().test_client()
    one, other = "http://one.example", "http://other.example"
    notice = client.get("/privacy-choices", base_url=one).text.partition('name="notice" value="')[2][:64]
    data = {"notice": notice, "choice": "all", "from": "banner"}
    assert client.post("/privacy-choices", data=data, headers=SAME, base_url=one).status_code == 303
    assert client.get("/allowed/statistics", base_url=one).text == "yes"
    assert client.get("/allowed/statistics", base_url=other).text == "no: undecided"


def test_async_views_ask_and_are_guarded_like_any_other(app: Flask) -> None:
    @app.get("/async")
    async def asynchronous() -> str:
        await asyncio.sleep(0)
        return "yes" if current_consent.allows("statistics") else "no"

    @app.get("/guarded")
    @Consent().required("statistics")
    async def guarded() -> str:
        await asyncio.sleep(0)
        return "in"

    granting, refusing = app.test_client(grant={"statistics"}), app.test_client(refuse=True)
    assert (granting.get("/async").text, refusing.get("/async").text) == ("yes", "no")
    assert (granting.get("/guarded").text, refusing.get("/guarded").status_code) == ("in", 403)


def test_visitors_who_come_at_once_are_kept_apart(app: Flask) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def visit(number: int) -> bool:
        client = app.test_client(grant={"statistics"}) if number % 2 else app.test_client(refuse=True)
        return (client.get("/allowed/statistics").text == "yes") is bool(number % 2)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(visit, range(64)))


def test_an_answer_given_among_other_extensions_is_on_record(app: Flask) -> None:
    CSRFProtect(app)
    Talisman(app, force_https=False, session_cookie_secure=False)

    Visitor(app.test_client()).answer("all")
    site: Site = app.extensions["consent"]
    assert [event.kind for event in events(site)] == ["given"]
