"""Answers sent by the module that meet each other, a slow or silent server, an error page, or a form half filled."""

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import NewVisit
from .demo import OPTIONAL, Demo, Visit
from .waiting import open_dialog, until

pytestmark = pytest.mark.browser

FAILED = "We could not save your answer"
BUSY = ".pc-row[aria-busy]"


class Line:
    """The line to the site: answers stay on it as long as they should."""

    def __init__(self, visitor: Visit) -> None:
        self.page = visitor.page
        self.held: dict[str, Route] = {}
        self.sent: list[str] = []
        self.holding = {"all", "some", "none"}
        self.page.route("**/privacy-choices", self.judge)

    def judge(self, route: Route) -> None:
        """Hold back what is to be held back."""
        if route.request.method != "POST":
            return route.fallback()
        fields = route.request.post_data or ""
        choice = next(each for each in ("all", "some", "none") if f"choice={each}" in fields)
        self.sent.append(choice)
        if choice not in self.holding:
            return route.fallback()
        self.held[choice] = route
        return None

    def wait(self, choice: str) -> None:
        """Until the answer *choice* has come: its row is busy before it is sent."""
        until(self.page, lambda: choice in self.sent)


@pytest.mark.requirement("REC-01")
@pytest.mark.parametrize("withdraw", [False, True], ids=["Reject all", "withdraw()"])
def test_a_refusal_waits_for_the_acceptance_it_overtakes_and_is_recorded_as_its_withdrawal(
    visit: NewVisit, demo: Demo, withdraw: bool
) -> None:
    before = len(demo.events())
    visitor = visit()
    page = visitor.go()
    line = Line(visitor)
    line.holding = {"all"}
    visitor.press("Accept all")
    line.wait("all")
    page.evaluate("void consent.withdraw()") if withdraw else visitor.press("Reject all")
    page.wait_for_timeout(300)
    assert line.sent == ["all"]
    expect(page.locator(BUSY)).to_have_count(1)
    line.held["all"].continue_()
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()
    assert not page.evaluate("consent.allows('statistics')")
    assert [event["kind"] for event in demo.events()[before:]] == ["given", "withdrawn"]


