"""The module keeps to what visitors do: a refusal wins, no answer by accident, nothing cut off."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import NewVisit
from .demo import Visit
from .heard import SEEN
from .waiting import open_dialog, until

pytestmark = pytest.mark.browser

HIDE = "document.querySelector('#pc-status [href=\"#pc-hide\"]')"
#: Whether a click on the result's last link is one.
REACHED = f"""(() => {{
  const {{ x, y, width, height }} = {HIDE}.getBoundingClientRect();
  return document.elementFromPoint(x + width / 2, y + height / 2) === {HIDE};
}})()"""


def hold_back(visitor: Visit, choice: str) -> list[Route]:
    """From now on, answers with *choice* don't reach the site; those held are in the list."""
    held: list[Route] = []

    def judge(route: Route) -> None:
        if route.request.method == "POST" and f"choice={choice}" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    visitor.page.route("**/privacy-choices", judge)
    return held


def test_a_refusal_overtakes_an_acceptance_on_its_way(visit: NewVisit) -> None:
    visitor = visit()
    visitor.go()
    held = hold_back(visitor, "all")
    visitor.press("Accept all")
    row = visitor.page.locator(".pc-banner .pc-row")
    expect(row).to_have_attribute("aria-busy", "true")
    until(visitor.page, lambda: held)  # what sends it may be on its way, too
    visitor.answer("Reject all")
    assert len(held) == 1
    assert visitor.allowed() == set()
    assert "consent" in visitor.cookies


def test_the_same_button_again_sends_nothing_more_and_an_acceptance_never_overtakes_a_refusal(
    visit: NewVisit,
) -> None:
    visitor = visit()
    visitor.go()
    held = hold_back(visitor, "none")
    for name in ("Reject all", "Reject all", "Accept all"):
        visitor.press(name)
    expect(visitor.page.locator(".pc-banner .pc-row")).to_have_attribute("aria-busy", "true")
    until(visitor.page, lambda: held)
    visitor.page.wait_for_timeout(300)
    assert len(held) == 1
    held[0].continue_()
    expect(visitor.page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()


def test_an_answer_to_a_form_out_of_date_leads_to_the_current_one_and_says_why(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    page.evaluate("document.querySelectorAll('[name=notice]').forEach((e) => (e.value = '0'.repeat(64)))")
    visitor.press("Accept all")
    expect(page.locator(".pc-problem")).to_be_focused()
    expect(page).to_have_title(re.compile("^Your page was out of date"))
    assert visitor.allowed() == set()
    visitor.press("Accept all")
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() != set()


def pace(page: Page, rate: float) -> None:
    """Have what a style sheet animates go at *rate*; 1 is its own."""
    session = page.context.new_cdp_session(page)
    session.send("Animation.enable")
    session.send("Animation.setPlaybackRate", {"playbackRate": rate})


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_second_click_on_choose_answers_nothing(visit: NewVisit, javascript: bool, width: int) -> None:
    visitor = visit(javascript=javascript, width=width, height=640)
    page = visitor.go()
    pace(page, 0.05)  # so that the second click comes in time, however slow this machine is
    page.locator(".pc-banner button:visible:text-is('Choose')").click()
    save = page.locator("#pc-dialog button:text-is('Save choices')").bounding_box()
    assert save is not None
    page.mouse.click(save["x"] + save["width"] / 2, save["y"] + save["height"] / 2)
    page.wait_for_timeout(300)
    expect(page.locator("#pc-dialog")).to_be_visible()
    assert visitor.cookies == {}
    pace(page, 1)
    visitor.answer("Save choices")
    assert visitor.allowed() == set()


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 480)])
def test_large_text_leaves_the_banners_words_to_be_read_and_the_buttons_to_be_reached(
    visit: NewVisit, language: str, width: int, height: int
) -> None:
    visitor = visit(width=width, height=height, locale=language)
    page = visitor.go()
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    place = page.locator(".pc-place").bounding_box()
    row = page.locator(".pc-banner .pc-row").bounding_box()
    assert place is not None
    assert row is not None
    visible = min(row["y"], place["y"] + place["height"]) - place["y"]
    assert visible >= place["height"] / 2
    page.locator(".pc-banner button[value=none]").click()
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()


@pytest.mark.requirement("UI-01")
@pytest.mark.parametrize(("width", "height"), [(320, 640), (320, 560), (390, 844), (1280, 800)])
@pytest.mark.parametrize("where", [".pc-banner", "#pc-dialog"])
def test_after_a_save_that_failed_whoever_presses_in_the_same_place_presses_the_same_or_nothing(
    visit: NewVisit, where: str, width: int, height: int
) -> None:
    visitor = visit(width=width, height=height, reduced_motion="reduce")
    page = visitor.go()
    page.route("**/privacy-choices", lambda route: route.abort())
    if where == "#pc-dialog":
        open_dialog(page)
    page.locator(f"{where} button[value=none]").hover()
    places = page.locator(f"{where} .pc-row > .pc-button:visible").evaluate_all(
        """(buttons) => buttons.map((button) => {
          const { x, y, width, height } = button.getBoundingClientRect();
          return [button.textContent, x + width / 2, y + height / 2];
        })"""
    )
    assert len(places) == 3
    page.locator(f"{where} button[value=none]").click()
    expect(page.locator(f"{where} [role=alert]")).to_be_visible()
    for name, x, y in places:
        pressed = f"document.elementFromPoint({x}, {y})?.closest('.pc-button')?.textContent"
        assert page.evaluate(pressed) in {name, None}


def test_the_second_click_of_a_double_click_on_an_answer_follows_no_link(visit: NewVisit) -> None:
    page = visit(bypass_csp=True).go()
    shown = f"getComputedStyle({HIDE}.closest('#pc-status')).display !== 'none'"
    wait = f"while (!({shown})) await new Promise((painted) => requestAnimationFrame(painted))"
    assert not page.evaluate(
        f"async () => {{ document.querySelector('.pc-banner [value=none]').click(); {wait}; return {REACHED}; }}"
    )
    until(page, REACHED)


@pytest.mark.requirement("A11Y-02")
@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 700), (1280, 490)])
@pytest.mark.parametrize("language", ["en", "de"])
def test_nothing_with_the_focus_hides_behind_the_result(
    visit: NewVisit, width: int, height: int, language: str
) -> None:
    visitor = visit(width=width, height=height, reduced_motion="reduce")
    page = visitor.go(f"/?lang={language}")
    page.locator(".pc-banner [value=all]").click()
    expect(page.locator("#pc-status")).to_be_focused()
    until(page, REACHED)
    reached = 0
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        reached += 1
        assert page.evaluate(SEEN), page.evaluate("document.activeElement.outerHTML")
    assert reached > 15
