"""Beside a host's style sheet, whichever it is, all that is ours looks as it does alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import render_template_string, request
from playwright.sync_api import Browser, Page, expect

from consent.look import served
from tests.web.clinic import site_in

from .libraries import STYLES, cache_folder, library
from .waiting import open_dialog

pytestmark = pytest.mark.browser

#: Our own pages: the preference centre, my consent, what is kept on the device, and one that isn't to be had.
PAGES = (
    "privacy-choices",
    "privacy-choices/mine",
    "privacy-choices/declaration",
    "privacy-choices/receipts/none",
)
#: What hosts write themselves.
RESETS = {
    "unset": "button { all: unset } * { box-sizing: content-box }",
}
#: Our text is in the page's font, and as large as the page's, which in Pico grows with the window.
SAME_TEXT = "body { font-family: sans-serif !important } :root { --pico-font-size: 100% }"
PAGE = """<!doctype html><html lang="en"><head><title>Home</title><meta name="viewport" content="width=device-width">
<style>{{ css | safe }}</style>{{ consent_head() }}</head><body>{{ consent_banner() }}
<div style="position: absolute; inset: 0 0 auto; padding: 1rem">
{{ consent_embed("videos", src="https://video.example/v/1", title="A film") }}</div></body></html>"""
#: Of each element of ours: its name, its box, and what its style comes to, generated content included.
SEEN = """(selector) => [...document.querySelector(selector).querySelectorAll("*")].map((element) => {
  const { width, height } = element.getBoundingClientRect();
  const round = (number) => Math.round(number * 2) / 2;
  const style = getComputedStyle(element);
  const said = `color background-color border-width border-color border-radius box-shadow padding margin opacity
    visibility font-size font-weight letter-spacing line-height text-transform text-decoration-line`.split(/\\s+/);
  const values = said.map((name) => style.getPropertyValue(name));
  const made = ["::before", "::after"].map((part) => getComputedStyle(element, part).content);
  return [element.localName, element.className, round(width), round(height), ...values, ...made].join(" ");
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[str]:
    """A site whose page has the style sheet that its address names."""
    app = site_in(tmp_path_factory.mktemp("foreign"))
    cache = cache_folder(pytestconfig)

    @app.get("/")
    def home() -> str:
        return render_template_string(PAGE, css=css_of(request.args.get("beside", ""), cache))

    with served(app) as address:
        yield address


def css_of(name: str, cache: Path) -> str:
    """The host's style sheet that is called *name*, with the text as large as without it."""
    return (library(name, cache).decode() if name in STYLES else RESETS.get(name, "")) + SAME_TEXT


Look = Callable[[str, int], dict[str, list[str]]]


@pytest.fixture
def look(browser: Browser, site: str) -> Iterator[Look]:
    """What is seen of banner, placeholder and dialog beside a style sheet, in a window of a width."""
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()

    def seen(beside: str, width: int) -> dict[str, list[str]]:
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{site}?beside={beside}")
        found = {part: page.evaluate(SEEN, part) for part in (".pc-banner", ".pc-embed")}
        return {**found, "#pc-dialog": opened(page)}

    yield seen
    context.close()


@pytest.fixture
def look_at_pages(browser: Browser, site: str, pytestconfig: pytest.Config) -> Iterator[Look]:
    """What is seen of our own pages beside a style sheet, in a window of a width, by who has said Yes."""
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(site)
    page.get_by_role("button", name="Accept all").first.click()
    expect(page.locator("#pc-status")).to_be_focused()
    cache = cache_folder(pytestconfig)

    def seen(beside: str, width: int) -> dict[str, list[str]]:
        page.set_viewport_size({"width": width, "height": 800})
        found = {}
        for path in PAGES:
            page.goto(f"{site}{path}")
            page.add_style_tag(content=css_of(beside, cache))
            page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true })")
            found[path] = page.evaluate(SEEN, ".pc-sheet")
        return found

    yield seen
    context.close()


def opened(page: Page) -> Any:
    """What is seen of the dialog, with one of its details open."""
    open_dialog(page)
    page.locator("#pc-dialog details").first.evaluate("(e) => { e.open = true }")
    page.locator("#pc-dialog [type=radio][value=some]").first.check()
    return page.evaluate(SEEN, "#pc-dialog")


@pytest.fixture(scope="module")
def pages_alone() -> dict[int, dict[str, list[str]]]:
    """The same of our own pages."""
    return {}


@pytest.fixture(scope="module")
def alone() -> dict[int, dict[str, list[str]]]:
    """What was seen without any other style sheet, by the window's width."""
    return {}


def compare(look: Look, alone: dict[int, dict[str, list[str]]], beside: str) -> None:
    """See the same *beside* a style sheet as *alone*, where it is kept what was seen so before."""
    for width in (390, 1280):
        alone[width] = alone.get(width) or look("", width)
        together = look(beside, width)
        for part, elements in alone[width].items():
            assert len(elements) > 5
            assert together[part] == elements, part


@pytest.mark.parametrize("beside", [*STYLES, *RESETS])
def test_no_style_sheet_of_a_hosts_changes_how_we_look(
    look: Look, alone: dict[int, dict[str, list[str]]], beside: str
) -> None:
    compare(look, alone, beside)


@pytest.mark.parametrize("beside", [*STYLES, *RESETS])
def test_no_style_sheet_of_a_hosts_changes_how_our_pages_look(
    look_at_pages: Look, pages_alone: dict[int, dict[str, list[str]]], beside: str
) -> None:
    compare(look_at_pages, pages_alone, beside)
