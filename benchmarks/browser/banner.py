"""A banner as a visitor meets it: what the keyboard, the eye and the browser make of it.

Each function takes a page of Playwright's that shows the banner, and says what it found; none judges.
"""

from dataclasses import dataclass

from playwright.sync_api import Page, Route

from consent.look import measure

#: How often Tab is pressed before something counts as out of reach.
MOST = 60
#: Milliseconds in which a banner comes, goes or moves.
MOMENT = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The CSS selectors of a banner's parts. *root* holds all that the component puts before the page."""

    root: str
    reject: str
    accept: str
    choose: str
    choices: str


def reached(page: Page, *selectors: str) -> list[int | None]:
    """How often Tab is pressed from here until what each of *selectors* names has the focus; None if never."""
    found: list[int | None] = [None] * len(selectors)
    for times in range(1, MOST + 1):
        page.keyboard.press("Tab")
        for number, selector in enumerate(selectors):
            if found[number] is None and page.locator(f"{selector}:focus").count():
                found[number] = times
        if None not in found:
            break
    return found


def escape(page: Page, banner: Banner) -> int | None:
    """How often Tab is pressed from the reject button until the page itself has the focus; None if it never has."""
    page.locator(banner.reject).focus()
    for times in range(1, MOST + 1):
        page.keyboard.press("Tab")
        if page.evaluate(_OUTSIDE, banner.root):
            return times
    return None


_OUTSIDE = """(root) => document.activeElement !== document.body && !document.activeElement.closest(root)"""


def focus(page: Page, banner: Banner) -> str:
    """Where the focus is: ``page``'s start, in the ``banner``, on a ``message``, or ``elsewhere``."""
    found: str = page.evaluate(_FOCUS, banner.root)
    return found


_FOCUS = """(root) => {
  const there = document.activeElement;
  if (!there || there === document.body || there === document.documentElement) return "page";
  if (there.closest("[role=status], [role=alert]")) return "message";
  return there.closest(root) ? "banner" : "elsewhere";
}"""


def gone(page: Page, banner: Banner) -> bool:
    """Whether the banner has gone after a moment."""
    page.wait_for_timeout(MOMENT)
    return not page.locator(banner.reject).is_visible() and not page.locator(banner.accept).is_visible()


def acts(page: Page, banner: Banner, answer: str) -> int | None:
    """How many presses give *answer*, the selector of a button; None if it can't be given."""
    button, count = page.locator(answer), 1
    if not button.is_visible():
        if not page.locator(banner.choose).is_visible():
            return None
        page.locator(banner.choose).click()
        page.wait_for_timeout(MOMENT)
        count = 2
    if not button.is_visible():
        return None
    button.click()
    return count if gone(page, banner) else None


def unlike(page: Page, banner: Banner) -> dict[str, str]:
    """In which of all properties that the browser knows the two answers differ but for where they stand: the value of
    the button that rejects, and of the other."""
    reject, accept = (measure(page, "look", each) for each in (banner.reject, banner.accept))
    return {
        name: f"{plain(reject.get(name))}, {plain(accept.get(name))}"
        for name in {**reject, **accept}
        if not same(reject.get(name), accept.get(name)) and not name.startswith("margin-")
    }


def plain(value: object) -> str:
    """*value* without the small parts of a pixel."""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def same(one: object, other: object) -> bool:
    """Whether two values are the same to the eye: browsers lay out in 64ths of a pixel."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) < 1 / 60
    return one == other


def covered(page: Page, banner: Banner) -> float:
    """The part of the window, 0 to 1, in which a finger meets the component and not the page."""
    found: float = page.evaluate(_COVERED, banner.root)
    return found


_COVERED = """(root) => {
  let hit = 0, all = 0;
  for (let y = 4; y < innerHeight; y += 8)
    for (let x = 4; x < innerWidth; x += 8, all += 1)
      if (document.elementFromPoint(x, y)?.closest(root)) hit += 1;
  return hit / all;
}"""

#: Run before the page's own scripts, it notes when the banner is seen first, and what moves.
WATCH = """(selector) => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  const look = () => {
    const found = document.querySelector(selector);
    const seen = found?.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const { top = 0, bottom = 0 } = seen ? found.getBoundingClientRect() : {};
    if (bottom > top && top < innerHeight && bottom > 0) window.seen = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One load, in milliseconds from its start: the first paint of anything, and the banner's; and what moved."""

    paint: float
    banner: float
    shift: float


def watch(page: Page, banner: Banner) -> None:
    """Have all further loads of *page* watched."""
    page.add_init_script(f"({WATCH})({banner.reject!r})")


def arrival(page: Page) -> Arrival:
    """The load that has been watched, once the banner is there and all is still."""
    page.wait_for_function("window.seen && performance.getEntriesByName('first-contentful-paint').length")
    page.wait_for_timeout(MOMENT)
    paint, seen, shift = page.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0].startTime, window.seen, window.shifted]"
    )
    return Arrival(paint=paint, banner=max(paint, seen), shift=shift)


#: axe's rules: WCAG 2.2 A and AA, and good practice.
_AXE = """async () => {
  const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run(document, { runOnly, rules: { "target-size": { enabled: true } } });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
}"""


def violations(page: Page, axe: str) -> list[str]:
    """What breaks one of the rules of *axe*, the source text of axe-core: a rule and an element each."""
    page.evaluate(axe)
    found: list[str] = page.evaluate(_AXE)
    return found


#: A site's policy that allows nothing from elsewhere and nothing written into the page (CSP 3).
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_COUNT = "window.blocked = 0; addEventListener('securitypolicyviolation', () => { window.blocked += 1; });"


def restrict(page: Page, url: str) -> None:
    """Have all further loads of *url* come with the ``STRICT`` policy."""

    def add(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": STRICT})

    page.add_init_script(_COUNT)
    page.route(url, add)


def blocked(page: Page) -> int:
    """How often the page that was restricted tried what its policy forbids."""
    found: int = page.evaluate("window.blocked")
    return found


def stored(page: Page) -> list[str]:
    """The names of all that is stored for the page's site."""
    cookies = [cookie["name"] for cookie in page.context.cookies()]
    kept: list[str] = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    return sorted({*cookies, *kept})
