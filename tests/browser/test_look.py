"""What the style sheet promises beside any host's (a guard of buttons, a stored notice as it is), and on paper."""

import pytest
from playwright.sync_api import Page, expect

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


def test_on_paper_what_is_folded_up_is_unfolded(visit: NewVisit) -> None:
    page = visit().go("/privacy-choices")
    service = page.get_by_text("Looptally (a made-up company)").first
    expect(service).to_be_hidden()
    page.emulate_media(media="print")
    expect(service).to_be_visible()


def test_on_paper_no_room_is_left_for_the_banner(visit: NewVisit) -> None:
    page = visit().go()
    room = "parseFloat(getComputedStyle(document.body).paddingBlockEnd)"
    assert page.evaluate(room) > 0
    page.emulate_media(media="print")
    expect(page.locator(".pc-banner")).to_be_hidden()
    assert page.evaluate(room) == 0
