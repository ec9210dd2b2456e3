"""All sites side by side: each is visited in the same ways in one run, and has a column of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from benchmarks import npm, report
from benchmarks.browser import banner as seen
from benchmarks.browser.banner import Arrival, Banner
from benchmarks.browser.site import SITES, Ours, Peer, page
from benchmarks.environment import Unavailable
from benchmarks.progress import Progress
from benchmarks.spread import Spread
from benchmarks.weight import packed
from consent.look import served
from tests.browser import launching

#: A phone's window.
PHONE = {"width": 390, "height": 844}
#: How much slower than this machine the phone's processor is taken to be.
SLOWER = 4
#: Which bytes of an answer count as what.
KINDS = {"text/javascript": "script", "text/css": "style", "text/html": "HTML"}


METHOD = (
    "Each on the same plain page with three optional categories of one service each, served from this machine and "
    f"opened in an empty browser profile with a phone's window, {PHONE['width']} × {PHONE['height']}. Bytes are after "
    "gzip -9, file by file, of all that a first visit loads more than a visit to the page alone. axe finds elements "
    "that break a rule of WCAG 2.2 A or AA, or of good practice; with the choices open, in all that is then on the "
    "page. Presses of Tab count from the page's start, and out of the banner from its “Reject”. A strict CSP is a "
    "policy for content under which only the site's own files load; “blocked” counts what it stops. Times are of "
    f"{{loads}} first visits, in turns, on a processor slowed down {SLOWER} times: the median, and p10 and p90. The "
    "banner is seen in the first frame, from the first paint on, in which “Reject” stands in the window and isn't "
    "transparent."
)


@dataclass(slots=True)
class Findings:
    """What was found of one site: *answers* by question, and what has to be known to read them."""

    site: Ours | Peer
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bare:
    """The plain page with nothing in it: what any of them is compared with."""

    weight: Mapping[str, int]
    requests: int
    violations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who comes to the site at *url*, each time with an empty browser on a phone's window."""

    browser: Browser
    url: str

    @contextmanager
    def context(self, **options: Any) -> Iterator[BrowserContext]:
        """A new browser profile."""
        made = self.browser.new_context(viewport=PHONE, **options)  # type: ignore[arg-type]  # a TypedDict
        made.set_default_timeout(20_000)
        try:
            yield made
        finally:
            made.close()

    @contextmanager
    def page(self, wait_for: str | None = None, **options: Any) -> Iterator[Page]:
        """The page, once *wait_for* is seen and nothing moves."""
        with self.context(**options) as context:
            opened = context.new_page()
            opened.goto(self.url)
            if wait_for:
                expect(opened.locator(wait_for)).to_be_visible(timeout=20_000)
                opened.wait_for_timeout(seen.MOMENT)
            yield opened


def measure(folder: Path, *, quick: bool) -> report.Section:
    """The section; the sites' databases lie in *folder*."""
    loads = 3 if quick else 15
    section = report.Section(
        name="browser", title="The same page in a browser", method=METHOD.format(loads=loads)
    )
    axe = npm.axe()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launching.options())
            found = compare(browser, axe, folder, loads=loads)
            section.notes.append(f"The browser: Chromium {browser.version}, without a window.")
            browser.close()
    except PlaywrightError as error:
        raise Unavailable(f"no browser, or it stopped: {str(error).splitlines()[0]}") from error
    section.rows = rows(found)
    for one in found:
        section.notes += [
            f"{one.site.name}: {note}." for note in ([one.site.how] if one.answers else []) + one.notes
        ]
    return section


def compare(browser: Browser, axe: str, folder: Path, *, loads: int) -> list[Findings]:
    """What *browser* makes of each site, their databases in *folder*; with *loads* timed loads of each."""
    progress = Progress("browser")
    found: list[Findings] = []
    with ExitStack() as stack:
        empty = Visitor(browser, stack.enter_context(served(page())))
        bare = look(empty, axe)
        visitors: list[Visitor] = []
        for number, site in enumerate(SITES):
            progress.say(site.name)
            own = folder / str(number)
            own.mkdir()
            one = Findings(site)
            found.append(one)
            try:
                visitor = Visitor(browser, stack.enter_context(served(site.site(own))))
            except Unavailable as error:
                one.notes.append(f"not measured: {error}")
                continue
            visitors.append(visitor)
            examine(one, visitor, bare, axe)
        measured = [one for one in found if one.answers]
        for turn in range(loads):  # all take turns, so that a busy moment of the machine meets all alike
            progress.step(turn, loads)
            for one, visitor in zip(measured, visitors, strict=True):
                one.arrivals.append(arrive(visitor, one.site))
    for one in measured:
        tell(one)
    return found


def look(visitor: Visitor, axe: str) -> Bare:
    """The page without anything."""
    with visitor.context() as context:
        weight, requests = weigh(context, visitor.url)
    with visitor.page() as opened:
        return Bare(weight, requests, frozenset(seen.violations(opened, axe)))


def weigh(context: BrowserContext, url: str, wait_for: str | None = None) -> tuple[dict[str, int], int]:
    """Bytes after gzip -9, file by file, of all that a first visit to *url* loads, by kind; and how many requests."""
    responses: list[Response] = []
    opened = context.new_page()
    opened.on("response", lambda each: responses.append(each))
    opened.goto(url)
    if wait_for:
        expect(opened.locator(wait_for)).to_be_visible(timeout=20_000)
    opened.wait_for_load_state("networkidle")
    weight = dict.fromkeys([*KINDS.values(), "other"], 0)
    own = [each for each in responses if not each.url.endswith("/favicon.ico") and each.status < 300]
    for response in own:
        kind = KINDS.get(response.headers.get("content-type", "").partition(";")[0], "other")
        weight[kind] += packed(response.body())
    return weight, len(own)


