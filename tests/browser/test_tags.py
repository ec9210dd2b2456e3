"""Tag managers and Google's Consent Mode: defaults, then the update, then tags; and nothing without a Yes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, render_template_string, request
from playwright.sync_api import Browser, Page

from consent import Consent
from consent.look import served
from tests.web.clinic import site_in
from tests.web.tagged import POLICY, TYPES

from .test_inert import accept
from .waiting import until

PAGE = """<!doctype html><html lang=en><head>{{ consent_head() }}
{{ consent_script("gtm", src=tags ~ "/container.js", async_=True) }}</head>
<body>{{ consent_banner() }}<main><input id="typed"></main>{{ consent_link() }}</body></html>"""
OWN_GTAG = PAGE.replace("<head>", '<head><script src="/own.js"></script>')
#: Loads whatever somebody has put into it, and notes what it hears from then on.
CONTAINER = """dataLayer.push({ event: "container" });
for (const origin of %s) {
  document.head.append(Object.assign(document.createElement("script"), { src: `${origin}/tag.js` }));
}
const heard = [];
dataLayer.push = (...pushed) => {
  heard.push(...pushed.map((one) => (one.length ? [...one] : one)));
  sessionStorage.heard = JSON.stringify(heard);
  return Array.prototype.push.apply(dataLayer, pushed);
};"""
LAYER = (
    "dataLayer.map((one) => (Object.prototype.toString.call(one) === '[object Arguments]' ? [...one] : one))"
)


@dataclass(slots=True)
class Tagged:
    """The running site, its vendors by name, and what they have been asked for."""

    address: str = ""
    vendors: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        """The vendors that have been asked for something, sorted."""
        return sorted({name for name, origin in self.vendors.items() if origin in self.asked})


def vendors(site: Tagged) -> Flask:
    """The other companies' server: what it serves at each of its ports is one company's."""
    app = Flask("vendors")

    @app.before_request
    def note() -> None:
        site.asked.append(request.host_url.rstrip("/"))

    @app.get("/container.js")
    def container() -> Response:
        tags = [origin for name, origin in site.vendors.items() if name != "tags"]
        return Response(CONTAINER % tags, mimetype="text/javascript")

    @app.get("/tag.js")
    def tag() -> Response:
        return Response('dataLayer.push({ event: "tag" });', mimetype="text/javascript")

    return app


def clinic(site: Tagged, folder: Path, *, cached: bool) -> Flask:
    """The site, under a strict policy that lets in nothing but itself; with *cached* its pages are for all alike."""
    consent = Consent()
    app = site_in(folder, POLICY.format(**site.vendors), consent=consent, CONSENT_CACHE_SAFE=cached)

    @app.after_request
    def restrict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response

    def page() -> str:
        return render_template_string(OWN_GTAG if request.path == "/own" else PAGE, tags=site.vendors["tags"])

    @app.get("/results")
    @consent.sensitive
    def results() -> str:
        return page()

    @app.get("/own.js")
    def own() -> Response:
        text = "window.dataLayer = []; window.gtag = function () { dataLayer.push(arguments); };"
        return Response(text + " gtag.own = true;", mimetype="text/javascript")

    app.add_url_rule("/", view_func=page)
    app.add_url_rule("/own", view_func=page)
    return app


@contextmanager
def running(folder: Path, *, cached: bool = False) -> Iterator[Tagged]:
    """The site and its vendors, each at an origin of its own."""
    site = Tagged()
    app = vendors(site)
    with ExitStack() as stack:
        for name in ("tags", "counting", "heatmap", "adverts"):
            address = stack.enter_context(served(app))
            site.vendors[name] = address.rstrip("/").replace("127.0.0.1", "localhost")
        site.address = stack.enter_context(served(clinic(site, folder, cached=cached)))
        yield site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Tagged]:
    """The running site."""
    with running(tmp_path) as found:
        yield found


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Tagged]:
    """The same in cache-safe mode."""
    with running(tmp_path, cached=True) as found:
        yield found


def layer(page: Page) -> list[Any]:
    """What stands in ``dataLayer``, commands as lists."""
    found: list[Any] = page.evaluate(LAYER)
    return found


def states(granted: str = "") -> dict[str, str]:
    """The seven types, of which those in *granted* are, and what always is."""
    return {type: "granted" if type in (*granted.split(), "security_storage") else "denied" for type in TYPES}


DEFAULT = ["consent", "default", states() | {"wait_for_update": 500}]
ADS = "ad_personalization ad_storage ad_user_data"


def update(granted: str = "") -> list[Any]:
    """The command that says so."""
    return ["consent", "update", states(granted)]


def changed(granted: str = "") -> dict[str, Any]:
    """What tag managers are told while of the services they carry *granted* may run."""
    carried = ("counting", "heatmap", "adverts")
    return {
        "event": "consent_changed",
        "granted": [key for key in carried if key in granted.split()],
        "refused": [key for key in carried if key not in granted.split()],
        "_clear": True,
    }


def allow(page: Page, *services: str) -> None:
    """Answer from within the page, yes to *services* alone, and load it anew."""
    fields = {"choice": "some", "from": "centre"} | {f"service.{key}": "yes" for key in services}
    for key in services:
        fields[f"category.{'advertising' if key == 'adverts' else 'performance'}"] = "some"
    page.evaluate(
        """async (fields) => {
          const notice = document.querySelector("[name=notice]").value;
          await fetch("/privacy-choices", { method: "POST", body: new URLSearchParams({ ...fields, notice }) });
        }""",
        fields,
    )
    page.reload()


@pytest.mark.requirement("GCM-01")
@pytest.mark.requirement("GCM-03")
@pytest.mark.requirement("IAB-01")
def test_before_an_answer_everything_is_denied_and_nobody_is_asked(page: Page, site: Tagged) -> None:
    page.goto(site.address)
    page.wait_for_timeout(300)
    assert layer(page) == [DEFAULT]
    assert page.evaluate("typeof gtag") == "function"
    assert page.evaluate("[typeof __tcfapi, typeof __gpp]") == ["undefined", "undefined"]
    assert site.asked == []


@pytest.mark.requirement("GCM-02")
def test_a_refusal_is_one_update_that_denies(page: Page, site: Tagged) -> None:
    page.goto(site.address)
    page.get_by_role("button", name="Reject all").first.click()
    until(page, "dataLayer.length > 1")
    page.wait_for_timeout(300)
    assert layer(page) == [DEFAULT, update(), changed()]
    page.reload()
    page.wait_for_timeout(300)
    assert layer(page) == [DEFAULT]
    assert site.asked == []


@pytest.mark.requirement("GCM-01")
@pytest.mark.requirement("GCM-02")
def test_after_a_yes_comes_the_default_then_one_update_then_the_tags(page: Page, site: Tagged) -> None:
    page.goto(site.address)
    accept(page)
    until(page, "dataLayer.filter(({ event }) => event === 'tag').length === 3")
    everything = f"{ADS} analytics_storage"
    assert layer(page)[:4] == [
        DEFAULT,
        update(everything),
        changed("counting heatmap adverts"),
        {"event": "container"},
    ]
    assert [one[1] for one in layer(page) if isinstance(one, list)] == ["default", "update"]
    assert site.names() == ["adverts", "counting", "heatmap", "tags"]


@pytest.mark.requirement("GCM-02")
@pytest.mark.requirement("ENF-05")
def test_what_else_lies_in_a_container_is_stopped_and_told_no(page: Page, site: Tagged) -> None:
    page.goto(site.address)
    allow(page, "counting")
    until(page, "dataLayer.some(({ event }) => event === 'tag')")
    page.wait_for_timeout(500)
    assert layer(page)[:3] == [DEFAULT, update("analytics_storage"), changed("counting")]
    assert site.names() == ["counting", "tags"]


@pytest.mark.requirement("GCM-02")
@pytest.mark.requirement("WD-03")
def test_a_withdrawal_reaches_the_tags_that_run_before_they_end(page: Page, site: Tagged) -> None:
    page.goto(site.address)
    allow(page, "counting", "adverts")
    until(page, "dataLayer.filter(({ event }) => event === 'tag').length === 2")
    site.asked.clear()
    page.evaluate("() => { consent.withdraw(); }")
    until(page, "dataLayer.length === 1")
    page.wait_for_timeout(300)
    heard = page.evaluate("JSON.parse(sessionStorage.heard)")
    assert [one for one in heard if one != {"event": "tag"}] == [update(), changed()]
    assert layer(page) == [DEFAULT]
    assert site.asked == []


@pytest.mark.requirement("GCM-02")
def test_on_a_page_that_stays_a_yes_holds_from_the_next_page_on(page: Page, site: Tagged) -> None:
    page.goto(site.address)
    page.locator("#typed").fill("half a form")
    accept(page)
    until(page, "dataLayer.length > 1")
    page.wait_for_timeout(500)
    assert layer(page) == [DEFAULT, update(), changed()], "nothing of theirs may run here yet"
    assert site.asked == []
    page.reload()
    until(page, "dataLayer.some(({ event }) => event === 'tag')")
    assert layer(page)[1] == update(f"{ADS} analytics_storage")


@pytest.mark.requirement("GCM-04")
@pytest.mark.requirement("GPC-14")
def test_the_privacy_signal_denies_advertising_whatever_was_allowed(browser: Browser, site: Tagged) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    page = context.new_page()
    page.goto(site.address)
    allow(page, "counting", "heatmap", "adverts")
    until(page, "dataLayer.filter(({ event }) => event === 'tag').length === 2")
    page.wait_for_timeout(300)
    assert layer(page)[:3] == [DEFAULT, update("analytics_storage"), changed("counting heatmap")]
    assert site.names() == ["counting", "heatmap", "tags"]
    context.close()


@pytest.mark.requirement("HIP-01")
def test_a_sensitive_page_tells_tags_nothing_and_loads_none(page: Page, site: Tagged) -> None:
    page.goto(site.address)
    allow(page, "counting", "heatmap", "adverts")
    until(page, "dataLayer.filter(({ event }) => event === 'tag').length === 3")
    site.asked.clear()
    page.goto(f"{site.address}results")
    page.wait_for_timeout(500)
    assert page.evaluate("typeof dataLayer") == "undefined"
    assert site.asked == []


@pytest.mark.requirement("GCM-03")
def test_without_javascript_no_tag_manager_is_asked_for(browser: Browser, site: Tagged) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.address)
    with page.expect_navigation():
        accept(page)
    page.goto(site.address)
    assert page.locator("script[src*='container.js']").count() == 1, "it was allowed"
    page.wait_for_timeout(300)
    assert site.asked == []
    context.close()


def test_a_site_that_has_the_command_already_keeps_its_own(page: Page, site: Tagged) -> None:
    page.goto(f"{site.address}own")
    until(page, "dataLayer.length > 0")
    assert page.evaluate("gtag.own")
    assert layer(page) == [DEFAULT]


@pytest.mark.requirement("GCM-02")
@pytest.mark.requirement("GCM-03")
@pytest.mark.requirement("ENF-06")
def test_on_pages_from_a_cache_tags_are_told_after_an_answer_and_once(page: Page, shared: Tagged) -> None:
    def load() -> list[Any]:
        """What the layer holds once the server has said what holds."""
        with page.expect_response("**/privacy-choices/state"):
            page.goto(shared.address)
        page.wait_for_timeout(300)
        return layer(page)

    assert load() == [DEFAULT], "nobody has answered"
    page.get_by_role("button", name="Reject all").first.click()
    until(page, "dataLayer.length > 1")
    page.wait_for_timeout(200)
    assert layer(page) == [DEFAULT, update(), changed()]
    assert load() == [DEFAULT]
    assert shared.asked == []
    page.context.clear_cookies()
    load()
    accept(page)
    everything = [DEFAULT, update(f"{ADS} analytics_storage"), changed("counting heatmap adverts")]
    for begin in (lambda: None, page.reload):
        begin()
        until(page, "dataLayer.filter(({ event }) => event === 'tag').length === 3")
        assert layer(page)[:3] == everything, "in place, and on the next page"
        other = page.context.new_page()
        other.goto(shared.address)
        other.evaluate("() => { new BroadcastChannel('pc').postMessage(0); }")
        page.wait_for_timeout(300)
        other.close()
        assert [one[1] for one in layer(page) if isinstance(one, list)] == ["default", "update"]
    assert shared.names() == ["adverts", "counting", "heatmap", "tags"]
