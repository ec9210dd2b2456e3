"""How many events there were of each kind and answer on each day, without anything that names a browser.

They count answers, not people: who answers twice counts twice. For compliance review only (LOG-07). What it costs grows
with the days and the ways in which events differ on them: full tiles are counted as they fill up, and only the few
events after them are read. What an overview shows costs less (``totals``).
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import TypeVar

from consent.audit.row import Reader, Row
from consent.audit.search import Search, admitted, counted_of, with_a_place
from consent.audit.span import Span
from consent.ledger import Facets
from consent.ledger.facets import hour_of, place
from consent.ledger.replies import is_answer

Label = TypeVar("Label")
#: Passes rows on and says how far it is; the number is of entries that may come.
Progress = Callable[[Iterable[Row], int], Iterable[Row]]

DAY, _HOUR, _FIRST = timedelta(days=1), timedelta(hours=1), date(1970, 1, 1)
_START = datetime(1970, 1, 1, tzinfo=UTC)
#: A day that no log reaches, counted from 1970: the last of the calendar.
_END = (date.max - _FIRST).days


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
    spans: Sequence[Span] = ()
    """If the days of a span are counted together, as of its first day: all spans with answers, without a gap."""

    @property
    def counts(self) -> Iterator[Count]:
        """The counts one by one."""
        return (Count(day_of(day), self.facets[id], events, erased) for day, id, events, erased in self.rows)

    @property
    def events(self) -> int:
        """How many there are in all."""
        return sum(row[2] for row in self.rows)

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
        # Rows are many and labels few, which may take long to compare: so each has a number meanwhile.
        numbers, number_of = dict[Label, int](), dict[int, int]()
        for id in self.totals_by_id:
            if (said := label(self.facets[id])) is not None:
                number_of[id] = numbers.setdefault(said, len(numbers))
        found = dict[int, dict[int, int]]()
        for day, id, events, _ in self.rows:
            if (number := number_of.get(id)) is not None:
                if (counts := found.get(day)) is None:
                    counts = found[day] = {}
                counts[number] = counts.get(number, 0) + events
        labels = list(numbers)
        return {
            day_of(day): Counter({labels[number]: events for number, events in found[day].items()})
            for day in sorted(found)
        }


def day_of(number: int) -> date:
    """The day that is *number* days after the first of 1970."""
    return _FIRST + timedelta(days=number)


def number_of(day: date) -> int:
    """How many days *day* is after the first of 1970."""
    return (day - _FIRST).days


def tally(
    reader: Reader,
    search: Search,
    *,
    cut: Callable[[date, date], Sequence[Span]] | None = None,
    alike: Callable[[Facets], Hashable] = lambda facets: facets,
    progress: Progress = lambda rows, total: rows,
) -> Tally:
    """The counts of all events that *search* asks for; those that must be read go by *progress*.

    An hour of which *search* asks for a part only is read, as the newest events are. An erased event counts by what
    its leaf says. *cut*, if given, says into which spans the days from the first answer to the last are cut; then the
    counts are of spans, so that however many days there are, there are no more of them; and facets of which *alike*
    says the same are counted as one of them.
    """
    reader.catch_up()
    between = None if cut is None else _with_answers(reader, search)
    spans = () if cut is None or between is None else tuple(cut(*between))
    days, parts = whole_units(search, DAY)
    if cut is None:
        counts = reader.ledger.counts(days.start, days.stop)
        # After that: others count meanwhile, and what they find may be new.
        known = admitted(reader, search)
    else:
        firsts = (number_of(span.first) for span in spans)
        edges = [days.start, *(day for day in firsts if day in days[1:]), days.stop]
        known = admitted(reader, search)
        counts = reader.ledger.sums(edges, _groups(known, alike))
        while (now := admitted(reader, search)).keys() != known.keys():
            known = now
            counts = reader.ledger.sums(edges, _groups(known, alike))
    rows = [row for row in counts.rows if row[1] in known]
    others = rest(reader, search, parts, known, counts.size, progress)
    return Tally([*rows, *others.rows], others.facets, counts.missing, others.read, spans)


def rest(
    reader: Reader,
    search: Search,
    parts: Sequence[Search],
    known: Mapping[int, Facets],
    size: int,
    progress: Progress = lambda rows, total: rows,
) -> Tally:
    """The counts of what *search* asks for besides the whole days among the first *size* entries.

    That is what comes after these, and of them the *parts* of days, with any of the *known* facets.
    """
    newest = (
        row
        for row in progress(reader.rows(reader.ledger.records(size - 1)), reader.ledger.size() - size)
        if search.matches(row, reader.policy(row.policy))
    )
    rows, at_the_ends = list[tuple[int, int, int, int]](), list[Search]()
    for part in parts:
        hours, ends = whole_units(part, _HOUR)
        at_the_ends += ends
        rows += _of_hours(reader, known, hours, size)
    of_ends = (
        row
        for end in at_the_ends
        for row in reader.rows(counted_of(reader, end, known, size))
        if end.in_span(row)
    )
    read = of_rows(chain(newest, of_ends))
    return Tally([*rows, *read.rows], {**known, **read.facets}, read=sum(row[2] for row in read.rows))


def _groups(known: Mapping[int, Facets], alike: Callable[[Facets], Hashable]) -> Mapping[int, int]:
    """For each of the *known* facets the first of those that are *alike*, by their ids."""
    firsts = dict[Hashable, int]()
    return {id: firsts.setdefault(alike(facets), id) for id, facets in known.items()}


def _with_answers(reader: Reader, search: Search) -> tuple[date, date] | None:
    """The first day and the last with an answer, of those that *search* asks for, be it for a part; None if on none."""
    since, until, ledger = search.since, search.until, reader.ledger
    first = 0 if since is None else (since - _START) // DAY
    beyond = _END if until is None else -((_START - until) // DAY)
    size = ledger.counted()  # before the days, as others count meanwhile
    other = [id for id, facets in ledger.facets().items() if not is_answer(facets)]
    found = [day_of(day) for day in ledger.counted_days(first, beyond, other) or ()]
    for row in reader.rows(ledger.records(size - 1)):
        if row.hour and is_answer(row.facets) and search.in_span(row):
            found.append(row.hour.date())
            found = [min(found), max(found)]
    return (found[0], found[-1]) if found else None


def _of_hours(
    reader: Reader, known: Mapping[int, Facets], hours: range, size: int
) -> Iterator[tuple[int, int, int, int]]:
    """The counts of these hours, which are all of one day, among the first *size* entries."""
    if hours:
        first, end = (place(with_a_place(hour), 0) for hour in (hours.start, hours.stop))
        found = reader.ledger.events(first, end, size)
        for id in found.keys() & known.keys():
            yield hours.start // 24, id, found[id], 0 if known[id].known else found[id]


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


def whole_units(search: Search, unit: timedelta) -> tuple[range, list[Search]]:
    """The whole units of *search*, counted from 1970, and what is left of it before and after them."""
    since, until = search.since, search.until
    first = 0 if since is None else -((_START - since) // unit)
    end = _END if until is None else (until - _START) // unit
    parts = list[Search]()
    if first > end:  # both in one unit
        return range(0), [search]
    if since is not None and since != (edge := _START + first * unit):
        parts.append(replace(search, until=edge))
    if until is not None and until != (edge := _START + end * unit):
        parts.append(replace(search, since=edge))
    return range(first, end), parts
