"""Pages from a cache: no banner is painted for who has answered, and what waits goes by the server's word."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, render_template_string, request
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from consent.look import served
from tests.web.clinic import site_in

from .test_inert import accept
from .waiting import until

PAGE = """<!doctype html><html lang=en><head><title>Page</title>{{ consent_head() }}
<script src="/watch.js"></script></head><body>{{ consent_banner() }}{{ consent_signal() }}<main>
{{ consent_script("statistics", src="/slow.js") }}
{{ consent_script("statistics", src="/count.js", type="module") }}
{{ consent_pixel("statistics", src="/pixel.gif") }}
{% call consent_block("statistics") %}<p id="block">Block</p><script src="/last.js"></script>{% endcall %}
{{ consent_embed("videos", src="/frame", title="A film") }}
<input id="typed"></main><footer>{{ consent_link() }}</footer></body></html>"""
#: Notes in each frame that is painted whether banner and an embed's place are in sight.
WATCH = """window.ran = []; window.seen = [];
const sight = (selector) => document.querySelector(selector)?.checkVisibility({ visibilityProperty: true });
const look = () => {
  if (sight(".pc-banner")) seen.push("banner");
  if (sight(".pc-embed")) seen.push("place");
  requestAnimationFrame(look);
};
requestAnimationFrame(look);"""
OPTIONAL = {"/slow.js", "/count.js", "/pixel.gif", "/last.js", "/frame"}


class Site:
    """The clinic in cache-safe mode; it notes what browsers ask for, and can be slow to say what holds."""

    def __init__(self, address: str, asked: list[str], slow: dict[str, float]) -> None:
        self.address = address
        self.asked = asked
        self.slow = slow

    @property
    def ran(self) -> set[str]:
        """What browsers have asked for that is optional."""
        return OPTIONAL & set(self.asked)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The site, served."""
    app = site_in(tmp_path, CONSENT_CACHE_SAFE=True, CONSENT_PROFILE="us_ca")
    asked: list[str] = []
    slow: dict[str, float] = {"/slow.js": 0.3}

    @app.before_request
    def note() -> None:
        import time

        asked.append(request.path)
        time.sleep(slow.get(request.path, 0))

    @app.after_request
    def restrict(response: Response) -> Response:
        if request.path == "/":
            response.headers["Content-Security-Policy"] = "default-src 'self'"
            response.headers["Cache-Control"] = "public, max-age=0"
        return response

    @app.get("/")
    def home() -> str:
        return render_template_string(PAGE)

    @app.get("/frame")
    def frame() -> str:
        return "<!doctype html><title>Film</title>"

    @app.get("/<name>.js")
    def script(name: str) -> Response:
        text = WATCH if name == "watch" else f"ran.push({name!r})"
        return Response(text, mimetype="text/javascript")

    with served(app) as found:
        yield Site(found, asked, slow)


def come_to(page: Page, site: Site) -> None:
    """Come to the site, until the server has said what holds."""
    with page.expect_response("**/privacy-choices/state"):
        page.goto(site.address)


def begin(context: BrowserContext, site: Site, choice: str | None = None) -> Page:
    """A page of the site, for whom *choice* was the answer."""
    page = context.new_page()
    if choice is None:
        page.goto(site.address)
    else:
        come_to(page, site)
        page.get_by_role("button", name=choice).first.click()
        expect(page.locator("#pc-status")).to_be_focused()
        if choice == "Accept all":
            until(page, lambda: site.ran == OPTIONAL)
        page.wait_for_timeout(300)
        site.asked.clear()
    return page


def painted(page: Page) -> list[str]:
    """What has been in sight on the page since it began."""
    page.wait_for_timeout(700)
    found: list[str] = page.evaluate("window.seen")
    return found


@pytest.mark.requirement("CON-01")
def test_who_has_not_answered_sees_the_banner_and_nothing_runs(page: Page, site: Site) -> None:
    page.goto(site.address)
    assert {"banner", "place"} <= set(painted(page))
    assert page.locator(".pc-banner").is_visible()
    place = page.locator(".pc-embed")
    assert place.get_by_role("button", name="Always allow").is_visible()
    assert site.ran == set()
    assert page.context.cookies() == []


