"""Pages that come back: by Back as they were left, by an address that was kept."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from .conftest import NewVisit
from .demo import Demo, Visit

pytestmark = pytest.mark.browser

#: What is there only in the page that was left.
LEFT = "html[title]"


@pytest.fixture
def visitor(keeping: Browser, demo: Demo) -> Iterator[Visit]:
    """A visitor with such a browser."""
    context = keeping.new_context()
    context.set_default_timeout(10_000)
    yield Visit.begin(demo, context)
    context.close()


def leave(visitor: Visit) -> None:
    """Go to the preference centre; the page that is left is marked."""
    visitor.page.evaluate("document.documentElement.title = 'as it was left'")
    visitor.page.evaluate(
        "addEventListener('pageshow', (e) => { if (e.persisted) sessionStorage.restored = 1; })"
    )
    visitor.page.evaluate("location.assign('/privacy-choices')")
    expect(visitor.page.locator("#pc-form")).to_be_visible()


def back(visitor: Visit) -> Page:
    """Go back to the home page, until it has asked what holds now."""
    page = visitor.page
    with page.expect_response("**/privacy-choices/state"):
        for _ in range(3):
            if page.url != visitor.demo.url + "/":
                with suppress(Error):  # a page that is just taking another's place can't be asked
                    page.go_back(wait_until="commit")
    return page


def needs_the_page_as_it_was_left(page: Page) -> None:
    """Skip where the browser let the page go, as it may on a busy machine: then there is nothing to keep."""
    if not page.evaluate("sessionStorage.restored"):
        pytest.skip("no page was kept to go back to")  # no browser promises to; a pass would claim the unseen


@pytest.mark.requirement("WD-01")
def test_after_a_withdrawal_back_brings_nothing_that_runs(visitor: Visit) -> None:
    page = visitor.go()
    visitor.answer("Accept all")
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").press_sequentially("half a word")
    assert page.evaluate("consent.allows('statistics')")
    leave(visitor)
    visitor.answer("Reject all")
    back(visitor)
    expect(page.locator(LEFT)).to_have_count(0)
    page.wait_for_load_state()
    assert not page.evaluate("consent.allows('statistics')")
    expect(page.locator("#pc-status")).to_be_hidden()


def test_after_a_refusal_back_brings_the_page_without_the_banner(visitor: Visit) -> None:
    page = visitor.go()
    leave(visitor)
    visitor.answer("Reject all")
    back(visitor)
    # Whether the page is as it was left is the browser's choice: on a busy machine it loads it anew.
    expect(page.locator(".pc-banner")).to_have_count(0)


@pytest.mark.parametrize("typed", [True, False], ids=["half a form", "nothing typed"])
def test_after_a_grant_back_brings_what_it_covers_unless_a_form_would_be_lost(
    visitor: Visit, typed: bool
) -> None:
    page = visitor.go()
    page.evaluate("document.body.append(document.createElement('textarea'))")
    if typed:
        page.locator("textarea").press_sequentially("half a word")
    leave(visitor)
    visitor.answer("Accept all")
    back(visitor)
    expect(page.locator(".pc-banner")).to_have_count(0)
    needs_the_page_as_it_was_left(page)
    expect(page.locator(LEFT)).to_have_count(int(typed))
    if not typed:
        page.wait_for_load_state()
    assert page.evaluate("consent.allows('statistics')") is not typed


def test_back_leaves_a_page_as_it_was_when_nothing_has_changed(visitor: Visit) -> None:
    page = visitor.go()
    leave(visitor)
    back(visitor)
    page.wait_for_timeout(300)
    needs_the_page_as_it_was_left(page)
    expect(page.locator(LEFT)).to_have_count(1)
    expect(page.locator(".pc-banner")).to_be_visible()


@pytest.mark.parametrize("press", ["Accept all", "Reject all"])
def test_the_address_keeps_nothing_of_an_answer(visit: NewVisit, press: str) -> None:
    visitor = visit()
    for path in ("/?from=a-friend", "/privacy-choices"):
        page = visitor.go(path)
        visitor.answer(press)
        assert page.url == visitor.demo.url + path
        page.reload()
        expect(page.locator("#pc-status")).to_be_hidden()


def test_an_address_with_somebody_elses_status_says_what_is_true_for_its_reader(visit: NewVisit) -> None:
    page = visit(javascript=False).go("/#pc-status")
    expect(page.locator("#pc-status")).to_contain_text("No answer is stored in this browser")
