"""No is as easy as Yes, and no answer is no Yes: measured at every width, in every theme, placement and language."""

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any, Literal

import pytest
from flask import render_template_string
from playwright.sync_api import Browser, Page, expect

from consent.web.language import shipped
from tests.web.clinic import in_every_language

from .conftest import NewVisit
from .demo import Visit
from .served import served

pytestmark = pytest.mark.browser

#: The width of each window, and its height.
WINDOWS = {320: 640, 390: 844, 768: 1024, 1280: 800, 1920: 1080}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: Where sites put the card, in the layer that is theirs.
PLACEMENTS = {
    "at the bottom": "",
    "at the start of the bottom": ".pc-place { margin-inline: 1rem auto }",
    "in the page": ".pc-place { position: static }",
}
#: The size of text that a visitor has set.
TEXTS = ("100%", "200%")
ALL = list(product(WINDOWS, THEMES, PLACEMENTS, TEXTS))
#: Enough of them that every two values of two kinds meet.
FEW = [
    (width, THEMES[(i + k) % 2], placement, TEXTS[(i + k) // 2 % 2])
    for (i, width), (k, placement) in product(enumerate(WINDOWS), enumerate(PLACEMENTS))
]
PAGE = """<!doctype html><html lang="en"><head><title>Home</title><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{{ consent_head() }}<style id="theme"></style></head>
<body>{{ consent_banner() }}<main><h1>Home</h1></main>{{ consent_link() }}</body></html>"""

#: In which of all the properties that a browser knows two elements differ, or one before and after; browsers lay out in
#: 64ths of a pixel, and so thirds of a row may be one of these apart.
UNLIKE = """const style = (element) => {
  const { width, height } = element.getBoundingClientRect();
  const found = getComputedStyle(element);
  const names = [...found].filter((name) => !/^(width|inline-size|perspective-origin|transform-origin)$/.test(name));
  return { width, height, ...Object.fromEntries(names.map((name) => [name, found.getPropertyValue(name)])) };
};
const same = (one, other) => one === other || Math.abs(one - other) < 1 / 60;
const unlike = (one, other) => Object.keys(one).filter((name) => !same(one[name], other[name]))
  .map((name) => `${name}: ${one[name]}, ${other[name]}`);"""
#: The three buttons of a layer, as they stand there, and how far they differ.
ROW = f"""([layer, placement, text]) => {{
  {UNLIKE}
  document.documentElement.style.fontSize = text;
  const own = document.querySelector("#theme");
  if (own) own.textContent = `@layer pc.theme {{ ${{placement}} }}`;
  const row = [...document.querySelectorAll(`${{layer}} .pc-row > *`)].filter((each) => each.checkVisibility());
  return {{
    values: row.map((each) => each.value),
    unlike: row.slice(1).flatMap((each) => unlike(style(row[0]), style(each))),
    kinds: row.map((each) => [each.localName, each.className]),
    boxes: row.map((each) => each.getBoundingClientRect().toJSON()),
    cut: row.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent),
    seen: row.map((each) => {{
      const {{ x, y, width, height }} = each.getBoundingClientRect();
      const corners = [[2, height / 2], [width - 2, height / 2], [width / 2, 2], [width / 2, height - 2]];
      return corners.every(([across, down]) => each.contains(document.elementFromPoint(x + across, y + down)));
    }}),
    sideways: document.documentElement.scrollWidth > innerWidth,
    rtl: getComputedStyle(row[0]).direction === "rtl",
    ground: getComputedStyle(row[0]).backgroundColor,
  }};
}}"""
#: How far No and Yes of a category differ: as they are at first, and each of them chosen.
ANSWERS = f"""(layer) => {{
  {UNLIKE}
  return [...document.querySelectorAll(`${{layer}} .pc-answer`)].flatMap((answer) => {{
    const [no, yes] = answer.querySelectorAll("label");
    const before = unlike(style(no), style(yes));
    const chosen = [no, yes].map((label) => {{
      label.control.checked = true;
      return [style(label), style(label.control)];
    }});
    yes.control.checked = false;
    return [...before, ...chosen[0].flatMap((part, number) => unlike(part, chosen[1][number]))];
  }});
}}"""


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


def alike(found: dict[str, Any]) -> bool:
    """Whether the three buttons that were *found* are the same but for their words, one after the other, and whole."""
    first, *others = found["boxes"]
    x, y = ("right", "top") if found["rtl"] else ("left", "top")
    assert found["values"][:2] == ["none", "all"]
    assert len(others) == 2
    assert found["unlike"] == []
    assert found["kinds"] == [["button", "pc-button"]] * 3
    assert found["cut"] == []
    assert not found["sideways"]
    assert first["height"] >= 43.99
    ahead = -1 if found["rtl"] else 1
    rows = {box[y] for box in found["boxes"]}
    if len(rows) == 1:
        assert [box[x] * ahead for box in found["boxes"]] == sorted(box[x] * ahead for box in found["boxes"])
    else:
        assert len({box[x] for box in found["boxes"]}) == 1
        assert [box[y] for box in found["boxes"]] == sorted(rows)
    return True


def test_in_few_looks_every_two_values_meet() -> None:
    def pairs(looks: list[tuple[Any, ...]]) -> set[Any]:
        return {(first, second) for look in looks for first, second in combinations(enumerate(look), 2)}

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
    site: str, page: Page, language: str, looks: list[tuple[int, Literal["light", "dark"], str, str]]
) -> None:
    page.set_extra_http_headers({"Accept-Language": language})
    grounds: dict[str, set[str]] = {theme: set() for theme in THEMES}
    for layer in (".pc-banner", "#pc-dialog", ".pc-centre"):
        page.goto(f"{site}privacy-choices" if layer == ".pc-centre" else site)
        if layer == "#pc-dialog":
            page.evaluate("consent.open()")
            page.wait_for_timeout(600)  # till then its buttons answer no click
        expect(page.locator(layer)).to_have_attribute("lang", language)
        for look in looks:
            width, theme, placement, text = look
            if layer != ".pc-banner" and PLACEMENTS[placement]:
                continue  # only the card has other places
            page.set_viewport_size({"width": width, "height": WINDOWS[width]})
            page.emulate_media(color_scheme=theme)
            found = page.evaluate(ROW, [layer, PLACEMENTS[placement], text])
            grounds[theme].add(found["ground"])
            assert alike(found), (layer, look)
            # Who reads with large text, and on the page that is all about the choice, comes to them by scrolling.
            assert all(found["seen"]) or text != "100%" or layer == ".pc-centre", (layer, look)
            if layer != ".pc-banner":
                assert page.evaluate(ANSWERS, layer) == [], (layer, look)
    assert [len(found) for found in grounds.values()] == [1, 1]
    assert grounds["light"] != grounds["dark"]


#: How a button looks in all properties that a browser knows.
LOOK = f"(button) => {{ {UNLIKE} return style(button); }}"


@pytest.mark.requirement("UI-03")
@pytest.mark.parametrize(
    "media",
    [
        pytest.param({"color_scheme": "light"}, id="light"),
        pytest.param({"color_scheme": "dark"}, id="dark", marks=pytest.mark.full),
        pytest.param({"contrast": "more"}, id="more contrast", marks=pytest.mark.full),
        pytest.param({"forced_colors": "active"}, id="forced colours"),
    ],
)
def test_both_look_alike_under_the_pointer_when_pressed_and_with_focus(
    site: str, page: Page, media: dict[str, Any]
) -> None:
    page.emulate_media(**media)
    page.goto(site)
    looks: dict[str, list[object]] = {"none": [], "all": []}
    for value, found in looks.items():
        button = page.locator(f".pc-banner button[value={value}]")
        found.append(button.evaluate(LOOK))
        button.hover()
        found.append(button.evaluate(LOOK))
        page.mouse.down()
        found.append(button.evaluate(LOOK))
        page.mouse.move(0, 0)
        page.mouse.up()
        page.keyboard.press("Shift")  # from here on the focus is the keyboard's, and shown
        button.focus()
        found.append(button.evaluate(LOOK))
        button.blur()
    assert looks["none"] == looks["all"]
    still, under, _, focused = looks["none"]
    assert under != still
    assert focused != still


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
#: Whether the control with the focus is the page's own, and whether the card hides where it begins (WCAG 2.2, 2.4.11).
BEHIND = """() => {
  const focused = document.activeElement;
  if (focused === document.body || focused.closest(".pc")) return null;
  const { x, y, width, height } = focused.getBoundingClientRect();
  const there = document.elementFromPoint(x + width / 2, y + Math.min(height / 2, 12));
  return there?.closest(".pc-place") ? focused.outerHTML : "";
}"""


@pytest.mark.requirement("CON-06")
@pytest.mark.parametrize(
    "width",
    [width if width in (320, 1280) else pytest.param(width, marks=pytest.mark.full) for width in WINDOWS],
)
def test_the_whole_page_can_be_used_while_the_banner_waits(visit: NewVisit, width: int) -> None:
    visitor: Visit = visit(width=width, height=WINDOWS[width], reduced_motion="reduce")
    page = visitor.go("/contact")
    held = page.evaluate(HELD)
    controls = page.locator(CONTROLS).all()
    for control in controls:
        control.click(trial=True, timeout=2000)
    reached = 0
    page.evaluate("scrollTo(0, 0)")
    for _ in range(len(controls) + 12):
        page.keyboard.press("Tab")
        behind = page.evaluate(BEHIND)
        assert not behind
        reached += behind == ""
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
