"""``python -m benchmarks``: measure, and say what was found."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import (
    desk,
    fairness,
    gate,
    growth,
    machine,
    publication,
    recording,
    report,
    requests,
    server,
    verifying,
    weight,
)
from benchmarks.browser import comparison
from benchmarks.environment import Unavailable
from benchmarks.place import cache

SECTIONS = {
    "requests": requests.measure,
    "gate": gate.measure,
    "recording": recording.measure,
    "fairness": fairness.measure,
    "server": server.measure,
    "growth": growth.measure,
    "desk": desk.measure,
    "verifying": verifying.measure,
    "weight": weight.measure,
}
#: By ``--browser``: it has a page of its own.
BROWSER = {"browser": comparison.measure}
#: The part of the machine that others may use before the figures are called into question.
QUIET = 0.1

#: Seconds for a look at what others do, before and after a run that a browser takes part in.
LOOK = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what *arguments* ask for; the tables go to standard output. No figure decides the
    exit code: 0, or 1 when something of ours could not be measured."""
    asked = parser().parse_args(arguments)
    facts, before, others = machine.facts(), machine.beside(asked.browser * LOOK), machine.Others()
    if asked.quick:
        facts["run"] = "--quick, for a first look only"
    sections: list[report.Section] = []
    complete = True
    with tempfile.TemporaryDirectory(dir=cache(), prefix="run-") as folder:
        for name, measure in chosen(asked).items():
            own = Path(folder) / f"of-{name}"
            own.mkdir()
            try:
                sections.append(measure(own, quick=asked.quick))
            except Unavailable as error:
                print(f"{name}: {error}", file=sys.stderr)
                complete = False
    # What a browser's processes use can't be told from what others do.
    share = machine.beside(LOOK) if asked.browser else others.share()
    facts |= {"before": used(before), "after": used(share)} if asked.browser else {"meanwhile": used(share)}
    print(found := report.text(facts, sections))
    if asked.json:
        asked.json.write_text(json.dumps(report.data(facts, sections), indent=1) + "\n")
    if asked.publish and worth(asked, share) and complete:
        publication.publish(found, publication.BROWSER if asked.browser else publication.PAGE)
    elif asked.publish:
        print("Not published: that takes a whole run on a machine that does nothing else.", file=sys.stderr)
    return 0 if complete else 1


def chosen(asked: argparse.Namespace) -> Mapping[str, Callable[..., report.Section]]:
    """What is to be measured, by name."""
    return BROWSER if asked.browser else {name: SECTIONS[name] for name in asked.only or SECTIONS}


def worth(asked: argparse.Namespace, share: float | None) -> bool:
    """Whether the figures are fit for a page. In a browser few of them are times, and what others used stands above."""
    return not asked.quick and not asked.only and (asked.browser or (share is not None and share <= QUIET))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python3 dev.py bench", description="Measure the component beside its peers and the raw limits."
    )
    made.add_argument("--quick", action="store_true", help="a short run, for a first look")
    what = made.add_mutually_exclusive_group()
    what.add_argument(
        "--browser", action="store_true", help="what a visitor's browser makes of it, and of its peers"
    )
    what.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        metavar="NAME",
        help=f"one of {', '.join(SECTIONS)}; may be given again",
    )
    made.add_argument("--publish", action="store_true", help="put the figures into the documentation")
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here, for programs")
    return made


def used(share: float | None) -> str:
    """What others used of the machine, and what that means."""
    if share is None:
        return "unknown what else ran"
    said = f"other programs used {share:.0%} of the processors"
    return said if share <= QUIET else f"{said}, so times among these figures are worth little"


if __name__ == "__main__":
    sys.exit(main())
