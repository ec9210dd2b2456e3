"""How the measurements of one thing are spread."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A tenth of the rounds lie below *p10*, half below *median*, nine tenths below *p90*."""

    p10: float
    median: float
    p90: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of *values*, of which there is at least one."""
        if len(values) == 1:
            return cls.exactly(values[0])
        tenths = statistics.quantiles(values, n=10, method="inclusive")
        return cls(p10=tenths[0], median=statistics.median(values), p90=tenths[-1], rounds=len(values))

    @classmethod
    def exactly(cls, value: float) -> "Spread":
        """Of what doesn't vary, such as a size."""
        return cls(p10=value, median=value, p90=value, rounds=1)
