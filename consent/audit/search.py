"""Which events an auditor asks for, and finding them from the newest back."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from consent.audit.row import Reader, Row
from consent.errors import ConsentError
from consent.ledger import Kind, Ledger, Sealed
from consent.policy.values import shown

#: Records fetched at a time while looking for matches.
FETCHED = 200
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
#: The highest index a log can have.
_LAST = 2**63 - 1


class SearchError(ConsentError):
    """A search that can't be understood. The message says what was found, what was expected and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What an event must be to be found; what isn't set is met by all."""

    kinds: frozenset[Kind] = frozenset()
    since: datetime | None = None
    """UTC, inclusive."""
    until: datetime | None = None
    """UTC, exclusive."""

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise SearchError(
                f"nothing lies from {self.since:%Y-%m-%d %H:%M} until {self.until:%Y-%m-%d %H:%M} UTC; "
                "expected an end after the start. Exchange the two."
            )

    def matches(self, row: Row) -> bool:
        """Whether *row* is asked for; an erased event is, if any part of its hour lies in the span."""
        if self.kinds and row.kind not in self.kinds:
            return False
        if self.since is None and self.until is None:
            return True
        if row.hour is None:
            return False
        first = row.event.time if row.event else row.hour
        last = row.event.time if row.event else row.hour + _HOUR - timedelta.resolution
        return (self.since is None or last >= self.since) and (self.until is None or first < self.until)


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the events asked for, newest first."""

    rows: Sequence[Row]
    before: int | None
    """Where older ones begin: the next search's ``before``; None when these were the last."""


def find(reader: Reader, search: Search, *, before: int | None = None, limit: int = 50) -> Found:
    """Up to *limit* events below index *before* (None: from the end) that *search* asks for.

    Every record below is looked at until there are enough. A time doesn't end the search early: an event that
    couldn't be recorded at once stands later in the log than its time says.
    """
    rows = reader.rows(newest_first(reader.ledger, before, min(FETCHED, limit + 1)))
    found = list(islice(filter(search.matches, rows), limit + 1))
    more = len(found) > limit
    return Found(found[:limit], found[limit - 1].index if more else None)


def newest_first(ledger: Ledger, before: int | None, fetched: int = FETCHED) -> Iterator[Sealed]:
    """The records below index *before* (None: all), newest first, *fetched* in memory at a time."""
    while records := ledger.newest(before, fetched):
        yield from records
        before = records[-1].index
        fetched = FETCHED


def read_id(text: str) -> uuid.UUID:
    """The event id that *text* is; SearchError for anything else."""
    text = text.strip()
    try:
        found = uuid.UUID(text) if len(text) == 36 and text.isascii() else None
    except ValueError:
        found = None
    if found is None or str(found) != text.lower():
        raise SearchError(
            f"{shown(text)} is not an event id; expected 32 hex digits in five groups, such as "
            "8f2b6c1e-9d4a-4c55-b1de-6a0f0c3e7a11. Copy it whole from the log."
        )
    return found


def read_before(text: str | None) -> int | None:
    """The index that *text*, from a link to older events, stands for; SearchError if it is none."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _LAST):
        raise SearchError(
            f"{shown(text)} is no index in the log; expected a whole number. Here are the newest events."
        )
    return int(text)


def read_moment(text: str, *, end: bool = False) -> datetime:
    """The moment that *text* names, in UTC: ``2026-11-01``, or ``2026-11-01T09:30``, perhaps with an offset.

    A day alone is its start; with *end*, the start of the day after, so that a span includes it.
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment + _DAY if end and len(text) <= len("2026-11-01") else moment
    except (ValueError, OverflowError):
        raise SearchError(
            f"{shown(text)} is not a date; expected one like 2026-11-01 or 2026-11-01T09:30 (UTC)."
        ) from None
