"""The measured side: a process that runs its cases when told to, and says how long they took.

Everything measured runs under this one loop, ours and the peers' alike, so that the method is the same. It
needs the standard library only. Orders and answers are lines of JSON on standard input and output.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, TextIO

#: Calls of each side that aren't counted: a process that has waited for its turn finds the processor's caches cold,
#: and its first side would pay for both.
WARM = 3


@dataclass(frozen=True, slots=True)
class Side:
    """Something to time: *call*, once with each of the inputs that ``inputs(n)`` made before the clock started."""

    call: Callable[[Any], object]
    inputs: Callable[[int], Sequence[Any]]

    def time(self, calls: int) -> tuple[float, float]:
        """CPU and wall time of one call, in seconds, as the mean over *calls* calls."""
        call, inputs = self.call, self.inputs(calls)
        wall, cpu = time.perf_counter(), time.process_time()
        for each in inputs:
            call(each)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return cpu / calls, wall / calls


@dataclass(frozen=True, slots=True)
class Case:
    """The same job without and with the component; the difference is what the component costs."""

    bare: Side
    full: Side

    def time(self, calls: int, *, full_first: bool) -> dict[str, tuple[float, float]]:
        """Both sides, one right after the other: ``{"bare": (cpu, wall), "full": (cpu, wall)}``."""
        sides = {"bare": self.bare, "full": self.full}
        found = {}
        for name in sorted(sides, reverse=full_first):
            sides[name].time(WARM)
            found[name] = sides[name].time(calls)
        return found


#: Runs a function and says how many database queries it made.
Counted = Callable[[Callable[[], object]], int]


def serve(cases: Mapping[str, Case], *, packages: Sequence[str], counted: Counted | None = None) -> None:
    """Answer orders until standard input ends. *packages* are those whose versions matter.

    ``{"do": "time", "case": …, "calls": n, "full_first": bool}`` → what ``Case.time`` gives;
    ``{"do": "count", "case": …, "calls": n}`` → the queries that *n* calls of the full side made, or null.
    """
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a peer prints must not pass for an answer
    say(out, {"cases": list(cases), "versions": {name: version(name) for name in packages}})
    # What a process holds since its start is no garbage; looking through it again and again would be noise.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        case, calls = cases[order["case"]], order["calls"]
        if order["do"] == "time":
            say(out, case.time(calls, full_first=order["full_first"]))
        else:
            say(out, counted(partial(case.full.time, calls)) if counted else None)


def say(out: TextIO, answer: object) -> None:
    """Write one line of JSON."""
    out.write(json.dumps(answer) + "\n")
    out.flush()
