"""The main journeys in a second browser of another make, with and without JavaScript."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from . import firefox
from .demo import OPTIONAL, Demo
from .firefox import Firefox

NOT_HERE = "there is no Firefox here: apt-get install firefox-esr, or set CONSENT_FIREFOX"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.full,  # they do what those in Chromium do, of which the short run has all
    pytest.mark.skipif(firefox.found() is None, reason=NOT_HERE),  # not every system has it in its packages
]


@pytest.fixture(scope="module")
def started() -> Iterator[Firefox]:
    """Firefox, which starts slowly, so once for all."""
    program = firefox.found()
    assert program
    with firefox.running(program) as found:
        yield found


@dataclass(frozen=True, slots=True)
class Visit:
    """One who has just come to the demo's home page in Firefox, and sees the banner."""

    firefox: Firefox
    demo: Demo

    def go(self, path: str) -> None:
        """Go to *path* on the demo."""
        self.firefox.go(self.demo.url + path)

    def answer(self, selector: str) -> None:
        """Press a button that answers, and see that it was taken."""
        self.firefox.press(selector)
        self.firefox.await_focus("#pc-status")

    def allowed(self) -> set[str]:
        """The optional services that the site says are on."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.firefox.cookies.items())
        asked = urllib.request.Request(f"{self.demo.url}/privacy-choices/state", headers={"Cookie": cookies})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return set(json.load(answer)["granted"]) & OPTIONAL


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def visit(request: pytest.FixtureRequest, started: Firefox, demo: Demo) -> Visit:
    """A visitor with JavaScript, then one without."""
    started.begin(javascript=request.param)
    started.go(demo.url)
    assert started.shown(".pc-banner")
    assert started.cookies == {}
    return Visit(started, demo)


def test_refusing_is_remembered_and_nothing_optional_is_stored(visit: Visit) -> None:
    visit.answer(".pc-banner button[value=none]")
    for path in ("/topics/", "/", "/?lang=de"):
        visit.go(path)
        assert not visit.firefox.shown(".pc-banner")
    assert visit.allowed() == set()
    assert set(visit.firefox.cookies) <= {"consent", "session"}


def test_accepting_lets_cookies_through_and_withdrawing_takes_them_away(visit: Visit) -> None:
    visit.answer(".pc-banner button[value=all]")
    visit.go("/topics/")
    assert visit.allowed() == OPTIONAL
    assert set(visit.firefox.cookies) >= {"consent", "visit", "callback_test"}
    visit.firefox.press("footer [data-pc-open]")
    visit.answer("#pc-form button[value=none]")
    visit.go("/topics/")
    assert visit.allowed() == set()
    assert set(visit.firefox.cookies) == {"consent"}


def test_choosing_in_the_dialog_grants_what_was_chosen(visit: Visit) -> None:
    visit.firefox.press(".pc-banner [commandfor=pc-dialog]")
    assert visit.firefox.shown("#pc-dialog")
    visit.firefox.press("#pc-dialog label:has([name='category.performance'][value=some])")
    visit.firefox.press("#pc-dialog [name='service.statistics']")
    visit.answer("#pc-dialog button[value=some]")
    assert visit.allowed() == {"statistics"}
    visit.go("/topics/")
    assert set(visit.firefox.cookies) == {"consent", "visit"}
