"""The parts of which charts are drawn, as SVG: no script, no style, no colour of its own.

Classes name the parts, ``audit.css`` colours them. All places and lengths are hundredths of the plot, so that it takes
any width and its letters keep their size. What belongs to different series differs by pattern, dash and mark, too.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup

#: What fills the parts of bars, by series: a tile of 8 by 8.
PATTERNS: Final = (
    '<rect width="8" height="8"/>',
    '<rect width="8" height="8" fill-opacity=".15"/><path d="M-2 2l4-4M-1 9L9-1M6 10l4-4" stroke-width="2"/>',
    '<rect width="8" height="8" fill-opacity=".15"/><circle cx="2" cy="2" r="1.5"/><circle cx="6" cy="6" r="1.5"/>',
    '<rect width="8" height="8" fill-opacity=".15"/><path d="M0 2h8M0 6h8" stroke-width="1.5"/>',
    '<rect width="8" height="8" fill-opacity=".15"/><path d="M2 0v8M6 0v8M0 2h8M0 6h8"/>',
)
#: What marks the points of lines, by series, around 0, 0; and the dashes between them.
MARKS: Final = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "M-3.5-3.5h7v7h-7z",
    "M0-5.5L5.5 0L0 5.5L-5.5 0z",
    "M0-5L5.5 4.5h-11z",
    "M-4-4L4 4M4-4L-4 4",
)
DASHES: Final = ("", "8 4", "2 4", "10 4 2 4", "1 2")
#: As many series can be told apart without colour.
MOST_SERIES: Final = len(PATTERNS)
#: As many steps have room for their names side by side.
NAMED: Final = 8

_UNITS: Final = ("", "k", "M", "G", "T", "P", "E")


def picture(title: str, parts: Iterable[Markup], *, name: str = "") -> Markup:
    """The drawing of *parts*; *name* is a class of its own. Who doesn't see it is told where its numbers are."""
    label = f"Chart: {title}. Its numbers are in the table below."
    opening = Markup('<svg class="{}" role="img" aria-label="{}">').format(f"pc-plot {name}".strip(), label)
    return opening + Markup("").join(parts) + Markup("</svg>")


def patterns(key: str, count: int) -> Markup:
    """What fills the parts of *count* series, for ``part`` of the same *key*."""
    made = Markup("").join(
        Markup(
            '<pattern id="pc-{}-{}" class="pc-s{}" width="8" height="8" patternUnits="userSpaceOnUse">{}</pattern>'
        ).format(key, number, number, Markup(PATTERNS[number]))
        for number in range(count)
    )
    return Markup("<defs>{}</defs>").format(made)


def part(key: str, number: int, *, x: float, y: float, width: float, height: float) -> Markup:
    """A part of a bar of the series *number*; *y* is counted from the top, as everywhere in SVG."""
    places = short(x), short(y), short(width), short(height)
    return Markup(
        '<rect class="pc-part" x="%s%%" y="%s%%" width="%s%%" height="%s%%" fill="url(#pc-%s-%d)"/>'
    ) % (*places, key, number)


def told(text: str, parts: Iterable[Markup]) -> Markup:
    """*parts* as one thing, over which a pointer is told *text*."""
    return Markup("<g><title>{}</title>{}</g>").format(text, Markup("").join(parts))


def line(number: int, points: Sequence[tuple[float, float]]) -> Markup:
    """A line of the series *number* through *points*, with a mark on each."""
    drawn = Markup('<polyline class="pc-line pc-s{}" stroke-dasharray="{}" points="{}"/>')
    # They are many, and format() takes several times as long.
    mark = Markup('<svg class="pc-mark pc-s%d" x="%s%%" y="%s%%"><path d="%s"/></svg>')
    return _stretched(drawn.format(number, DASHES[number], _points(points))) + Markup("").join(
        mark % (number, short(x), short(y), MARKS[number]) for x, y in points
    )


def band(number: int, edge: Sequence[tuple[float, float]]) -> Markup:
    """An area of the series *number* within *edge*, behind its line."""
    return _stretched(Markup('<polygon class="pc-band pc-s{}" points="{}"/>').format(number, _points(edge)))


def cell(level: int, levels: int, *, x: float, width: float) -> Markup:
    """A place of a strip, filled from the bottom to *level* of *levels*, and the darker the higher."""
    places = {"x": short(x), "width": short(width), "y": short(100 - 100 * level / levels)}
    return Markup('<rect class="pc-cell" x="{x}%" y="0" width="{width}%" height="100%"/>').format(
        **places
    ) + (
        Markup(
            '<rect class="pc-s0 pc-level" x="{x}%" y="{y}%" width="{width}%" height="{height}%" '
            'fill-opacity="{opacity}"/>'
        ).format(**places, height=short(100 * level / levels), opacity=short(level / levels))
        if level
        else ""
    )


def grid(heights: Iterable[tuple[float, str]]) -> Markup:
    """A line across at each of *heights*, counted from the bottom, with its label beside the plot."""
    return Markup("").join(
        Markup('<line class="pc-grid" x1="0" x2="100%" y1="{0}%" y2="{0}%"/>').format(short(100 - height))
        + Markup('<text x="0" y="{}%" dx="-.5em" dy=".35em" text-anchor="end">{}</text>').format(
            short(100 - height), label
        )
        for height, label in heights
    )


def below(steps: Sequence[str]) -> Markup:
    """The names of *steps* below the plot: of few all, and on a narrow screen three; of many these only."""
    if not steps:
        return Markup("")
    last = len(steps) - 1
    kept = {0, last // 2, last}
    anchors = {0: "start", last // 2: "middle", last: "end"}
    if len(steps) <= NAMED:
        anchors = dict.fromkeys(range(len(steps)), "middle")
    label = Markup('<text{} x="{}%" y="100%" dy="1.4em" text-anchor="{}">{}</text>')
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}
    return Markup("").join(
        label.format(
            Markup("" if at in kept else ' class="pc-more"'),
            short(100 * (at + share[anchor]) / len(steps)),
            anchor,
            brief(steps[at]),
        )
        for at, anchor in anchors.items()
    )


def sample(content: Markup, width: int = 16) -> Markup:
    """A small drawing for the legend, 16 high and *width* wide."""
    return Markup(
        '<svg class="pc-sample" width="{0}" height="16" viewBox="0 0 {0} 16" aria-hidden="true">{1}</svg>'
    ).format(width, content)


def round_up(count: int) -> int:
    """The even, round number that the scale for *count* ends with, in whole numbers however large it is."""
    tens = 1
    while 10 * tens < count:
        tens *= 10
    return max(2, next(tens * digit for digit in (1, 2, 4, 6, 8, 10) if tens * digit >= count))


def brief(text: str, most: int = 10) -> str:
    """*text* cut so that three of them stand side by side on a telephone."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def few(count: int) -> str:
    """*count*, a round number, in a few letters: 1,500 is 1.5k."""
    power = (len(str(count)) - 1) // 3
    if power >= len(_UNITS):
        return f"{str(count)[0]}e{len(str(count)) - 1}"
    return f"{short(count / 1000**power)}{_UNITS[power]}"


def short(number: float) -> str:
    """*number* with up to three decimals, and none that say nothing."""
    return f"{number:.3f}".rstrip("0").rstrip(".")


def _stretched(content: Markup) -> Markup:
    return Markup(
        '<svg width="100%" height="100%" viewBox="0 0 100 100" preserveAspectRatio="none">{}</svg>'
    ).format(content)


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{short(x)},{short(y)}" for x, y in points)
