"""What a log's counts say at a glance: charts of the answers by day, rates by what tells them apart."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from consent.audit.chart import Bars, Chart, Lines, Series, Shares, Strip
from consent.audit.query import given, only
from consent.audit.rates import DIMENSIONS
from consent.audit.search import Search, SearchError, is_word, read_moment
from consent.audit.share import Share
from consent.audit.span import unit_of
from consent.audit.titles import NONE, named
from consent.audit.totals import Totals
from consent.audit.wording import PRUNED_BELOW, SOURCES
from consent.errors import LedgerError, ProofError
from consent.ledger import Checkpoint, Ledger
from consent.ledger.note import Note
from consent.ledger.replies import NO, SAID, SOME, YES
from consent.policy.values import shown

#: What an address of the overview may ask for, and by what answers are told apart unless it says otherwise.
ASKED: Final = ("since", "until", "by")
DEFAULT: Final = "revision"
#: What an answer came to as a whole, in words.
OUTCOMES: Final = {YES: "yes to everything", SOME: "yes to some", NO: "no to everything"}


@dataclass(frozen=True, slots=True)
class Compared:
    """The rates of one category, told apart by something: a line for each value, yes, some and no in words."""

    category: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def legible(address: MultiDict[str, str]) -> dict[str, str]:
    """What *address* asks for, as the form shows it again: without what nobody can see, or could have typed."""
    typed = {name: next(iter(given(address, name)), "") for name in ASKED}
    by = typed["by"] if typed["by"] in DIMENSIONS else DEFAULT
    return {name: text if is_word(text) else "" for name, text in typed.items()} | {"by": by}


def asked_for(address: MultiDict[str, str]) -> Search:
    """The span of days that *address* asks for; SearchError for what is none, and for no dimension."""
    since, until, by = (only(name, given(address, name)) for name in ASKED)
    if by is not None and by not in DIMENSIONS:
        raise SearchError(f"{shown(by)} tells no answers apart; expected one of: {', '.join(DIMENSIONS)}.")
    return Search(
        since=read_moment(since) if since else None, until=read_moment(until, end=True) if until else None
    )


def charts(totals: Totals, titles: Mapping[str, str] = NONE) -> list[Chart]:
    """The charts of *totals*: all answers, those to each category, and when there were any; none without answers.

    *titles* are those of categories, by key.
    """
    steps, counts = tuple(totals.spans), totals.counts
    if not steps:
        return []
    step = unit_of(steps).capitalize()
    whole: dict[str, Any] = {"step": step, "steps": steps}
    outcomes = tuple(
        Series(words, tuple(each["", said] for each in counts)) for said, words in OUTCOMES.items()
    )
    sums = tuple(sum(each["", said] for said in SAID) for each in counts)
    lines = [
        Lines(
            key=f"category-{at}",
            title=f"Answers to {named(key, titles)}",
            lines=tuple(shares(counts, key)),
            **whole,
        )
        for at, key in enumerate(totals.categories)
    ]
    return [
        Bars(key="answers", title="Answers", unit="answers", series=outcomes, **whole),
        *lines,
        Strip(key="recorded", title=f"{step} with and without answers", unit="answers", counts=sums, **whole),
    ]


def shares(counted: Sequence[Counter[tuple[str, str]]], category: str) -> Iterator[Shares]:
    """What was said to *category*, step by step; without "some" where nobody said it, as of a single service."""
    totals = [sum(each[category, said] for said in SAID) for each in counted]
    for said in SAID:
        parts = [each[category, said] for each in counted]
        if said != SOME or any(parts):
            yield Shares(said, tuple(map(Share, parts, totals)))


def compared(totals: Totals, dimension: str, titles: Mapping[str, str] = NONE) -> list[Compared]:
    """The rates of each category, told apart by *dimension*, as *totals* are; with *titles* of categories, by key."""
    values = SOURCES if dimension == "source" else NONE
    return [
        Compared(
            named(category, titles),
            (dimension, "answers", *SAID),
            [
                (named(value, values), f"{rate.answers:,}", *(rate.share(said).in_words() for said in SAID))
                for value, rate in totals.rates(category).items()
            ],
        )
        for category in totals.categories
    ]


def state_of(ledger: Ledger) -> list[tuple[str, str]]:
    """How far *ledger* is sealed and signed, and with which keys: pairs of a name and what is said of it."""
    head, pruned = ledger.head(), ledger.pruned()
    signed = next((size for size, _ in ledger.storage.notes()), 0)
    since = f"; {head.size - signed:,} have come since" if signed < head.size else ", all there are"
    said = f"the newest checkpoint is over {signed:,} entries{since}" if signed else "no checkpoint yet"
    if (longest := guarded(ledger)) > head.size:
        said = (
            f"a log of {longest:,} entries was signed last, and here are {head.size:,}: "
            "the others are gone, or an older copy was put back"
        )
    state = [
        ("entries", f"{head.size:,}, sealed last at {head.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("signed", said),
        ("keys", ", ".join(ledger.verifier_keys())),
    ]
    return [*state, ("pruned", PRUNED_BELOW.format(pruned))] if pruned else state


def guarded(ledger: Ledger) -> int:
    """Of how many entries the log was that was signed last, as the guard says where the key is; 0 if it says nothing.

    Only a verification looks at its signature, and whether it is of the same log.
    """
    desk = ledger.storage.desk
    try:
        guard = desk.guard() if desk else None
        return Checkpoint.parse(Note.parse(guard).text).size if guard else 0
    except (LedgerError, ProofError):
        return 0
