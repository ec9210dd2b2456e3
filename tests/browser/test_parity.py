"""What the browser stores and asks for is what the verdict says, for every kind of item (ENF-03)."""

from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, suppress
from functools import partial
from itertools import product
from secrets import token_hex
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from consent.decision import Circumstances, Decision, Mark, Verdict, judge
from consent.web.site import Site
from tests.decision.pairwise import pairwise
from tests.decision.verdict_table import ANSWERS, ENDPOINTS, KINDS, MARKS, Row, expected

from .parity_site import KEPT_BY_CACHES, Asked, Parity, kept, loaded, running
from .waiting import until

#: How pages are made. Each has a site of its own.
MODES: dict[str, dict[str, object]] = {"for each visitor": {}, "cache-safe": {"CONSENT_CACHE_SAFE": True}}
#: What of a page's headers a shared cache goes by, or keeps for everybody.
CACHED = ("Cache-Control", "Content-Security-Policy", "Set-Cookie", "Vary")
DAY = 86_400
#: Milliseconds in which nothing may be asked for but what may run.
SETTLE = 150


class Case(NamedTuple):
    """One combination of the verdict's inputs; every page of it has every kind of service and item."""

    mode: str
    answer: str
    signal: bool
    stored: bool
    mark: str | None
    endpoint: str | None
    minor: bool

    def row(self, kind: str) -> Row:
        """The row of the verdict's table for a service of *kind*."""
        # The answer's own opt-out counts as the signal does.
        opted_out = self.signal or self.stored
        return Row(kind, self.answer, opted_out, False, self.mark, self.endpoint, self.minor)

    @property
    def view(self) -> str | None:
        """The endpoint of its page."""
        return f"{self.endpoint}.{self.mark}" if self.mark else self.endpoint


