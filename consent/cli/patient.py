"""What ``flask consent doctor`` examines: the site and its answer for one page; and a line of what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from werkzeug.test import Client, TestResponse

from consent.cli.command import has_database
from consent.errors import LedgerUnavailable
from consent.ledger import Ledger
from consent.web.gate import PROBE
from consent.web.site import Site

#: An address that nobody has (RFC 5737), to see whether forwarded ones are believed.
VISITOR = "192.0.2.77"

Level = Literal["ok", "look", "wrong"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    level: Level
    about: str
    said: str
    fix: str = ""

    def __str__(self) -> str:
        mark = {"ok": "ok    ", "look": "look  ", "wrong": "WRONG "}[self.level]
        return f"{mark} {self.about}: {self.said}.{f' {self.fix}' if self.fix else ''}"


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    site: Site
    address: str
    page: TestResponse
    """What somebody gets who comes for the first time."""
    left: Sequence[tuple[dict[str, Any], Sequence[tuple[str, str]]]]
    """What the gate saw of it: the request as it stood in the end, and the headers that left the gate."""


def admitted(site: Site, page: str) -> Patient:
    """What there is to examine of *site*, with its answer for *page*."""
    unrecorded(site)
    site.app.config["PROPAGATE_EXCEPTIONS"] = False  # a view that fails answers 500, in debug mode too
    address = site.settings.site or site.policy.controller.site
    url = urlsplit(address)
    left: list[tuple[dict[str, Any], Sequence[tuple[str, str]]]] = []
    answer = Client(site.app.wsgi_app, use_cookies=False).get(
        page,
        base_url=f"{url.scheme}://{url.netloc}/",
        headers={"X-Forwarded-For": VISITOR},
        environ_overrides={PROBE: left},
    )
    return Patient(site, address, answer, left)


def unrecorded(site: Site) -> None:
    """Let nothing of *site* go on record here: neither what it runs under that isn't published yet, nor its notice."""
    site.store_at = float("inf")
    if not has_database(site):
        # A database made for this would belong to whoever looks.
        site.recorder.open = nothing_yet
        site.recorder.opened = None


def nothing_yet() -> Ledger:
    """LedgerUnavailable: there is no ledger, and none is made for an examination."""
    raise LedgerUnavailable("nothing is recorded yet", retry_after=60)
