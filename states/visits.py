"""The visits that lead to each state."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from consent.web.limits import TooMany
from states.clinic import CROSS, OURS, POLICY, REVISED, SIGNAL, Clock, Visitor, found, locked, site

ASKING, CHOOSING, MINE = "Asking", "Choosing", "My consent"
PROVING, ERASING, EMBEDS = "Receipts", "Erasing", "What waits for a Yes"
SIGNALS, WRONG = "Opting out of sale and sharing", "When something is wrong"
RECEIPT = r'href="(/privacy-choices/receipts/[^"]+)"'


@dataclass(frozen=True, slots=True)
class State:
    """A page as a visitor meets it: the *html* that the site sent, and *opened* what a click has opened on it."""

    group: str
    name: str
    html: str
    opened: str = ""
    """``dialog``, ``status`` or ``details``, or nothing."""


def states(folder: Path) -> Iterator[State]:
    """Every state, made on sites in *folder*."""
    yield from asking(folder / "asking")
    yield from choosing(folder / "choosing")
    yield from my_consent(folder / "mine")
    yield from proving(folder / "proving")
    yield from erasing(folder / "erasing")
    yield from waiting(folder / "waiting")
    yield from opting_out(folder / "signals")
    yield from wrong(folder / "wrong")


def asking(folder: Path) -> Iterator[State]:
    """The banner, and why it comes again."""
    clock = Clock()
    app = site(folder, clock)
    yield State(ASKING, "Banner, first visit", Visitor(app.test_client()).see("/"))
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    yield State(ASKING, "Result of an answer, on the page it was given on", visitor.see("/"), "status")
    clock.pass_days(182)
    yield State(ASKING, "Asking again: the answer has expired", visitor.see("/"))
    clock.now -= 80 * 86_400
    later = visitor.goes_to(site(folder, clock, REVISED))
    yield State(ASKING, "Asking again: what changed", later.see("/"))
    yield State(ASKING, "Asking again: the preference centre keeps the answers that stand", later.see())


def choosing(folder: Path) -> Iterator[State]:
    """The preference centre, as page and dialog."""
    app = site(folder, Clock())
    visitor = Visitor(app.test_client())
    yield State(CHOOSING, "Preference centre, nothing answered", visitor.see())
    yield State(CHOOSING, "Preference centre as a dialog", visitor.see("/"), "dialog")
    given = visitor.answer(
        "some", category__performance="some", service__statistics="yes", category__media="no"
    )
    yield State(CHOOSING, "Confirmation, with the way to the receipt", visitor.follow(given), "status")
    yield State(CHOOSING, "Preference centre with answers, details open", visitor.see(), "details")
    yield State(CHOOSING, "Declaration", visitor.see(f"{OURS}/declaration"))
    revised = Visitor(site(folder, Clock(), REVISED).test_client())
    revised.answer("none")
    yield State(CHOOSING, "Declaration of an earlier revision", revised.see(f"{OURS}/declaration/1"))


def my_consent(folder: Path) -> Iterator[State]:
    """What this browser has answered."""
    clock = Clock()
    app = site(folder, clock)
    visitor = Visitor(app.test_client())
    mine = f"{OURS}/mine"
    yield State(MINE, "Nothing answered yet", visitor.see(mine))
    refusing = Visitor(app.test_client())
    refusing.answer("none")
    yield State(MINE, "After a refusal, which is linked to nobody", refusing.see(mine))
    visitor.answer("some", from_="dialog", category__performance="yes")
    clock.pass_days(10)
    visitor.answer("all", from_="banner")
    clock.pass_days(10)
    visitor.answer("opt_out")
    yield State(MINE, "With a history, opted out of sale and sharing", visitor.see(mine))
    visitor.opt_in("videos", from_="embed")
    yield State(MINE, "With a history", visitor.see(mine))
    shown = found(r'href="(/privacy-choices/shown/[^"]+)"', visitor.see(mine))
    page, copy = visitor.see(shown), visitor.see(f"{shown}/copy")
    quoted = copy.replace("&", "&amp;").replace('"', "&quot;")
    yield State(
        MINE, "What was shown then", re.sub(r'src="[^"]+/copy"', lambda _: f'srcdoc="{quoted}"', page)
    )
    later = visitor.goes_to(site(folder, clock, REVISED))
    yield State(MINE, "With a history, under changed terms", later.see(mine))
    withdrawn = visitor.answer("none", from_="mine")
    young = Visitor(site(folder / "young", clock, CONSENT_MINOR=lambda: True).test_client())
    yield State(MINE, "Of somebody young, who isn't asked", young.see(mine))
    yield State(
        MINE, "Withdrawn, with the way to erase what went before", visitor.follow(withdrawn), "status"
    )


def proving(folder: Path) -> Iterator[State]:
    """Receipts, and what a pasted one is worth."""
    app = site(folder, Clock())
    visitor = Visitor(app.test_client())
    given = visitor.answer("all")
    address = found(RECEIPT, visitor.follow(given))
    yield State(PROVING, "A receipt", visitor.see(address))
    text = visitor.client.get(f"{address}&file=yes").text
    other = Visitor(site(folder / "other", Clock()).test_client())
    link = found(RECEIPT, other.follow(other.answer("all")))
    foreign = other.client.get(f"{link}&file=yes").text
    mine = f"{OURS}/mine"
    for name, pasted in (
        ("valid", text),
        ("not ours", foreign),
        ("altered", text.replace("index 2", "index 1")),
    ):
        yield State(PROVING, f"A pasted receipt is {name}", visitor.send(mine, receipt=pasted).text)
    long = visitor.send(mine, receipt="x" * 2**20).text
    yield State(PROVING, "What was pasted is too long", long)
    broken = site(folder / "broken", Clock())
    unable = Visitor(broken.test_client())
    lost = found(RECEIPT, unable.follow(unable.answer("all")))
    with locked(app):
        refused = visitor.answer("none")
        standing_still(app)  # so that nobody waits again for a ledger that has just been silent
        waits = found(RECEIPT, visitor.follow(refused))
        yield State(PROVING, "A receipt that waits to be sealed", visitor.see(waits))
    for file in Path(broken.instance_path).glob("consent.sqlite3*"):
        file.write_bytes(b"no database")
    unable = unable.goes_to(site(folder / "broken", Clock()))
    yield State(PROVING, "A receipt that can't be made now", unable.see(lost))
    yield State(PROVING, "A receipt that can't be checked now", unable.send(mine, receipt=text).text)
    yield State(MINE, "With a history that can't be read now", unable.see(mine))


def standing_still(app: Flask) -> float:
    """Stop the clock by which *app* measures how long it waits; what it shows (seconds)."""
    recorder = app.extensions["consent"].recorder
    now: float = recorder.steady()
    recorder.steady = lambda: now
    return now


def erasing(folder: Path) -> Iterator[State]:
    """The two steps of an erasure."""
    app = site(folder, Clock())
    visitor = Visitor(app.test_client())
    receipt = found(RECEIPT, visitor.follow(visitor.answer("all")))
    erase = f"{OURS}/mine/erase"
    first = visitor.send(erase).text
    yield State(ERASING, "First step: what it would do", first)
    step = found(r'name="step" value="([^"]+)"', first)
    with locked(app):
        unable = visitor.send(erase, step=step).text
    yield State(ERASING, "Second step, not possible just now", unable)
    step = found(r'name="step" value="([^"]+)"', unable)
    yield State(ERASING, "Second step, done", visitor.send(erase, step=step).text)
    yield State(ERASING, "A receipt of what was erased", visitor.see(receipt))
    yield State(MINE, "After an erasure", visitor.see(f"{OURS}/mine"))


def waiting(folder: Path) -> Iterator[State]:
    """What stands where something waits for a Yes."""
    app = site(folder, Clock())
    visitor = Visitor(app.test_client())
    visitor.answer("none")
    home = visitor.see("/")
    yield State(EMBEDS, "Placeholder of an embed", home)
    embed = found(r'name="embed" value="([^"]+)"', home)
    once = visitor.answer("once", service__videos="yes", embed=embed).text
    yield State(EMBEDS, "An embed loaded once", once)
    yield State(EMBEDS, "Placeholder on a page with health data", visitor.see("/results"))
    yield State(EMBEDS, "A page that needs a Yes", visitor.see("/booking"))
    cached = Visitor(site(folder / "cached", Clock(), CONSENT_CACHE_SAFE=True).test_client())
    yield State(EMBEDS, "Banner and placeholder on a page from a cache", cached.see("/"))


def opting_out(folder: Path) -> Iterator[State]:
    """The privacy signal, the opt-out, and the conflict with a Yes."""
    app = site(folder, Clock(), CONSENT_PROFILE="us_ca")
    visitor = Visitor(app.test_client(), SIGNAL)
    yield State(SIGNALS, "Banner under the privacy signal", visitor.see("/"))
    given = visitor.answer("all")
    yield State(SIGNALS, "Everything accepted against the signal", visitor.follow(given), "status")
    yield State(SIGNALS, "The conflict, on my consent", visitor.see(f"{OURS}/mine"))
    asked = visitor.answer("opt_in", service__videos="yes").text
    yield State(SIGNALS, "Opting in against the signal, second step", asked)
    step = found(r'name="step" value="([^"]+)"', asked)
    confirmed = visitor.answer("opt_in", service__videos="yes", step=step, confirm="yes")
    yield State(SIGNALS, "Opted in against the signal", visitor.follow(confirmed), "status")
    quiet = Visitor(app.test_client())
    quiet.answer("all")
    yield State(SIGNALS, "The ways to opt out", quiet.see())
    yield State(SIGNALS, "Opted out", quiet.follow(quiet.answer("opt_out")), "status")
    yield State(SIGNALS, "Everything accepted after opting out", quiet.follow(quiet.answer("all")), "status")
    asked = quiet.answer("opt_in", service__videos="yes").text
    yield State(SIGNALS, "Opting in after opting out, second step", asked)


def wrong(folder: Path) -> Iterator[State]:
    """Answers and pages that can't be had."""
    app = site(folder, Clock())
    visitor = Visitor(app.test_client())
    yield State(
        WRONG, "400: a field that can't be read", visitor.answer("some", category__media="maybe").text
    )
    yield State(
        WRONG, "403: an answer from another site", Visitor(app.test_client(), CROSS).answer("all").text
    )
    yield State(WRONG, "404: a receipt whose link has ended", visitor.see(f"{OURS}/receipts/{'0' * 8}"))
    mixed = {"category__media": "no", "category__performance": "yes"}
    stale = visitor.answer("some", notice="0" * 64, **mixed).text
    yield State(WRONG, "409: the notice has changed meanwhile", stale)
    yield State(WRONG, "413: more than a form can hold", visitor.answer("all", next="x" * 200_000).text)
    embed = found(r'name="embed" value="([^"]+)"', visitor.see("/"))
    minor = Visitor(site(folder / "minor", Clock(), CONSENT_MINOR=lambda: True).test_client())
    yield State(WRONG, "403: a child's Yes", minor.answer("all").text)
    yield State(
        WRONG,
        "403: an embed that stays off",
        Visitor(app.test_client(), SIGNAL).answer("once", service__videos="yes", embed=embed).text,
    )
    limits = app.extensions["consent"].recorder.limits
    now = standing_still(app)  # so that nothing is regained meanwhile
    with suppress(TooMany):
        while True:
            limits.take("127.0.0.1", now)
    yield State(WRONG, "429: too many answers at a time", visitor.answer("all").text)
    site(folder, Clock())
    unnumbered = POLICY.replace('retention = "90 days"', 'retention = "12 months"')
    stuck = Visitor(site(folder, Clock(), unnumbered).test_client())
    yield State(WRONG, "503: the answer can't be recorded", stuck.answer("some", **mixed).text)