@pytest.mark.parametrize("choice", ["Reject all", "Accept all"])
def test_the_banner_is_never_painted_for_who_has_answered(
    context: BrowserContext, site: Site, choice: str
) -> None:
    page = begin(context, site, choice)
    site.slow["/privacy-choices/state"] = 0.5  # so that many frames pass before the server has spoken
    come_to(page, site)
    seen = painted(page)
    assert "banner" not in seen
    assert ("place" in seen) == (choice == "Reject all"), "nor an embed's place, where the film comes"
    assert page.evaluate("getComputedStyle(document.body).paddingBottom") == "0px"
    assert page.locator(".pc-banner").count() == 0
    assert site.asked.count("/privacy-choices/state") == 1


@pytest.mark.requirement("ENF-02")
def test_a_yes_runs_in_place_in_order_and_once(context: BrowserContext, site: Site) -> None:
    page = begin(context, site)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.locator("#typed").fill("half a form")
    accept(page)
    until(page, lambda: site.ran == OPTIONAL)
    until(page, "window.ran.length === 3")
    assert page.evaluate("ran") == ["slow", "count", "last"]
    assert page.locator("#typed").input_value() == "half a form", "without a reload"
    assert page.locator("#block").is_visible()
    assert page.locator("iframe[title='A film']").count() == 1
    assert page.locator(".pc-embed").count() == 0
    page.wait_for_timeout(300)
    assert all(site.asked.count(path) == 1 for path in OPTIONAL)
    assert [text for text in problems if "pixel.gif" not in text and "404" not in text] == []
    page.goto(site.address)
    until(page, "window.ran.length === 3")
    assert page.evaluate("ran") == ["slow", "count", "last"]


@pytest.mark.requirement("WD-01")
def test_a_withdrawal_stops_it_here_and_in_other_tabs(context: BrowserContext, site: Site) -> None:
    first = begin(context, site, "Accept all")
    second = context.new_page()
    second.goto(site.address)
    until(second, "window.ran.length === 3")
    second.evaluate("consent.withdraw()")
    for page in (first, second):
        until(page, "window.ran?.length === 0 && document.readyState === 'complete'")
        assert page.locator("#block").count() == 0
    site.asked.clear()
    first.goto(site.address)
    assert "banner" not in painted(first)
    assert site.ran == set()


def test_what_the_readable_cookie_claims_runs_nothing(context: BrowserContext, site: Site) -> None:
    page = begin(context, site, "Reject all")
    [shown] = [each for each in context.cookies() if each["name"] == "consent-shown"]
    claim: Any = {**shown, "value": f"{shown['value']}.statistics.videos"}
    context.add_cookies([claim])
    come_to(page, site)
    expect(page.locator(".pc-embed"), "its place is shown again").to_be_visible()
    page.wait_for_timeout(300)
    assert site.ran == set()
    assert [each["value"] for each in context.cookies() if each["name"] == "consent-shown"] == [
        shown["value"]
    ]


def test_without_the_signed_answer_the_banner_comes_back(context: BrowserContext, site: Site) -> None:
    page = begin(context, site, "Accept all")
    context.clear_cookies(name="consent")
    page.goto(site.address)
    until(page, "!document.documentElement.matches('.pc-decided')")
    assert page.locator(".pc-banner").is_visible()
    page.wait_for_timeout(300)
    assert site.ran == set()
    assert context.cookies() == []


def test_while_the_server_is_silent_nothing_runs(context: BrowserContext, site: Site) -> None:
    page = begin(context, site, "Accept all")
    page.route("**/privacy-choices/state", lambda route: route.abort())
    page.goto(site.address)
    assert "banner" not in painted(page)
    assert site.ran == set()
    expect(page.locator(".pc-embed"), "an embed's place is not held back for ever").to_be_visible()


