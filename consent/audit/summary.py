"""How often what was answered: counts over the log, without anything that names a browser.

They count answers, not people: who answers twice counts twice. For compliance review only (LOG-07).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from consent.audit.row import Row, answers_of, stamp
from consent.ledger.event import ANSWERS
from consent.policy import Policy

#: What somebody can have said to a category: to all of its services, to none, or to some.
YES, NO, SOME = "yes", "no", "some"


@dataclass(slots=True)
class Summary:
    """Counts of one pass over the events. Those below ``kinds`` are of answers: of what each left in force."""

    events: int = 0
    answers: int = 0
    """Events in which a visitor answered and whose opening is there."""
    erased: int = 0
    altered: int = 0
    pruned: int = 0
    """Entries whose leaves are gone, of whatever they were: counted nowhere else."""
    first: str | None = None
    """The earliest hour (RFC 3339, UTC)."""
    last: str | None = None
    kinds: Counter[str] = field(default_factory=Counter)
    categories: dict[str, Counter[str]] = field(default_factory=dict)
    """By category: ``yes``, ``no``, ``some``."""
    services: dict[str, Counter[str]] = field(default_factory=dict)
    """By service: ``yes``, ``no``."""
    revisions: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    signals: int = 0
    """Answers that came with a privacy signal."""

    def add(self, row: Row, policy: Policy | None) -> None:
        """Count *row*; *policy* is the one in force then, None if it isn't on record."""
        self.events += 1
        self.kinds[row.kind or "unreadable"] += 1
        self.erased += row.erased
        self.altered += row.problem is not None
        if row.hour is not None:
            hour = stamp(row.hour, "seconds")
            self.first, self.last = min(self.first or hour, hour), max(self.last or hour, hour)
        if row.event is not None and row.event.kind in ANSWERS:
            self._add_answer(row, policy)

    def _add_answer(self, row: Row, policy: Policy | None) -> None:
        event = row.event
        assert event is not None
        self.answers += 1
        self.revisions[str(row.revision) if row.revision is not None else "unknown"] += 1
        self.languages[event.language or "unknown"] += 1
        self.profiles[event.profile or "unknown"] += 1
        self.sources[event.source or "unknown"] += 1
        self.signals += event.signal
        answers = answers_of(row)
        for key, answer in answers.items():
            self.services.setdefault(key, Counter())[YES if answer == "granted" else NO] += 1
        for category in policy.optional_categories if policy else ():
            keys = [service.key for service in policy.services_in(category.key)] if policy else []
            if said := to_category({answers.get(key) for key in keys}):
                self.categories.setdefault(category.key, Counter())[said] += 1

    def members(self) -> dict[str, object]:
        """The counts as plain data for JSON."""
        return {
            "events": self.events,
            "answers": self.answers,
            "erased": self.erased,
            "altered": self.altered,
            "pruned": self.pruned,
            "first": self.first,
            "last": self.last,
            "kinds": dict(sorted(self.kinds.items())),
            "categories": tallies(self.categories, (YES, SOME, NO)),
            "services": tallies(self.services, (YES, NO)),
            "revisions": dict(sorted(self.revisions.items())),
            "languages": dict(sorted(self.languages.items())),
            "profiles": dict(sorted(self.profiles.items())),
            "sources": dict(sorted(self.sources.items())),
            "signals": self.signals,
        }


def summarise(rows: Iterable[Row], policy_of: Callable[[str | None], Policy | None]) -> Summary:
    """The counts over *rows*, in one pass; *policy_of* finds a policy by its digest."""
    summary = Summary()
    for row in rows:
        summary.add(row, policy_of(row.policy))
    return summary


def to_category(answers: set[str | None]) -> str | None:
    """What *answers* to its services amount to for a category; None when nothing was answered."""
    if answers <= {None}:
        return None
    if "granted" not in answers:
        return NO
    return YES if answers == {"granted"} else SOME


def tallies(counted: dict[str, Counter[str]], names: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """*counted* with every one of *names* stated, zeros too, by key in order."""
    return {key: {name: counted[key][name] for name in names} for key in sorted(counted)}
