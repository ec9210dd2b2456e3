"""The machine that measures: what it is, and how much of it others used meanwhile."""

import os
import platform
import sqlite3
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

#: Packages whose versions matter to the figures.
PACKAGES = ("Flask", "Werkzeug", "Jinja2", "itsdangerous", "SQLAlchemy", "cryptography")
_STAT = Path("/proc/stat")
_CPUS = Path("/proc/cpuinfo")


def facts() -> dict[str, str]:
    """Date, cores, system and versions, by name."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores ({processor()}), {platform.system()} {platform.release()}",
        "versions": f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def processor() -> str:
    """The processor's name as the system gives it."""
    lines = _CPUS.read_text().splitlines() if _CPUS.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class Others:
    """What other programs use of the processors, from when this is made until ``share`` is asked."""

    def __init__(self) -> None:
        self.start = _clocks()

    def share(self) -> float | None:
        """The part, 0 to 1, of all processors' time that others used; None where the system doesn't tell.

        Children count as ours once they have ended.
        """
        if self.start is None or (now := _clocks()) is None:
            return None
        whole, busy, own = (after - before for after, before in zip(now, self.start, strict=True))
        return max(0.0, busy - own) / whole if whole else None


def beside(seconds: float) -> float | None:
    """The part of the processors' time that others use now, in so many *seconds* in which we do nothing."""
    others = Others()
    time.sleep(seconds)
    return others.share()


def _clocks() -> tuple[float, float, float] | None:
    """Seconds of all processors since the start of the system: in all, busy, and used by us."""
    if not _STAT.exists():
        return None
    ticks = [int(field) for field in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    second = os.sysconf("SC_CLK_TCK")
    own = os.times()
    idle = ticks[3] + ticks[4]  # idle, and waiting for a disk
    used = own.user + own.system + own.children_user + own.children_system
    return sum(ticks) / second, (sum(ticks) - idle) / second, used
