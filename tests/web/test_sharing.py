"""Pages that are kept for others: by a cache within the app, and those whose headers left before anybody asked."""

from collections.abc import Iterator

import pytest
from flask import (
    Flask,
    Response,
    render_template_string,
    request,
    stream_template_string,
    stream_with_context,
)

from consent import current_consent
from consent.web.site import Site

from .clinic import PAGE, Clock, MakeSite, Visitor

DAY = 86_400


@pytest.fixture
def kept(make_app: MakeSite) -> Flask:
    """The site with a page that it keeps by ``cache_key`` alone."""
    pages: dict[str, str] = {}
    app = make_app(
        CONSENT_PROFILE=lambda: request.headers.get("X-Profile"),
        CONSENT_MINOR=lambda: "X-Child" in request.headers,
    )

    @app.get("/kept")
    def page() -> str:
        key = current_consent.cache_key
        if key not in pages:
            pages[key] = render_template_string("{{ consent_signal() }}" + PAGE)
        return pages[key]

    return app


@pytest.mark.requirement("ENF-06")
def test_who_is_asked_again_shares_no_page_with_who_is_asked_first(kept: Flask, clock: Clock) -> None:
    before = Visitor(kept.test_client())
    before.answer("all")
    clock.now += 200 * DAY
    assert "checked" in before.client.get("/kept").text
    new = kept.test_client().get("/kept").text
    assert "pc-banner" in new
    assert "checked" not in new


@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize(
    "headers",
    [{"Sec-GPC": "1"}, {"X-Child": "1"}, {"X-Profile": "us_ca"}, {"Sec-GPC": "1", "X-Profile": "us_ca"}],
)
@pytest.mark.parametrize("answer", ["none", "all", None])
def test_signal_child_and_profile_keep_visitors_apart(
    kept: Flask, headers: dict[str, str], answer: str | None
) -> None:
    visitor = Visitor(kept.test_client())
    if answer:
        visitor.answer(answer)
    with visitor.client as client:
        client.get("/kept")
        key = current_consent.cache_key
        client.get("/kept", headers=headers)
        assert current_consent.cache_key != key


@pytest.mark.requirement("ENF-06")
def test_each_address_has_keys_of_its_own(kept: Flask) -> None:
    client = kept.test_client()
    assert "next=/kept%3Fpage%3D2" in client.get("/kept?page=2").text
    assert "next=/kept%3Fpage%3D2" not in client.get("/kept").text


def test_visitors_who_answered_alike_share_a_page(kept: Flask) -> None:
    keys = []
    for _ in range(2):
        visitor = Visitor(kept.test_client())
        visitor.answer("all")
        with visitor.client:
            visitor.client.get("/kept")
            keys.append(current_consent.cache_key)
    assert keys[0] == keys[1]


@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize("shared", [False, True])
def test_a_stream_that_asks_too_late_is_told_of_no_answer(make_app: MakeSite, shared: bool) -> None:
    app = make_app(CONSENT_CACHE_SAFE=shared)

    @app.get("/late")
    def late() -> Response:
        def parts() -> Iterator[str]:
            yield "<!doctype html>"
            yield "counted" if current_consent.allows("statistics") else "not counted"

        return Response(stream_with_context(parts()), headers={"Cache-Control": "public, max-age=60"})

    @app.get("/template")
    def template() -> Response:
        return Response(stream_template_string(PAGE), headers={"Cache-Control": "public, max-age=60"})

    @app.get("/in-time")
    def in_time() -> Response:
        assert current_consent.decided
        return late()

    visitor = Visitor(app.test_client())
    visitor.answer("all")
    response = visitor.client.get("/late")
    assert (response.headers["Cache-Control"], response.text) == (
        "public, max-age=60",
        "<!doctype html>not counted",
    )
    site: Site = app.extensions["consent"]
    (fault,) = site.findings.about("late")
    assert "current_consent.decided" in str(fault)
    streamed = visitor.client.get("/template").text
    assert streamed == app.test_client().get("/template").text

    response = visitor.client.get("/in-time")
    assert (response.headers["Cache-Control"], response.text) == (
        "private, max-age=60",
        "<!doctype html>counted",
    )
