"""What an overview shows: how many answers of each span of days said what, and what by what tells them apart.

Whole days are summed up from what was counted of replies, of which there are few however many answer; only parts of
days, and the newest events, are read.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from consent.audit.rates import Rate, in_order
from consent.audit.row import Reader
from consent.audit.said import PolicyOf
from consent.audit.search import Search
from consent.audit.span import Span, spans
from consent.audit.summary import revision
from consent.audit.tally import DAY, Tally, day_of, number_of, rest, tally, whole_units
from consent.errors import LedgerError
from consent.ledger import Facets
from consent.ledger.replies import SAID, Outline, Reply, replies_of
from consent.policy import Policy

#: How many said what, by category and what was said; an empty category stands for all together.
Said = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Totals:
    """The answers of some days."""

    spans: Sequence[Span]
    """From the first day with an answer to the last, without a gap; none without answers."""
    counts: Sequence[Said]
    """Of each span."""
    apart: Mapping[tuple[str, str, str], int]
    """Of all of them, by value, category and what was said."""

    @property
    def categories(self) -> list[str]:
        """Those that anybody replied to, sorted."""
        return sorted({key for each in self.counts for key, _ in each} - {""})

    def rates(self, category: str) -> dict[str, Rate]:
        """The answers to *category* by their values, these in order."""
        values = {value for value, key, _ in self.apart if key == category}
        return {
            value: Rate(**{said: self.apart.get((value, category, said), 0) for said in SAID})
            for value in in_order(values)
        }


@dataclass(slots=True)
class _Sum:
    """Totals that grow: of days, before they are put into spans."""

    dimension: str
    policy_of: PolicyOf
    by_day: dict[int, Said] = field(default_factory=dict)
    apart: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    outlines: dict[str | None, Outline | None] = field(default_factory=dict)

    def add(self, day: int, facets: Facets, events: int) -> None:
        """Add so many *events*, or take them out when they are fewer than none."""
        if (digest := facets.policy) not in self.outlines:
            self.outlines[digest] = outline_of(self.policy_of(digest))
        for reply in replies_of(facets, self.outlines[digest]):
            self.add_reply(day, reply, events)

    def add_reply(self, day: int, reply: Reply, events: int) -> None:
        """The same of one thing that they are counted as."""
        if not reply.dimension:
            self.by_day.setdefault(day, Said())[reply.category, reply.said] += events
        elif reply.dimension == self.dimension:
            self.apart[reply.value, reply.category, reply.said] += events

    def totals(self) -> Totals:
        """The totals, in spans from the first day with an answer to the last."""
        found = sorted(day for day, said in self.by_day.items() if any(said.values()))
        if not found:
            return Totals((), (), {})
        steps = spans(day_of(found[0]), day_of(found[-1]))
        starts = [number_of(step.first) for step in steps]
        counts = [Said() for _ in steps]
        for day in found:
            counts[bisect_right(starts, day) - 1].update(self.by_day[day])
        return Totals(steps, [+each for each in counts], +self.apart)


def totals_of(tally: Tally, dimension: str, policy_of: PolicyOf) -> Totals:
    """The totals of what *tally* counts, told apart by *dimension*."""
    return _sum_of(tally.rows, tally.facets, dimension, policy_of).totals()


def totals(reader: Reader, search: Search, dimension: str) -> Totals:
    """The totals of what *search* asks for, which is a span of time and nothing else, told apart by *dimension*."""
    reader.catch_up()
    days, parts = whole_units(search, DAY)
    found = reader.ledger.replies(dimension, days.start, days.stop)
    if found.size < reader.ledger.counted():
        _settle(reader)
        found = reader.ledger.replies(dimension, days.start, days.stop)
    if found.size < reader.ledger.counted():
        return totals_of(tally(reader, search), dimension, reader.policy)
    known = reader.ledger.facets()
    others = rest(reader, search, parts, known, found.size)
    total = _sum_of(others.rows, others.facets, dimension, reader.policy)
    for day, category, said, events in found.whole:
        total.add_reply(day, Reply("", "", category, said), events)
    total.apart.update(found.apart)
    for day, id, events in found.faded:
        if id in known:  # as it is, unless somebody altered the table
            total.add(day, known[id], -events)
    return total.totals()


def _sum_of(
    rows: Iterable[tuple[int, int, int, int]],
    facets: Mapping[int, Facets],
    dimension: str,
    policy_of: PolicyOf,
) -> _Sum:
    total = _Sum(dimension, policy_of)
    for day, id, events, _ in rows:
        total.add(day, facets[id], events)
    return total


def _settle(reader: Reader) -> None:
    """Count what an older release has left out."""
    with suppress(LedgerError):  # who only reads may not; then what that release has counted is summed up
        reader.ledger.count()


def outline_of(policy: Policy | None) -> Outline | None:
    """As much of *policy* as decides what answers under it say."""
    if policy is None:
        return None
    categories = (
        (category.key, tuple(service.key for service in policy.services_in(category.key)))
        for category in policy.optional_categories
    )
    return Outline(revision(policy), tuple(categories))
