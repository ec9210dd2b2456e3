"""What the comparison in a browser measures is there: each measure finds the fault that it is for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Route

from benchmarks.browser import banner as seen
from benchmarks.browser.banner import Banner
from benchmarks.browser.comparison import Bare, Findings, Visitor, examine, weigh
from benchmarks.browser.site import SITES
from consent.look import served

from .libraries import cache_folder, library

pytestmark = pytest.mark.browser

URL = "http://site.example/"
PARTS = Banner(root="#ask", reject="#no", accept="#yes", choose="#choose", choices="#choices")
PAGE = """<!doctype html><html lang="en"><head><title>Page</title><meta name="viewport" content="width=device-width">
<style>
  body { font: 16px sans-serif }
  #ask { position: fixed; inset: auto 0 0; height: 25vh; background: white; color: black }
  #ask button { width: 9rem; height: 3rem; font: inherit }
  /*style*/
</style></head><body>
<main><h1>Page</h1><a href="/more">More</a><p id="text">Text</p></main>
<section id="ask" aria-label="Cookies">
  <div id="row"><button id="no">No</button><button id="yes">Yes</button></div><button id="choose">Choose</button>
  <div id="choices" hidden></div>
</section>
<p role="status" tabindex="-1" id="said"></p>
<script>
  const ask = document.querySelector("#ask"), said = document.querySelector("#said");
  const answer = () => { ask.hidden = true; ask.style.display = "none"; said.textContent = "Saved"; said.focus(); };
  for (const button of document.querySelectorAll("#row button")) button.onclick = () => answer();
  document.querySelector("#choose").onclick = () => { document.querySelector("#choices").hidden = false; };
  /*script*/
</script></body></html>"""

#: What is wrong with a page, as a style or as a script.
TRAP = """ask.addEventListener("keydown", (event) => {
  const buttons = [...ask.querySelectorAll("button")];
  const next = buttons[(buttons.indexOf(event.target) + 1) % buttons.length];
  if (event.key === "Tab") { event.preventDefault(); next.focus(); }
});"""
TAKEN = "document.querySelector('#yes').focus();"
SECOND = """document.querySelector("#choices").append(document.querySelector("#no"));"""
DEAF = "document.querySelector('#no').onclick = null;"
SILENT = "document.querySelector('#no').onclick = () => { ask.style.display = 'none'; };"
KEEPS = "document.cookie = 'early=1'; localStorage.setItem('earlier', '1');"
LATE = "ask.style.display = 'none'; setTimeout(() => { ask.style.display = ''; }, 600);"
MOVES = "setTimeout(() => { document.querySelector('h1').style.marginTop = '300px'; }, 400);"
GREEN = "#yes { background: green }"
WIDE = "#ask { height: 100vh }"
FAINT = "#text { color: #ddd }"

Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """``opened(style=…, script=…)`` is the page with that in it."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(10_000)

    def make(*, style: str = "", script: str = "", watched: bool = False) -> Page:
        html = PAGE.replace("/*style*/", style).replace("/*script*/", script)
        page = context.new_page()
        page.route("**", lambda route: route.fulfill(body=html, content_type="text/html"))
        if watched:
            seen.watch(page, PARTS)
        page.goto(URL)
        return page

    yield make
    context.close()


def reject(page: Page) -> str:
    """Where the focus is after the answer No by keyboard."""
    page.locator("#no").press("Enter")
    assert seen.gone(page, PARTS)
    return seen.focus(page, PARTS)


