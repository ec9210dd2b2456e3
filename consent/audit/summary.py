"""How often what was answered: the counts of a tally, by what people ask for.

What counts are of, and what for, says ``tally``.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from consent.audit.said import Pattern, PolicyOf, pattern_of, pattern_said
from consent.audit.tally import Tally
from consent.ledger import Facets
from consent.ledger.replies import NO, SAID, UNKNOWN, YES, is_answer
from consent.policy import Policy


@dataclass(slots=True)
class Summary:
    """Counts of events. Those below ``kinds`` are of answers: of what each left in force."""

    events: int = 0
    answers: int = 0
    """Events in which a visitor answered and whose opening was there when they were counted."""
    erased: int = 0
    pruned: int = 0
    """Entries that were gone before they were counted: of whatever they were, they are counted nowhere else."""
    first: date | None = None
    """The earliest day, in UTC."""
    last: date | None = None
    kinds: Counter[str] = field(default_factory=Counter)
    categories: dict[str, Counter[str]] = field(default_factory=dict)
    """By category: ``yes``, ``some``, ``no``."""
    services: dict[str, Counter[str]] = field(default_factory=dict)
    """By service: ``yes``, ``no``."""
    revisions: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    signals: int = 0
    """Answers that came with a privacy signal."""

    @classmethod
    def of(cls, tally: Tally, policy_of: PolicyOf) -> "Summary":
        """The counts of *tally*; *policy_of* finds a policy by its digest."""
        first, last = tally.days or (None, None)
        summary = cls(erased=sum(row[3] for row in tally.rows), pruned=tally.pruned, first=first, last=last)
        patterns = Counter[Pattern]()
        for id, events in tally.totals_by_id.items():
            facets = tally.facets[id]
            summary._add(facets, events, policy_of(facets.policy))
            if is_answer(facets):
                patterns[pattern_of(facets)] += events
        for pattern, events in patterns.items():
            summary._add_said(pattern, events, policy_of)
        return summary

    def _add(self, facets: Facets, events: int, policy: Policy | None) -> None:
        self.events += events
        self.kinds[facets.kind or "unreadable"] += events
        if not is_answer(facets):
            return
        self.answers += events
        self.revisions[revision(policy)] += events
        self.languages[facets.language or UNKNOWN] += events
        self.profiles[facets.profile or UNKNOWN] += events
        self.sources[facets.source or UNKNOWN] += events
        self.signals += events if facets.signal else 0

    def _add_said(self, pattern: Pattern, events: int, policy_of: PolicyOf) -> None:
        _, granted, refused = pattern
        services = {*granted, *refused}
        for key, said in pattern_said(pattern, policy_of):
            (self.services if key in services else self.categories).setdefault(key, Counter())[said] += events

    def members(self) -> dict[str, object]:
        """The counts as plain data for JSON, keys in order."""
        return {
            "events": self.events,
            "answers": self.answers,
            "erased": self.erased,
            "pruned": self.pruned,
            "first": self.first and self.first.isoformat(),
            "last": self.last and self.last.isoformat(),
            "kinds": dict(sorted(self.kinds.items())),
            "categories": tallies(self.categories, SAID),
            "services": tallies(self.services, (YES, NO)),
            "revisions": dict(sorted(self.revisions.items())),
            "languages": dict(sorted(self.languages.items())),
            "profiles": dict(sorted(self.profiles.items())),
            "sources": dict(sorted(self.sources.items())),
            "signals": self.signals,
        }


def revision(policy: Policy | None) -> str:
    """The revision of *policy* as a word."""
    return UNKNOWN if policy is None else str(policy.revision)


def tallies(counted: dict[str, Counter[str]], names: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """*counted* with every one of *names* stated, zeros too, by key in order."""
    return {key: {name: counted[key][name] for name in names} for key in sorted(counted)}
