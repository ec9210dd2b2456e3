"""How many events there were of each kind and answer on each day, without anything that names a browser.

They count answers, not people: who answers twice counts twice. For compliance review only (LOG-07). What it costs grows
with the days, not with the events: full tiles are counted as they fill up, and only the few events after them are read.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import chain
from typing import TypeVar

from consent.audit.row import Reader, Row
from consent.audit.search import Search, found
from consent.ledger import Facets
from consent.ledger.facets import LAST, hour_of

Label = TypeVar("Label")
#: Passes rows on and says how far it is; the number is of entries that may come.
Progress = Callable[[Iterable[Row], int], Iterable[Row]]

_DAY, _FIRST = timedelta(days=1), date(1970, 1, 1)
#: A day that no log reaches, counted from 1970.
_END = 3_000_000


@dataclass(frozen=True, slots=True)
class Count:
    """The events of one day, in UTC, that have the same facets."""

    day: date
    facets: Facets
    events: int
    erased: int
    """How many of them are erased: of those that only their leaves tell of."""


@dataclass(frozen=True)
class Tally:
    """Counts of the events that a search asks for."""

    rows: Sequence[tuple[int, int, int, int]]
    """Day from 1970 on (UTC), id of the facets, events, and how many of these are erased."""
    facets: Mapping[int, Facets]
    """The facets by their ids."""
    pruned: int = 0
    """Entries that were gone before they were counted: of whatever they were, they are in no count."""
    read: int = 0
    """Events that were read, as they aren't counted yet."""

    @property
    def counts(self) -> Iterator[Count]:
        """The counts one by one."""
        return (Count(day_of(day), self.facets[id], events, erased) for day, id, events, erased in self.rows)

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last day with an event; None without any."""
        known = {row[0] for row in self.rows if row[0]}
        return (day_of(min(known)), day_of(max(known))) if known else None

    @cached_property
    def totals_by_id(self) -> Mapping[int, int]:
        """How many events had which facets, by the id of these."""
        found = dict[int, int]()
        for _, id, events, _ in self.rows:
            found[id] = found.get(id, 0) + events
        return found

    def totals(self, label: Callable[[Facets], Label | None]) -> Counter[Label]:
        """How many events there were by what *label* says of their facets; None isn't counted."""
        found = Counter[Label]()
        for id, events in self.totals_by_id.items():
            if (said := label(self.facets[id])) is not None:
                found[said] += events
        return found

    def per_day(self, label: Callable[[Facets], Label | None]) -> dict[date, Counter[Label]]:
        """As ``totals``, for each day that has any such event, in their order."""
        labels = {id: label(self.facets[id]) for id in self.totals_by_id}
        found = dict[int, Counter[Label]]()
        for day, id, events, _ in self.rows:
            if (said := labels[id]) is not None:
                found.setdefault(day, Counter())[said] += events
        return {day_of(day): found[day] for day in sorted(found)}


def day_of(number: int) -> date:
    """The day that is *number* days after the first of 1970."""
    return _FIRST + timedelta(days=number)


def tally(reader: Reader, search: Search, *, progress: Progress = lambda rows, total: rows) -> Tally:
    """The counts of all events that *search* asks for; those that must be read go by *progress*.

    A day of which *search* asks for a part only is read, as the newest are. An erased event counts by what its leaf
    says.
    """
    reader.catch_up()
    whole, parts = _days(search)
    known = {
        id: facets
        for id, facets in reader.ledger.facets().items()
        if search.admits(facets, reader.policy(facets.policy))
    }
    counts = reader.ledger.counts(whole.start, whole.stop)
    rows = [row for row in counts.rows if row[1] in known]
    rest = reader.ledger.size() - counts.size
    newest = (
        row
        for row in progress(reader.rows(reader.ledger.records(counts.size - 1)), rest)
        if search.matches(row, reader.policy(row.policy))
    )
    of_parts = (
        row
        for part in parts
        for _, row in found(reader, part, LAST, sys.maxsize)
        if row.index is None or row.index < counts.size
    )
    read = of_rows(chain(newest, of_parts))
    facets = {**known, **read.facets}
    return Tally([*rows, *read.rows], facets, counts.missing, sum(row[2] for row in read.rows))


def of_rows(rows: Iterable[Row]) -> Tally:
    """The counts of *rows*, as they are now."""
    events, erased, facets = Counter[tuple[int, int]](), Counter[tuple[int, int]](), dict[int, Facets]()
    for row in rows:
        own = row.facets
        key = (hour_of(row.hour) // 24 if row.hour else 0, own.id)
        facets[own.id] = own
        events[key] += 1
        erased[key] += row.erased
    return Tally([(*key, many, erased[key]) for key, many in events.items()], facets)


def _days(search: Search) -> tuple[range, list[Search]]:
    """The whole days of *search*, counted from 1970, and what is left of it before and after them."""
    since, until = search.since, search.until
    first = 0 if since is None else _number(since) + (since != _midnight(since))
    end = _END if until is None else _number(until)
    parts = list[Search]()
    if first > end:  # both in one day
        return range(0), [search]
    if since is not None and since != _midnight(since):
        parts.append(replace(search, until=_midnight(since) + _DAY))
    if until is not None and until != _midnight(until):
        parts.append(replace(search, since=_midnight(until)))
    return range(first, end), parts


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def _number(moment: datetime) -> int:
    return hour_of(moment) // 24
