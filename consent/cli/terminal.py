"""What a terminal is shown: text that can't take it over, tables, and progress beside the answer."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import click

from consent.audit.export import json_line

_Item = TypeVar("_Item")

#: Seconds between two signs of progress, on a terminal and elsewhere.
_OFTEN, _SELDOM = 0.2, 10.0


def visible(text: str) -> str:
    """*text* with whatever a terminal would obey or hide written out: escapes, controls, direction marks."""
    return "".join(mark if mark.isprintable() else escaped(mark) for mark in text)


def escaped(mark: str) -> str:
    """One character as Python would write it."""
    code = ord(mark)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def say(text: str = "") -> None:
    """Write *text*, of one line or several, to standard output: the answer."""
    _write(text, err=False)


def complain(text: str) -> None:
    """Write *text* to standard error."""
    _write(text, err=True)


def say_json(value: object) -> None:
    """Write *value* to standard output as one line of JSON in ASCII."""
    click.echo(json_line(value))


def _write(text: str, *, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    encoding = stream.encoding or "utf-8"
    lines = "\n".join(visible(line) for line in text.split("\n"))
    click.echo(lines.encode(encoding, "backslashreplace").decode(encoding), err=err)


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """*rows* in columns under *names*, numbers to the right."""
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    numeric = [all(row[column].isdigit() for row in cells) for column in range(len(names))]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in (list(names), *cells)
    ]
    return "\n".join(lines)


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and what they are, one pair a line."""
    known = list(pairs)
    width = max(len(name) for name, _ in known)
    return "\n".join(f"{name.ljust(width)}  {visible(str(value))}" for name, value in known)


def width() -> int | None:
    """How many characters a line of the terminal has that is written to; None for a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Says on standard error what is being done: on a terminal in place, elsewhere a line every ten seconds."""
    terminal = sys.stderr.isatty()
    due = time.monotonic() + (0 if terminal else _SELDOM)

    def tell(doing: str) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + (0 if terminal else _SELDOM)
            click.echo(
                f"\r\x1b[2K{visible(doing)}" if terminal else visible(doing), nl=not terminal, err=True
            )

    try:
        yield tell
    finally:
        if terminal:
            click.echo("\r\x1b[2K", nl=False, err=True)


def with_progress(items: Iterable[_Item], total: int, what: str) -> Iterator[_Item]:
    """*items*; while they go by, standard error says how many of *total* have.

    On a terminal at once and in place; elsewhere, a line every ten seconds.
    """
    terminal = sys.stderr.isatty()
    pause = _OFTEN if terminal else _SELDOM
    due = time.monotonic() + pause
    for done, item in enumerate(items, 1):
        yield item
        if done % 128 == 0 and time.monotonic() >= due:
            due = time.monotonic() + pause
            click.echo(f"{done:,} of {total:,} {what}", nl=not terminal, err=True)
            if terminal:
                click.echo("\r", nl=False, err=True)
    if terminal:
        click.echo("\x1b[2K", nl=False, err=True)


def progressing(steps: Iterable[int], total: int) -> Iterator[int]:
    """*steps*, each the entries that are done by now; on a terminal they are shown in place."""
    terminal = sys.stderr.isatty()
    try:
        for done in steps:
            yield done
            if terminal:
                click.echo(f"{done:,} of {total:,} entries counted\r", nl=False, err=True)
    finally:  # however many steps are taken
        if terminal:
            click.echo("\x1b[2K", nl=False, err=True)
