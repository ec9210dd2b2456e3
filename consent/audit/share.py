"""What share some are of all: the counts, the rate, and how far chance may have moved it."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

#: Below so many no rate is shown: it would say more about a few visitors than about the site.
THRESHOLD: Final = 20
#: What is said beside rates, wherever they are shown.
FOR_REVIEW: Final = (
    "Rates are for reviewing compliance, never for tuning the banner. "
    f"Of fewer than {THRESHOLD} answers no rate is shown. Each has its counts and its 95 % interval (Wilson): where "
    "two overlap, chance alone may have made the difference."
)
#: The quantile of the normal distribution that leaves 2.5 % on each side.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """*part* out of *whole*. ValueError unless 0 <= *part* <= *whole*."""

    part: int
    whole: int

    def __post_init__(self) -> None:
        if not 0 <= self.part <= self.whole:
            raise ValueError(f"{self.part} of {self.whole} is no share; expected a part from 0 to the whole")

    @property
    def known(self) -> bool:
        """Whether there are enough to show a rate."""
        return self.whole >= THRESHOLD

    @property
    def value(self) -> float | None:
        """From 0 to 1; None when there are too few."""
        return self.part / self.whole if self.known else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The Wilson score interval at 95 %, each end from 0 to 1; None when there are too few.

        E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927). Unlike the
        textbook's it has no width of zero where everybody, or nobody, said the same.
        """
        if (value := self.value) is None:
            return None
        spread = _Z * _Z / self.whole
        middle = (value + spread / 2) / (1 + spread)
        half = _Z * sqrt((value * (1 - value) + spread / 4) / self.whole) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)

    def differs(self, other: "Share") -> bool:
        """Whether both are known and their intervals lie apart."""
        mine, theirs = self.interval, other.interval
        return mine is not None and theirs is not None and (mine[0] > theirs[1] or theirs[0] > mine[1])

    def in_words(self) -> str:
        """Such as ``41.3 % (512 of 1,240; 95 % interval 38.6 % to 44.1 %)``."""
        counts = f"{self.part:,} of {self.whole:,}"
        if self.value is None or self.interval is None:
            return f"too few for a rate ({counts})"
        low, high = map(percent, self.interval)
        return f"{percent(self.value)} ({counts}; 95 % interval {low} to {high})"


def percent(value: float) -> str:
    """*value*, from 0 to 1, with one decimal. What isn't quite all or nothing isn't written as if it were."""
    if 0 < value < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    return f"{value * 100:.1f} %"
