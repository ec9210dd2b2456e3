"""Reject, Accept and Choose do what they say, at once and on every later page, with and without JavaScript."""

import pytest
from playwright.sync_api import expect

from .conftest import NewVisit
from .demo import OPTIONAL, Visit

pytestmark = pytest.mark.browser

both = pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
PAGES = ("/", "/topics/", "/privacy", "/contact", "/account/sign-in")


def see_home(visitor: Visit) -> None:
    """Go to the home page and see the banner."""
    visitor.go()
    expect(visitor.page.locator(".pc-banner")).to_be_visible()


@both
@pytest.mark.requirement("CON-01")
@pytest.mark.requirement("CON-11")
@pytest.mark.requirement("ENF-09")
def test_a_first_visit_stores_nothing_and_asks_no_other_origin(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    see_home(visitor)
    visitor.page.wait_for_timeout(500)
    assert visitor.cookies == {}
    assert visitor.elsewhere == []
    if javascript:
        assert visitor.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


@both
@pytest.mark.requirement("UI-01")
@pytest.mark.requirement("UI-12")
def test_reject_takes_one_click_and_is_remembered(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    see_home(visitor)
    visitor.answer("Reject all")
    expect(visitor.page.locator("#pc-status")).to_contain_text("Everything optional is off.")
    assert visitor.allowed() == set()
    visitor.go()
    expect(visitor.page.locator(".pc-banner")).to_have_count(0)
    expect(visitor.page.locator("#pc-status")).to_be_hidden()
    assert visitor.elsewhere == []
    assert set(visitor.cookies) == {"consent"}


@both
@pytest.mark.requirement("CON-02")
def test_accept_takes_one_click_and_is_remembered(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    see_home(visitor)
    visitor.answer("Accept all")
    expect(visitor.page.locator("#pc-status")).to_contain_text("Everything optional is on.")
    assert visitor.allowed() == OPTIONAL
    visitor.go()
    assert visitor.elsewhere != []
    expect(visitor.page.locator(".pc-banner")).to_have_count(0)


@both
@pytest.mark.requirement("CON-04")
@pytest.mark.requirement("UI-09")
def test_choosing_in_the_dialog_grants_what_was_chosen(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    see_home(visitor)
    page = visitor.page
    page.locator(".pc-banner button:visible:text-is('Choose')").click()
    dialog = page.locator("#pc-dialog")
    expect(dialog).to_be_visible()
    dialog.locator("[name='category.performance'][value='some']").check(force=True)
    dialog.locator("[name='service.statistics']").check()
    dialog.locator("[name='category.media'][value='yes']").check(force=True)
    visitor.answer("Save choices")
    assert visitor.allowed() == {"statistics", "videos"}
    visitor.go("/privacy-choices")
    expect(page.locator("[name='category.media'][value='yes']")).to_be_checked()
    expect(page.locator("[name='category.functionality'][value='no']")).to_be_checked()
    expect(page.locator("[name='service.experiment']")).not_to_be_checked()


@both
def test_choosing_on_the_page_does_the_same(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    page = visitor.go("/privacy-choices")
    expect(page.locator("input:checked")).to_have_count(0)
    page.locator("[name='category.functionality'][value='yes']").check(force=True)
    visitor.answer("Save choices")
    assert visitor.allowed() == {"language", "remember", "reading"}


@both
@pytest.mark.parametrize("way", [".pc-sheet .pc-button", "footer .pc-link"])
def test_who_was_asked_in_place_of_a_page_gets_there_after_answering(
    visit: NewVisit, javascript: bool, way: str
) -> None:
    visitor = visit(javascript=javascript)
    see_home(visitor)
    visitor.answer("Reject all")
    page = visitor.go("/films/bill")
    page.locator(way).first.click()
    visitor.answer("Accept all")
    page.locator("#pc-status").get_by_role("link", name="Back to the page").click()
    expect(page).to_have_url(f"{visitor.demo.url}/films/bill")
    expect(page.locator("main iframe, main video").first).to_be_visible()


@pytest.mark.requirement("A11Y-07")
@pytest.mark.parametrize("width", [320, 390])
def test_a_long_word_in_large_text_is_not_cut_in_the_dialog(visit: NewVisit, width: int) -> None:
    page = visit(width=width).go("/?lang=de")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.locator(".pc-banner [command]").click()
    for box in page.locator("#pc-dialog [type=radio][value=some]").all():
        box.check(force=True)
    assert page.locator("#pc-dialog").evaluate("(dialog) => dialog.scrollWidth - dialog.clientWidth") <= 0


@both
@pytest.mark.requirement("WD-01")
@pytest.mark.requirement("WD-02")
@pytest.mark.parametrize("path", PAGES)
def test_withdrawing_takes_two_clicks_from_any_page(visit: NewVisit, javascript: bool, path: str) -> None:
    visitor = visit(javascript=javascript)
    see_home(visitor)
    visitor.answer("Accept all")
    visitor.go(path)
    visitor.press("Privacy choices")
    visitor.answer("Reject all")
    assert visitor.allowed() == set()
    assert {"visit", "callback_test", "language", "signin_name"}.isdisjoint(visitor.cookies)


@pytest.mark.requirement("REC-06")
def test_a_refusals_cookie_is_the_same_for_everybody(visit: NewVisit) -> None:
    def refusal() -> str:
        visitor = visit()
        see_home(visitor)
        visitor.answer("Reject all")
        return visitor.cookies["consent"]

    one, other = refusal(), refusal()
    # The day is in it, and may have ended between the two.
    assert one == other or refusal() == other


@pytest.mark.requirement("INF-09")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_declaration_can_be_read_while_the_banner_waits(visit: NewVisit, width: int) -> None:
    visitor = visit(width=width)
    see_home(visitor)
    page = visitor.page
    page.locator(".pc-banner").get_by_role("link", name="Cookies and services").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cookies and services")
    assert page.evaluate("getComputedStyle(document.body).overflowY") == "visible"
    banner = page.locator(".pc-banner").bounding_box()
    assert banner is not None
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    last = page.locator("footer a").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= banner["y"]


@both
def test_escape_closes_the_dialog_and_changes_nothing(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    see_home(visitor)
    page = visitor.page
    opener = page.locator(".pc-banner button:visible:text-is('Choose')")
    opener.click()
    page.locator("#pc-dialog [name='category.media'][value='yes']").check(force=True)
    page.keyboard.press("Escape")
    expect(page.locator("#pc-dialog")).to_be_hidden()
    expect(opener).to_be_focused()
    assert visitor.cookies == {}


@pytest.mark.requirement("INF-07")
@pytest.mark.parametrize(
    ("language", "direction", "reject"), [("de", "ltr", "Alle ablehnen"), ("ar", "rtl", None)]
)
def test_the_banner_speaks_the_visitors_language(
    visit: NewVisit, language: str, direction: str, reject: str | None
) -> None:
    visitor = visit(locale=language)
    see_home(visitor)
    banner = visitor.page.locator(".pc-banner")
    assert banner.get_attribute("lang") == language
    assert banner.get_attribute("dir") == direction
    if reject:
        expect(banner.get_by_role("button", name=reject)).to_be_visible()
