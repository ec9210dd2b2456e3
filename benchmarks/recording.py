"""What it costs to record a decision durably on SQLite, beside sqlite3 alone and beside a peer."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import disk
from benchmarks.contest import Entry, Pair, contestant, interleave
from benchmarks.environment import Unavailable
from benchmarks.progress import Progress
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.requests import DJANGO
from benchmarks.spread import Spread

METHOD = (
    "One durable commit for each event (WAL, synchronous = FULL). “added” is CPU time of `Ledger.record` minus that of "
    "sqlite3 alone, which writes the same rows with the same pragmas to a database beside it; the two take turns, "
    "{calls} commits in each of {rounds} rounds. A whole decision is a visitor's POST that accepts everything; "
    "the peer's runs in the same rounds, on SQLite as Django sets it up. The disk's own fsync sets the limit, "
    "and changes from minute to minute: only the ratios last."
)
MILLI = 1e3


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; its databases lie in *folder*."""
    rounds, calls = (10, 10) if quick else (60, 10)
    progress = Progress("recording")
    section = Section(
        name="recording",
        title="Recording a decision on SQLite",
        method=METHOD.format(rounds=rounds, calls=calls),
    )
    seconds = 0.5 if quick else 2.0
    before = disk.fsync(folder, seconds=seconds)
    with ExitStack() as stack:
        ledger = Entry(stack.enter_context(contestant("ledger", folder)), "record")
        ours = Entry(stack.enter_context(contestant("flask_assent", folder)), "decision")
        entries = [ledger, ours]
        try:
            progress.say(f"{DJANGO.name}: its environment, its process")
            django = Entry(
                stack.enter_context(contestant(DJANGO.module, folder, DJANGO.python())), "decision"
            )
            entries.append(django)
        except Unavailable as error:
            section.notes.append(f"Not measured: {error}.")
        found = interleave(entries, rounds=rounds, calls=calls, progress=progress)
        section.figures += commits(found[ledger])
        section.figures += decision(OURS, found[ours], ours.contestant.queries("decision", 10))
        if len(entries) > 2:
            queries = django.contestant.queries("decision", 10)
            section.figures += decision(DJANGO.name, found[django], queries)
            section.figures.append(faster(found[ours], found[django]))
    for when, spread in (("before", before), ("after", disk.fsync(folder, seconds=seconds))):
        section.figures.append(fsync(when, spread))
    return section


def commits(pairs: Sequence[Pair]) -> list[Figure]:
    """The ledger's own cost."""
    bare = Spread.of([pair.bare_wall for pair in pairs])
    full = Spread.of([pair.full_wall for pair in pairs])
    return [
        Figure(
            what="Ledger.record of one event",
            who=OURS,
            spread=Spread.of([MILLI * pair.added for pair in pairs]),
            unit="ms CPU added",
            beside=[
                Beside("sqlite3 alone", MILLI * Spread.of([pair.bare_cpu for pair in pairs]).median, "ms")
            ],
            goal="≤ 0.4 ms",
        ),
        Figure(
            what="the same, wall time",
            who=OURS,
            spread=Spread.of([pair.full_wall / pair.bare_wall for pair in pairs]),
            unit="× sqlite3 alone",
            beside=[
                Beside("events", 1 / full.median, "/s"),
                Beside("sqlite3 alone", 1 / bare.median, "/s"),
            ],
        ),
    ]


def decision(who: str, pairs: Sequence[Pair], queries: int | None) -> list[Figure]:
    """A whole POST, in wall and CPU time."""
    wall = Spread.of([MILLI * pair.full_wall for pair in pairs])
    cpu = Spread.of([MILLI * pair.full_cpu for pair in pairs])
    empty = MILLI * Spread.of([pair.bare_cpu for pair in pairs]).median
    return [
        Figure(
            what="a whole decision, wall time",
            who=who,
            spread=wall,
            unit="ms",
            beside=[Beside("decisions", MILLI / wall.median, "/s")],
        ),
        Figure(
            what="a whole decision, CPU time",
            who=who,
            spread=cpu,
            unit="ms",
            beside=[
                Beside("a POST that does nothing", empty, "ms"),
                Beside("statements", (queries or 0) / 10),
            ],
        ),
    ]


def faster(ours: Sequence[Pair], theirs: Sequence[Pair]) -> Figure:
    """How many of our decisions take as long as one of the peer's."""
    ratios = [their.full_wall / our.full_wall for our, their in zip(ours, theirs, strict=True)]
    return Figure(what="the peer's wall time over ours", who=OURS, spread=Spread.of(ratios), unit="×")


def fsync(when: str, spread: Spread) -> Figure:
    """The disk's own limit, *when* the rest was measured."""
    scaled = Spread(
        p10=MILLI * spread.p10, median=MILLI * spread.median, p90=MILLI * spread.p90, rounds=spread.rounds
    )
    return Figure(
        what=f"fsync of 4 KiB, {when}",
        who="the disk",
        spread=scaled,
        unit="ms",
        beside=[Beside("rate", 1 / spread.median, "/s")],
    )
