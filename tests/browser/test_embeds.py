"""Loading an embed once, in a real browser: in its place or on a page of its own, and nothing before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, render_template_string
from playwright.sync_api import Browser, Page, expect

from consent.look import served
from tests.web.clinic import POLICY, site_in

from .conftest import NewVisit

PAGE = """<!doctype html><html lang=en><head><meta name=viewport content="width=device-width">
{{ consent_head() }}</head>
<body><main>{{ "<p>before</p>"|safe * 40 }}
{{ consent_embed("videos", src=video, title="A film", width=640, height=360) }}<p id=after>after</p></main>
</body></html>"""


@pytest.fixture
def asked() -> list[str]:
    """What the provider was asked for."""
    return []


@pytest.fixture
def policy() -> dict[str, str]:
    """The site's headers; empty until a test fills it."""
    return {}


@pytest.fixture
def address(tmp_path: Path, asked: list[str], policy: dict[str, str]) -> Iterator[str]:
    """A site with an embed of another origin."""
    provider = Flask("provider")

    @provider.get("/film")
    def film() -> str:
        asked.append("/film")
        return "<!doctype html><title>film</title><p>playing"

    with served(provider) as other:
        video = other.replace("127.0.0.1", "localhost")
        app = site_in(tmp_path, POLICY.replace('https://video.example"]', video.rstrip("/") + '"]'))

        @app.get("/")
        def home() -> str:
            return render_template_string(PAGE, video=f"{video}film")

        @app.after_request
        def restrict(response: Response) -> Response:
            response.headers.update(policy)
            return response

        with served(app) as own:
            yield own


def box(page: Page) -> float:
    """Where on the page what follows the embed stands."""
    found = page.locator("#after").evaluate("(after) => after.getBoundingClientRect().top + scrollY")
    assert isinstance(found, int | float)
    return found


@pytest.mark.requirement("CON-12")
def test_without_a_policy_it_loads_in_its_place_moves_nothing_and_is_gone_on_reload(
    page: Page, address: str, asked: list[str]
) -> None:
    page.goto(address)
    before = box(page)
    assert not asked
    page.get_by_role("button", name="Load once").click()
    expect(page.frame_locator("iframe").get_by_text("playing")).to_be_visible()
    assert page.url == address
    assert box(page) == before
    expect(page.locator("iframe")).to_be_focused()
    assert asked == ["/film"]
    page.reload()
    expect(page.locator("iframe")).to_have_count(0)
    assert asked == ["/film"]
    assert not page.context.cookies()


@pytest.mark.parametrize("javascript", [True, False])
def test_under_a_policy_it_opens_on_a_page_of_its_own_and_leads_back_to_its_place(
    browser: Browser, address: str, asked: list[str], policy: dict[str, str], javascript: bool
) -> None:
    policy["Content-Security-Policy"] = "default-src 'self'"
    context = browser.new_context(java_script_enabled=javascript)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Load once").click()
    expect(page.frame_locator("iframe").get_by_text("playing")).to_be_visible()
    assert page.url == f"{address}privacy-choices"
    assert asked == ["/film"]
    page.get_by_role("link", name="Back to the page").first.click()
    expect(page.locator(".pc-embed > div")).to_be_in_viewport()
    assert page.url.partition("#")[0] == address
    expect(page.locator("iframe")).to_have_count(0)
    context.close()


def test_a_policy_that_nobody_told_of_opens_the_page_instead(
    page: Page, address: str, asked: list[str]
) -> None:
    def proxied(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]  # Playwright's Route
        route.fulfill(  # type: ignore[attr-defined]  # the same
            response=answer, headers={**answer.headers, "content-security-policy": "default-src 'self'"}
        )

    page.route(address, proxied)
    page.goto(address)
    page.get_by_role("button", name="Load once").click()
    expect(page.get_by_role("heading", name="A film")).to_be_visible()
    assert page.url == f"{address}privacy-choices"


def test_without_the_module_it_opens_on_a_page_of_its_own(page: Page, address: str, asked: list[str]) -> None:
    page.route("**/answers.js?v=*", lambda route: route.abort())
    page.goto(address)
    page.get_by_role("button", name="Load once").click()
    expect(page.get_by_role("heading", name="A film")).to_be_visible()
    expect(page.frame_locator("iframe").get_by_text("playing")).to_be_visible()
    assert asked == ["/film"]


@pytest.mark.parametrize("javascript", [True, False])
def test_always_holds_from_now_on(browser: Browser, address: str, asked: list[str], javascript: bool) -> None:
    context = browser.new_context(java_script_enabled=javascript)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Always allow").click()
    expect(page.frame_locator("iframe").get_by_text("playing")).to_be_visible()
    assert page.url.startswith(address)
    context.close()


def test_the_demos_witness_sees_a_film_only_once_it_is_asked_for(visit: NewVisit) -> None:
    visitor = visit()
    visitor.go("/how-billing-works")
    assert not visitor.elsewhere
    visitor.press("Load once")
    expect(visitor.page.frame_locator("iframe").get_by_role("main")).to_be_visible()
    assert "/films/bill" in visitor.go("/what-the-third-party-saw").locator("table").inner_text()
    assert not visitor.allowed()


def test_what_a_policy_keeps_out_elsewhere_on_the_page_takes_no_film_away(page: Page, address: str) -> None:
    told = """([directive, disposition, blockedURI]) => document.dispatchEvent(new SecurityPolicyViolationEvent(
        "securitypolicyviolation",
        { bubbles: true, blockedURI, documentURI: location.href, violatedDirective: directive,
          effectiveDirective: directive, originalPolicy: "", statusCode: 200, disposition },
    ))"""
    page.goto(address)
    page.get_by_role("button", name="Load once").click()
    expect(page.frame_locator("iframe").get_by_text("playing")).to_be_visible()
    film = page.locator("iframe").get_attribute("src") or ""
    origin = "/".join(film.split("/")[:3])
    for directive, disposition, uri in (
        ("img-src", "enforce", origin),
        ("script-src-elem", "enforce", ""),
        ("frame-src", "report", film),
        ("frame-src", "enforce", "https://another.example/"),
    ):
        page.evaluate(told, [directive, disposition, uri])
    page.wait_for_timeout(500)
    assert page.url == address
    expect(page.frame_locator("iframe").get_by_text("playing")).to_be_visible()
    # What keeps out the film itself leaves by the form, as without scripts.
    page.evaluate(told, ["frame-src", "enforce", origin])
    page.wait_for_url(f"{address}privacy-choices")


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_buttons_are_alike_and_large_enough(visit: NewVisit, width: int, scheme: str) -> None:
    page = visit(width=width, color_scheme=scheme).go("/how-billing-works?lang=en")
    boxes = [each.bounding_box() for each in page.locator(".pc-embed .pc-button").all()]
    assert len(boxes) == 3
    assert len({round(each["width"]) for each in boxes if each}) == 1
    assert all(each and each["height"] >= 44 for each in boxes)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
