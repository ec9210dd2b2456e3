"""The measuring side: the processes that are measured, and how their rounds alternate."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environment import Unavailable
from benchmarks.place import ROOT
from benchmarks.progress import Progress


@dataclass(frozen=True, slots=True)
class Pair:
    """One round: seconds of CPU and of wall time for one call without (*bare*) and with (*full*) the component."""

    bare_cpu: float
    full_cpu: float
    bare_wall: float
    full_wall: float

    @property
    def added(self) -> float:
        """CPU seconds that the component adds to one call."""
        return self.full_cpu - self.bare_cpu

    @property
    def ratio(self) -> float:
        """CPU with the component over CPU without."""
        return self.full_cpu / self.bare_cpu


class Contestant:
    """A process that runs one of ``benchmarks.subjects``; it waits without using the processor."""

    def __init__(self, module: str, folder: Path, python: Path | None = None) -> None:
        self.module = module
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self.process = subprocess.Popen(
            [str(python or sys.executable), "-m", f"benchmarks.subjects.{module}", str(folder)],
            cwd=ROOT,
            # Equal order of sets and dicts in every run and every contestant.
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.about: Mapping[str, Any] = self.answer()

    def ask(self, **order: object) -> Any:
        """What the process answers to *order*; Unavailable if it has ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer() says why
        return self.answer()

    def answer(self) -> Any:
        """The next line that the process writes; Unavailable with its last words if it has ended."""
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines() or [f"exit code {self.process.returncode}"]
        raise Unavailable(f"{self.module} can't be measured here: {said[-1]}")

    def time(self, case: str, calls: int, *, full_first: bool = False) -> Pair:
        """One round of *case*."""
        told = self.ask(do="time", case=case, calls=calls, full_first=full_first)
        (bare_cpu, bare_wall), (full_cpu, full_wall) = told["bare"], told["full"]
        return Pair(bare_cpu=bare_cpu, full_cpu=full_cpu, bare_wall=bare_wall, full_wall=full_wall)

    def queries(self, case: str, calls: int) -> int | None:
        """The database queries that *calls* calls of *case* make; None without a database."""
        found: int | None = self.ask(do="count", case=case, calls=calls)
        return found

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


@contextmanager
def contestant(module: str, folder: Path, python: Path | None = None) -> Iterator[Contestant]:
    """The process of ``benchmarks.subjects.<module>``, with its files in a new folder below *folder*."""
    own = folder / module
    own.mkdir()
    found = Contestant(module, own, python)
    try:
        yield found
    finally:
        found.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """One case of one contestant."""

    contestant: Contestant
    case: str


def interleave(
    entries: Sequence[Entry], *, rounds: int, calls: int, progress: Progress
) -> dict[Entry, list[Pair]]:
    """The rounds of all *entries*: each round runs each of them once, so that a change in the machine's pace
    meets all alike. Which side of a pair goes first alternates. One round before the first isn't counted."""
    found: dict[Entry, list[Pair]] = {entry: [] for entry in entries}
    for round_ in range(-1, rounds):
        progress.step(round_ + 1, rounds)
        for entry in entries:
            pair = entry.contestant.time(entry.case, calls, full_first=bool(round_ % 2))
            if round_ >= 0:
                found[entry].append(pair)
    return found
