"""No state of any page for visitors breaks a rule that axe-core can check: WCAG 2.2 AA and AAA, and good practice."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from demo_site.films import FILMS

from .conftest import NewVisit
from .demo import Visit
from .libraries import cache_folder, library

pytestmark = [pytest.mark.browser, pytest.mark.requirement("A11Y-01")]

#: How pages are looked at: each language, theme and width once, and both directions in each theme.
LOOKS: dict[str, dict[str, Any]] = {
    "English, light, wide": {"locale": "en-GB", "color_scheme": "light"},
    "Arabic, dark, on a phone": {"locale": "ar", "color_scheme": "dark", "width": 390, "height": 844},
    "German, dark, narrowest": {"locale": "de-DE", "color_scheme": "dark", "width": 320, "height": 640},
    "Arabic, light, wide": {"locale": "ar", "color_scheme": "light"},
}
RULES = """async () => {
  const rules = ["color-contrast-enhanced", "target-size"];
  const { violations } = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    rules: Object.fromEntries(rules.map((rule) => [rule, { enabled: true }])),
  });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}"""


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """The source text of axe-core."""
    return library("axe", cache_folder(pytestconfig)).decode()


def answer(page: Page, choice: str) -> None:
    """Press the button of *choice* that is seen first, whatever its words."""
    page.locator(f"button[name=choice][value={choice}]:visible").first.click()
    expect(page.locator("#pc-status")).to_be_focused()


def states(visitor: Visit) -> Iterator[tuple[str, Page]]:
    """What a visitor meets from the first page to the last, one after the other."""
    yield "the banner", visitor.go("/")
    visitor.page.locator(".pc-banner [commandfor=pc-dialog]").click()
    visitor.page.locator("#pc-dialog [type=radio][value=some]").first.check()
    visitor.page.locator("#pc-dialog details").first.evaluate("(e) => { e.open = true }")
    yield "the dialog", visitor.page
    yield "the preference centre", visitor.go("/privacy-choices")
    yield "my consent without any", visitor.go("/privacy-choices/mine")
    yield "the declaration", visitor.go("/privacy-choices/declaration")
    yield "a placeholder", visitor.go(f"/films/{next(iter(FILMS))}")
    visitor.go("/")
    answer(visitor.page, "all")
    yield "the result", visitor.page
    yield "my consent with a history", visitor.go("/privacy-choices/mine")
    with visitor.page.expect_navigation():
        visitor.page.locator("a[href*='/receipts/']").first.click()
    yield "a receipt", visitor.page
    visitor.go("/privacy-choices/mine")
    with visitor.page.expect_navigation():
        visitor.page.locator("form[action$='/erase'] button").click()
    yield "erasing, the first step", visitor.page
    visitor.go("/privacy-choices/mine")
    visitor.page.locator("button[name=choice][value=none]").first.click()
    expect(visitor.page.locator("#pc-status")).to_be_focused()
    yield "the withdrawal", visitor.page


@pytest.mark.parametrize(
    "look",
    [look if number < 2 else pytest.param(look, marks=pytest.mark.full) for number, look in enumerate(LOOKS)],
)
def test_no_state_of_a_visit_breaks_a_rule(visit: NewVisit, axe: str, look: str) -> None:
    visitor = visit(**LOOKS[look], bypass_csp=True, reduced_motion="reduce")
    for state, page in states(visitor):
        page.evaluate(axe)
        assert page.evaluate(RULES) == [], state