YES_NO = (False, True)
#: A page without a view has no mark.
CASES = [
    case
    for case in map(Case._make, product(MODES, ANSWERS, YES_NO, YES_NO, MARKS, ENDPOINTS, YES_NO))
    if case.endpoint or not case.mark
]
#: A page from a cache learns no reasons: whatever the server doesn't allow is off alike.
TELLING = {"for each visitor": ANSWERS, "cache-safe": ("none", "granted", "confirmed")}
#: Every two values together, in each mode.
PAIRWISE = {
    case
    for mode, answers in TELLING.items()
    for case in pairwise([each for each in CASES if each.mode == mode and each.answer in answers])
}
#: One of each page, for whoever has said Yes to everything: no page from a cache is made for anybody else.
PAGES = [
    case
    for case in CASES
    if case == Case("cache-safe", "confirmed", False, False, case.mark, case.endpoint, False)
]
WHOLE = [
    pytest.param(case, id=f"{case.mode} {number}", marks=() if case in PAIRWISE else pytest.mark.full)
    for number, case in enumerate(CASES)
]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Parity]]:
    """A running site for each mode, by its name."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("parity")
        yield {
            mode: stack.enter_context(running(folder / str(number), config))
            for number, (mode, config) in enumerate(MODES.items())
        }


def given(site: Site, case: Case) -> Decision | None:
    """The decision that the browser holds: every optional service was answered like that."""
    terms = frozenset(site.policy.terms[service.key] for service in site.policy.optional_services)
    other = frozenset(each[:4] + ("xxxxx" if each[4:] != "xxxxx" else "yyyyy") for each in terms)
    granted = {"granted": terms, "changed": other, "expired": terms, "confirmed": terms}.get(case.answer)
    if not (granted or case.answer == "refused" or case.stored):
        return None
    now = int(site.clock())
    age = site.lifetimes["default"].grant if case.answer == "expired" else 60
    return Decision(
        granted=granted or frozenset(),
        refused=terms if case.answer == "refused" else frozenset(),
        at=now - age if granted else now - now % DAY,
        profile="default",
        source="centre",
        subject=UUID("6f9619ff-8b86-4011-b42d-00c04fc964ff") if granted else None,
        confirmed=terms if case.answer == "confirmed" else frozenset(),
        opted_out_on=now - now % DAY if case.stored else None,
    )


def verdict_on(site: Site, case: Case, decision: Decision | None) -> Verdict:
    """What the verdict says, purely."""
    mark = Mark(case.mark) if case.mark else None
    circumstances = Circumstances(case.signal, False, mark, case.view, case.minor)
    return judge(
        site.policy,
        decision,
        circumstances,
        now=int(site.clock()),
        lifetimes=site.lifetimes["default"],
    )


@pytest.mark.browser
@pytest.mark.requirement("ENF-03")
@pytest.mark.parametrize("case", WHOLE)
def test_the_browser_stores_and_asks_for_what_the_verdict_says(
    case: Case, browser: Browser, sites: dict[str, Parity]
) -> None:
    parity = sites[case.mode]
    site = parity.site
    decision = given(site, case)
    verdict = verdict_on(site, case, decision)
    for use in parity.uses:
        allowed, reason = expected(case.row(use.kind))
        assert (verdict.allows(use.key), verdict.reason(use.key)) == (allowed, reason), use
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"} if case.signal else None)
    try:
        if case.minor:
            context.add_cookies([{"name": "minor", "value": "1", "url": parity.url}])
        if decision is not None:
            hold(context, parity, decision)
        compare(context.new_page(), parity, case, verdict)
    finally:
        context.close()


@pytest.mark.browser
@pytest.mark.requirement("ENF-03")
@pytest.mark.parametrize("button", ["Accept all", "Reject all"])
@pytest.mark.parametrize("mode", MODES)
def test_it_does_so_after_an_answer_to_the_banner(
    mode: str, button: str, page: Page, sites: dict[str, Parity]
) -> None:
    parity = sites[mode]
    case = Case(mode, button, False, False, None, "home", False)
    page.goto(f"{parity.url}home?case=asked")
    page.get_by_role("button", name=button).first.click()
    page.wait_for_function("window.consent && !document.querySelector('.pc-banner')")
    held = {cookie.get("name"): cookie.get("value") for cookie in page.context.cookies()}
    decision = parity.site.codec.decode(held["consent"] or "", now=int(parity.site.clock()))
    assert decision is not None
    verdict = verdict_on(parity.site, case, decision)
    limited = {use.key for use in parity.uses if KINDS[use.kind].limited}
    everything = {use.key for use in parity.uses} - limited
    always = {use.key for use in parity.uses if KINDS[use.kind].always} - limited
    assert verdict.allowed & {*everything, *limited} == (everything if button == "Accept all" else always)
    compare(page, parity, case, verdict)


@pytest.mark.browser
@pytest.mark.requirement("ENF-05")
@pytest.mark.parametrize("case", PAGES, ids=lambda case: case.view or "nowhere")
def test_the_security_policy_of_a_page_from_a_cache_lets_in_what_somebody_may_allow_there(
    case: Case, page: Page, sites: dict[str, Parity]
) -> None:
    parity = sites[case.mode]
    possible = [use for use in parity.uses if expected(case.row(use.kind))[0]]
    wanted = {each for use in possible for each in loaded(use, bare=True)}
    assert asked(page, parity, case, wanted, bare=True) == wanted


def compare(page: Page, parity: Parity, case: Case, verdict: Verdict) -> None:
    """Open both pages of *case* and see that the browser does what *verdict* says."""
    allowed = [use for use in parity.uses if verdict.allows(use.key)]
    # Bare elements are no markup of ours, and a page from a cache has one security policy for everybody.
    for bare in (False,) if parity.shared else (False, True):
        wanted = {each for use in allowed for each in loaded(use, bare=bare)}
        assert asked(page, parity, case, wanted, bare=bare) == wanted
        names = {name for use in allowed for name in kept(use)}
        # A server is asked a moment before the browser has the cookie that it sets.
        await_all(page, partial(stored, page, parity), names)
        assert stored(page, parity) == names


def hold(context: BrowserContext, parity: Parity, decision: Decision) -> None:
    """Let the browser hold *decision*, signed by the site."""
    text = parity.site.codec.encode(decision)
    assert parity.site.codec.decode(text, now=int(parity.site.clock())) == decision
    context.add_cookies([{"name": "consent", "value": text, "url": parity.url, "httpOnly": True}])


def asked(page: Page, parity: Parity, case: Case, wanted: set[Asked], *, bare: bool) -> set[Asked]:
    """What the servers are asked for by a page of *case*, once *wanted* was or time is up, and a moment later."""
    token = token_hex(4)
    address = f"{parity.url}{case.view or 'nowhere'}?case={token}{'&bare' if bare else ''}"
    response = page.goto(address)
    assert response
    if parity.shared:  # it is what a shared cache would serve
        stranger = parity.app.test_client().get(address, base_url=parity.url)
        assert response.text() == stranger.text
        same = {name: stranger.headers.get(name) for name in CACHED}
        assert {name: response.header_value(name) for name in CACHED} == same
        assert same["Cache-Control"] == KEPT_BY_CACHES
    until(page, "window.over")
    page.evaluate(
        "Promise.race([Promise.allSettled(window.acts ?? []), new Promise((over) => setTimeout(over, 5000))])"
    )
    await_all(page, lambda: parity.log.of(token), wanted)
    page.wait_for_timeout(SETTLE)
    return parity.log.of(token)


def await_all(page: Page, seen: Callable[[], Set[Any]], wanted: Set[Any]) -> None:
    """Wait until all of *wanted* is among what is *seen*, or time is up: what is missing is for the caller to say."""
    with suppress(AssertionError):
        until(page, lambda: wanted <= seen())


def stored(page: Page, parity: Parity) -> set[str]:
    """The names of all that the browser stores for the site, but for the answer and whose it is."""
    names: list[str] = page.evaluate(
        """async () => [...Object.keys(localStorage), ...Object.keys(sessionStorage),
          ...(await indexedDB.databases()).map(({ name }) => name), ...(await caches.keys())]"""
    )
    cookies = [str(cookie.get("name")) for cookie in page.context.cookies()]
    return {*names, *cookies} - parity.site.own_cookies[False] - {"minor"}
