"""A look at a running site's own theme, as somebody who comes for the first time, in a real browser."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Browser, Error, Page, Request, Route

from consent.errors import ConsentError
from consent.look import finding
from consent.look.finding import AA, ANSWERS, Finding
from consent.look.looks import SITES, Look
from consent.look.measuring import LAYERS, measure, show, states

#: Milliseconds: for a page to load, for a click to arrive, and until the dialog's buttons answer.
PATIENCE, CLICK, OPENING = 30_000, 3_000, 600
#: How long scripts of a page may go on after it has loaded, to be seen keeping something.
SETTLED: Final = 500
#: What a browser keeps, as people call it.
KINDS: Final = {"cookie": "the cookie", "local": "local storage", "session": "session storage"}
#: How often the Tab key is pressed on a page, at most.
MOST_TABS: Final = 120
#: How long a page is left alone, in milliseconds of its own clock.
ALONE: Final = 60_000
CRAWLER: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@dataclass(frozen=True, slots=True)
class Seen:
    """A *finding* and where it was made: the page's path, the layer, the language, the look."""

    finding: Finding
    page: str
    layer: str
    language: str
    look: Look


@dataclass(slots=True, kw_only=True)
class Inspection:
    """What is looked at: the site at *address*, its *pages* and its preference *centre* (paths), in *languages*.

    Nothing is answered: whatever would be sent to the site but a request to read is kept back in the browser.
    """

    browser: Browser
    address: str
    pages: Sequence[str]
    centre: str
    languages: Sequence[str]
    tell: Callable[[str], None] = lambda said: None
    """Is told what is being looked at."""
    necessary: Callable[[str, str], bool] = lambda kind, name: False
    """Whether the *kind* ``cookie``, ``local`` or ``session`` of this name may be kept before any answer."""
    unmet: dict[str, str] = field(default_factory=dict)
    """Languages that the site didn't show to who prefers them, and what it showed instead."""
    bare: set[str] = field(default_factory=set)
    """Paths of pages that lack what was to be looked at."""
    sent: list[Request] = field(default_factory=list)
    """What was kept back."""

    def findings(self) -> Iterator[Seen]:
        """Everything that is wrong; ConsentError when a page can't be looked at."""
        for number, language in enumerate(self.languages):
            with self.visit(language) as page:
                for path in self.pages:
                    yield from self.layer(page, path, "banner", language)
                yield from self.layer(page, self.pages[0], "dialog", language)
                yield from self.layer(page, self.centre, "centre", language)
            if number == 0:
                for path in self.pages:
                    if path not in self.bare:
                        yield from self.used(path, language)

    @contextmanager
    def visit(self, language: str, **options: Any) -> Iterator[Page]:
        """A page of a browser that prefers *language* and has been nowhere."""
        context = self.browser.new_context(
            locale=language,
            extra_http_headers={"Accept-Language": language},
            reduced_motion="reduce",
            viewport={"width": SITES[-1].width, "height": SITES[-1].height},
            service_workers="block",  # not all releases of Playwright keep back what a worker sends
            **options,
        )
        context.set_default_timeout(PATIENCE)

        def read_only(route: Route) -> None:
            if route.request.method in ("GET", "HEAD"):
                route.continue_()
            else:
                self.sent.append(route.request)
                route.abort("blockedbyclient")

        context.route("**/*", read_only)
        try:
            yield context.new_page()
        finally:
            context.close()

    def open(self, page: Page, path: str) -> None:
        """Go to *path*; ConsentError when the site answers with an error, or sends its visitors elsewhere."""
        response = page.goto(urljoin(self.address, path))
        if urlsplit(page.url)[:2] != urlsplit(self.address)[:2]:
            raise ConsentError(
                f"{path} leads to {page.url}, away from {self.address}. Say --url with the address that it leads to."
            )
        if response is not None and not response.ok:
            raise ConsentError(f"{path} answers {response.status}; expected a page to look at.")

    def layer(self, page: Page, path: str, name: str, language: str) -> Iterator[Seen]:
        """What is wrong with the layer *name* of the page at *path*, in each look of a site's."""
        layer = LAYERS[name]
        self.tell(f"{path}: {name}, {language}")
        self.open(page, path)
        if page.locator(layer).count() == 0:
            if name != "dialog":  # it comes with the banner
                self.bare.add(path)
                yield Seen(missing(name), path, name, language, SITES[-1])
            return
        if (shown := page.locator(layer).first.get_attribute("lang") or language) != language:
            self.unmet[language] = shown
            return
        if name == "dialog":
            page.evaluate("document.querySelector('#pc-dialog').showModal()")
            page.wait_for_timeout(OPENING)
        unanswered = measure(page, "unanswered", layer)
        # Browsers give the focus to what a dialog begins with, whatever that is.
        found = list(finding.unanswered({**unanswered, "focused": ""} if name == "dialog" else unanswered))
        yield from (Seen(each, path, name, language, SITES[-1]) for each in found)
        for look in SITES:
            show(page, look)
            yield from (Seen(each, path, name, language, look) for each in self.looked(page, name))

    def looked(self, page: Page, name: str) -> Iterator[Finding]:
        """What is wrong with the layer *name* as it stands there."""
        layer = LAYERS[name]
        if name == "centre":
            measure(page, "reach", layer)
        measured = measure(page, "layer", layer)
        yield from finding.row(measured["row"], AA)
        yield from finding.reachable(measured["row"])
        yield from finding.texts(measured["texts"], AA)
        yield from finding.targets(measured["targets"], AA)
        yield from finding.card(measured["card"])
        yield from finding.answers(measured["answers"])

    def used(self, path: str, language: str) -> Iterator[Seen]:
        """What is wrong with the page at *path* when it is used, by pointer and keyboard, or not at all."""
        steps = {
            "pointer and keyboard": self.touched,
            "the page's own controls": self.tabbed,
            "before any answer": self.arrived,
            "one click": self.clicked,
            "no answer": self.ignored,
            "machines": self.crawled,
        }
        for said, step in steps.items():
            self.tell(f"{path}: {said}")
            yield from (Seen(each, path, "banner", language, look) for look, each in step(path, language))

    def touched(self, path: str, language: str) -> Iterator[tuple[Look, Finding]]:
        """How the buttons look under the pointer, pressed and with the focus, light and dark."""
        with self.visit(language) as page:
            self.open(page, path)
            for look in SITES[-2:]:
                show(page, look)
                row = measure(page, "row", ".pc-banner")
                if tuple(row["values"]) != ANSWERS or any(row["covered"]):
                    return  # that was said of the layer
                looks = {}
                for value in ANSWERS:
                    selector = f".pc-banner {finding.button(value)}"
                    looks[value] = found = states(page, selector)
                    yield from (
                        (look, each)
                        for each in finding.focus(value, found[0], found[-1], measure(page, "ring"))
                    )
                    page.locator(f"{selector}:visible").first.blur()
                yield from (
                    (look, each) for each in finding.alike(looks, "under the pointer or with the focus")
                )

    def tabbed(self, path: str, language: str) -> Iterator[tuple[Look, Finding]]:
        """What of the page's own the banner hides from who goes through it by keyboard; the order of its buttons."""
        with self.visit(language) as page:
            for look in (SITES[0], SITES[-2]):
                self.open(page, path)
                show(page, look)
                reached = []
                for _ in range(MOST_TABS):
                    page.keyboard.press("Tab")
                    if (focused := measure(page, "focused")) is None:
                        break
                    reached.append(focused)
                yield from ((look, each) for each in finding.behind(reached))
                values = [each["value"] for each in reached if not each["own"]]
                if ("none", "all") not in pairwise(values):
                    yield (
                        look,
                        Finding(
                            "keyboard",
                            ".pc-row",
                            "Tab doesn't lead from the button that refuses to the one that accepts; expected it to",
                            "Take out what catches the Tab key or changes the order.",
                        ),
                    )

    def arrived(self, path: str, language: str) -> Iterator[tuple[Look, Finding]]:
        """What the page keeps in the browser before any answer that isn't necessary (CON-03)."""
        with self.visit(language) as page:
            self.open(page, path)
            page.wait_for_timeout(SETTLED)
            found = {
                "cookie": [cookie.get("name", "") for cookie in page.context.cookies()],
                **measure(page, "kept"),
            }
            for kind, names in found.items():
                for name in names:
                    if not self.necessary(kind, name):
                        yield (
                            SITES[-2],
                            Finding(
                                "before",
                                "html",
                                f"{KINDS[kind]} {name!r} is there before any answer; expected only what is always on",
                                "Let its service's Yes come first: consent_script, inert markup, or allows().",
                            ),
                        )

    def clicked(self, path: str, language: str) -> Iterator[tuple[Look, Finding]]:
        """Whether one click refuses, and one accepts."""
        for value in ("none", "all"):
            with self.visit(language) as page:
                self.open(page, path)
                self.sent.clear()
                problem = ""
                try:
                    page.locator(f".pc-banner {finding.button(value)}").first.click(timeout=CLICK)
                    page.wait_for_timeout(100)
                    # What sends the answer may still be on its way.
                    page.locator("[aria-busy=true]").first.wait_for(state="hidden")
                except Error:
                    problem = f"within {CLICK // 1000} s it can't be clicked"
                answers = [each for each in self.sent if f"choice={value}" in (each.post_data or "")]
                if not problem and not answers:
                    problem = "a click on it sends no answer"
                if problem:
                    yield (
                        SITES[-2],
                        Finding(
                            "clicks",
                            finding.button(value),
                            f"{problem}; expected that one click answers",
                            "Take out what lies over it, or the script that stops its click.",
                        ),
                    )

    def ignored(self, path: str, language: str) -> Iterator[tuple[Look, Finding]]:
        """Whether the page answers by itself: while it is scrolled, read for a minute, left and seen again."""
        with self.visit(language) as page:
            page.clock.install()
            self.open(page, path)
            self.sent.clear()
            for key in ("Enter", "Space", "Escape"):
                page.keyboard.press(key)
            page.mouse.move(40, 40)
            page.mouse.wheel(0, 2000)
            page.mouse.wheel(0, -2000)
            page.clock.fast_forward(ALONE)
            page.wait_for_timeout(100)
            # What a script has answered may be on its way.
            page.locator("[aria-busy=true]").first.wait_for(state="hidden")
            gone = page.locator(".pc-banner:visible").count() == 0
            self.open(page, path)
            if sent := [each for each in self.sent if "choice=" in (each.post_data or "")]:
                yield (
                    SITES[-2],
                    Finding(
                        "unanswered",
                        ".pc-banner",
                        f"it was only looked at, and the page sent {sent[0].post_data}; expected that nothing is",
                        "Take out the script that answers in the visitor's place.",
                    ),
                )
            if gone or page.locator(".pc-banner:visible").count() == 0:
                yield (
                    SITES[-2],
                    Finding(
                        "unanswered",
                        ".pc-banner",
                        "it goes away without an answer; expected that it waits for one",
                        "Take out the script that hides it.",
                    ),
                )

    def crawled(self, path: str, language: str) -> Iterator[tuple[Look, Finding]]:
        """Whether a crawler, and a browser without JavaScript, are shown the banner that everybody is."""
        for who, options in (
            ("a crawler", {"user_agent": CRAWLER}),
            ("a browser without JavaScript", {"java_script_enabled": False}),
        ):
            with self.visit(language, **options) as page:
                self.open(page, path)
                row = page.locator(".pc-banner .pc-row > :is(button, a):visible")
                if row.count() != len(ANSWERS):
                    yield (
                        SITES[-2],
                        Finding(
                            "machines",
                            ".pc-banner",
                            f"{who} is shown {row.count()} of its buttons; expected what everybody is shown",
                            "Take out what tells them apart.",
                        ),
                    )


def missing(name: str) -> Finding:
    """That a page lacks the layer *name*."""
    fix = {
        "banner": "Put {{ consent_banner() }} first into its <body>, or look at another page: --page.",
        "centre": "Show {{ pc.content }} in your templates/consent/page.html.",
    }
    return Finding(
        "shown", LAYERS[name], f"the page shows no {name} to who hasn't answered; expected one", fix[name]
    )
