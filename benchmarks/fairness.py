"""Whether several processes that record at once all get their turn."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import acts, bare
from benchmarks.progress import Progress
from benchmarks.race import Share, compete
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread

WRITERS = 4
METHOD = (
    f"{WRITERS} processes record for {{seconds}} s into one database, as fast as they can; commits of the slowest over "
    "those of the fastest, in each of {rounds} rounds. Beside it sqlite3 alone, whose waiting is a poll with growing "
    "pauses. “longest” is the longest that any single commit took in any round."
)


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; its databases lie in *folder*."""
    rounds, seconds = (2, 1.5) if quick else (8, 3.0)
    own = folder / "fairness"
    own.mkdir()
    acts.record(acts.open_ledger(own), acts.given())
    bare.create(own / "bare.sqlite3", like=own / "ledger.sqlite3")
    found: dict[str, list[Sequence[Share]]] = {"ledger": [], "bare": []}
    progress = Progress("fairness")
    for round_ in range(rounds):
        progress.step(round_, rounds)
        for kind, shares in found.items():
            shares.append(compete(partial(ready, kind, own), writers=WRITERS, seconds=seconds))
    section = Section(
        name="fairness",
        title=f"Fairness: {WRITERS} writers on SQLite",
        method=METHOD.format(seconds=seconds, rounds=rounds),
    )
    section.figures = [
        figure(OURS, found["ledger"], seconds, goal="≥ 0.5"),
        figure("sqlite3 alone", found["bare"], seconds),
    ]
    return section


def figure(who: str, rounds: Sequence[Sequence[Share]], seconds: float, *, goal: str = "") -> Figure:
    """The fairness of all *rounds*."""
    ratios = [
        min(each.commits for each in shares) / max(each.commits for each in shares) for shares in rounds
    ]
    commits = Spread.of([sum(each.commits for each in shares) / seconds for shares in rounds])
    longest = max(each.longest for shares in rounds for each in shares)
    return Figure(
        what="slowest over fastest",
        who=who,
        spread=Spread.of(ratios),
        unit="of the fastest",
        beside=[Beside("in all", commits.median, "commits/s"), Beside("longest", 1e3 * longest, "ms")],
        goal=goal,
    )


def ready(kind: str, folder: Path) -> Callable[[], None]:
    """The function that commits one event; its database is open."""
    if kind == "ledger":
        ledger = acts.open_ledger(folder)
        ledger.size()
        return lambda: acts.record(ledger, acts.given())
    writer = bare.Writer(folder / "bare.sqlite3")
    pattern = bare.rows(folder / "ledger.sqlite3")[0]
    return lambda: writer.write(pattern.again())
