"""Global Privacy Control where only scripts see it: nothing that sells or shares runs, and the site learns of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, render_template_string, request
from playwright.sync_api import BrowserContext, Page, expect

from consent import Consent
from consent.ledger import Kind
from consent.look import served
from consent.web.site import Site
from tests.web.clinic import POLICY, events, site_in

from .waiting import until

PAGE = """<!doctype html><html lang=en><head>{{ consent_head(inert=true) }}</head><body>{{ consent_banner() }}<main>
<script type="text/plain" data-service="videos" data-src="/videos.js"></script>
<script type="text/plain" data-category="media" data-src="/media.js"></script>
<script type="text/plain" data-service="statistics" data-src="/statistics.js"></script>
</main>{{ consent_link() }}</body></html>"""
#: Another company's that neither sells nor shares, and keeps something.
MAPS = """
[services.maps]
category = "functionality"
provider = "video_co"
purposes = ["embedded-media"]
title = "Maps"
text = "Shows the way."
data = ["address"]
retention = "30 days"
sells_or_shares = false
storage = { "map.*" = "local" }
"""
#: What some browsers and extensions do, without sending the header.
SIGNAL = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })"
#: Keeps what the page's scripts are told, over the load that follows.
TOLD = "document.addEventListener('consent:changed', ({ detail }) => (sessionStorage.told = JSON.stringify(detail)))"
WEAK = SIGNAL.replace("true", "1")


@pytest.fixture
def asked() -> list[str]:
    """The scripts that browsers have asked for."""
    return []


@pytest.fixture
def app(tmp_path: Path, asked: list[str]) -> Flask:
    """A site with inert markup, whose videos share data."""
    consent = Consent()
    app = site_in(tmp_path, POLICY + MAPS, consent=consent)
    app.add_url_rule("/portal", "portal", consent.sensitive(lambda: render_template_string(PAGE)))

    @app.get("/")
    def home() -> str:
        assert "Sec-GPC" not in request.headers
        return render_template_string(PAGE)

    @app.get("/<name>.js")
    def script(name: str) -> Response:
        asked.append(name)
        return Response(f"(window.ran ??= []).push({name!r})", mimetype="text/javascript")

    return app


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The site's home page."""
    with served(app) as found:
        yield found


def answer(page: Page, address: str, button: str = "Accept all") -> None:
    """Answer the banner and wait for the page that follows."""
    page.goto(address)
    page.get_by_role("button", name=button).first.click()
    expect(page.locator("#pc-status")).to_be_visible()


def ran(page: Page) -> list[str]:
    """The scripts that ran in *page*, once those that may have."""
    page.wait_for_function("window.ran?.includes('statistics')")
    page.wait_for_load_state("networkidle")
    found: list[str] = page.evaluate("window.ran")
    return found


@pytest.mark.requirement("GPC-02")
def test_a_signal_that_comes_later_stops_what_was_granted_in_every_tab(
    context: BrowserContext, address: str, app: Flask, asked: list[str]
) -> None:
    other = context.new_page()
    answer(other, address)
    assert sorted(ran(other)) == ["media", "statistics", "videos"]
    asked.clear()
    context.add_init_script(f"{SIGNAL}; {TOLD}")
    page = context.new_page()
    with other.expect_navigation():
        page.goto(address)
    assert ran(page) == ran(other) == ["statistics"]
    assert not {"videos", "media"} & set(asked)
    site: Site = app.extensions["consent"]
    given, ended = events(site)
    assert (ended.kind, ended.source, ended.subject) == (Kind.SIGNAL_OPT_OUT, "navigator", given.subject)
    assert page.evaluate("[consent.allows('videos'), consent.allows('statistics')]") == [False, True]
    told = json.loads(page.evaluate("sessionStorage.told"))
    assert told["refused"] == ["media", "videos"]
    assert not {"media", "videos"} & {*told["granted"]}
    page.reload()
    assert ran(page) == ["statistics"]
    assert len(events(site)) == 2, "told once"


@pytest.mark.requirement("GPC-02")
@pytest.mark.parametrize(
    ("path", "came"),
    # What a sensitive page shows is none of what changed; the preference centre has other words from now on.
    [("portal", "navigate"), ("privacy-choices", "reload")],
)
def test_it_clears_nothing_of_what_goes_on_elsewhere(
    context: BrowserContext, address: str, path: str, came: str
) -> None:
    page = context.new_page()
    answer(page, address)
    page.evaluate("localStorage.setItem('map.1', 'x')")
    context.add_init_script(f"{SIGNAL}; {TOLD}")
    page.goto(f"{address}{path}")
    # The page is loaded anew as soon as it was told, and may be at it already.
    until(page, "JSON.parse(sessionStorage.told).granted.includes('maps')")
    until(page, f"performance.getEntriesByType('navigation')[0].type === '{came}'")
    until(page, "window.consent && document.readyState === 'complete'")
    assert page.evaluate("[consent.allows('maps'), localStorage.getItem('map.1')]") == [False, "x"]


@pytest.mark.requirement("GPC-10")
@pytest.mark.parametrize("scripted", [True, False], ids=["by the module", "by the browser's own form"])
def test_whoever_accepts_all_under_it_turns_on_nothing_that_sells(
    context: BrowserContext, address: str, app: Flask, asked: list[str], scripted: bool
) -> None:
    context.add_init_script(SIGNAL)
    page = context.new_page()
    if not scripted:
        page.add_init_script("addEventListener('submit', (event) => event.stopImmediatePropagation(), true)")
    answer(page, address)
    assert ran(page) == ["statistics"]
    assert asked == ["statistics"]
    (given,) = events(app.extensions["consent"])
    assert (given.signal, given.opted_out) == (True, True)


@pytest.mark.requirement("GPC-02")
def test_anything_but_true_is_no_signal(context: BrowserContext, address: str, app: Flask) -> None:
    context.add_init_script(WEAK)
    page = context.new_page()
    answer(page, address)
    assert sorted(ran(page)) == ["media", "statistics", "videos"]
    page.reload()
    assert "videos" in ran(page)
    assert len(events(app.extensions["consent"])) == 1
