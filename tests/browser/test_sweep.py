"""Every page of the demo, as strangers meet it: nothing leaves its origin, and nothing optional is kept (ENF-04)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from consent.web.site import Site
from demo_site import reopened
from demo_site.database import DEMO_ACCOUNT, DEMO_PASSWORD, INVOICES
from demo_site.films import FILMS
from demo_site.looptally.log import RequestLog
from demo_site.topics import TOPICS

from .conftest import NewVisit
from .demo import Demo, Visit, running
from .waiting import until

pytestmark = pytest.mark.browser

#: Milliseconds after a page has loaded in which it might still ask for something.
SETTLE = 50
#: What the addresses of pages that have an argument may hold.
ARGUMENTS: dict[str, list[str | int]] = {
    "topics.topic": list(TOPICS),
    "pages.film": list(FILMS),
    "portal.invoice": [INVOICES[0][0], "no-such-invoice"],
    "contact.stored": ["M-00000000"],
    "consent.declaration_then": [1],
    "consent.notice": ["0" * 64],
    "consent.shown": ["0" * 64],
    "consent.copy": ["0" * 64],
    "consent.receipt": ["00000000-0000-4000-8000-000000000000"],
    "consent_audit.notice": ["0" * 64],
}
#: Where links from elsewhere lead, besides the pages themselves.
DEEP = ["/?lang=de", "/topics/sleep?utm_source=letter#main", "/no-such-page"]


#: How pages are made: for each visitor, or the same for everybody.
MODES = ("for each visitor", "cache-safe")


def in_both_modes(*always: tuple[str, str]) -> list[pytest.ParameterSet]:
    """Each mode with each state that *always* names; the pairs that it doesn't name are for the full run."""
    states = dict.fromkeys(state for _, state in always)
    return [
        pytest.param(mode, state, marks=() if (mode, state) in always else pytest.mark.full)
        for mode in MODES
        for state in states
    ]


@pytest.fixture(scope="module")
def demos(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Demo]]:
    """The running demo in each mode."""
    with running(tmp_path_factory.mktemp("shared") / "instance", cache_safe=True) as shared:
        yield dict(zip(MODES, (demo, shared), strict=True))


@pytest.fixture(scope="module")
def sites(demos: dict[str, Demo]) -> dict[str, Site]:
    """What they declare."""
    return {mode: reopened(str(demo.folder)).extensions["consent"] for mode, demo in demos.items()}


@pytest.fixture
def site(mode: str, sites: dict[str, Site]) -> Site:
    """What the demo in this *mode* declares."""
    return sites[mode]


@pytest.fixture
def begin(mode: str, state: str, demos: dict[str, Demo], visit: NewVisit) -> Callable[[], Visit]:
    """Opens a browser in this *state*, on the demo in this *mode*."""
    return lambda: visit(at=demos[mode], **STATES[state])


@pytest.fixture
def pages(site: Site) -> list[str]:
    """The address of every page that can be asked for, from the routes themselves; a new one is swept by itself."""
    found = []
    addresses = site.app.url_map.bind("127.0.0.1")
    for rule in site.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint.endswith("static"):
            continue
        names = sorted(rule.arguments)
        assert len(names) < 2, f"{rule}: teach ARGUMENTS a page with several"
        assert not names or rule.endpoint in ARGUMENTS, f"{rule}: say in ARGUMENTS what may stand there"
        for value in ARGUMENTS.get(rule.endpoint, [""]):
            found.append(addresses.build(rule.endpoint, dict.fromkeys(names, value)))
    return [*found, *DEEP]


@pytest.fixture
def log(mode: str, demos: dict[str, Demo]) -> RequestLog:
    """What reached the third party, by its own log; empty at first."""
    found = RequestLog(demos[mode].folder / "third-party.sqlite3")
    found.clear()
    return found


#: Whether the page's module has been told what holds, where it has to ask.
TOLD = """!window.consent || !document.querySelector("[data-pc-possible]")
  || performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/privacy-choices/state"))"""
STORED = """async () => [
  ...Object.keys(localStorage).map((name) => ["local", name]),
  ...Object.keys(sessionStorage).map((name) => ["session", name]),
  ...(await indexedDB.databases()).map(({ name }) => ["indexeddb", name]),
  ...(await caches.keys()).map((name) => ["cache", name])]"""


def undeclared(visitor: Visit, site: Site) -> list[str]:
    """What the browser keeps, for whatever origin, that isn't declared as always on."""
    always = [service for service in site.policy.services if site.policy.always_on(service.key)]
    cookies = [
        name
        for name in visitor.cookies
        if name not in (site.settings.cookie(secure=False), site.settings.readable_cookie(secure=False))
        and not any(cookie.matches(name) for service in always for cookie in service.cookies)
    ]
    kept = [
        f"{kind} {name}"
        for kind, name in visitor.page.evaluate(STORED)
        if not any(each.kind == kind and each.matches(name) for service in always for each in service.storage)
    ]
    return cookies + kept


