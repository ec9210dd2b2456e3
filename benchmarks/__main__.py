"""``python -m benchmarks``: measure, and say what was found."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
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
from benchmarks.environment import Unavailable
from benchmarks.place import cache

SECTIONS = {
    "requests": requests.measure,
    "gate": gate.measure,
    "recording": recording.measure,
    "fairness": fairness.measure,
    "server": server.measure,
    "growth": growth.measure,
    "verifying": verifying.measure,
    "weight": weight.measure,
}
#: The part of the machine that others may use before the figures are called into question.
QUIET = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what *arguments* ask for; the tables go to standard output. No figure decides the
    exit code: 0, or 1 when something of ours could not be measured."""
    asked = parser().parse_args(arguments)
    facts, others = machine.facts(), machine.Others()
    if asked.quick:
        facts["run"] = "--quick, for a first look only"
    sections: list[report.Section] = []
    complete = True
    with tempfile.TemporaryDirectory(dir=cache(), prefix="run-") as folder:
        for name in asked.only or SECTIONS:
            own = Path(folder) / f"of-{name}"
            own.mkdir()
            try:
                sections.append(SECTIONS[name](own, quick=asked.quick))
            except Unavailable as error:
                print(f"{name}: {error}", file=sys.stderr)
                complete = False
    share = others.share()
    facts["meanwhile"] = used(share)
    print(found := report.text(facts, sections))
    if asked.json:
        asked.json.write_text(json.dumps(report.data(facts, sections), indent=1) + "\n")
    if asked.publish and not asked.quick and not asked.only and share is not None and share <= QUIET:
        publication.publish(found)
    elif asked.publish:
        print("Not published: that takes a whole run on a machine that does nothing else.", file=sys.stderr)
    return 0 if complete else 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python3 dev.py bench", description="Measure the component beside its peers and the raw limits."
    )
    made.add_argument("--quick", action="store_true", help="a short run, for a first look")
    made.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        metavar="NAME",
        help=f"one of {', '.join(SECTIONS)}; may be given again",
    )
    made.add_argument("--publish", action="store_true", help="put the figures into docs/benchmarks.md")
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here, for programs")
    return made


def used(share: float | None) -> str:
    """What others used of the machine meanwhile, and what that means."""
    if share is None:
        return "unknown what else ran meanwhile"
    said = f"other programs used {share:.0%} of the processors"
    return said if share <= QUIET else f"{said}, so these figures are worth little"


if __name__ == "__main__":
    sys.exit(main())
