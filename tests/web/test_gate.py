"""What leaves the app, whatever the site's own hooks and middlewares make of it."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, Response, render_template_string
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from consent import current_consent
from consent.web.gate import keep_private, seal

from .clinic import Visitor


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


@pytest.mark.parametrize("path", ["", "/mine", "/declaration", "/state"])
def test_no_hook_of_the_site_lets_others_frame_or_keep_our_pages(app: Flask, path: str) -> None:
    @app.after_request
    def loosen(response: Response) -> Response:
        response.headers["X-Frame-Options"] = "ALLOWALL"
        response.headers["Content-Security-Policy"] = "default-src *"
        response.headers["Cache-Control"] = "public, max-age=600"
        return response

    headers = app.test_client().get(f"/privacy-choices{path}").headers
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Content-Security-Policy") == ["default-src *", "frame-ancestors 'none'"]
    assert headers.getlist("Cache-Control") == ["no-store"]
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
