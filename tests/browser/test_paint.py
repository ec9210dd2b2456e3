"""The banner is there when a page is first painted, moves nothing, and keeps no browser busy."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, render_template_string
from playwright.sync_api import Browser, Page

from consent import Consent
from consent.look import served
from consent.look.looks import PLACEMENTS
from tests.web.clinic import site_in

from .waiting import until

pytestmark = pytest.mark.browser

#: The page says less than the banner does: so the largest thing that is painted is the banner's.
PAGE = """<!doctype html><html lang="en"><head><title>Home</title><meta name="viewport" content="width=device-width">
{{ consent_head() }}</head><body>{{ consent_banner() }}<main>Home</main>{{ consent_link() }}</body></html>"""
#: What the browser tells of its own work, from the first moment on.
WATCH = """() => {
  const seen = (window.seen = { paint: [], largest: [], shift: [], busy: [] });
  const kinds = { paint: "paint", "largest-contentful-paint": "largest", "layout-shift": "shift", longtask: "busy" };
  for (const [type, name] of Object.entries(kinds)) {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        seen[name].push({
          name: entry.name,
          start: entry.startTime,
          value: entry.value ?? entry.duration,
          where: entry.element?.closest(".pc-banner") ? "banner" : "",
        });
      }
    }).observe({ type, buffered: true });
  }
}"""
LATE = "document.addEventListener('DOMContentLoaded', () => {{ {} }})"


@pytest.fixture(scope="module", params=PLACEMENTS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The clinic's site, its banner in each placement."""
    app = site_in(tmp_path_factory.mktemp("paint"), CONSENT_PLACEMENT=request.param)
    app.add_url_rule("/", "home", lambda: render_template_string(PAGE))

    @app.get("/halves/<int:buttons>")
    def halves(buttons: int) -> Response:
        html = render_template_string(PAGE)
        cut = html.index(">", html.index('class="pc-row"')) + 1
        for _ in range(buttons):
            cut = html.index("</button>", cut) + len("</button>")

        def pieces() -> Iterator[str]:
            yield html[:cut]
            time.sleep(0.3)
            yield html[cut:]

        return Response(pieces(), mimetype="text/html")

    with served(app) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a phone's size, in which everything moves that may."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, reduced_motion="no-preference")
    yield context.new_page()
    context.close()


def watched(page: Page, address: str, script: str = "") -> dict[str, list[dict[str, Any]]]:
    """What the browser tells of the page at *address* until half a second after it has loaded."""
    page.add_init_script(f"({WATCH})();{script}")
    page.goto(address)
    until(page, "seen.paint.length && seen.largest.length")
    page.wait_for_timeout(500)
    found: dict[str, list[dict[str, Any]]] = page.evaluate("seen")
    return found


@pytest.mark.parametrize("buttons", [0, 1, 2])
def test_nothing_moves_where_the_page_comes_in_two_pieces(page: Page, site: str, buttons: int) -> None:
    page.add_init_script(f"({WATCH})()")
    page.goto(f"{site}halves/{buttons}")
    until(page, "seen.paint.length && document.querySelector('.pc-banner [value=all]').checkVisibility()")
    page.wait_for_timeout(200)
    assert page.evaluate("seen.shift") == []


def test_the_sample_sites_banner_takes_two_fifths_of_a_phones_screen_at_most(
    page: Page, tmp_path: Path
) -> None:
    policy = Path(__file__).parents[2] / "demo_site" / "consent.toml"
    app = Flask("sample", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.config.from_mapping({"SECRET_KEY": "a key for tests", "CONSENT_POLICY": policy})
    Consent().init_app(app)
    app.add_url_rule("/", "home", lambda: render_template_string(PAGE))
    with served(app) as address:
        page.goto(address)
        height = page.locator(".pc-place").evaluate("(card) => card.getBoundingClientRect().height")
    assert 0.2 < height / 844 <= 0.4


def first(found: dict[str, list[dict[str, Any]]]) -> float:
    """When anything was painted first, in milliseconds after the request."""
    [start] = [paint["start"] for paint in found["paint"] if paint["name"] == "first-contentful-paint"]
    return float(start)


def with_the_first_paint(found: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether the banner's was the largest text from the first paint on."""
    largest = found["largest"][0]
    return bool(largest["where"] == "banner" and abs(largest["start"] - first(found)) < 1)


def moved(found: dict[str, list[dict[str, Any]]]) -> float:
    """How far what was painted has moved since: the sum of layout shifts."""
    return sum(float(shift["value"]) for shift in found["shift"])


def busy(found: dict[str, list[dict[str, Any]]]) -> list[float]:
    """How long each task took that kept the page from answering for 50 ms or more, in milliseconds."""
    return [task["value"] for task in found["busy"]]


def test_the_banner_comes_with_the_first_paint_moves_nothing_and_keeps_nobody_waiting(
    site: str, page: Page
) -> None:
    found = watched(page, site)
    assert with_the_first_paint(found)
    assert moved(found) == 0
    # Others use the machine too, so a task may take longer than it needs, and so never less.
    tries = [busy(found)]
    while tries[-1] and len(tries) < 4:
        page.reload()
        page.wait_for_timeout(500)
        tries.append(busy(page.evaluate("seen")))
    assert tries[-1] == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        (
            "const place = document.querySelector('.pc-place'); const next = place.nextSibling; place.remove();"
            "setTimeout(() => next.before(place), 200);",
            lambda found: not with_the_first_paint(found),
        ),
        (
            "setTimeout(() => { document.querySelector('.pc-banner').style.paddingBlockStart = '5rem' }, 200);",
            moved,
        ),
        ("const end = performance.now() + 120; while (performance.now() < end);", busy),
    ],
    ids=["a late banner", "a banner that moves", "a busy script"],
)
def test_what_breaks_it_is_noticed(site: str, page: Page, script: str, wrong: Any) -> None:
    assert wrong(watched(page, site, LATE.format(script)))
