"""Which events an auditor asks for, and finding them from the newest back."""

import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge, nlargest
from itertools import islice, takewhile

from consent.audit.row import Reader, Row
from consent.audit.said import said_to
from consent.errors import ConsentError
from consent.ledger import Facets, Kind, Sealed
from consent.ledger.facets import BITS, LAST, hour_of, place
from consent.ledger.replies import SAID
from consent.policy import Policy
from consent.policy.values import shown

#: Records fetched at a time: for a page, and where many are wanted.
FETCHED, MOST = 60, 200
#: Characters that a name has at most.
LONGEST = 200
_DAY = timedelta(days=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_REVISIONS = re.compile(r"([0-9]{1,9})(?:(\+)|-([0-9]{1,9}))?")


class SearchError(ConsentError):
    """A search that can't be understood. The message says what was found, what was expected and the fix."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """Revisions of the policy: from the *first* to the *last*, which is None where all later ones are meant."""

    first: int
    last: int | None

    def __contains__(self, revision: int) -> bool:
        return self.first <= revision and (self.last is None or revision <= self.last)

    def __str__(self) -> str:
        """As ``read_revisions`` reads it: ``3``, ``3+``, ``2-4``."""
        if self.last is None:
            return f"{self.first}+"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @classmethod
    def read(cls, text: str) -> "Revisions":
        """What *text* names: ``3``, ``3+`` for it and all later ones, ``2-4``; SearchError for anything else."""
        found = _REVISIONS.fullmatch(text.strip()) if text.isascii() else None
        if found is None or (found[3] and int(found[3]) < int(found[1])):
            raise SearchError(
                f"{shown(text)} is no revision; expected a number such as 3, 3+ for it and all later ones, or 2-4."
            )
        return cls(int(found[1]), None if found[2] else int(found[3] or found[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What an event must be to be found; what isn't set is met by all."""

    kinds: frozenset[Kind] = frozenset()
    since: datetime | None = None
    """UTC, inclusive."""
    until: datetime | None = None
    """UTC, exclusive."""
    category: str | None = None
    """Key of a category, or of a service, that was answered; only events in which a visitor answered have one."""
    answer: str | None = None
    """What: ``yes``, ``no``, or of a category ``some``. None: anything."""
    revisions: Revisions | None = None
    languages: frozenset[str] = frozenset()
    profiles: frozenset[str] = frozenset()
    signal: bool | None = None
    """Whether it came with a privacy signal of the browser."""

    def __post_init__(self) -> None:
        since = self.since or _EARLIEST
        if self.until is not None and since >= self.until:
            raise SearchError(
                f"Nothing lies from {since:%Y-%m-%d %H:%M} until {self.until:%Y-%m-%d %H:%M} UTC; "
                "expected an end after the start. Exchange the two."
            )
        if self.answer is not None and self.category is None:
            raise SearchError(
                f"The answer {shown(self.answer)} to what? Name the category, or the service, too."
            )
        if self.answer is not None and self.answer not in SAID:
            raise SearchError(f"{shown(self.answer)} is no answer; expected one of: {', '.join(SAID)}.")

    def in_words(self) -> list[str]:
        """Each thing that is asked for, in words for a person; kinds first, also when all are."""
        words = [", ".join(sorted(self.kinds)) or "all kinds"]
        for word, moment in (("since", self.since), ("until", self.until)):
            if moment:
                words.append(f"{word} {moment:%Y-%m-%d %H:%M}")
        if self.category is not None:
            words.append(f"{self.category}: {self.answer or 'answered'}")
        if self.revisions is not None:
            words.append(f"revision {self.revisions}")
        words += [f"language {each}" for each in sorted(self.languages)]
        words += [f"profile {each}" for each in sorted(self.profiles)]
        if self.signal is not None:
            words.append("with a privacy signal" if self.signal else "without a privacy signal")
        return words

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last day (UTC), if it asks for all that was on whole days; None if for anything else."""
        if self.since is None or self.until is None or replace(self, since=None, until=None) != Search():
            return None
        first, end = self.since, self.until
        return (first.date(), (end - _DAY).date()) if first.time() == end.time() == time() else None

    @property
    def of_opening(self) -> bool:
        """Whether it asks for what only openings say, so that no erased event can be told to meet it."""
        return bool(self.languages or self.profiles) or self.category is not None or self.signal is not None

    def matches(self, row: Row, policy: Policy | None) -> bool:
        """Whether *row* is asked for, which was recorded under *policy*; an erased one by what its leaf says.

        Its time is the whole hour then.
        """
        return self.in_span(row) and self.admits(row.facets, policy)

    def may_match(self, row: Row, policy: Policy | None) -> bool:
        """As ``matches``; of an erased event, whether it may have been asked for before it was erased."""
        if row.event is not None or not self.of_opening:
            return self.matches(row, policy)
        asked = replace(
            self, languages=frozenset(), profiles=frozenset(), category=None, answer=None, signal=None
        )
        return asked.matches(row, policy)

    def in_span(self, row: Row) -> bool:
        """Whether *row* lies in the span of time; an erased event does if any part of its hour does."""
        if self.since is None and self.until is None:
            return True
        if (span := row.span) is None:
            return False
        first, last = span
        return (self.since is None or last >= self.since) and (self.until is None or first < self.until)

    def admits(self, facets: Facets, policy: Policy | None) -> bool:
        """Whether an event with these *facets* is asked for, whenever it was; *policy* is that of the facets."""
        if self.kinds and facets.kind not in self.kinds:
            return False
        if self.revisions is not None and (policy is None or policy.revision not in self.revisions):
            return False
        if self.languages and facets.language not in self.languages:
            return False
        if self.profiles and facets.profile not in self.profiles:
            return False
        if self.signal is not None and facets.signal is not self.signal:
            return False
        if self.category is None:
            return True
        said = said_to(facets, policy, self.category)
        return said is not None and self.answer in (None, said)

    def hours(self) -> tuple[int, int | None]:
        """The first hour of the span, counted from 1970, and the one before which it ends; None if it is open.

        Hours that no place in the log has room for are the nearest that one has.
        """
        end = None if self.until is None else with_a_place(hour_of(self.until - timedelta.resolution) + 1)
        return (0 if self.since is None else with_a_place(hour_of(self.since))), end


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the events asked for, newest first: by the hour, and within an hour by their places in the log."""

    rows: Sequence[Row]
    before: int | None
    """Where older ones begin: the next search's ``before``; None when these were the last."""


def find(reader: Reader, search: Search, *, before: int | None = None, limit: int = 50) -> Found:
    """Up to *limit* events below place *before* (None: from the end) that *search* asks for.

    What it costs doesn't grow with the log: those of full tiles stand in an index, and the few after them are read.
    """
    rows = found(reader, search, LAST if before is None else before, limit + 1)
    page = list(islice(rows, limit + 1))
    more = len(page) > limit
    return Found([row for _, row in page[:limit]], page[limit - 1][0] if more else None)


def found(reader: Reader, search: Search, before: int, most: int) -> Iterator[tuple[int, Row]]:
    """Up to *most* events below place *before* that *search* asks for, each with its place, newest first."""
    after = reader.catch_up() - 1
    rest = nlargest(
        most, (each for each in _uncounted(reader, search, after) if each[0] < before), key=_place
    )
    seen = {row.index for _, row in rest}
    fetched = FETCHED if most <= FETCHED else MOST
    indexed = (each for each in _indexed(reader, search, before, fetched) if each[1].index not in seen)
    yield from merge(rest, indexed, key=_place, reverse=True)


def all_found(reader: Reader, search: Search) -> Iterator[Sealed]:
    """The records of all events that *search* may ask for, in index order and constant memory.

    As in ``find`` the index says which those are, and the few that it doesn't have yet are all among them.
    """
    if search == Search():
        yield from reader.ledger.records()
        return
    counted = reader.catch_up()
    yield from counted_of(reader, search, admitted(reader, search), counted)
    yield from reader.ledger.records(counted - 1)


def counted_of(reader: Reader, search: Search, ids: Collection[int], below: int) -> Iterator[Sealed]:
    """The counted ones of them below the index *below*, which have any of the facets *ids*."""
    hour, end = search.hours()
    indexed = reader.ledger.chosen(ids, place(hour, 0), LAST if end is None else place(end, 0))
    return takewhile(lambda record: record.index < below, indexed)


def with_a_place(hour: int) -> int:
    """The nearest hour to this one, counted from 1970, that a place in the log has room for."""
    return min(max(0, hour), LAST >> BITS)


def _place(found: tuple[int, Row]) -> int:
    return found[0]


def _uncounted(reader: Reader, search: Search, after: int) -> Iterator[tuple[int, Row]]:
    for row in reader.rows(reader.ledger.records(after)):
        if row.index is not None and search.matches(row, reader.policy(row.policy)):
            yield place(hour_of(row.hour) if row.hour else 0, row.index), row


def _indexed(reader: Reader, search: Search, before: int, fetched: int) -> Iterator[tuple[int, Row]]:
    ids = admitted(reader, search)
    hour, end = search.hours()
    going_on: int | None = before if end is None else min(before, place(end, 0))
    while going_on is not None:
        records, going_on = reader.ledger.found(ids, place(hour, 0), going_on, fetched)
        for at, record in records:
            row = reader.row(record)
            if search.in_span(row):
                yield at, row


def admitted(reader: Reader, search: Search) -> dict[int, Facets]:
    """The facets, by their ids, of the counted events that *search* asks for, whenever they were."""
    known = reader.ledger.facets()
    return {id: facets for id, facets in known.items() if search.admits(facets, reader.policy(facets.policy))}


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
    """The place that *text*, from a link to older events, stands for; SearchError if it is none."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= LAST):
        raise SearchError(
            f"{shown(text)} is no place in the log; expected a whole number. Here are the newest events."
        )
    return int(text)


def is_word(text: str) -> bool:
    """Whether *text* may be the name of anything: not too long, and all of it can be seen."""
    return text.isprintable() and len(text) <= LONGEST


def read_word(what: str, text: str) -> str:
    """*text*, which names a category, a language and so on, as *what* says; SearchError if it can be no name."""
    if not is_word(text):
        raise SearchError(f"{shown(text)} is no {what}; expected one that is on record.")
    return text


def read_moment(text: str, *, end: bool = False) -> datetime:
    """The moment that *text* names, in UTC: ``2026-11-01``, or ``2026-11-01T09:30``, perhaps with an offset.

    A day alone is its start; with *end*, the start of the day after, so that a span includes it.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SearchError(
            f"{shown(text)} is not a date; expected one like 2026-11-01 or 2026-11-01T09:30 (UTC)."
        ) from None
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment + _DAY if end and _is_day(text) else moment
    except OverflowError:
        raise SearchError(
            f"{shown(text)} lies at the end of the calendar; leave it out, or give a date like 2026-11-01."
        ) from None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
