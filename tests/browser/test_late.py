"""What talks with the site comes when it is needed: late or not at all, no answer is lost, and none is sent twice."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Response, render_template_string, request
from playwright.sync_api import Page, Request, Route, expect

from consent.look import served
from tests.web.clinic import site_in

from .conftest import NewVisit
from .demo import OPTIONAL, Visit
from .waiting import until

pytestmark = pytest.mark.browser

MODULE = "**/answers.js?v=*"
PAGE = """<!doctype html><html lang=en><head>{{ consent_head(nonce="n0") }}</head><body>{{ consent_banner() }}
{{ consent_embed("videos", src="https://video.example/1", title="A film") }}</body>"""


def sent(visitor: Visit) -> list[str]:
    """From now on, the answers that leave the browser; not what leaves with its page, of which nobody is told."""
    found: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            found.append(request.post_data or "")

    visitor.context.on("request", note)
    return found


def missing(page: Page, how: str) -> None:
    """From now on, the module doesn't come."""
    page.route(MODULE, lambda route: route.abort() if how == "blocked" else route.fulfill(status=404))


def standing(visitor: Visit) -> Page:
    """The home page, on which time passes only as a test says, however long its steps take."""
    visitor.page.clock.install(time=0)
    visitor.go()
    visitor.page.clock.pause_at(3600)
    return visitor.page


@pytest.mark.parametrize("reach", ["hover", "focus"])
def test_a_page_loads_it_when_somebody_reaches_for_a_button(visit: NewVisit, reach: str) -> None:
    visitor = visit()
    page = visitor.go()
    page.wait_for_timeout(300)
    assert not any("answers.js" in url for url in visitor.requests)
    with page.expect_response(MODULE) as found:
        getattr(page.locator(".pc-banner button[value=none]"), reach)()
    assert found.value.headers["cache-control"].endswith("max-age=31536000, immutable")
    visitor.answer("Reject all")
    assert len([url for url in visitor.requests if "answers.js" in url]) == 1


@pytest.mark.parametrize("how", ["blocked", "not found"])
@pytest.mark.parametrize("name", ["Reject all", "Accept all"])
def test_without_it_the_browser_sends_the_answer_by_itself(visit: NewVisit, name: str, how: str) -> None:
    visitor = visit()
    page = visitor.go()
    missing(page, how)
    answers = sent(visitor)
    visitor.answer(name)
    assert len(answers) == 1
    assert visitor.allowed() == (OPTIONAL if name == "Accept all" else set())
    assert page.url == visitor.demo.url + "/"


def test_a_page_that_a_form_of_the_browsers_leaves_comes_back_with_no_row_busy(visit: NewVisit) -> None:
    page = visit().go()
    missing(page, "blocked")
    page.route("**/privacy-choices", lambda route: route.fulfill(status=204))
    with page.expect_response("**/privacy-choices"):
        page.locator(".pc-banner button[value=none]").click()
    expect(page.locator(".pc-row[aria-busy]")).to_have_count(0)


def test_an_answer_waits_for_it_and_not_for_ever(visit: NewVisit) -> None:
    visitor = visit()
    page = standing(visitor)
    held: list[Route] = []
    page.route(MODULE, lambda route: held.append(route))
    answers = sent(visitor)
    visitor.press("Reject all")
    expect(page.locator(".pc-row[aria-busy]")).to_have_count(1)
    page.clock.fast_forward(2_500)
    assert page.locator(".pc-row[aria-busy]").count() == 1  # it is let go before the browser sends its form
    assert answers == []
    page.clock.fast_forward(1_000)
    expect(page.locator("#pc-status")).to_be_focused()
    for route in held:
        route.fallback()
    page.clock.run_for(30_000)
    assert len(answers) == 1
    assert visitor.allowed() == set()
    assert "consent" in visitor.cookies


