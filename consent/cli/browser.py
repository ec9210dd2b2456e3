"""The part of ``flask consent check`` that looks at the site's own theme in a browser."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consent.cli.patient import unrecorded
from consent.cli.terminal import progress
from consent.errors import ConsentError, Fault
from consent.policy import Policy
from consent.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from consent.look import Seen

#: How to get what this needs.
MISSING = (
    "looking at pages needs Playwright and Chromium. Install them: pip install 'flask-assent[browser]', then "
    "playwright install chromium, or name a Chromium in CONSENT_CHROMIUM."
)


@dataclass(frozen=True, slots=True)
class Broken:
    """One rule that is broken: what was found first, and in how many looks."""

    seen: "Seen"
    times: int

    def fault(self) -> Fault:
        """It as other faults are said."""
        seen, finding = self.seen, self.seen.finding
        more = f", and {self.times - 1} more" if self.times > 1 else ""
        return Fault(
            f"{seen.page}: {seen.layer} ({seen.look}, {seen.language}{more}): {finding.selector}",
            finding.problem,
            finding.fix,
        )

    def members(self) -> dict[str, object]:
        """It as plain data for JSON."""
        seen, finding = self.seen, self.seen.finding
        return {
            "rule": finding.rule,
            "page": seen.page,
            "layer": seen.layer,
            "selector": finding.selector,
            "problem": finding.problem,
            "fix": finding.fix,
            "width": seen.look.width,
            "theme": seen.look.theme,
            "language": seen.language,
            "looks": self.times,
        }


def looked_at(site: Site, *, url: str | None, pages: Sequence[str]) -> tuple[list[Broken], list[Fault]]:
    """What is wrong with how *site* looks, and what is worth a look; ConsentError when it can't be looked at.

    It is served by this process on the loopback, unless *url* says where it runs already. Nothing is recorded.
    """
    try:
        from playwright.sync_api import Error

        from consent.look import Inspection, served
    except ImportError as error:
        raise ConsentError(MISSING) from error
    unrecorded(site)
    with nullcontext(url) if url else served(site.app) as address, started() as browser, progress() as tell:
        inspection = Inspection(
            browser=browser,
            address=address,
            pages=pages,
            centre=site.settings.url_prefix,
            languages=site.languages,
            tell=tell,
            necessary=necessary(site.located),
        )
        try:
            broken = grouped(inspection.findings())
        except Error as error:
            raise ConsentError(f"{address} can't be looked at: {error.message.splitlines()[0]}.") from error
    return broken, [
        Fault(
            f"language {language}",
            f'the site shows "{shown}" to who prefers "{language}", so this language was not looked at',
            "Where a function or Flask-Babel chooses the language, let it follow Accept-Language, or look by hand.",
        )
        for language, shown in inspection.unmet.items()
    ]


@contextmanager
def started() -> "Iterator[Browser]":
    """A Chromium: the one that CONSENT_CHROMIUM names, else Playwright's own, else the system's."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium
        own = chromium.executable_path if os.path.exists(chromium.executable_path) else None
        path = os.environ.get("CONSENT_CHROMIUM") or own or shutil.which("chromium")
        if path is None:
            raise ConsentError(MISSING)
        try:
            browser = chromium.launch(executable_path=path)
        except Error as error:
            raise ConsentError(f"{path} doesn't start: {error.message.splitlines()[0]}. {MISSING}") from error
        try:
            yield browser
        finally:
            browser.close()


def grouped(found: "Iterator[Seen]") -> list[Broken]:
    """One of all findings that break the same rule at the same place, whatever the look."""
    groups: dict[tuple[str, ...], list[Seen]] = {}
    for seen in found:
        key = (seen.page, seen.layer, seen.finding.rule, seen.finding.selector)
        groups.setdefault(key, []).append(seen)
    return [Broken(group[0], len(group)) for group in groups.values()]


def necessary(policy: Policy) -> Callable[[str, str], bool]:
    """Whether what a browser keeps under a name belongs to a service that is always on."""
    services = [service for service in policy.services if policy.always_on(service.key)]

    def kept(kind: str, name: str) -> bool:
        if kind == "cookie":
            return any(cookie.matches(name) for service in services for cookie in service.cookies)
        return any(
            stored.kind == kind and stored.matches(name) for service in services for stored in service.storage
        )

    return kept
