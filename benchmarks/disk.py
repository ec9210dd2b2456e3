"""How fast the disk makes something durable: the limit of every ledger that loses nothing."""

import os
import time
from pathlib import Path

from benchmarks.spread import Spread


def fsync(folder: Path, *, seconds: float) -> Spread:
    """Seconds that writing 4 KiB and ``fsync`` take in *folder*, tried for *seconds*."""
    path = folder / "fsync"
    taken: list[float] = []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end or not taken:
            os.pwrite(descriptor, os.urandom(4096), 4096 * (len(taken) % 256))
            os.fsync(descriptor)
            taken.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()
    return Spread.of(taken)
