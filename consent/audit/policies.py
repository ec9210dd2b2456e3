"""The history of the policy: those on record in the order they came into use, and what each of them changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Final

from flask import Response, url_for

from consent.audit.page import page, reader
from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.tally import Tally, tally
from consent.audit.untold import untold
from consent.errors import LedgerError
from consent.ledger import Facets, Kind
from consent.policy import Difference, Policy, compare

#: What the words are called in which a policy tells visitors what it changed: the one fact in its own language.
TOLD: Final = "visitors are told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One policy on record, and how it was used."""

    digest: str
    policy: Policy | None
    """None when it can't be read: it was altered, or a later release wrote it."""
    days: tuple[date, date] | None
    """The first and the last day (UTC) on which anything was recorded under it; None when nothing was."""
    entries: int
    """How many entries were recorded under it, as far as they were counted, but for those brought over."""
    before: Policy | None
    """The one that came into use before it; None for the first, and when that can't be read."""

    @property
    def difference(self) -> Difference | None:
        """What it changed against the one before; None when either isn't known."""
        return compare(self.before, self.policy) if self.before and self.policy else None

    def facts(self) -> Iterator[tuple[str, str]]:
        """What is known of it: pairs of a name and what is said of it."""
        if self.policy is not None:
            yield "in force from", f"{self.policy.effective}"
            yield "language", self.policy.language
            if self.policy.change:
                yield TOLD, self.policy.change
        yield "digest", self.digest
        if self.days is None:
            yield "first use", "nothing is recorded under it"
        else:
            yield "first use", f"{self.days[0]}"
            yield "last use", f"{self.days[1]}"
            yield "entries", f"{self.entries:,} recorded under it"


def history(source: Reader, counted: Tally) -> list[Version]:
    """The policies on record, by their first use as *counted* has it; what was never used comes last."""
    days = dict[str, tuple[date, date]]()
    entries = dict[str, int]()
    for day, counts in counted.per_day(_recorded_under).items():
        for digest, events in counts.items():
            days[digest] = (days[digest][0] if digest in days else day, day)
            entries[digest] = entries.get(digest, 0) + events
    found = [(document.hash, source.policy(document.hash)) for document in source.ledger.documents("policy")]

    def came(version: tuple[str, Policy | None]) -> tuple[date, int, date]:
        digest, policy = version
        first, last = days.get(digest, (date.max, date.max))
        return first, policy.revision if policy else 0, last

    found.sort(key=came)
    return [
        Version(
            digest=digest,
            policy=policy,
            days=days.get(digest),
            entries=entries.get(digest, 0),
            before=found[at - 1][1] if at else None,
        )
        for at, (digest, policy) in enumerate(found)
    ]


def _recorded_under(facets: Facets) -> str | None:
    """The policy under which it was recorded; what was brought over has a date of before any of them."""
    return None if facets.kind == Kind.IMPORTED else facets.policy


def policies_page() -> Response:
    """The page with all of them, newest first."""
    try:
        source = reader()
        counted = tally(source, Search())
        versions = history(source, counted)
    except LedgerError as error:
        problem = untold("The ledger can't be read now.", error)
        return rendered((), 0, problem, HTTPStatus.SERVICE_UNAVAILABLE)
    return rendered(versions, counted.pruned, None, HTTPStatus.OK)


def rendered(versions: Sequence[Version], pruned: int, problem: str | None, code: HTTPStatus) -> Response:
    """The page of *versions*, which are the oldest first; *pruned* entries are in none of their counts."""
    told = [
        {
            "revision": version.policy.revision if version.policy else None,
            "language": version.policy.language if version.policy else None,
            "facts": list(version.facts()),
            "first": at == 0,
            "difference": version.difference,
            "events_url": url_for("consent_audit.newest", revision=version.policy.revision)
            if version.policy
            else None,
        }
        for at, version in enumerate(versions)
    ]
    return page("policies.html", code, versions=told[::-1], told_as=TOLD, pruned=pruned, problem=problem)
