"""Charts for auditors: of one object the drawing, the sentences that say what it shows, and the same as a table."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from markupsafe import Markup

from consent.audit import drawing
from consent.audit.share import THRESHOLD, Share, percent
from consent.audit.span import Span

#: Levels of a strip, besides none.
LEVELS: Final = 5
#: The widest bar, in hundredths of the plot: one alone is no wall.
_WIDEST: Final = 12.0
#: What is said where no line's ends lie further apart.
UNCHANGED: Final = "No first and last rate differ by more than chance may make them."
#: What is said where no line can be drawn.
TOO_FEW: Final = f"None of these {{}} has the {THRESHOLD} answers that a rate needs, so no line is drawn."
_KEY: Final = re.compile("[a-z][a-z0-9-]*")

Rows = Sequence[Sequence[str]]
Legend = Sequence[tuple[str, Markup]]


@dataclass(frozen=True, slots=True)
class Series:
    """Counts of one *name*, one for each step."""

    name: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of one *name*, one for each step."""

    name: str
    shares: tuple[Share, ...]

    @property
    def all(self) -> Share:
        """That of all steps together."""
        return Share(sum(share.part for share in self.shares), sum(share.whole for share in self.shares))


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What every chart runs along, and what it is called. ValueError for what can't be drawn."""

    key: str
    """Its name within the page: lower-case letters, digits, hyphens."""
    title: str
    step: str
    """What the steps are, for the table's head: ``Days``."""
    steps: tuple[Span | str, ...]

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"{self.key!r} is no key of a chart; expected letters, digits and hyphens")

    def require(self, named: Sequence[tuple[str, int]], most: int) -> None:
        """ValueError unless there are at most *most* of *named*, each with a value for every step."""
        if not 1 <= len(named) <= most:
            raise ValueError(f"{len(named)} series can't be told apart; expected 1 to {most}")
        for name, length in named:
            if length != len(self.steps):
                raise ValueError(f"{name!r} has {length} values for {len(self.steps)} steps")

    @property
    def during(self) -> str:
        """From which day to which, in words; nothing where the steps aren't days."""
        if not self.steps or not isinstance(self.steps[0], Span) or not isinstance(self.steps[-1], Span):
            return ""
        first, last = self.steps[0].first, self.steps[-1].last
        return f" on {first}" if first == last else f" from {first} to {last}"

    @property
    def names(self) -> tuple[str, ...]:
        """Each step in words."""
        return tuple(map(str, self.steps))

    def some(self, count: int) -> str:
        """That *count* of the steps have something, to go on with."""
        return f"{count:,} of {len(self.steps):,} {self.step.lower()} {'has' if count == 1 else 'have'}"

    @property
    def below(self) -> Markup:
        """The names below the drawing."""
        return drawing.below([str(step.first) if isinstance(step, Span) else step for step in self.steps])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(Steps):
    """Counts that add up, stacked on each step."""

    unit: str
    """What is counted, in the plural: ``answers``."""
    series: tuple[Series, ...]

    def __post_init__(self) -> None:
        Steps.__post_init__(self)
        self.require([(one.name, len(one.counts)) for one in self.series], drawing.MOST_SERIES)

    @property
    def totals(self) -> tuple[int, ...]:
        """What each step adds up to."""
        return tuple(sum(one.counts[at] for one in self.series) for at in range(len(self.steps)))

    @property
    def finding(self) -> str:
        """How many, of what, and when the most."""
        if not (total := sum(self.totals)):
            return f"No {self.unit}{self.during}."
        split = listed([f"{sum(one.counts):,} {one.name}" for one in self.series])
        said = f"{number_of(total, self.unit)}{self.during}{f': {split}' if len(self.series) > 1 else ''}."
        return f"{said}{most(self.names, self.totals)}"

    @property
    def columns(self) -> Sequence[str]:
        """The table's heads: the step, each series, and all of them."""
        return [self.step, *(one.name for one in self.series), *(["all"] if len(self.series) > 1 else [])]

    @property
    def rows(self) -> Rows:
        """The table's lines, one for each step."""
        return [
            [
                step,
                *(f"{one.counts[at]:,}" for one in self.series),
                *([f"{total:,}"] if len(self.series) > 1 else []),
            ]
            for at, (step, total) in enumerate(zip(self.names, self.totals, strict=True))
        ]

    @property
    def legend(self) -> Legend:
        """The name of each series and a sample of what fills its parts; nothing where there is only one."""
        box = Markup('<rect class="pc-part" width="16" height="16" fill="url(#pc-{}-{})"/>')
        named = [(one.name, drawing.sample(box.format(self.key, at))) for at, one in enumerate(self.series)]
        return named if len(named) > 1 else []

    @property
    def svg(self) -> Markup:
        """The drawing: a bar for each step, its parts from the bottom up in the order of the series."""
        top = drawing.round_up(max(self.totals, default=0))
        scale = [(0.0, "0"), (50.0, drawing.few(top // 2)), (100.0, drawing.few(top))]
        bars = [drawing.told(told(self.columns, row), self._bar(at, top)) for at, row in enumerate(self.rows)]
        parts = [drawing.patterns(self.key, len(self.series)), drawing.grid(scale), *bars]
        return drawing.picture(self.title, [*parts, self.below])

    def _bar(self, at: int, top: int) -> Iterator[Markup]:
        slot = 100 / len(self.steps)
        width, below = min(slot * 0.8, _WIDEST), 0
        for number, one in enumerate(self.series):
            if count := one.counts[at]:
                below += count
                x, y, height = slot * (at + 0.5) - width / 2, 100 - 100 * below / top, 100 * count / top
                yield drawing.part(self.key, number, x=x, y=y, width=width, height=height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Steps):
    """Rates from 0 to 100 %, each with its interval as an area; a line is broken where there are too few."""

    lines: tuple[Shares, ...]

    def __post_init__(self) -> None:
        Steps.__post_init__(self)
        self.require([(one.name, len(one.shares)) for one in self.lines], drawing.MOST_SERIES)

    @property
    def finding(self) -> str:
        """Each rate over all steps, and whether its first and last differ by more than chance would make them."""
        if not any(one.all.whole for one in self.lines):
            return f"There is nothing to count{self.during}."
        rates = "; ".join(f"{one.name} {one.all.in_words()}" for one in self.lines)
        return " ".join([f"All together{self.during}: {rates}.", *self._drawn()])

    def _drawn(self) -> Iterator[str]:
        """In how many steps there are rates, where not in all; and how they changed, where there are two to compare."""
        known = [sum(share.known for share in one.shares) for one in self.lines]
        if not any(known):
            yield TOO_FEW.format(self.step.lower())
            return
        if (enough := max(known)) < len(self.steps):
            yield f"{self.some(enough)} the {THRESHOLD} answers that a rate needs."
        if enough > 1:
            yield from list(filter(None, (_change(self.names, one) for one in self.lines))) or [UNCHANGED]

    @property
    def columns(self) -> Sequence[str]:
        """The table's heads: the step, and each line."""
        return [self.step, *(one.name for one in self.lines)]

    @property
    def rows(self) -> Rows:
        """The table's lines, one for each step: rates with counts and intervals."""
        return [
            [step, *(one.shares[at].in_words() for one in self.lines)] for at, step in enumerate(self.names)
        ]

    @property
    def legend(self) -> Legend:
        """The name of each line and a sample of it; nothing where there is only one."""
        dash = Markup('<path class="pc-line pc-s{0}" stroke-dasharray="{1}" d="M0 8h32"/>')
        mark = Markup('<path class="pc-s{0}" transform="translate(16 8)" d="{2}"/>')
        return [
            (
                one.name,
                drawing.sample((dash + mark).format(at, drawing.DASHES[at], drawing.MARKS[at]), 32),
            )
            for at, one in enumerate(self.lines if len(self.lines) > 1 else ())
        ]

    @property
    def svg(self) -> Markup:
        """The drawing."""
        scale = [(0.0, "0 %"), (50.0, "50 %"), (100.0, "100 %")]
        runs = [(number, run) for number, one in enumerate(self.lines) for run in _runs(one.shares)]
        bands = [drawing.band(number, self._edge(run)) for number, run in runs]
        lines = [drawing.line(number, self._points(run)) for number, run in runs]
        return drawing.picture(self.title, [drawing.grid(scale), *bands, *lines, self.below])

    def _across(self, at: int) -> float:
        return 100 * (at + 0.5) / len(self.steps)

    def _points(self, run: Sequence[tuple[int, Share]]) -> list[tuple[float, float]]:
        return [(self._across(at), 100 - 100 * (share.value or 0)) for at, share in run]

    def _edge(self, run: Sequence[tuple[int, Share]]) -> list[tuple[float, float]]:
        """Along the upper ends of the intervals and back along the lower; a lone one is as wide as half a step."""
        ends = [(self._across(at), *(share.interval or (0.0, 0.0))) for at, share in run]
        if len(ends) == 1:
            ((x, low, high),) = ends
            ends = [(x - 25 / len(self.steps), low, high), (x + 25 / len(self.steps), low, high)]
        return [(x, 100 - 100 * high) for x, _, high in ends] + [
            (x, 100 - 100 * low) for x, low, _ in reversed(ends)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip(Steps):
    """Counts as one row of places, each filled the higher the more: when much happened, and when nothing."""

    unit: str
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        Steps.__post_init__(self)
        self.require([(self.unit, len(self.counts))], 1)

    @property
    def finding(self) -> str:
        """How many, when the most, and in how many steps none."""
        if not (total := sum(self.counts)):
            return f"No {self.unit}{self.during}."
        none = self.counts.count(0)
        without = f" {self.some(none)} none." if none else ""
        return f"{number_of(total, self.unit)}{self.during}.{most(self.names, self.counts)}{without}"

    @property
    def columns(self) -> Sequence[str]:
        """The table's heads: the step, and what is counted."""
        return [self.step, self.unit]

    @property
    def rows(self) -> Rows:
        """The table's lines, one for each step."""
        return [[step, f"{count:,}"] for step, count in zip(self.names, self.counts, strict=True)]

    @property
    def legend(self) -> Legend:
        """Nothing: there is one kind of thing, and its scale begins at none."""
        return []

    @property
    def svg(self) -> Markup:
        """The drawing."""
        top, width = max(self.counts, default=0), 100 / max(len(self.steps), 1)
        cells = [
            drawing.told(
                told(self.columns, row),
                [drawing.cell(-(-LEVELS * count // (top or 1)), LEVELS, x=width * at, width=width)],
            )
            for at, (row, count) in enumerate(zip(self.rows, self.counts, strict=True))
        ]
        return drawing.picture(self.title, [*cells, self.below], name="pc-strip")


Chart = Bars | Lines | Strip


def told(columns: Sequence[str], row: Sequence[str]) -> str:
    """A line of a table in one line."""
    return (
        f"{row[0]}: {', '.join(f'{head} {value}' for head, value in zip(columns[1:], row[1:], strict=True))}"
    )


def number_of(count: int, unit: str) -> str:
    """*count* of *unit*, which is in the plural and ends in s."""
    return f"{count:,} {unit.removesuffix('s') if count == 1 else unit}"


def listed(parts: Sequence[str]) -> str:
    """*parts* as one would say them."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def most(steps: Sequence[str], counts: Sequence[int]) -> str:
    """The highest of *counts*, and of which of *steps*, as a sentence to go on with; nothing of only one."""
    if len(steps) < 2:
        return ""
    highest = max(counts)
    on = [step for step, count in zip(steps, counts, strict=True) if count == highest]
    return f" The most are {highest:,} ({on[0]}{f', and {len(on) - 1} more' if len(on) > 1 else ''})."


def _change(steps: Sequence[str], one: Shares) -> str:
    """How the last known rate differs from the first, in a sentence; nothing when it may be chance."""
    known = [(step, share) for step, share in zip(steps, one.shares, strict=True) if share.known]
    if len(known) < 2 or not known[0][1].differs(known[-1][1]):
        return ""
    (first, before), (last, after) = known[0], known[-1]
    way = "rises" if (after.value or 0) > (before.value or 0) else "falls"
    return f"“{one.name}” {way} from {percent(before.value or 0)} ({first}) to {percent(after.value or 0)} ({last})."


def _runs(shares: Sequence[Share]) -> Iterator[list[tuple[int, Share]]]:
    """The known ones of *shares* with their places, in runs without a gap."""
    for known, run in groupby(enumerate(shares), key=lambda pair: pair[1].known):
        if known:
            yield list(run)
