"""No is as easy as Yes, and no answer is no Yes: measured at every width, in every theme, placement and language."""

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import pytest
from flask import render_template_string
from playwright.sync_api import Browser, Page, expect

from consent.look import AAA, ALL, FEW, Look, finding, measure, served, show, states
from consent.look.finding import ANSWERS, Finding
from consent.look.looks import MEDIA, PLACEMENTS, THEMES, WINDOWS, Theme
from consent.web.language import shipped
from tests.web.clinic import in_every_language

from .conftest import NewVisit
from .demo import Visit
from .waiting import open_dialog

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><head><title>Home</title><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{{ consent_head() }}</head>
<body>{{ consent_banner() }}<main><h1>Home</h1></main>{{ consent_link() }}</body></html>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The clinic's site in every language."""
    app = in_every_language(tmp_path_factory.mktemp("equal"))
    app.add_url_rule("/", "home", lambda: render_template_string(PAGE))
    with served(app) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in which nothing moves."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def wrong(layer: str, look: Look, measured: dict[str, Any]) -> list[Finding]:
    """What is wrong with a layer in a look, by our own measure."""
    found = [*finding.row(measured["row"], AAA), *finding.texts(measured["texts"], AAA)]
    found += finding.targets(measured["targets"], AAA)
    # Who reads with large text, and on the page that is all about the choice, comes to them by scrolling.
    if look.text == "100%" and layer != ".pc-centre":
        found += finding.reachable(measured["row"])
    return [*found, *finding.card(measured["card"]), *finding.answers(measured["answers"])]


def test_in_few_looks_every_two_values_meet() -> None:
    def pairs(looks: tuple[Look, ...]) -> set[Any]:
        return {
            (first, second) for look in looks for first, second in combinations(enumerate(look.values), 2)
        }

    assert pairs(FEW) == pairs(ALL)
    assert len(FEW) < len(ALL) / 3


@pytest.mark.requirement("UI-03")
@pytest.mark.requirement("A11Y-07")
@pytest.mark.parametrize(
    ("language", "looks"),
    [
        *(pytest.param(tag, FEW, id=tag) for tag in ("en", "de", "ar")),
        *(pytest.param(tag, ALL, id=f"{tag}-all", marks=pytest.mark.full) for tag in sorted(shipped())),
    ],
)
def test_refusing_and_accepting_are_the_same_but_for_their_words(
    site: str, page: Page, language: str, looks: tuple[Look, ...]
) -> None:
    page.set_extra_http_headers({"Accept-Language": language})
    grounds: dict[str, set[str]] = {theme: set() for theme in THEMES}
    for layer in (".pc-banner", "#pc-dialog", ".pc-centre"):
        page.goto(f"{site}privacy-choices" if layer == ".pc-centre" else site)
        assert list(finding.unanswered(measure(page, "unanswered", layer))) == []
        if layer == "#pc-dialog":
            open_dialog(page)
        expect(page.locator(layer)).to_have_attribute("lang", language)
        for look in looks:
            if layer != ".pc-banner" and look.placement != "bottom":
                continue  # only the card has other places
            show(page, look)
            measured = measure(page, "layer", layer)
            assert wrong(layer, look, measured) == [], (layer, look)
            assert measured["row"]["sideways"] <= 0
            grounds[look.theme].add(measured["row"]["ground"])
    assert [len(found) for found in grounds.values()] == [1, 1]
    assert grounds["light"] != grounds["dark"]


@pytest.mark.requirement("A11Y-07")
@pytest.mark.parametrize(
    "language",
    [tag if tag in ("it", "pl") else pytest.param(tag, marks=pytest.mark.full) for tag in sorted(shipped())],
)
def test_the_declaration_never_scrolls_sideways(site: str, page: Page, language: str) -> None:
    page.set_extra_http_headers({"Accept-Language": language})
    page.goto(f"{site}privacy-choices/declaration")
    show(page, Look(320, "light"))
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    # By a fraction of a pixel nothing scrolls; the number that browsers tell is rounded.
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 1


@pytest.mark.requirement("A11Y-07")
@pytest.mark.parametrize("language", ["el", "de"])
def test_in_the_narrowest_declaration_a_cookies_name_stands_in_one_line(
    site: str, page: Page, language: str
) -> None:
    page.set_extra_http_headers({"Accept-Language": language})
    page.goto(f"{site}privacy-choices/declaration")
    show(page, Look(320, "light"))
    lines = page.locator("th code").evaluate_all(
        "(names) => names.map((name) => name.getClientRects().length)"
    )
    assert len(lines) > 5
    assert {*lines} == {1}


@pytest.mark.requirement("UI-03")
@pytest.mark.parametrize(
    "theme",
    [
        each if each in ("light", "forced colours") else pytest.param(each, marks=pytest.mark.full)
        for each in MEDIA
    ],
)
@pytest.mark.parametrize(
    "layer",
    [".pc-banner", *(pytest.param(each, marks=pytest.mark.full) for each in ("#pc-dialog", ".pc-centre"))],
)
def test_both_look_alike_under_the_pointer_when_pressed_and_with_focus(
    site: str, page: Page, theme: Theme, layer: str
) -> None:
    page.emulate_media(**MEDIA[theme])
    page.goto(f"{site}privacy-choices" if layer == ".pc-centre" else site)
    if layer == "#pc-dialog":
        open_dialog(page)
    looks = {}
    for value in ANSWERS:
        selector = f"{layer} {finding.button(value)}"
        looks[value] = still, under, _, focused = states(page, selector)
        assert under != still
        assert list(finding.focus(value, still, focused, measure(page, "ring"))) == []
        page.locator(f"{selector}:visible").blur()
    assert list(finding.alike(looks, "used")) == []


