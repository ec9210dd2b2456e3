"""Several processes that write at the same time, as fast as they can."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

#: Makes, in the process that writes, the function that commits once.
Ready = Callable[[], Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Share:
    """What one writer got: commits, and the longest that one of them took (seconds)."""

    commits: int
    longest: float


def compete(
    ready: Ready, *, writers: int, seconds: float, then: Callable[[], object] = lambda: None
) -> Sequence[Share]:
    """Let so many processes write at the same time for so many *seconds*; *ready* has to be picklable.

    *then* is called as soon as all have written their last.
    """
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(writers), context.Queue()
    processes = [context.Process(target=_write, args=(ready, seconds, start, told)) for _ in range(writers)]
    for process in processes:
        process.start()
    shares = [told.get(timeout=seconds + 120) for _ in processes]
    then()
    for process in processes:
        process.join()
    return shares


def _write(ready: Ready, seconds: float, start: Barrier, told: "Queue[Share]") -> None:
    """One writer: get ready, wait for the others, commit for so many seconds, tell."""
    commit = ready()
    start.wait(timeout=120)
    commits, longest = 0, 0.0
    now = time.perf_counter()
    end = now + seconds
    while now < end:
        before = now
        commit()
        now = time.perf_counter()
        commits += 1
        longest = max(longest, now - before)
    told.put(Share(commits, longest))
