"""What the style sheet promises beside any host's: the guard of the dialog's buttons, a stored notice as it is."""

import pytest
from playwright.sync_api import Page

from .conftest import NewVisit
from .demo import Visit
from .waiting import GUARD, until

pytestmark = pytest.mark.browser

RESETS = {
    "short": "*, ::before, ::after { animation-duration: .01ms !important; transition-duration: .01ms !important }",
    "none": "* { animation: none !important; transition: none !important }",
    "named": "#pc-dialog .pc-row { animation: none !important; animation-delay: -1s !important }",
}


@pytest.mark.parametrize("reset", RESETS)
def test_no_reset_of_a_hosts_lets_a_second_click_answer(visit: NewVisit, reset: str) -> None:
    page = visit(bypass_csp=True, reduced_motion="reduce").go()
    page.add_style_tag(content=RESETS[reset])
    soon = "for (const _ of [1, 2]) await new Promise((painted) => requestAnimationFrame(painted))"
    assert page.evaluate(f"async () => {{ consent.open(); {soon}; return {GUARD}; }}") == "none"
    until(page, f"{GUARD} === 'auto'")


def stored_notice(visitor: Visit) -> Page:
    """The notice that the visitor was shown, as it is stored."""
    notice = visitor.go().locator(".pc-banner [name=notice]").get_attribute("value")
    return visitor.go(f"/privacy-choices/shown/{notice}/copy")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_veils_a_stored_notice(visit: NewVisit, width: int) -> None:
    page = stored_notice(visit(width=width))
    form = page.locator(".pc-banner > form")
    position, shadow = form.evaluate("(e) => [getComputedStyle(e).position, getComputedStyle(e).boxShadow]")
    assert (position, shadow) == ("static", "none")