@pytest.mark.requirement("UI-04")
@pytest.mark.parametrize("layer", [".pc-banner", "#pc-dialog", ".pc-centre"])
def test_the_keyboard_comes_from_one_straight_to_the_other(visit: NewVisit, layer: str) -> None:
    page = visit().go("/privacy-choices" if layer == ".pc-centre" else "/")
    if layer == "#pc-dialog":
        page.evaluate("consent.open()")
    reached: list[str | None] = []
    while "all" not in reached:
        assert len(reached) < 60
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.value"))
    assert reached.index("all") - reached.index("none") == 1


@pytest.mark.requirement("CON-02")
@pytest.mark.requirement("UI-08")
def test_whoever_ignores_the_banner_grants_nothing(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.page
    page.clock.install()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    visitor.go()
    assert page.evaluate("document.activeElement === document.body")
    for key in ("Enter", "Space", "Escape"):
        page.keyboard.press(key)
    page.mouse.wheel(0, 2000)
    page.mouse.wheel(0, -2000)
    page.locator("main h1").first.click()
    page.locator(".pc-banner h2").click()
    for close in ("Escape", "Close"):
        page.evaluate("consent.open()")
        page.locator("#pc-dialog [name='category.media'][value=yes]").check(force=True)
        page.keyboard.press("Escape") if close == "Escape" else visitor.press("Close without saving")
        expect(page.locator("#pc-dialog")).to_be_hidden()
    page.clock.fast_forward(3_600_000)
    with page.expect_navigation():
        page.locator("main a").first.click()
    visitor.go("/topics/")
    page.go_back()
    expect(page.locator(".pc-banner")).to_be_visible()
    assert set(sent) == {"GET"}
    assert "consent" not in visitor.cookies
    assert visitor.elsewhere == []
    assert visitor.allowed() == set()


#: What keeps visitors from a page behind a banner: the look of what it stands in, and what is shut away.
HELD = """() => {
  const names = ["overflow-x", "overflow-y", "position", "filter", "opacity", "pointer-events", "touch-action"];
  const parts = [document.documentElement, document.body, document.querySelector("main")];
  const styles = parts.map((part) => names.map((name) => getComputedStyle(part).getPropertyValue(name)));
  return [styles, document.querySelectorAll("[inert], [aria-hidden=true]:not(svg), [aria-modal]").length];
}"""
#: Every control of the page's own that can be seen; the link that skips to the content comes with the focus.
CONTROLS = ":is(a[href], button, input, select, textarea, summary):not(.pc *, .skip):visible"


#: Each placement, and a window for it; all of both take longer.
USED = [(320, "bottom"), (1280, "bottom-start"), (390, "top")]


@pytest.mark.requirement("CON-06")
@pytest.mark.parametrize(
    ("width", "placement"),
    [
        each if each in USED else pytest.param(*each, marks=pytest.mark.full)
        for each in product(WINDOWS, PLACEMENTS)
    ],
)
def test_the_whole_page_can_be_used_while_the_banner_waits(
    visit: NewVisit, width: int, placement: str
) -> None:
    visitor: Visit = visit(width=width, height=WINDOWS[width], reduced_motion="reduce")
    page = visitor.go("/contact")
    measure(page, "dress", [placement, "100%"])
    held = page.evaluate(HELD)
    controls = page.locator(CONTROLS).all()
    for control in controls:
        control.click(trial=True)
    reached = 0
    page.evaluate("scrollTo(0, 0)")
    for _ in range(len(controls) + 12):
        page.keyboard.press("Tab")
        if focused := measure(page, "focused"):
            assert list(finding.behind([focused])) == []
            reached += focused["own"]
    assert reached >= len(controls) > 10
    visitor.answer("Reject all")
    page = visitor.go("/contact")
    assert page.locator(".pc-banner").count() == 0
    assert page.evaluate(HELD) == held


#: Who might be shown something else: as a browser is driven, and what it calls itself.
USUAL = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
UNDRIVEN = "Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false })"


def shown(visitor: Visit) -> list[object]:
    """What of ours stands in the page, as text and on the screen."""
    page = visitor.go()
    expect(page.locator(".pc-banner")).to_be_visible()
    return [
        [page.locator(part).evaluate("(e) => e.outerHTML") for part in (".pc-place", "#pc-dialog")],
        page.locator(".pc-place").inner_text(),
        page.locator(".pc-place").bounding_box(),
        [box.bounding_box() for box in page.locator(".pc-banner .pc-button:visible").all()],
    ]


@pytest.mark.requirement("CON-13")
def test_machines_are_shown_what_everybody_is(visit: NewVisit) -> None:
    usual = visit(user_agent=USUAL, reduced_motion="reduce")
    usual.page.add_init_script(UNDRIVEN)
    everybody = shown(usual)
    driven = visit(reduced_motion="reduce")
    assert shown(driven) == everybody
    assert [each.page.evaluate("navigator.webdriver") for each in (usual, driven)] == [False, True]
    assert shown(visit(user_agent=CRAWLER, reduced_motion="reduce")) == everybody
    assert shown(visit(javascript=False, reduced_motion="reduce")) == everybody
