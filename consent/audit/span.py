"""Days, and longer spans where there are many: so that a chart and its table stay readable."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Final

#: A chart has at most so many spans beside each other; of centuries it may be more.
MOST: Final = 62
#: What spans are called by the days that the longest of them has: it is whole, while first and last may be cut short.
CALLED: Final = {1: "days", 7: "weeks", 31: "months", 366: "years"}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """The days from *first* to *last*, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def spans(first: date, last: date) -> tuple[Span, ...]:
    """The days from *first* to *last*, else weeks, months, years or centuries: the shortest that are few enough.

    Together they are all days, each once; the first and the last may be cut short. Weeks begin on Monday. None
    when *last* comes before *first*.
    """
    for following in (_day, _week, _month, _year):
        found = tuple(islice(_cut(first, last, following), MOST + 1))
        if len(found) <= MOST:
            return found
    return tuple(_cut(first, last, _century))


def unit_of(found: Sequence[Span]) -> str:
    """What the spans *found* by ``spans`` are: days, weeks, months, years or centuries."""
    longest = max(span.days for span in found)
    return next((called for most, called in CALLED.items() if longest <= most), "centuries")


def whole(first: date, last: date) -> tuple[Span, ...]:
    """All days from *first* to *last* as one."""
    return (Span(first, last),)


def _cut(first: date, last: date, following: Callable[[date], date]) -> Iterator[Span]:
    """The spans from *first* to *last*; *following* is the day on which the one after a day's begins."""
    while first <= last:
        try:
            end = min(following(first) - _DAY, last)
        except (OverflowError, ValueError):  # the calendar ends with the year 9999
            end = last
        yield Span(first, end)
        if end == last:
            return
        first = end + _DAY


def _day(day: date) -> date:
    return day + _DAY


def _week(day: date) -> date:
    return day + timedelta(days=7 - day.weekday())


def _month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _year(day: date) -> date:
    return date(day.year + 1, 1, 1)


def _century(day: date) -> date:
    return date((day.year - 1) // 100 * 100 + 101, 1, 1)
