"""Whole journeys with the keyboard alone, step by step, with and without JavaScript."""

import pytest
from playwright.sync_api import Page, expect

from .conftest import NewVisit
from .demo import Visit

pytestmark = [pytest.mark.browser, pytest.mark.requirement("A11Y-01")]

both = pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Press Tab until what *selector* names has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{most} times Tab did not reach {selector}")


@both
def test_choosing_in_the_dialog(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    page = visitor.go()
    tab_to(page, ".pc-banner [commandfor=pc-dialog]", most=8)
    page.keyboard.press("Enter")
    expect(page.locator("#pc-dialog")).to_be_visible()
    tab_to(page, "#pc-dialog [name='category.performance']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[name='category.performance'][value='some']")).to_be_checked()
    tab_to(page, "[name='service.statistics']", most=4)
    page.keyboard.press("Space")
    tab_to(page, "#pc-dialog button[value='some']")
    page.keyboard.press("Enter")
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == {"statistics"}


@both
def test_enter_in_an_answer_saves_what_was_chosen_and_no_more(visit: NewVisit, javascript: bool) -> None:
    visitor = visit(javascript=javascript)
    page = visitor.go("/privacy-choices")
    tab_to(page, "[name='category.functionality']", most=30)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == {"language", "remember", "reading"}


@both
def test_withdrawing(visit: NewVisit, javascript: bool) -> None:
    visitor: Visit = visit(javascript=javascript)
    visitor.go()
    visitor.answer("Accept all")
    page = visitor.go("/contact")
    tab_to(page, "footer [data-pc-open]")
    page.keyboard.press("Enter")
    expect(page.locator("#pc-form")).to_be_visible()
    tab_to(page, "#pc-form button[value='none']")
    page.keyboard.press("Enter")
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()


def test_the_dialog_keeps_the_focus_until_it_is_closed(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    tab_to(page, ".pc-banner [commandfor=pc-dialog]", most=8)
    page.keyboard.press("Enter")
    for _ in range(45):
        page.keyboard.press("Tab")
        outside = page.evaluate("document.activeElement.closest('#pc-dialog') === null")
        assert not outside or page.evaluate("document.activeElement === document.body")
    page.keyboard.press("Escape")
    expect(page.locator(".pc-banner [commandfor=pc-dialog]:focus")).to_have_count(1)