def test_what_is_answered_while_it_comes_is_sent_once_it_is_there(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    held: list[Route] = []
    page.route(MODULE, lambda route: held.append(route))
    answers = sent(visitor)
    page.evaluate("window.asItWas = true")
    for name in ("Accept all", "Reject all"):
        visitor.press(name)
    until(page, lambda: held)
    assert answers == []
    held[0].fallback()
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()
    assert "consent" in visitor.cookies
    assert "choice=none" in answers[-1]


@pytest.mark.requirement("WD-01")
def test_a_refusal_is_the_last_word_also_behind_an_acceptance_that_the_browser_sends_by_itself(
    visit: NewVisit,
) -> None:
    visitor = visit()
    page = visitor.go()
    missing(page, "blocked")

    def hold(route: Route) -> None:
        if "choice=all" not in (route.request.post_data or ""):
            route.fallback()

    page.route("**/privacy-choices", hold)
    page.evaluate(
        """() => {
            const refuse = document.querySelector(".pc-banner button[value=none]");
            addEventListener("beforeunload", () => setTimeout(() => refuse.click(), 100), { once: true });
        }"""
    )
    with page.expect_event("load"):
        page.locator(".pc-banner button[value=all]").click(no_wait_after=True)
    expect(page.locator("#pc-status")).to_contain_text("Everything optional is off.")
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()


@pytest.mark.requirement("WD-01")
@pytest.mark.parametrize("names", [["Accept all"], ["Accept all", "Reject all"]])
def test_what_is_answered_while_it_comes_leaves_with_its_page(visit: NewVisit, names: list[str]) -> None:
    visitor = visit()
    page = visitor.go()
    page.route(MODULE, lambda route: None)
    answers = sent(visitor)
    for name in names:
        visitor.press(name)
    page.goto(f"{visitor.demo.url}/contact")
    until(page, lambda: "consent" in visitor.cookies)
    visitor.go()
    assert visitor.allowed() == (set() if "Reject all" in names else OPTIONAL)
    assert answers == []


@pytest.mark.requirement("WD-01")
@pytest.mark.parametrize("by", ["the banner", "a script"])
def test_a_refusal_that_waits_for_an_acceptance_leaves_with_its_page(visit: NewVisit, by: str) -> None:
    visitor = visit()
    page = visitor.go()
    answers = sent(visitor)
    page.route("**/privacy-choices", lambda route: None, times=1)
    with page.expect_request(lambda request: request.method == "POST"):
        visitor.press("Accept all")
    visitor.press("Reject all") if by == "the banner" else page.evaluate("void consent.withdraw()")
    expect(page.locator(".pc-row[aria-busy]").first).to_be_visible()
    assert len(answers) == 1
    page.goto(f"{visitor.demo.url}/contact")
    until(page, lambda: "consent" in visitor.cookies)
    visitor.go()
    assert visitor.allowed() == set()


@pytest.mark.requirement("WD-01")
def test_a_withdrawal_by_script_leaves_with_its_page(visit: NewVisit) -> None:
    visitor = visit()
    visitor.go()
    visitor.answer("Accept all")
    page = visitor.go("/contact")
    page.route(MODULE, lambda route: None)
    page.evaluate("void consent.withdraw()")
    visitor.go()
    until(page, lambda: visitor.allowed() == set())


def test_an_answer_that_has_come_back_does_not_leave_again_with_its_page(visit: NewVisit) -> None:
    visitor = visit()
    page = visitor.go()
    page.evaluate("void (navigator.sendBeacon = () => sessionStorage.setItem('left', 'again'))")
    visitor.answer("Reject all")
    page.goto(f"{visitor.demo.url}/contact")
    assert page.evaluate("sessionStorage.getItem('left')") is None


def test_two_withdrawals_at_once_lose_none(visit: NewVisit) -> None:
    visitor = visit()
    visitor.page.clock.install()
    visitor.go()
    visitor.answer("Accept all")
    page = visitor.go("/contact")
    held: list[Route] = []
    page.route(MODULE, lambda route: held.append(route))
    page.evaluate("void consent.withdraw()")
    page.clock.fast_forward(1_000)
    page.evaluate("void consent.withdraw()")
    page.clock.fast_forward(2_500)
    expect(page.locator("#pc-status")).to_be_hidden()
    for route in held:
        route.fallback()
    expect(page.locator("#pc-status")).to_be_focused()
    assert visitor.allowed() == set()


def test_what_somebody_has_typed_is_worth_waiting_for(visit: NewVisit) -> None:
    visitor = visit()
    visitor.page.clock.install()
    page = visitor.go("/contact")
    held: list[Route] = []
    page.route(MODULE, lambda route: held.append(route))
    page.locator("main textarea").first.press_sequentially("half a word")
    visitor.press("Accept all")
    page.clock.fast_forward(5_000)
    for route in held:
        route.fallback()
    expect(page.locator("#pc-status")).to_be_focused()
    expect(page.locator("main textarea").first).to_have_value("half a word")
    assert visitor.allowed() == OPTIONAL


@pytest.mark.parametrize("how", ["there", "blocked"])
def test_enter_right_after_the_page_has_come_answers_once(visit: NewVisit, how: str) -> None:
    visitor = visit()
    page = visitor.page
    answers = sent(visitor)
    if how == "blocked":
        missing(page, how)
    page.goto(visitor.demo.url, wait_until="commit")
    page.locator(".pc-banner button[value=none]").press("Enter")
    expect(page.locator("#pc-status")).to_be_focused()
    assert len(answers) == 1
    assert visitor.allowed() == set()
    assert "consent" in visitor.cookies


def test_withdrawing_by_script_says_that_it_did_not_work_without_it(visit: NewVisit) -> None:
    visitor = visit()
    visitor.go()
    visitor.answer("Accept all")
    page = visitor.go("/contact")
    missing(page, "blocked")
    assert page.evaluate("consent.withdraw()") is False
    expect(page.locator("#pc-status")).to_contain_text("We could not save your answer")


@pytest.mark.requirement("WD-06")
def test_a_tab_that_can_not_ask_what_was_withdrawn_is_loaded_anew(visit: NewVisit) -> None:
    visitor = visit()
    visitor.go()
    visitor.answer("Accept all")
    page = visitor.go()
    other = visitor.context.new_page()
    other.goto(visitor.demo.url)
    missing(other, "blocked")
    with other.expect_event("load"):
        page.evaluate("void consent.withdraw()")
    assert other.evaluate("consent.allows('statistics')") is False


@pytest.fixture
def headers() -> dict[str, str]:
    """What the site says of its pages; empty until a test fills it."""
    return {}


@pytest.fixture
def address(tmp_path: Path, headers: dict[str, str]) -> Iterator[str]:
    """A site with a banner, running, on which a Yes takes 2.6 seconds."""
    app = site_in(tmp_path)

    @app.before_request
    def slow() -> None:
        if request.form.get("choice") == "all":
            time.sleep(2.6)

    @app.get("/")
    def home() -> Response:
        return Response(render_template_string(PAGE), headers=headers)

    with served(app) as found:
        yield found


@pytest.mark.requirement("WD-01")
def test_loading_an_embed_by_the_browsers_form_takes_no_answer_away(page: Page, address: str) -> None:
    page.clock.install()
    page.goto(address)
    page.route(MODULE, lambda route: None)
    page.get_by_role("button", name="Load once").press("Enter")
    page.clock.fast_forward(1_000)
    page.locator(".pc-banner button[value=none]").press("Enter")
    with page.expect_event("load"):
        page.clock.fast_forward(2_500)
    until(page, lambda: page.request.get(f"{address}privacy-choices/state").json()["decided"])


@pytest.mark.requirement("WD-01")
@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
def test_no_acceptance_that_comes_back_late_overturns_a_refusal(
    page: Page, address: str, leaves: bool
) -> None:
    page.goto(address)
    with page.expect_request(lambda request: request.method == "POST"):
        page.locator(".pc-banner button[value=all]").click()
    began = time.monotonic()
    page.locator(".pc-banner button[value=none]").click()
    if leaves:
        page.goto(f"{address}privacy-choices/declaration")
    else:
        expect(page.locator("#pc-status")).to_contain_text("Everything optional is off.")
    until(page, lambda: time.monotonic() > began + 3.2)
    state = page.request.get(f"{address}privacy-choices/state").json()
    assert state["decided"] is True
    assert "statistics" not in state["granted"]


@pytest.mark.parametrize(
    "scripts",
    [
        "'self'",
        "'nonce-n0'",
        "'nonce-n0' 'strict-dynamic'",
        "'self'; require-trusted-types-for 'script'; trusted-types 'none'",
    ],
)
def test_the_strictest_policies_let_it_in(
    page: Page, address: str, headers: dict[str, str], scripts: str
) -> None:
    headers["Content-Security-Policy"] = (
        f"default-src 'none'; connect-src 'self'; style-src 'self'; form-action 'none'; script-src {scripts}"
    )
    page.goto(address)
    page.get_by_role("button", name="Reject all").first.click()
    expect(page.locator("#pc-status")).to_be_focused()
    expect(page.locator(".pc-banner")).to_have_count(0)
