"""What the gate adds to a response: by the cookies that it sets, and by the size of the policy."""

from pathlib import Path

from benchmarks.contest import Entry, contestant, interleave
from benchmarks.progress import Progress
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread

METHOD = (
    "As for requests: CPU time of one request with the component minus without it, {calls} calls on each side in "
    "each of {rounds} rounds, after a few that warm up. The site sets so many cookies in each response, of one "
    "declared service that the visitor has granted. “first sight” stands for visitors, and for names of cookies, that "
    "the process never saw. Policies of 10 and 500 declared cookies, ten to a service."
)
MICRO = 1e6


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; the sites lie in *folder*."""
    rounds, calls = (10, 30) if quick else (60, 30)
    progress = Progress("gate")
    section = Section(name="gate", title="The gate", method=METHOD.format(rounds=rounds, calls=calls))
    with contestant("gate", folder) as ours:
        entries = [Entry(ours, case) for case in ours.about["cases"]]
        found = interleave(entries, rounds=rounds, calls=calls, progress=progress)
        for entry in entries:
            pairs = found[entry]
            section.figures.append(
                Figure(
                    what=entry.case,
                    who=OURS,
                    spread=Spread.of([MICRO * pair.added for pair in pairs]),
                    unit="µs added",
                    beside=[
                        Beside("without", MICRO * Spread.of([pair.bare_cpu for pair in pairs]).median, "µs"),
                        Beside("queries", (ours.queries(entry.case, 10) or 0) / 10),
                    ],
                )
            )
    return section
