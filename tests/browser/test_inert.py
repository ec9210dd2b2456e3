"""Inert markup comes to life when its service may run: in order, once, with all that it says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Response, g, render_template_string, request
from playwright.sync_api import Page

from consent.look import served
from tests.web.clinic import site_in

from .waiting import until

PAGE = """<!doctype html><html lang=en><head>{{ consent_head(nonce=g.nonce, inert=true) }}
<script nonce="{{ g.nonce }}">window.ran = [];</script></head><body>{{ consent_banner() }}<main>
<script type="text/plain" data-service="statistics" data-src="/slow.js" nonce="{{ g.nonce }}" data-own="kept"
  data-crossorigin="anonymous"></script>
<script type="text/plain" data-service="statistics" nonce="{{ g.nonce }}">ran.push("inline after slow")</script>
<script type="text/plain" data-category="performance" data-type="module" data-src="/module.js"
  nonce="{{ g.nonce }}"></script>
<script type="text/plain" data-service="statistics" data-type="application/ld+json" id="ld">{"@type": "Thing"}</script>
<script type="text/plain" data-service="videos" data-src="/videos.js" data-async nonce="{{ g.nonce }}"></script>
<script type="text/plain" data-src="/nobody.js" nonce="{{ g.nonce }}"></script>
<img data-service="statistics" data-src="/pixel.gif?1" data-srcset="/pixel.gif?2 2x" src="data:," alt="">
<iframe data-service="statistics" data-src="/frame" title="Frame"></iframe>
<link rel="stylesheet" data-service="statistics" data-href="/style.css">
<template data-service="statistics"><p id="block">Block</p>
<script src="/last.js" nonce="{{ g.nonce }}"></script>
<script nonce="{{ g.nonce }}">ran.push("inline in block")</script></template>
<input id="typed"></main></body></html>"""
CSP = "default-src 'self'; script-src 'self' 'nonce-{}'; img-src 'self' data:"


@pytest.fixture
def asked() -> list[str]:
    """The paths that browsers have asked for."""
    return []


@pytest.fixture
def address(tmp_path: Path, asked: list[str]) -> Iterator[str]:
    """A site with inert markup under a strict policy."""
    app = site_in(tmp_path)

    @app.before_request
    def note() -> None:
        g.nonce = "abc123"
        asked.append(request.full_path.rstrip("?"))

    @app.after_request
    def restrict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CSP.format(g.nonce)
        return response

    @app.get("/")
    def home() -> str:
        return render_template_string(PAGE)

    @app.get("/<name>.js")
    def script(name: str) -> Response:
        import time

        time.sleep(0.5 if name == "slow" else 0)
        return Response(f"ran.push({name!r})", mimetype="text/javascript")

    with served(app) as found:
        yield found


def ran(page: Page, count: int) -> list[str]:
    """What has run, once so much has, and a moment later."""
    until(page, f"window.ran.length >= {count}")
    page.wait_for_timeout(300)
    found: list[str] = page.evaluate("window.ran")
    return found


OPTIONAL = (
    "/slow.js",
    "/module.js",
    "/videos.js",
    "/nobody.js",
    "/pixel.gif?1",
    "/frame",
    "/style.css",
    "/last.js",
)
IN_ORDER = ["slow", "inline after slow", "module", "last", "inline in block"]


def accept(page: Page) -> None:
    """Say yes to everything."""
    page.get_by_role("button", name="Accept all").first.click()


@pytest.mark.requirement("ENF-02")
@pytest.mark.requirement("CON-11")
def test_without_a_yes_nothing_of_it_is_asked_for(page: Page, address: str, asked: list[str]) -> None:
    page.goto(address)
    page.wait_for_timeout(500)
    assert not set(asked) & set(OPTIONAL)
    page.get_by_role("button", name="Reject all").first.click()
    until(page, "!document.querySelector('.pc-banner')")
    page.reload()
    page.wait_for_timeout(500)
    assert not set(asked) & set(OPTIONAL)
    assert page.evaluate("window.ran") == []
    assert page.locator("#block").count() == 0


@pytest.mark.requirement("ENF-02")
def test_after_a_yes_it_runs_in_order_and_once_under_a_strict_policy(
    page: Page, address: str, asked: list[str]
) -> None:
    violations: list[str] = []
    page.on(
        "console",
        lambda message: violations.append(message.text) if "Content Security" in message.text else None,
    )
    page.goto(address)
    accept(page)
    until(page, "window.consent?.allows('statistics')")
    found = ran(page, 6)
    assert [name for name in found if name != "videos"] == IN_ORDER
    assert found.count("videos") == 1
    until(page, lambda: {*asked} >= {*OPTIONAL} - {"/nobody.js"})
    for path in OPTIONAL:
        assert asked.count(path) == (0 if path == "/nobody.js" else 1), path
    assert page.locator("#block").inner_text() == "Block"
    said = {"data-own": "kept", "crossorigin": "anonymous", "data-crossorigin": None}
    assert {name: page.locator("script[data-own]").get_attribute(name) for name in said} == said
    scripts = "script[src='/slow.js'], script[src='/videos.js']"
    assert page.locator(scripts).evaluate_all("found => found.map((each) => each.async)") == [False, True]
    assert page.locator("#ld").get_attribute("type") == "application/ld+json"
    assert violations == []


@pytest.mark.requirement("ENF-02")
def test_on_a_page_that_stays_it_comes_to_life_without_a_reload(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("#typed").fill("half a form")
    accept(page)
    until(page, "!document.querySelector('.pc-banner')")
    page.wait_for_timeout(300)
    assert page.locator("#typed").input_value() == "half a form"
    assert page.evaluate("window.ran") == []
    page.reload()
    assert len(ran(page, 6)) == 6


@pytest.mark.requirement("ENF-02")
def test_what_is_added_later_is_treated_alike(page: Page, address: str, asked: list[str]) -> None:
    page.goto(address)
    accept(page)
    until(page, "window.consent?.allows('statistics')")
    ran(page, 6)
    page.evaluate(
        """() => {
          const part = document.createElement("div");
          part.innerHTML = `<script type="text/plain" data-service="statistics" data-src="/late.js"></` + `script>
            <p><script type="text/plain" data-service="nothing" data-src="/unknown.js"></` + `script></p>`;
          document.body.append(part);
        }"""
    )
    assert ran(page, 7)[-1] == "late"
    assert "/unknown.js" not in asked


NESTED = """() => {
  const part = document.createElement("div");
  part.innerHTML = `<template data-service="statistics">
    <script type="text/plain" data-service="nothing" data-src="/nested.js"></` + `script>
    <script type="text/plain" id="data">{"a": 1}</` + `script>
    <script src="/real.js" data-src="/wrong.js"></` + `script></template>
    <script type="text/plain" data-service="statistics" data-src="/old.js" nomodule></` + `script>
    <script type="text/plain" data-service="statistics" data-type="application/ld+json" data-src="/ld.js"></` + `script>
    <script type="text/plain" data-service="statistics" data-href="x" data-src="/once.js"></` + `script>
    <script type="text/plain" data-service="statistics" data-src="/after.js"></` + `script>`;
  document.body.append(part);
}"""


@pytest.mark.requirement("ENF-02")
def test_what_is_inert_within_something_that_may_run_stays_so_and_nothing_holds_up_the_rest(
    page: Page, address: str, asked: list[str]
) -> None:
    page.goto(address)
    accept(page)
    until(page, "window.consent?.allows('statistics')")
    ran(page, 6)
    page.evaluate(NESTED)
    assert ran(page, 9)[6:] == ["real", "once", "after"]
    assert not {"/nested.js", "/wrong.js", "/old.js"} & set(asked)
    assert page.locator("#data").text_content() == '{"a": 1}'


#: What an author of a site may be allowed to write; the last one alone names an address to load.
WRITTEN = """() => {
  const part = document.createElement("div");
  part.innerHTML = `<a data-category="essential" data-href="/away">a</a>
    <a data-category="essential" data-href="javascript:ran.push('link')">b</a>
    <form data-category="essential" data-src="/f" data-href="/f"></form>
    <link data-category="essential" data-href="javascript:0">
    <iframe data-category="essential" data-src="\tJava\nScript:parent.ran.push('frame')"></iframe>
    <iframe data-category="essential" data-src="data:text/html,x"></iframe>
    <img data-category="essential" data-src="/half.gif" data-srcset="/a.gif 1x, javascript:0 2x" data-href="/x">
    <script type="text/plain" data-category="essential" data-src="data:text/javascript,ran.push('data')"></` + `script>
    <img data-category="essential" data-src="/whole.gif" data-srcset="/b.gif 1x, /c.gif 2x" data-href="/x">`;
  document.body.append(part);
}"""


@pytest.mark.requirement("ENF-02")
def test_only_what_loads_gets_an_address_and_only_one_of_the_web(
    page: Page, address: str, asked: list[str]
) -> None:
    page.goto(address)
    page.evaluate(WRITTEN)
    until(page, "document.querySelector('img[src$=\"whole.gif\"]') !== null")
    page.wait_for_timeout(300)
    live = "found => found.map((each) => each.outerHTML)"
    found = page.locator("div > :is([src], [srcset], [href])[data-category]").evaluate_all(live)
    assert found == [
        '<img data-category="essential" data-href="/x" src="/whole.gif" srcset="/b.gif 1x, /c.gif 2x">'
    ]
    assert page.evaluate("window.ran") == []
    assert "/half.gif" not in asked
