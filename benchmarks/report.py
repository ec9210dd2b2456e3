"""What was measured, as tables for people and as JSON for programs."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.spread import Spread

#: The component's name in the tables.
OURS = "Flask-Assent"
HEADINGS = ("what", "who", "p10", "median", "p90", "unit", "beside it", "goal")


@dataclass(frozen=True, slots=True)
class Beside:
    """A number that stands beside a figure, such as the same request without the component."""

    name: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name} {number(self.value)}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line: *what* was measured of *who*, in *unit*, what stands *beside* it, and what it should be."""

    what: str
    who: str
    spread: Spread
    unit: str
    beside: Sequence[Beside] = ()
    goal: str = ""

    def cells(self) -> tuple[str, ...]:
        """The line's texts, one for each of ``HEADINGS``."""
        spread = self.spread
        p10, p90 = (number(spread.p10), number(spread.p90)) if spread.rounds > 1 else ("", "")
        beside = ", ".join(map(str, self.beside))
        return (self.what, self.who, p10, number(spread.median), p90, self.unit, beside, self.goal)


@dataclass(slots=True, kw_only=True)
class Section:
    """The figures of one subject, and what has to be known to read them. *rows* are answers that aren't figures, side
    by side, below a row of headings."""

    name: str
    title: str
    method: str
    figures: list[Figure] = field(default_factory=list)
    rows: Sequence[Sequence[str]] = ()
    notes: list[str] = field(default_factory=list)


def number(value: float) -> str:
    """*value* with about three significant digits, never in powers of ten."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    return (
        f"{value:,.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
        if size >= 0.1
        else f"{value:.3f}"
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns lined up so that it reads as plain text too. The first row are the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def text(machine: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """Everything, for people, in Markdown."""
    parts = ["\n".join(f"* {name}: {value}" for name, value in machine.items())]
    for section in sections:
        how = "--browser" if section.name == "browser" else f"--only {section.name}"
        parts.append(f"## {section.title}\n\n`python3 dev.py bench {how}`\n\n{section.method}")
        if section.figures:
            parts.append(table([HEADINGS, *(figure.cells() for figure in section.figures)]))
        if section.rows:
            parts.append(table(section.rows))
        if section.notes:
            parts.append("\n".join(f"* {note}" for note in section.notes))
    return "\n\n".join(parts)


def data(machine: Mapping[str, Any], sections: Sequence[Section]) -> dict[str, Any]:
    """Everything, for programs."""
    return {"machine": dict(machine), "sections": [dataclasses.asdict(section) for section in sections]}
