"""The test client for sites' own tests: its answer holds wherever it goes, with pytest or without."""

import subprocess
import sys
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask, Response, redirect
from werkzeug import Response as AnyResponse

from consent.testing import ConsentClient, assert_nothing_undeclared
from consent.web.findings import MOST

from .clinic import MakeSite, Visitor

SHARED = {"CONSENT_SITE": "https://clinic.example", "CONSENT_COOKIE_DOMAIN": "clinic.example"}


@pytest.mark.parametrize(
    ("config", "base_url"),
    [
        ({}, None),
        ({"SERVER_NAME": "clinic.example"}, None),
        ({"SERVER_NAME": "clinic.example", "PREFERRED_URL_SCHEME": "https"}, None),
        ({"SERVER_NAME": "clinic.example:5000"}, None),
        ({"APPLICATION_ROOT": "/sub"}, None),
        ({}, "https://localhost"),
        ({}, "https://clinic.example"),
        ({}, "http://[::1]:5000"),
        (SHARED, None),
        (SHARED, "https://www.clinic.example"),
    ],
)
def test_the_answer_holds_on_every_host(
    make_app: MakeSite, config: dict[str, object], base_url: str | None
) -> None:
    client = make_app(**config).test_client(grant={"statistics"})
    assert client.get("/allowed/statistics", base_url=base_url).text == "yes"
    assert client.get("/allowed/videos", base_url=base_url).text != "yes"


def test_the_answer_holds_after_a_redirect_to_another_host(make_app: MakeSite) -> None:
    app = make_app()

    @app.get("/away")
    def away() -> AnyResponse:
        return redirect("http://localhost:81/allowed/statistics")

    assert app.test_client(grant={"statistics"}).get("/away", follow_redirects=True).text == "yes"


@pytest.mark.parametrize(
    "config", [{}, {"SERVER_NAME": "www.clinic.example", "CONSENT_COOKIE_DOMAIN": "clinic.example"}]
)
def test_a_new_answer_replaces_the_given_one(make_app: MakeSite, config: dict[str, object]) -> None:
    visitor = Visitor(make_app(**config).test_client(grant={"statistics"}))
    assert visitor.answer("none").status_code == 303
    assert not visitor.allowed("statistics")


def test_a_grant_without_braces_is_refused_with_the_braces(app: Flask) -> None:
    with pytest.raises(TypeError, match=r'Write grant=\{"statistics"\}\.'):
        ConsentClient(app, grant="statistics")
    with pytest.raises(TypeError, match=r'Write grant=\{"statistics"\}\.'):
        ConsentClient(app).answer("statistics")


def test_a_client_grants_or_refuses_and_not_both(app: Flask) -> None:
    with pytest.raises(ValueError, match="contradict each other"):
        ConsentClient(app, grant={"statistics"}, refuse=True)


def test_a_client_is_told_who_it_is_later_too(app: Flask) -> None:
    client = app.test_client()
    assert isinstance(client, ConsentClient)
    assert client.get("/allowed/statistics").text != "yes"
    client.answer({"statistics"})
    assert client.get("/allowed/statistics").text == "yes"


def test_the_client_needs_no_pytest() -> None:
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "import consent.testing as t; t.ConsentClient; assert not hasattr(t, 'consent_client')"
    )
    path = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env=path)


@pytest.mark.requirement("INF-03")
def test_a_sites_own_tests_find_what_it_sets_and_does_not_declare(app: Flask) -> None:
    @app.get("/set")
    def set_one() -> Response:
        response = Response("set")
        response.set_cookie("mystery", "1", max_age=60)
        return response

    assert_nothing_undeclared(app, "/", "/plain", "/privacy-choices")
    with pytest.raises(AssertionError, match="cookie mystery, set by endpoint set_one: no service"):
        assert_nothing_undeclared(app, "/set")


@pytest.mark.requirement("INF-03")
def test_a_sites_own_tests_find_what_is_set_around_the_gate(app: Flask) -> None:
    inside = app.wsgi_app

    def outside(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            set_here = ["visit=1; Path=/", "gone=; Max-Age=0", *environ["PATH_INFO"].split("/set/")[1:]]
            return start_response(status, headers + [("Set-Cookie", each) for each in set_here], exc_info)

        return inside(environ, start)

    app.wsgi_app = outside  # type: ignore[method-assign]
    app.add_url_rule("/set/balancer=1", "set", lambda: redirect("/plain"))
    assert_nothing_undeclared(app, "/", "/plain")
    with pytest.raises(AssertionError, match="cookie balancer, set on /set/balancer=1 by a middleware"):
        assert_nothing_undeclared(app, "/set/balancer=1")


def test_a_sites_own_tests_find_it_however_much_else_was_found_before(app: Flask) -> None:
    @app.get("/set/<name>")
    def set_one(name: str) -> Response:
        response = Response("set")
        response.set_cookie(name, "1", max_age=60)
        return response

    client = app.test_client(refuse=True)
    for number in range(MOST):
        client.get(f"/set/visit_{number}")
    with pytest.raises(AssertionError, match="cookie mystery"):
        assert_nothing_undeclared(app, "/set/mystery")


def test_a_sites_own_tests_find_what_is_not_as_declared(app: Flask) -> None:
    @app.get("/set")
    def set_one() -> Response:
        response = Response("set")
        response.set_cookie("visit", "1", max_age=400 * 86_400)
        return response

    with pytest.raises(AssertionError, match="it lives 400 days, declared is 13 months"):
        assert_nothing_undeclared(app, "/set")


def test_a_page_that_is_not_there_is_no_page_to_look_at(app: Flask) -> None:
    with pytest.raises(AssertionError, match="/typo answers 404"):
        assert_nothing_undeclared(app, "/typo")