#: What is measured, what a page without a fault answers, the fault, and what it answers then.
MEASURES: dict[str, tuple[Callable[[Page], Any], Any, dict[str, str], Any]] = {
    "a trap": (lambda page: seen.escape(page, PARTS), 4, {"script": TRAP}, None),
    "the way of the keyboard": (
        lambda page: seen.reached(page, "#no", "#yes"),
        [2, 3],
        {"script": SECOND},
        [None, 2],
    ),
    "a focus that was moved": (lambda page: seen.focus(page, PARTS), "page", {"script": TAKEN}, "banner"),
    "a focus that is lost": (reject, "message", {"script": SILENT}, "page"),
    "a No that is farther away": (lambda page: seen.acts(page, PARTS, "#no"), 1, {"script": SECOND}, 2),
    "a No that does nothing": (lambda page: seen.acts(page, PARTS, "#no"), 1, {"script": DEAF}, None),
    "a No of another look": (
        lambda page: seen.unlike(page, PARTS),
        {},
        {"style": GREEN},
        {"background-color": "rgb(239, 239, 239), rgb(0, 128, 0)"},
    ),
    "a page that is covered": (lambda page: round(seen.covered(page, PARTS), 2), 0.25, {"style": WIDE}, 1),
    "what is stored": (seen.stored, [], {"script": KEEPS}, ["earlier", "early"]),
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_finds_its_fault_and_nothing_where_there_is_none(opened: Open, name: str) -> None:
    measure, right, fault, wrong = MEASURES[name]
    assert measure(opened()) == right
    assert measure(opened(**fault)) == wrong


def test_a_banner_that_comes_late_and_a_page_that_moves_are_seen(opened: Open) -> None:
    at_once = seen.arrival(opened(watched=True))
    late = seen.arrival(opened(watched=True, script=LATE + MOVES))
    assert at_once.paint <= at_once.banner < at_once.paint + 300
    assert late.banner >= 600
    assert at_once.shift == 0
    assert late.shift > 0.05


@pytest.mark.full
def test_what_axe_finds_is_counted(opened: Open, pytestconfig: pytest.Config) -> None:
    axe = library("axe", cache_folder(pytestconfig)).decode()
    assert seen.violations(opened(), axe) == []
    assert seen.violations(opened(style=FAINT), axe) == ["color-contrast: #text"]


def test_what_a_strict_policy_blocks_is_counted(browser: Browser) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", "plain", lambda: "<p>Text</p>")
    app.add_url_rule(
        "/styled", "styled", lambda: "<p style='color: red'>Text</p><style>p { margin: 0 }</style>"
    )
    with served(app) as url:
        for path, times in ("", 0), ("styled", 2):
            page = browser.new_page()
            seen.restrict(page, url + path)
            page.goto(url + path)
            assert seen.blocked(page) == times
            page.close()


def test_bytes_are_counted_by_their_kind(browser: Browser) -> None:
    files = {
        "/": (
            "text/html",
            '<title>Page</title><link rel="stylesheet" href="/a.css"><script src="/a.js"></script>',
        ),
        "/a.css": ("text/css", "body { color: black }" * 100),
        "/a.js": ("text/javascript", "let counted = 0;"),
    }

    def answer(route: Route) -> None:
        kind, body = files["/" + route.request.url.removeprefix(URL)]
        route.fulfill(body=body, content_type=kind)

    context = browser.new_context()
    context.route("**", answer)
    weight, requests = weigh(context, URL)
    context.close()
    assert requests == 3
    assert 20 < weight["style"] < 100  # repeated, so gzip makes it small
    assert weight["script"] > len("let counted = 0;")  # too short for gzip
    assert weight["HTML"] > 50
    assert weight["other"] == 0


@pytest.mark.full
def test_a_visit_to_our_own_site_has_an_answer_to_each_question(
    browser: Browser, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    ours = Findings(SITES[0])
    axe = library("axe", cache_folder(pytestconfig)).decode()
    with served(SITES[0].site(tmp_path)) as url:
        nothing = Bare({"script": 0, "style": 0, "HTML": 0, "other": 0}, 0, frozenset())
        examine(ours, Visitor(browser, url), nothing, axe)
    assert ours.notes == []
    assert ours.answers.items() >= {
        ("stored before any answer", "nothing"),
        ("“Reject” and “Accept” differ in", "nothing"),
        ("axe finds, banner", "0"),
        ("axe finds, choices open", "0"),
        ("Tab leaves the banner", "yes, after 3"),
        ("focus after “Reject”", "on a message"),
        ("presses to refuse, to accept", "1 / 1"),
        ("refuse with JavaScript off", "yes"),
    }
