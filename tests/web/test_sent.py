"""What a process remembers of the answers that browsers send: no longer than it holds, and for nobody else."""

import gc
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, Request, Response, request, stream_with_context
from werkzeug.test import EnvironBuilder

from consent import Consent, current_consent
from consent.decision import cookie
from consent.testing import ConsentClient
from consent.web import sent
from consent.web.request import ConsentRequest, here
from consent.web.site import Site

from .clinic import POLICY, Clock, MakeSite, held

GPC = {"Sec-GPC": "1"}


def granting(app: Flask, *keys: str) -> str:
    """The ``Cookie`` header of somebody who has granted *keys*."""
    return f"consent={held(app.test_client(grant=keys))}"


def asked(app: Flask, header: str, path: str = "/allowed/videos", **more: str) -> str:
    """What *path* says to whoever sends the ``Cookie`` *header*."""
    client = app.test_client(use_cookies=False)
    return client.get(path, headers={"Cookie": header, **more}).text


def test_a_remembered_answer_holds_no_longer_than_any_other(app: Flask, clock: Clock) -> None:
    header = granting(app, "videos")
    assert asked(app, header) == "yes"
    clock.pass_days(182)
    assert asked(app, header) == "no: expired"
    clock.pass_days(-1)
    assert asked(app, header) == "yes"


def test_a_remembered_refusal_stands_as_long_as_any_other(app: Flask, clock: Clock) -> None:
    header = granting(app, "videos")
    assert asked(app, header, "/allowed/names") == "no: refused"
    clock.pass_days(200)
    assert asked(app, header, "/allowed/names") == "no: refused"
    clock.pass_days(166)
    assert asked(app, header, "/allowed/names") == "no: expired"


def test_a_remembered_answer_from_tomorrow_counts_tomorrow(app: Flask, site: Site, clock: Clock) -> None:
    header = granting(app, "videos")
    clock.pass_days(-1)
    assert [asked(app, header) for _ in range(2)] == ["no: undecided"] * 2
    clock.pass_days(1)
    assert asked(app, header) == "yes"


def test_a_remembered_answer_goes_by_each_requests_own_page_and_signal(app: Flask) -> None:
    header = granting(app, "videos")
    for _ in range(2):
        assert asked(app, header) == "yes"
        assert asked(app, header, **GPC) == "no: opted_out"
        assert asked(app, header, "/portal") == "no: marked"


def test_what_a_browser_sends_over_http_is_not_remembered_for_https(app: Flask) -> None:
    header = f"{granting(app, 'videos')}; __Host-consent=nothing"
    assert asked(app, header) == "yes"
    client = app.test_client(use_cookies=False)
    over = client.get("/allowed/videos", base_url="https://localhost", headers={"Cookie": header})
    assert over.text == "no: undecided"


def test_a_remembered_answer_goes_by_the_profile_and_the_age_of_each_request(
    make_app: MakeSite, clock: Clock
) -> None:
    now: dict[str, Any] = {"profile": "us_ca", "minor": False}
    app = make_app(
        CONSENT_PROFILE=lambda: now["profile"],
        CONSENT_MINOR=lambda: now["minor"],
        CONSENT_GRANT_LIFETIME=365 * 86_400,
    )
    site: Site = app.extensions["consent"]
    found = site.codec.decode(granting(app, "videos").partition("=")[2], now=int(clock()))
    assert found is not None
    header = f"consent={site.codec.encode(replace(found, profile='us_ca'))}"
    clock.pass_days(200)
    assert asked(app, header) == "yes"
    now["profile"] = "eu"
    assert asked(app, header) == "no: expired"
    now["profile"] = "us_ca"
    assert asked(app, header) == "yes"
    now["minor"] = True
    assert asked(app, header) == "no: minor"


def test_nothing_is_remembered_across_policies_or_keys(make_app: MakeSite) -> None:
    app = make_app()
    header = granting(app, "videos")
    assert asked(app, header) == "yes"
    changed = make_app(POLICY.replace('retention = "30 days"', 'retention = "90 days"'))
    assert asked(changed, header) == "no: changed"
    assert asked(make_app(SECRET_KEY="another"), header) == "no: undecided"
    assert asked(app, header) == "yes"


def test_answers_that_nobody_signed_are_not_kept_and_put_no_other_out(app: Flask, site: Site) -> None:
    header = granting(app, "videos")
    kept = site.sent.read(header, secure=False)
    assert kept is not None
    for number in range(sent.REMEMBERED + 1):
        assert site.sent.read(f"{header[:-6]}{number:06}", secure=False) is None
        assert site.sent.read(f"{header}; {header}; x={number}", secure=False) is None
        assert site.sent.read(f"session={number}", secure=False) is None
    assert site.sent.read(header, secure=False) is kept