def examine(one: Findings, visitor: Visitor, bare: Bare, axe: str) -> None:
    """Ask all that doesn't depend on time."""
    parts, say = one.site.banner, one.answers
    if isinstance(one.site, Peer) and one.site.apart:
        one.notes.append(one.site.apart())
    say["release"] = one.site.release
    with visitor.context() as context:  # also fills the site's own caches
        weight, requests = weigh(context, visitor.url, parts.reject)
    added = {kind: weight[kind] - bare.weight[kind] for kind in weight}
    for kind in ("script", "style", "HTML"):
        say[f"{kind}, gzip"] = f"{added[kind]:,} B"
    say["all that is loaded, gzip"] = f"**{sum(added.values()):,} B**"
    say["requests"] = str(requests - bare.requests)

    with visitor.page(parts.reject) as opened:
        say["stored before any answer"] = ", ".join(f"`{name}`" for name in seen.stored(opened)) or "nothing"
        say["focus when the page has come"] = WHERE[seen.focus(opened, parts)]
        say["part of a phone’s screen"] = f"{seen.covered(opened, parts):.0%}"
        unlike = seen.unlike(opened, parts)
        say["“Reject” and “Accept” differ in"] = ", ".join(unlike) or "nothing"
        one.notes += [f"{name} of “Reject” and “Accept”: {pair}" for name, pair in unlike.items()]
        broken = [each for each in seen.violations(opened, axe) if each not in bare.violations]
        opened.locator(parts.choose).click()
        expect(opened.locator(parts.choices)).to_be_visible()
        opened.wait_for_timeout(seen.MOMENT)
        further = [each for each in seen.violations(opened, axe) if each not in bare.violations]
        say["axe finds, banner"] = count(broken)
        say["axe finds, choices open"] = count(further)

    with visitor.page(parts.reject) as opened:
        say["Tab presses to “Reject”, to “Accept”"] = " / ".join(
            times(each) for each in seen.reached(opened, parts.reject, parts.accept)
        )
    with visitor.page(parts.reject) as opened:
        left = seen.escape(opened, parts)
        say["Tab leaves the banner"] = "no, it goes round in it" if left is None else f"yes, after {left}"
        opened.locator(parts.reject).focus()
        opened.keyboard.press("Enter")
        went = seen.gone(opened, parts)
        say["focus after “Reject”"] = WHERE[seen.focus(opened, parts)] if went else "the banner stays"
    presses = []
    for answer in (parts.reject, parts.accept):
        with visitor.page(parts.reject) as opened:
            presses.append(times(seen.acts(opened, parts, answer)))
    say["presses to refuse, to accept"] = " / ".join(presses)
    say["under a strict CSP"] = strictly(visitor, parts)
    say["refuse with JavaScript off"] = unscripted(visitor, parts)


def strictly(visitor: Visitor, parts: Banner) -> str:
    """Whether the banner takes a No where the site's policy for content is strict, and how much of it is blocked."""
    with visitor.context() as context:
        opened = context.new_page()
        seen.restrict(opened, visitor.url)
        opened.goto(visitor.url)
        opened.wait_for_load_state("networkidle")
        opened.wait_for_timeout(seen.MOMENT)
        blocked = seen.blocked(opened)
        refused = opened.locator(parts.reject).is_visible() and seen.acts(opened, parts, parts.reject)
        return f"{'takes a No' if refused else 'takes no No'}; {blocked} blocked"


def unscripted(visitor: Visitor, parts: Banner) -> str:
    """Whether the banner takes a No, and remembers it, without JavaScript."""
    with visitor.page(java_script_enabled=False) as opened:
        if not opened.locator(parts.reject).is_visible():
            return "no, nothing is shown"
        opened.locator(parts.reject).click()
        opened.goto(visitor.url)
        return "no, it asks again" if opened.locator(parts.reject).is_visible() else "yes"


def arrive(visitor: Visitor, site: Ours | Peer) -> Arrival:
    """One first visit, on a processor as slow as a phone's."""
    with visitor.context() as context:
        opened = context.new_page()
        context.new_cdp_session(opened).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        seen.watch(opened, site.banner)
        opened.goto(visitor.url)
        return seen.arrival(opened)


def tell(one: Findings) -> None:
    """Say when the banner came."""
    say, loads = one.answers, one.arrivals
    say["banner seen"] = spread([each.banner for each in loads])
    say["… after the page’s first paint"] = spread([each.banner - each.paint for each in loads])
    say["layout shift (CLS)"] = report.number(round(max(each.shift for each in loads), 4))


WHERE = {
    "page": "the page’s start",
    "banner": "in the banner",
    "message": "on a message",
    "elsewhere": "elsewhere",
}


def times(found: int | None) -> str:
    """A number of presses."""
    return "never" if found is None else str(found)


def count(found: Sequence[str]) -> str:
    """How many elements break a rule, and which rules."""
    rules = sorted({each.partition(":")[0] for each in found})
    return f"{len(found)} ({', '.join(rules)})" if found else "0"


def spread(values: Sequence[float]) -> str:
    """Milliseconds: the median, and p10 and p90."""
    found = Spread.of(values)
    return f"{found.median:.0f} ms ({found.p10:.0f}–{found.p90:.0f})"


def rows(found: Sequence[Findings]) -> list[Sequence[str]]:
    """All answers, a column for each site and a row for each question, the sites' names above."""
    measured = [one for one in found if one.answers]
    return [
        ["", *(one.site.name for one in measured)],
        *([question, *(one.answers[question] for one in measured)] for question in measured[0].answers),
    ]
