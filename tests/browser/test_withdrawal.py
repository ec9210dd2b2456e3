"""After a withdrawal nothing optional is left in the browser, in this tab or in another."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Response, render_template_string
from playwright.sync_api import BrowserContext, Page, expect

from consent import current_consent
from consent.look import served
from tests.web.clinic import POLICY, site_in

from .waiting import until

STORED = POLICY.replace(
    'cookies = { variant = "30 days" }',
    'cookies = { variant = "30 days" }\n'
    'storage = { "ab.*" = "local", "ab" = "session", "ab-db" = "indexeddb", "ab-cache-*" = "cache", '
    'shared = "local", length = "local" }',
).replace(
    'cookies = { remember_name = "30 days" }',
    'cookies = { remember_name = "30 days" }\nstorage = { "shared" = "local" }',
)
PAGE = "<!doctype html><html lang=en><head>{{ consent_head() }}</head><body>{{ consent_banner() }}<main>Hello</main>"
SEED = """async () => {
  localStorage.setItem("ab.1", "x");
  localStorage.setItem("abacus", "x");
  localStorage.setItem("shared", "x");
  localStorage.setItem("own", "x");
  localStorage.setItem("length", "x");
  sessionStorage.setItem("ab", "x");
  await new Promise((done) => { indexedDB.open("ab-db").onsuccess = (e) => { e.target.result.close(); done(); }; });
  await caches.open("ab-cache-1");
  await caches.open("own-cache");
}"""
KEPT = """async () => [
  ...Array.from({ length: localStorage.length }, (_, place) => localStorage.key(place)),
  ...Object.keys(sessionStorage).map((name) => `session ${name}`),
  ...(await indexedDB.databases()).map(({ name }) => name), ...(await caches.keys()),
].sort()"""
EVERYTHING = ["ab-cache-1", "ab-db", "ab.1", "abacus", "length", "own", "own-cache", "session ab", "shared"]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A site that keeps something of every kind, running."""
    app = site_in(tmp_path, STORED)

    @app.get("/")
    def home() -> Response:
        response = Response(render_template_string(PAGE))
        if current_consent.allows("experiment"):
            response.set_cookie("variant", "b", max_age=86_400, httponly=True)
        return response

    with served(app) as found:
        yield found


def kept(page: Page) -> list[str]:
    """What the browser keeps for the site besides cookies."""
    found: list[str] = page.evaluate(KEPT)
    return found


def cookies(context: BrowserContext) -> set[str]:
    """The names of the cookies in the browser's jar, HttpOnly ones too."""
    return {cookie["name"] for cookie in context.cookies()}


@pytest.mark.requirement("WD-03")
def test_what_was_kept_without_a_yes_is_cleared_and_nothing_else(page: Page, address: str) -> None:
    page.goto(address)
    page.evaluate(SEED)
    page.reload()
    expect(page.get_by_role("button", name="Reject all").first).to_be_visible()
    until(page, lambda: len(kept(page)) <= 3)
    page.wait_for_timeout(100)
    assert kept(page) == ["abacus", "own", "own-cache"]


@pytest.mark.requirement("WD-03")
def test_a_withdrawal_clears_storage_of_every_kind_and_cookies_too(
    page: Page, context: BrowserContext, address: str
) -> None:
    page.goto(address)
    page.get_by_role("button", name="Accept all").first.click()
    page.wait_for_function("window.consent?.allows('experiment')")
    page.evaluate(SEED)
    page.reload()
    assert kept(page) == EVERYTHING
    assert cookies(context) == {"consent", "variant"}
    page.evaluate("window.consent.withdraw()")
    expect(page.locator("#pc-status")).to_be_focused()
    until(page, lambda: len(kept(page)) <= 3)
    page.wait_for_timeout(100)
    assert kept(page) == ["abacus", "own", "own-cache"]
    assert cookies(context) == {"consent"}


@pytest.mark.requirement("WD-06")
def test_other_tabs_that_had_loaded_more_are_loaded_anew(
    page: Page, context: BrowserContext, address: str
) -> None:
    page.goto(address)
    page.get_by_role("button", name="Accept all").first.click()
    page.wait_for_function("window.consent?.allows('experiment')")
    other = context.new_page()
    other.goto(address)
    other.evaluate("window.mark = 1")
    page.evaluate("window.consent.withdraw()")
    other.wait_for_function(
        "window.mark === undefined && window.consent && !window.consent.allows('experiment')"
    )
    assert other.url == address


@pytest.mark.requirement("WD-06")
def test_our_own_page_in_another_tab_shows_a_withdrawal_of_what_runs_elsewhere_only(
    page: Page, context: BrowserContext, address: str
) -> None:
    page.goto(address)
    page.evaluate(
        """async () => {
          const notice = document.querySelector("[name=notice]").value;
          const said = { notice, choice: "some", from: "banner", "category.media": "some", "service.videos": "yes" };
          await fetch("/privacy-choices", { method: "POST", body: new URLSearchParams(said) });
        }"""
    )
    other = context.new_page()
    other.goto(f"{address}privacy-choices/mine")
    other.evaluate("window.mark = 1")
    assert other.evaluate("window.consent.allows('videos')") is False
    page.reload()
    assert page.evaluate("window.consent.allows('videos')")
    page.evaluate("window.consent.withdraw()")
    other.wait_for_function("window.mark === undefined && window.consent")


def test_an_answer_in_one_tab_takes_the_banner_away_in_the_others(
    page: Page, context: BrowserContext, address: str
) -> None:
    page.goto(address)
    other = context.new_page()
    other.goto(address)
    other.evaluate("window.mark = 1")
    page.get_by_role("button", name="Reject all").first.click()
    expect(other.locator(".pc-banner")).to_have_count(0)
    assert other.evaluate("window.mark") == 1