def test_who_sends_one_answer_beside_ever_other_cookies_costs_nobody_a_signature(
    app: Flask, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = granting(app, "videos"), granting(app, "names")
    kept, other = site.sent.read(mine, secure=False), site.sent.read(theirs, secure=False)
    assert kept is not None
    assert other is not None
    monkeypatch.setattr(cookie, "_signature", None)
    for number in range(sent.REMEMBERED + 1):
        assert site.sent.read(f"{theirs}; x={number}", secure=False) is other
    assert site.sent.read(mine, secure=False) is kept


def test_only_so_many_answers_are_kept_and_those_not_seen_for_longest_go_first(
    app: Flask, site: Site
) -> None:
    given = site.codec.decode(granting(app, "videos").partition("=")[2], now=int(site.clock()))
    assert given is not None
    headers = [
        f"consent={site.codec.encode(replace(given, at=given.at - number))}"
        for number in range(sent.REMEMBERED + 1)
    ]
    kept = [site.sent.read(header, secure=False) for header in headers]
    assert None not in kept
    assert site.sent.read(headers[-1], secure=False) is kept[-1]
    assert site.sent.read(headers[1], secure=False) is kept[1]
    assert site.sent.read(headers[0], secure=False) is not kept[0]


def test_what_lies_beside_a_remembered_answer_goes_by_each_requests_own_cookies(app: Flask) -> None:
    client, header = app.test_client(use_cookies=False), granting(app, "videos")

    def deleted(cookies: str) -> set[str]:
        values = client.get("/allowed/videos", headers={"Cookie": cookies}).headers.getlist("Set-Cookie")
        return {value.partition("=")[0] for value in values}

    for _ in range(2):
        assert deleted(header) == set()
        assert deleted(f"{header}; visit_1=x") == {"visit_1"}
        assert deleted(f"{header}; visit_2=x; visit_1=x") == {"visit_1", "visit_2"}


def test_long_headers_are_not_kept(app: Flask, site: Site) -> None:
    answers = [granting(app, key) for key in ("videos", "names") for _ in range(50)]
    read = [site.sent.read(header, secure=False) for header in answers]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for header, found in zip(answers, read, strict=True):
            assert site.sent.suspects(f"{header}; visit_1={'x' * 4000}", found) == ("visit_1",)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


def served(app: Flask, path: str, **headers: str) -> Iterator[bytes]:
    """The body of the page at *path*, as a server asks for it piece by piece."""
    environ = EnvironBuilder(path, headers=list(headers.items())).get_environ()
    yield from app.wsgi_app(environ, lambda *_: len)


def test_a_request_leaves_nothing_that_only_the_garbage_collector_finds(app: Flask) -> None:
    header = granting(app, "videos")
    gc.collect()
    gc.disable()
    try:
        for path in ("/", "/plain", "/allowed/videos", "/portal"):
            assert b"".join(served(app, path, Cookie=header)), path
            left = [each for each in gc.get_objects() if isinstance(each, ConsentRequest)]
            assert left == [], path
    finally:
        gc.enable()


@pytest.mark.parametrize(("path", "said"), [("/stream", "yes"), ("/marked", "no: marked")])
def test_a_stream_is_told_of_its_own_page_after_the_headers_have_left(
    app: Flask, path: str, said: str
) -> None:
    def parts() -> Iterator[str]:
        yield "yes" if current_consent.allows("videos") else f"no: {current_consent.reason('videos')}"

    @app.get("/stream")
    def stream() -> Response:
        assert current_consent.decided
        return Response(stream_with_context(parts()), mimetype="text/plain")

    app.add_url_rule("/marked", "marked", Consent().sensitive(lambda: stream()))
    assert asked(app, granting(app, "videos"), path) == said
    assert asked(app, granting(app, "videos"), "/stream", **GPC) == "no: opted_out"


def test_who_holds_the_view_of_a_request_that_has_left_is_told_what_narrows(app: Flask) -> None:
    views: list[ConsentRequest] = []

    @app.get("/held")
    def hold() -> str:
        views.append(here())
        assert views[-1].decided
        return "held"

    asked(app, granting(app, "videos", "statistics"), "/held")
    assert views[0].allows("statistics")
    assert not views[0].allows("videos")
    assert views[0].endpoint == "hold"


def test_a_request_made_within_another_does_not_change_how_that_is_judged(make_app: MakeSite) -> None:
    app = make_app(POLICY.replace("frame = [", 'cookies = { player = "1 day" }\nframe = ['))

    def within() -> Response:
        with app.request_context({**request.environ, "PATH_INFO": "/plain"}):
            inside = current_consent.allows("videos")
        response = Response(str(inside))
        response.set_cookie("player", "1", max_age=60)
        return response

    app.add_url_rule("/outside", "outside", Consent().sensitive(within))
    client = app.test_client(grant={"videos"})
    response = client.get("/outside")
    assert response.text == "True"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "player" not in str(response.headers)


class Later:
    """A middleware that gives Flask a copy of the request and sends the headers when Flask is done."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """The whole response of the application."""
        told: list[Any] = []
        body = list(self.application(dict(environ), lambda *given: told.extend(given)))
        start_response(*told)
        return body


def test_a_marked_page_is_known_below_a_middleware_that_sends_it_when_flask_is_done(
    make_app: MakeSite,
) -> None:
    made = make_app()
    app = Flask("clinic", root_path=made.root_path, instance_path=made.instance_path)
    app.config.from_mapping({"SECRET_KEY": "a key for tests", "TESTING": True})
    app.test_client_class = ConsentClient
    app.wsgi_app = Later(app.wsgi_app)  # type: ignore[method-assign]
    consent = Consent()
    consent.init_app(app)
    app.add_url_rule("/quiet", "quiet", consent.sensitive(lambda: "quiet"))
    assert app.test_client().get("/quiet").headers["Referrer-Policy"] == "no-referrer"


def test_a_class_of_apps_that_gives_flask_a_copy_is_told_apart_too(make_app: MakeSite) -> None:
    class Copying(Flask):
        def request_context(self, environ: dict[str, Any]) -> Any:
            return super().request_context(dict(environ))

    made = make_app()
    app = Copying("clinic", root_path=made.root_path, instance_path=made.instance_path)
    app.config.from_mapping({"SECRET_KEY": "a key for tests", "TESTING": True})
    consent = Consent(app)
    app.add_url_rule("/quiet", "quiet", consent.sensitive(lambda: "quiet"))
    assert app.test_client().get("/quiet").headers["Referrer-Policy"] == "no-referrer"
    assert isinstance(app.test_request_context().request, Request)