def look(visitor: Visit, path: str) -> None:
    """Open the page at *path*, and wait for what it might do by itself.

    A page that is the same for everybody does so when the server has said what holds.
    """
    page = visitor.go(path)
    until(page, TOLD)
    page.wait_for_timeout(SETTLE)


def nothing_optional(visitor: Visit, site: Site, log: RequestLog, where: str) -> None:
    """Nothing left the site's origin, and nothing that isn't always on is kept."""
    assert log.newest(5) == [], where
    assert visitor.elsewhere == [], where
    assert undeclared(visitor, site) == [], where


STATES: dict[str, dict[str, Any]] = {
    "with a usual browser": {},
    "with the privacy signal": {"extra_http_headers": {"Sec-GPC": "1"}},
    "on a phone": {"width": 390, "height": 844, "is_mobile": True, "has_touch": True},
    "without JavaScript": {"javascript": False},
}


@pytest.mark.requirement("ENF-04")
@pytest.mark.parametrize(
    ("mode", "state"),
    in_both_modes(
        ("for each visitor", "with a usual browser"),
        ("for each visitor", "with the privacy signal"),
        ("cache-safe", "on a phone"),
        ("cache-safe", "without JavaScript"),
    ),
)
def test_no_page_asks_elsewhere_or_keeps_anything_optional(
    begin: Callable[[], Visit], site: Site, pages: list[str], log: RequestLog, state: str
) -> None:
    visitor = begin()
    for path in pages:
        visitor.context.clear_cookies()  # each page is where a visit begins
        look(visitor, path)
        nothing_optional(visitor, site, log, path)


@pytest.mark.requirement("ENF-04")
@pytest.mark.parametrize(
    ("mode", "state"),
    in_both_modes(("cache-safe", "with a usual browser"), ("for each visitor", "without JavaScript")),
)
def test_no_page_does_so_after_a_refusal(
    begin: Callable[[], Visit], site: Site, pages: list[str], log: RequestLog, state: str
) -> None:
    visitor = begin()
    visitor.go()
    visitor.answer("Reject all")
    visitor.page.reload()
    for path in pages:
        look(visitor, path)
        nothing_optional(visitor, site, log, path)


def sign_in(visitor: Visit) -> None:
    """Sign in to the portal."""
    page = visitor.go("/sign-in")
    page.locator("[name=name]").fill(DEMO_ACCOUNT)
    page.locator("[name=password]").fill(DEMO_PASSWORD)
    page.locator("main form button").first.click()
    page.wait_for_url("**/portal/")


@pytest.mark.requirement("ENF-04")
@pytest.mark.parametrize(("mode", "state"), in_both_modes(("for each visitor", "with a usual browser")))
def test_no_page_does_so_for_whoever_signs_in(
    begin: Callable[[], Visit], site: Site, pages: list[str], log: RequestLog, state: str
) -> None:
    visitor = begin()
    sign_in(visitor)
    for path in pages:
        look(visitor, path)
        nothing_optional(visitor, site, log, path)


@pytest.mark.requirement("ENF-04")
@pytest.mark.requirement("WD-03")
@pytest.mark.parametrize(
    ("mode", "state"),
    in_both_modes(("cache-safe", "with a usual browser"), ("for each visitor", "without JavaScript")),
)
def test_after_a_withdrawal_all_that_was_optional_is_gone_and_stays_so(
    begin: Callable[[], Visit], site: Site, pages: list[str], log: RequestLog, state: str
) -> None:
    visitor = begin()
    javascript = state != "without JavaScript"
    visitor.go()
    visitor.answer("Accept all")
    for path in ("/?lang=de", "/?lang=en", "/how-billing-works"):
        look(visitor, path)
    sign_in(visitor)
    if javascript:
        visitor.go("/privacy").get_by_label("Large", exact=True).check()
    # What follows would prove nothing if the browser hadn't got everything: all cookies of the site's own.
    optional = site.policy.optional_services
    own = {cookie.name for service in optional for cookie in service.cookies if cookie.domain is None}
    assert own <= visitor.cookies.keys()
    assert "local reading.size" in undeclared(visitor, site) or not javascript
    # Pages that are the same for everybody bring nothing to life without JavaScript.
    shared = visitor.page.locator("[data-pc-possible]").count() > 0
    assert (log.count() > 0) == (javascript or not shared)

    visitor.go("/privacy-choices")
    visitor.answer("Reject all")
    # Another origin's cookies are its own to delete; nothing asks for it any more, so that it gets none of them.
    visitor.context.clear_cookies(domain="localhost")
    until(visitor.page, lambda: undeclared(visitor, site) == [])
    log.clear()
    visitor.requests.clear()
    for path in pages:
        look(visitor, path)
        nothing_optional(visitor, site, log, path)