def test_an_answer_outruns_a_question_asked_before_it(context: BrowserContext, site: Site) -> None:
    page = begin(context, site, "Accept all")

    def later(route: Route) -> None:
        answer = route.fetch()
        page.wait_for_timeout(1200)
        route.fulfill(response=answer)

    page.route("**/privacy-choices/state", later, times=1)
    page.goto(site.address, wait_until="commit")
    until(page, "!!window.consent")
    page.wait_for_timeout(300)
    page.evaluate("consent.withdraw()")
    page.wait_for_timeout(3500)
    assert page.evaluate("window.ran") == []
    assert site.ran == set()


@pytest.mark.requirement("GPC-07")
def test_the_signal_is_answered_on_the_page(browser: Browser, site: Site) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    page = begin(context, site)
    page.locator(".pc-signal", has_text="Opt-Out Request Honored").wait_for()
    assert not page.locator(".pc-signal").get_attribute("hidden")
    context.close()


@pytest.mark.requirement("GPC-02")
def test_a_signal_that_only_scripts_see_stops_what_sells(context: BrowserContext, site: Site) -> None:
    begin(context, site, "Accept all").close()
    context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })")
    page = begin(context, site)
    until(page, "window.ran.length === 3")
    page.locator(".pc-signal", has_text="Opt-Out Request Honored").wait_for()
    assert page.locator(".pc-embed").is_visible()
    assert "/frame" not in site.asked
    assert not page.evaluate("consent.allows('videos')")


def test_the_result_is_told_after_the_server_has_said_it(context: BrowserContext, site: Site) -> None:
    page = begin(context, site, "Reject all")
    assert page.locator("#pc-status").inner_text().startswith("Saved. Everything optional is off.")
    page.goto(f"{site.address}?#pc-status")
    page.locator("#pc-status", has_text="Saved. Everything optional is off.").wait_for()
    expect(page.locator("#pc-status")).to_be_focused()


def test_without_the_module_that_asks_the_result_is_told_all_the_same(page: Page, site: Site) -> None:
    page.route("**/answers.js?v=*", lambda route: route.abort())
    page.goto(site.address)
    page.get_by_role("button", name="Reject all").first.click()
    page.locator("#pc-status", has_text="We have received your answer.").wait_for()
    expect(page.locator("#pc-status")).to_be_focused()


@pytest.mark.requirement("UI-12")
def test_without_javascript_an_answer_hides_the_banner_and_nothing_runs(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = begin(context, site)
    assert page.locator(".pc-banner").is_visible()
    place = page.locator(".pc-embed")
    said = "It loads by itself only if you have allowed it and JavaScript is on."
    offered = ["Load once"]
    assert said in place.inner_text()
    assert [each.inner_text() for each in place.locator(".pc-button:visible").all()] == offered
    with page.expect_navigation():
        page.get_by_role("button", name="Accept all").first.click()
    assert said in place.inner_text()
    assert [each.inner_text() for each in place.locator(".pc-button:visible").all()] == offered
    assert page.locator("#pc-status", has_text="We have received your answer.").is_visible()
    card, told = page.locator(".pc-place").bounding_box(), page.locator("#pc-status").bounding_box()
    assert card is not None
    assert told is not None
    assert card["height"] >= told["height"] > 50, "the whole of it"
    assert not page.locator(".pc-banner").is_visible()
    page.goto(site.address)
    assert not page.locator(".pc-place").is_visible()
    assert page.locator("body").evaluate("each => getComputedStyle(each).paddingBottom") == "0px"
    assert site.ran == set()
    context.close()


def test_a_page_of_a_sibling_origin_does_not_learn_whether_somebody_has_answered(
    context: BrowserContext, site: Site
) -> None:
    page = begin(context, site, "Reject all")
    own = Flask("sibling")  # the same site, as cookies see it
    sheet = f'<link rel="stylesheet" href="{site.address}privacy-choices/state.css">'
    own.add_url_rule("/", "page", lambda: f'<!doctype html>{sheet}<p class="pc-place">Seen</p>')
    with served(own) as sibling:
        page.goto(sibling)
    assert "/privacy-choices/state.css" in site.asked
    assert page.locator(".pc-place").is_visible()