def test_withdrawing_while_a_refusal_is_on_its_way_says_nothing_of_a_failure(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    line = Line(visitor)
    visitor.press("Reject all")
    line.wait("none")
    page.evaluate("void (window.done = consent.withdraw())")
    page.wait_for_timeout(300)
    expect(page.locator("#pc-status")).to_be_hidden()
    assert line.sent == ["none"]
    line.held["none"].continue_()
    assert page.evaluate("window.done") is True
    expect(page.locator("#pc-status")).to_contain_text("Everything optional is off.")


@pytest.mark.requirement("WD-01")
def test_withdrawing_by_script_leaves_the_visitor_on_their_page(visit: NewVisit) -> None:
    visitor = visit()
    visitor.go()
    visitor.answer("Accept all")
    page = visitor.go("/contact?about=prices")
    page.evaluate("void consent.withdraw()")
    expect(page.locator("#pc-status")).to_be_focused()
    expect(page.locator("#pc-status")).to_contain_text("Everything optional is off.")
    assert page.url == visitor.demo.url + "/contact?about=prices"
    assert visitor.allowed() == set()


def test_an_acceptance_leaves_a_form_half_filled_and_a_withdrawal_does_not(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").press_sequentially("half a word")
    visitor.answer("Accept all")
    expect(page.locator("#pc-status")).to_contain_text("Everything optional is on.")
    expect(page.locator(".pc-banner")).to_have_count(0)
    expect(page.locator("textarea")).to_have_value("half a word")
    assert visitor.allowed() == OPTIONAL
    page.evaluate("void consent.withdraw()")
    expect(page.locator("textarea")).to_have_count(0)
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()


def test_what_is_filled_in_in_our_own_forms_is_no_reason_not_to_reload(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    page.evaluate("window.asItWas = true")
    open_dialog(page)
    page.locator("#pc-dialog [name='category.media'][value='yes']").check(force=True)
    visitor.answer("Save choices")
    assert page.evaluate("window.asItWas") is None


def test_a_form_that_fails_leaves_no_row_busy(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    line = Line(visitor)
    visitor.press("Accept all")
    line.wait("all")
    expect(page.locator(BUSY)).to_have_count(1)
    open_dialog(page)
    visitor.press("Save choices")
    expect(page.locator("#pc-dialog .pc-row")).to_have_attribute("aria-busy", "true")
    line.wait("some")
    assert line.sent == ["all", "some"]
    line.held["some"].abort()
    expect(page.locator("#pc-dialog [role=alert]")).to_contain_text(FAILED)
    expect(page.locator(BUSY)).to_have_count(0)


@pytest.mark.parametrize("name", ["Reject all", "Accept all"])
def test_an_answer_that_the_pages_policy_keeps_scripts_from_sending_goes_by_its_form(
    visit: NewVisit, name: str
) -> None:
    visitor = visit()

    def restricted(route: Route) -> None:
        policy = "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'"
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    visitor.page.route(f"{visitor.demo.url}/", restricted)
    visitor.go()
    visitor.press(name)
    expect(visitor.page.locator("#pc-status")).to_be_visible()
    assert bool(visitor.allowed()) is (name == "Accept all")
    assert "consent" in visitor.cookies


def fail(page: Page, status: int) -> None:
    """From now on, what stands between browser and site answers by itself."""
    page.unroute("**/privacy-choices")
    page.route(
        "**/privacy-choices",
        lambda route: route.fulfill(status=status, content_type="text/html", body="<h1>Not today</h1>"),
    )


@pytest.mark.parametrize("name", ["Reject all", "Accept all"])
def test_a_proxys_error_page_is_not_shown(visit: NewVisit, name: str) -> None:
    visitor = visit()
    page = visitor.go()
    fail(page, 502)
    visitor.press(name)
    expect(page.locator(".pc-banner [role=alert]")).to_contain_text(FAILED)
    expect(page.locator(BUSY)).to_have_count(0)
    page.unroute("**/privacy-choices")
    visitor.answer(name)
    assert visitor.allowed() == (set() if name == "Reject all" else OPTIONAL)


@pytest.mark.parametrize("status", [502, 403])
def test_withdrawing_by_script_says_when_it_did_not_work(visit: NewVisit, status: int) -> None:
    visitor = visit()
    visitor.go()
    visitor.answer("Accept all")
    page = visitor.go("/contact")
    fail(page, status)
    assert page.evaluate("consent.withdraw()") is False
    expect(page.locator("#pc-status")).to_contain_text(FAILED)


@pytest.mark.requirement("UI-01")
def test_a_server_that_never_answers_blocks_nothing(visit: NewVisit) -> None:
    visitor = visit()
    visitor.page.clock.install()
    page = visitor.go()
    line = Line(visitor)
    visitor.press("Reject all")
    line.wait("none")
    page.clock.fast_forward(21_000)
    expect(page.locator(".pc-banner [role=alert]")).to_contain_text(FAILED)
    expect(page.locator(BUSY)).to_have_count(0)
    line.holding = set()
    visitor.answer("Accept all")
    assert visitor.allowed() == OPTIONAL


def test_hiding_the_result_leads_back_to_where_the_dialog_was_opened(visit: NewVisit) -> None:
    page = visit().go()
    page.get_by_role("contentinfo").get_by_role("link", name="Privacy choices").press("Enter")
    expect(page.locator("#pc-dialog")).to_be_visible()
    page.locator("#pc-dialog button[value=none]").press("Enter")
    expect(page.locator("#pc-status")).to_be_focused()
    page.get_by_role("link", name="Hide").press("Enter")
    expect(page.locator("#pc-status")).to_be_hidden()
    expect(page.get_by_role("contentinfo").get_by_role("link", name="Privacy choices")).to_be_focused()


def test_hiding_the_result_leaves_address_and_history_as_they_were(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go("/#main")
    visitor.answer("Reject all")
    before = page.evaluate("history.length")
    page.get_by_role("link", name="Hide").click()
    expect(page.locator("#pc-status")).to_be_hidden()
    assert page.url.endswith("/#main")
    assert page.evaluate("history.length") == before


def test_hiding_the_result_of_a_form_that_the_browser_sent_hides_it(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    page.route("**/answers.js?v=*", lambda route: route.abort())
    visitor.answer("Reject all")
    page.get_by_role("link", name="Hide").click()
    expect(page.locator("#pc-status")).to_be_hidden()


@pytest.mark.requirement("WD-01")
def test_a_second_save_with_other_content_is_another_answer_and_a_double_click_is_none(
    visit: NewVisit,
) -> None:
    visitor = visit()
    page = visitor.go()
    line = Line(visitor)
    open_dialog(page)
    page.locator("#pc-dialog [name='category.media'][value='yes']").check(force=True)
    for _ in range(2):
        visitor.press("Save choices")
    line.wait("some")
    assert line.sent == ["some"]
    line.holding = set()
    page.locator("#pc-dialog [name='category.media'][value='no']").check(force=True)
    visitor.press("Save choices")
    expect(page.locator("#pc-status")).to_be_focused()
    assert line.sent == ["some", "some"]
    assert visitor.allowed() == set()


def test_who_goes_on_right_after_a_yes_is_not_kept_by_it(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    line = Line(visitor)
    visitor.press("Accept all")
    line.wait("all")
    page.route("**/contact", lambda route: next_page.append(route))
    next_page: list[Route] = []
    with page.expect_request("**/contact"):
        page.get_by_role("contentinfo").get_by_role("link", name="privacy@").evaluate(
            "it => { it.href = '/contact'; it.click() }"
        )
    line.held["all"].fallback()
    visitor.page.wait_for_timeout(500)
    next_page[0].fallback()
    page.wait_for_url("**/contact")
    assert visitor.allowed() == OPTIONAL


def test_the_dialog_is_modal_also_where_a_browser_knows_no_commands(visit: NewVisit) -> None:
    page = visit().go()
    page.locator("[command=show-modal]").evaluate("it => it.removeAttribute('commandfor')")
    page.locator("[command=show-modal]").press("Enter")
    expect(page.locator("#pc-dialog:modal")).to_have_count(1)
    page.locator("#pc-dialog [command=close]").press("Enter")
    expect(page.locator("#pc-dialog")).to_be_hidden()


def test_opening_the_dialog_twice_is_no_error(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    faults: list[object] = []
    page.on("pageerror", lambda error: faults.append(error))
    page.evaluate("consent.open()")
    page.evaluate("consent.open()")
    page.keyboard.press("Escape")
    expect(page.locator("#pc-dialog")).to_be_hidden()
    page.evaluate("document.querySelector('#pc-dialog').showPopover()")
    page.evaluate("consent.open()")
    page.evaluate("document.querySelector('[data-pc-open]').click()")
    expect(page.locator("#pc-dialog")).to_be_visible()
    assert page.url == visitor.demo.url + "/"
    assert faults == []
