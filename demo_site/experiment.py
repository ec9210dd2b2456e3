"""The A/B test of a new call-back box: who sees which, and how many ask to be called."""

import math
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from flask import request
from werkzeug.wrappers import Response

from consent import current_consent
from demo_site import tally
from demo_site.preferences import set_cookie

COOKIE = "callback_test"
LIFETIME = timedelta(days=90)
VARIANTS = ("a", "b")
#: What the cookie says of a browser whose call has been counted: the variant, and that it is done.
DONE = ".done"

#: With fewer visitors per variant the result is left open.
ENOUGH = 100


def assigned() -> str | None:
    """The variant kept on this device, if its visitor takes part."""
    kept = request.cookies.get(COOKIE, "").removesuffix(DONE)
    return kept if kept in VARIANTS and current_consent.allows("experiment") else None


def pick() -> str:
    """The variant to show: the one kept, a drawn one for those who newly take part, ``a`` for all others."""
    if not current_consent.allows("experiment"):
        return "a"
    return assigned() or secrets.choice(VARIANTS)


def count_shown(response: Response, variant: str) -> None:
    """Counts *variant* once per device that takes part, and keeps it there."""
    if current_consent.allows("experiment") and assigned() is None:
        tally.add("shown", variant)
        set_cookie(response, COOKIE, variant, LIFETIME)


def count_call(response: Response) -> None:
    """Counts a call-back asked for on this device, once, for the variant it was shown."""
    variant = assigned()
    if variant and not request.cookies[COOKIE].endswith(DONE):
        tally.add("called", variant)
        set_cookie(response, COOKIE, variant + DONE, LIFETIME)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has been counted for one variant."""

    variant: str
    shown: int
    called: int

    @property
    def share(self) -> float:
        """Calls per device, 0 to 1."""
        return self.called / self.shown if self.shown else 0.0


def outcomes() -> tuple[Outcome, Outcome]:
    """The counts of both variants."""
    shown, called = tally.totals("shown"), tally.totals("called")
    return (
        Outcome("a", shown.get("a", 0), called.get("a", 0)),
        Outcome("b", shown.get("b", 0), called.get("b", 0)),
    )


def judge(a: Outcome, b: Outcome) -> Literal["open", "even", "a", "b"]:
    """Which variant leads to more calls: ``open`` with too few visitors, ``even`` when chance explains it.

    Two-proportion z-test; a variant is named when a difference as large comes by chance in fewer than 5 of 100 tests.
    """
    if min(a.shown, b.shown) < ENOUGH:
        return "open"
    pooled = (a.called + b.called) / (a.shown + b.shown)
    error = math.sqrt(pooled * (1 - pooled) * (1 / a.shown + 1 / b.shown))
    if error == 0 or abs(b.share - a.share) / error < 1.96:
        return "even"
    return "b" if b.share > a.share else "a"
