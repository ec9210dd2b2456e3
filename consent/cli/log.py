"""``flask consent log``: the newest events."""

import textwrap
from collections.abc import Iterator, Sequence

import click

from consent.audit.row import Reader, Row
from consent.audit.search import Search, find
from consent.audit.wording import PRUNED_BELOW, answers_text, time_text
from consent.cli.asked import say_absent, search_options
from consent.cli.command import command, ledger_of
from consent.cli.terminal import complain, say, say_json, table, visible, width

#: How many characters of a hash are shown, and by how many an event's further lines are set in.
_HASH, _INDENT = 12, 7
COLUMNS = ("index", "time (UTC)", "kind", "answers", "source", "language", "revision", "notice", "id")


@command(
    "log",
    "flask consent log",
    "flask consent log --kind withdrawn --since 2026-11-01 --limit 100",
    "flask consent log --category performance --answer no --revision 3+ --language de",
    "flask consent log --json",
)
@search_options
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="So many at most."
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each event.")
@click.pass_context
def log(
    ctx: click.Context,
    search: Search,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest events, newest first: by the hour, and within an hour by their places in the log.

    Each has the answers that the event left in force: + granted, - refused; the notice under which they were
    given, by the beginning of its hash; and the id to use with "flask consent show". Nothing that links an
    event to a browser is listed. What is too wide for the terminal takes several lines an event; in a file or
    a pipe each event has one.
    """
    ledger = ledger_of(ctx)
    reader = Reader(ledger)
    say_absent(reader, search)
    found = find(reader, search, limit=limit)
    if as_json:
        for row in found.rows:
            say_json(row.members(personal=False))
    elif found.rows:
        say(listing(found.rows, width()))
    else:
        complain("No such event is recorded.")
    if found.before is not None:
        complain(f"There are older ones: --limit {limit} was reached.")
    elif pruned := ledger.pruned():
        complain(PRUNED_BELOW.format(pruned))


def listing(rows: Sequence[Row], room: int | None) -> str:
    """*rows* as a table, or in several lines each where it needs more than *room* characters. Nothing is cut."""
    lines = table(COLUMNS, map(cells, rows))
    if room is None or max(map(len, lines.split("\n"))) <= room:
        return lines
    return "\n".join(line for row in rows for line in stacked(row, room))


def stacked(row: Row, room: int) -> Iterator[str]:
    """*row* in lines of up to *room* characters, its first word being the index."""
    index, time, kind, answers, source, language, revision, notice, id = (
        visible(str(cell)) for cell in cells(row)
    )
    yield f"{index:>{_INDENT - 2}}  {time}  {kind}  {id}"
    yield " " * _INDENT + f"{source}, {language}, revision {revision}, notice {notice}"
    yield from textwrap.wrap(
        answers,
        width=max(room, 2 * _INDENT),
        initial_indent=" " * _INDENT,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cells(row: Row) -> tuple[object, ...]:
    """*row* as a line of the table."""
    event = row.event
    return (
        row.index,
        time_text(row),
        row.kind or "unreadable",
        answers_text(row) or "-",
        (event and event.source) or "-",
        (event and event.language) or "-",
        "-" if row.revision is None else row.revision,
        event.notice[:_HASH] if event and event.notice else "-",
        row.id,
    )
