"""Whole journeys with the keyboard alone, exactly as docs/keyboard.md writes them, with and without JavaScript."""

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from consent.web.language import catalogue

from .conftest import NewVisit
from .demo import OPTIONAL, ROOT, Demo, Visit, running
from .heard import SEEN, Reader

pytestmark = [pytest.mark.browser, pytest.mark.requirement("A11Y-01")]

KEYS = {"→": "ArrowRight", "←": "ArrowLeft"}
MOST = 80
"""How often Tab is pressed to get somewhere on a page, at most."""
#: Other tests always go these ways, with the mouse.
ELSEWHERE = {"Reading what was shown", "Checking what is no receipt", "Changing one's mind, from any page"}
WITHOUT = "Rejecting everything"
JOURNEY = re.compile(
    r"^## (?P<name>.+)\n\n"
    r"Begins on `(?P<path>[^`]+)`(?:, after (?P<after>[^.,]+))?(?P<revised>, under the next revision of the policy)?\."
    r"[^|]*\|[^|]+\|[^|]+\|[^|]+\|\n\|---\|---\|---\|\n(?P<steps>(?:\|.*\|\n)+)\nNow on: (?P<on>.+)\.$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One row: what is pressed, what has the focus then, and what is said besides."""

    press: str
    focus: str
    besides: str


@dataclass(frozen=True, slots=True)
class Journey:
    """One table, where it begins and what it leads to."""

    name: str
    path: str
    after: str | None
    revised: bool
    steps: tuple[Step, ...]
    on: frozenset[str]

    @classmethod
    def read(cls, found: re.Match[str]) -> "Journey":
        """The journey that the page writes so."""
        rows = [row.strip("|").split("|") for row in found["steps"].splitlines()]
        named = frozenset(re.findall(r"`(\w+)`", found["on"]))
        everything = frozenset(OPTIONAL) if found["on"] == "everything" else frozenset[str]()
        return cls(
            name=found["name"],
            path=found["path"],
            after=found["after"],
            revised=bool(found["revised"]),
            steps=tuple(Step(*(cell.strip() for cell in row)) for row in rows),
            on=named or everything,
        )


TEXT = (ROOT / "docs" / "keyboard.md").read_text(encoding="utf-8")
JOURNEYS = [Journey.read(found) for found in JOURNEY.finditer(TEXT)]


def usual(journey: Journey, javascript: bool) -> bool:
    """Whether *journey* is always gone: with JavaScript if no other test goes it, and one without."""
    if not javascript:
        return journey.name == WITHOUT
    return not journey.revised and journey.name not in ELSEWHERE


PLAYED = [
    pytest.param(
        journey,
        javascript,
        id=f"{journey.name}, {'script' if javascript else 'no-script'}",
        marks=[] if usual(journey, javascript) else pytest.mark.full,
    )
    for journey in JOURNEYS
    for javascript in (True, False)
]


def pressed(visitor: Visit, reader: Reader, step: Step) -> None:
    """Press what *step* says."""
    keyboard = visitor.page.keyboard
    key, _, rest = step.press.partition(" ")
    if key == "Ctrl+V,":
        keyboard.insert_text(receipt(visitor) if rest == "the receipt" else "another text")
    elif rest == "…":
        for _ in range(MOST):
            keyboard.press(key)
            if reader.focus() == (step.focus, step.besides):
                return
            reader.go_on()
    else:
        for _ in range(int(rest.strip("×") or "1")):
            keyboard.press(KEYS.get(key, key))


def receipt(visitor: Visit) -> str:
    """The newest receipt of this browser."""
    address = visitor.page.locator("a[href*='/receipts/']").first.get_attribute("href")
    return visitor.context.request.get(f"{visitor.demo.url}{address}?file=yes").text()


def heard(reader: Reader, step: Step) -> tuple[str, str]:
    """What has the focus and what is said besides: as soon as *step* says the same, or after a while."""
    deadline = time.monotonic() + 5
    while (found := reader.focus()) != (step.focus, step.besides) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_every_journey_is_read() -> None:
    assert [journey.name for journey in JOURNEYS] == re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert {*ELSEWHERE, WITHOUT} < {journey.name for journey in JOURNEYS}


@pytest.mark.requirement("A11Y-02")
@pytest.mark.requirement("A11Y-05")
@pytest.mark.requirement("A11Y-06")
@pytest.mark.parametrize(("journey", "javascript"), PLAYED)
def test_each_key_leads_where_the_page_says(
    visit: NewVisit, demo: Demo, folder: Path, journey: Journey, javascript: bool
) -> None:
    with ExitStack() as stack:
        begun = stack.enter_context(running(folder)) if journey.revised else demo
        visitor = visit(at=begun, javascript=javascript, reduced_motion="reduce")
        if journey.after:
            visitor.go()
            visitor.answer(journey.after)
        if journey.revised:
            stack.close()
            stack.enter_context(running(folder, port=begun.port, revision=2))
        reader = Reader(visitor.go(journey.path))
        for number, step in enumerate(journey.steps, start=1):
            pressed(visitor, reader, step)
            assert heard(reader, step) == (step.focus, step.besides), f"step {number}: {step.press}"
            reader.go_on()
            assert visitor.page.evaluate(SEEN), f"step {number}: {step.press}"
        assert visitor.allowed() == journey.on


def test_the_dialog_keeps_the_focus_until_it_is_closed(visit: NewVisit) -> None:
    page = visit().go()
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for _ in range(45):
        page.keyboard.press("Tab")
        outside = page.evaluate("document.activeElement.closest('#pc-dialog') === null")
        assert not outside or page.evaluate("document.activeElement === document.body")


def unseen(page: Page, key: str, times: int) -> list[str]:
    """What has the focus while *key* is pressed so many *times*, and isn't in view."""
    found = []
    for _ in range(times):
        page.keyboard.press(key)
        if not page.evaluate(SEEN):
            found.append(page.evaluate("document.activeElement.outerHTML"))
    return found


@pytest.mark.requirement("A11Y-02")
@pytest.mark.parametrize(("width", "height"), [(320, 640), (320, 700), (360, 640)])
def test_nothing_with_the_focus_hides_behind_the_buttons(visit: NewVisit, width: int, height: int) -> None:
    page = visit(width=width, height=height, reduced_motion="reduce").go("/?lang=de")
    words = catalogue("de")
    said = " ".join(words.gettext(f"error.503.{part}") for part in ("why", "changed", "next"))
    page.route(
        "**/privacy-choices", lambda route: route.fulfill(status=503, json={"ok": False, "message": said})
    )
    page.locator(".pc-banner [command]").click()
    for box in page.locator("#pc-dialog [type=radio][value=some]").all():
        box.check()
    page.locator("#pc-dialog .pc-bar button").focus()
    assert unseen(page, "Tab", 20) == []
    assert unseen(page, "Shift+Tab", 20) == []
    for where in ("#pc-dialog", ".pc-banner"):
        page.locator(f"{where} .pc-row [value=all]").click()
        expect(page.locator(f"{where} [role=alert]")).to_have_text(said)
        page.locator(f"{where} .pc-row [value=none]").focus()
        assert unseen(page, "Shift+Tab", 20) == []
        assert unseen(page, "Tab", 20) == []
        page.keyboard.press("Escape")
