"""What share of answers said yes, some or no to a category or a service, with how sure that is."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from consent.audit.said import Pattern, PolicyOf, pattern_of, pattern_said
from consent.audit.share import Share
from consent.audit.summary import revision
from consent.audit.tally import Tally
from consent.ledger import Facets
from consent.ledger.replies import NO, SAID, SOME, VALUES, YES, is_answer
from consent.policy import Policy


def _of_policy(of: Callable[[Facets, str], str]) -> Callable[[Facets, Policy | None], str]:
    return lambda facets, policy: of(facets, revision(policy))


#: What answers are told apart by: the name, and what one is.
DIMENSIONS: Final = {name: _of_policy(of) for name, of in VALUES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The answers to one category or service, and what share of them said what."""

    yes: int
    some: int
    no: int

    @property
    def answers(self) -> int:
        """All of them."""
        return self.yes + self.some + self.no

    def count(self, said: str) -> int:
        """How many said *said*: ``yes``, ``some`` or ``no``."""
        return {YES: self.yes, SOME: self.some, NO: self.no}[said]

    def share(self, said: str) -> Share:
        """What share of them said *said*."""
        return Share(self.count(said), self.answers)

    def members(self) -> dict[str, object]:
        """As plain data for JSON; shares to the tenth of a percent, null for too few answers."""
        told: dict[str, object] = {"answers": self.answers}
        for said in SAID:
            share = self.share(said)
            told[said] = {
                "count": share.part,
                "share": None if share.value is None else round(share.value, 3),
                "interval": share.interval and [round(end, 3) for end in share.interval],
            }
        return told


@dataclass(frozen=True, slots=True)
class Rates:
    """The answers of a tally to every category and service, as a whole and by some of ``DIMENSIONS``."""

    counts: Mapping[tuple[str, str, str, str], int]
    """By dimension (empty for the whole), its value, key and what was said."""
    categories: frozenset[str] = frozenset()
    """The keys among them that are categories'."""

    @classmethod
    def of(cls, tally: Tally, policy_of: PolicyOf, by: str | None = None) -> "Rates":
        """Those of *tally*, as a whole and *by* one dimension; *policy_of* finds a policy by its digest."""
        dimensions = {by: DIMENSIONS[by]} if by else {}
        # What was said is the same for many facets, so it is looked at once for each value and not for each of them.
        patterns = Counter[tuple[str, str, Pattern]]()
        for id, events in tally.totals_by_id.items():
            facets = tally.facets[id]
            if is_answer(facets):
                policy, pattern = policy_of(facets.policy), pattern_of(facets)
                patterns["", "", pattern] += events
                for name, of in dimensions.items():
                    patterns[name, of(facets, policy), pattern] += events
        said = {pattern: pattern_said(pattern, policy_of) for _, _, pattern in patterns}
        found = Counter[tuple[str, str, str, str]]()
        for (name, value, pattern), events in patterns.items():
            for key, answer in said[pattern]:
                found[name, value, key, answer] += events
        categories = {
            key
            for (_, granted, refused), answers in said.items()
            for key, _ in answers
            if key not in granted and key not in refused
        }
        return cls(found, frozenset(categories))

    def to(self, key: str) -> Rate:
        """All answers to the category or service *key*."""
        return self._rate("", "", key)

    def by(self, dimension: str, key: str) -> dict[str, Rate]:
        """The answers to *key* by what they were under *dimension*; numbers in their order, before words."""
        values = {value for name, value, of, _ in self.counts if (name, of) == (dimension, key)}
        return {value: self._rate(dimension, value, key) for value in in_order(values)}

    def _rate(self, *place: str) -> Rate:
        name, value, key = place
        return Rate(**{said: self.counts.get((name, value, key, said), 0) for said in SAID})


def in_order(values: Iterable[str]) -> list[str]:
    """*values* as tables have them: numbers in their order, before words."""
    return sorted(values, key=lambda value: (not value.isdigit(), value.zfill(9)))
