"""The counts compared with the events, and made anew from them. Verification doesn't depend on either."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from typing import Final

from consent.audit.misplaced import Misplaced, Placed
from consent.ledger import Counts, Facets, Ledger, Sealed
from consent.ledger.replies import VALUES, Outline, Reply, replies_of
from consent.ledger.tile import WIDTH

#: Seconds that one step of counting may wait.
PATIENCE: Final = 30.0
#: Passes records on and says how far it is; the number is of those that there are.
Progress = Callable[[Iterator[Sealed], int], Iterable[Sealed]]

_FIRST = date(1970, 1, 1)
#: A day that no log reaches, counted from 1970: the last of the calendar.
_END = (date.max - _FIRST).days


@dataclass(frozen=True, slots=True)
class Difference:
    """The first day whose counts the events don't bear out."""

    day: date | None
    """None for all days together."""
    what: str
    counted: int
    found: int

    def in_words(self) -> str:
        """In one sentence for a person."""
        day = self.day or "All days"
        return f"{day}: {self.counted:,} events were counted ({self.what}), and {self.found:,} are there."


Counted = Counter[tuple[int, Facets]]
#: By the day, None for all of them.
Replied = Counter[tuple[int | None, Reply]]


def compare(
    ledger: Ledger, progress: Progress = lambda records, total: records
) -> Difference | Misplaced | None:
    """The first day on which the counts differ from the events, or the first entry that the index has wrong, or None.

    What is counted of events must be what their openings say; of erased ones their leaves, which say kind and policy.
    Entries that were pruned stay counted: there are as many more. What was counted of replies must follow from that.
    """
    counts, known = ledger.counts(0, _END), ledger.facets()
    # At once, as erasures go on.
    of_replies = list(_differences_of_replies(ledger, counts, known))
    events, erased = Counted(), Counted()
    for day, id, many, gone in counts.rows:
        facets = known.get(id) or Facets(kind=None, policy=None)
        events[day, facets] += many
        erased[day, facets] += gone
    here, bare, there = Counted(), Counted(), 0
    placed = Placed(ledger.storage.placed())
    for record in progress(ledger.records(), counts.size):
        if record.index >= counts.size:
            break
        hour, facets, id = Facets.read(record.leaf, record.body)
        placed.look(record, hour, id)
        there += 1
        (bare if record.body is None else here)[hour // 24, facets] += 1
    placed.finish(counts.size, ledger.head().size // WIDTH * WIDTH)
    pruned = counts.size - counts.missing - there
    of_counts = _differences(events, erased, here, bare, pruned)
    return next(chain(of_counts, of_replies), None) or placed.first


def _differences_of_replies(
    ledger: Ledger, counts: Counts, known: Mapping[int, Facets]
) -> Iterator[Difference]:
    """Where what was counted of replies isn't what follows from the *counts*; none while it is of other entries."""
    outlines = dict[str | None, Outline | None]()

    def said(id: int) -> tuple[Reply, ...]:
        facets = known.get(id) or Facets(kind=None, policy=None)
        if facets.policy not in outlines:
            outlines[facets.policy] = _outline(ledger, facets.policy)
        return replies_of(facets, outlines[facets.policy])

    def add(total: Replied, day: int, id: int, events: int) -> None:
        for reply in said(id):  # under a dimension they are counted by the day, and read of all days
            total[None if reply.dimension else day, reply] += events

    there = Replied()
    for day, id, events, _ in counts.rows:
        add(there, day, id, events)
    for dimension in VALUES:
        found, counted, faded = ledger.replies(dimension, 0, _END), Replied(), Replied()
        if found.size != counts.size:
            return
        for day, id, events in found.faded:
            add(faded, day, id, events)
        counted.update({(day, Reply("", "", *told)): many for day, *told, many in found.whole})
        counted.update({(None, Reply(dimension, *told)): many for told, many in found.apart.items()})
        for at, reply in sorted({*counted, *there}, key=str):
            one, other = counted[at, reply] - faded[at, reply], there[at, reply]
            if one != other and reply.dimension in ("", dimension):
                of = f", {reply.dimension} {reply.value}" if reply.dimension else ""
                what = f"{reply.said} to {reply.category or 'everything'}{of}"
                yield Difference(None if at is None else _FIRST + timedelta(days=at), what, one, other)


def _outline(ledger: Ledger, policy: str | None) -> Outline | None:
    document = ledger.document(policy) if policy else None
    return Outline.read(document.body) if document and document.kind == "policy" else None


def _differences(
    events: Counted, erased: Counted, here: Counted, bare: Counted, pruned: int
) -> Iterator[Difference]:
    """*events* and *erased* were counted; *here* are events with their openings, *bare* those without."""
    gone = Counted()
    for (day, facets), many in erased.items():
        gone[day, facets.bare] += many
    found = list[Difference]()
    for day, facets in sorted({*events, *here}, key=_day):
        counted = events[day, facets] - erased[day, facets]
        if counted != here[day, facets]:
            found.append(_difference(day, facets, counted, here[day, facets]))
    more = 0
    for day, facets in sorted({*gone, *bare}, key=_day):
        counted = gone[day, facets]
        more += counted - bare[day, facets]
        if counted < bare[day, facets] or (not pruned and counted > bare[day, facets]):
            found.append(_difference(day, facets, counted, bare[day, facets]))
    if more != pruned and not found and gone:
        day, facets = min(gone, key=_day)
        found.append(_difference(day, facets, sum(gone.values()), sum(bare.values())))
    yield from sorted(found, key=lambda each: each.day or date.min)


def _day(key: tuple[int, Facets]) -> int:
    return key[0]


def _difference(day: int, facets: Facets, counted: int, found: int) -> Difference:
    what = ", ".join([facets.kind or "unreadable", facets.language or "of any language"])
    return Difference(_FIRST + timedelta(days=day), what, counted, found)


def recount(ledger: Ledger) -> Iterator[int]:
    """Count everything anew, a few tiles at a time; how many entries are counted so far, after each step.

    Visitors answer meanwhile. What was pruned isn't counted.
    """
    ledger.recount(patience=PATIENCE)
    yield from catch_up(ledger)


def catch_up(ledger: Ledger) -> Iterator[int]:
    """Count what isn't counted yet, a few tiles at a time; how many entries are counted so far, after each step.

    What comes meanwhile is sealed between two steps.
    """
    left = 1
    while left:
        left = ledger.count(patience=PATIENCE)
        if left:  # whoever counts keeps all others from sealing
            ledger.seal(patience=PATIENCE)
        yield ledger.counted()
