"""``flask consent log``: the newest events."""

from datetime import datetime

import click

from consent.audit.row import Reader, Row
from consent.audit.search import find
from consent.audit.wording import answers_text, time_text
from consent.cli.asked import search_of, search_options
from consent.cli.command import command, ledger_of
from consent.cli.terminal import complain, elided, say, say_json, table

#: How many characters of the answers, and of a hash, a line has room for.
_ANSWERS, _HASH = 44, 12
COLUMNS = ("index", "time (UTC)", "kind", "answers", "source", "language", "revision", "notice", "id")


@command(
    "log",
    "flask consent log",
    "flask consent log --kind withdrawn --since 2026-11-01 --limit 100",
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
    kinds: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest events, newest first.

    Each line has the answers that the event left in force: + granted, - refused; the notice under which they
    were given, by the beginning of its hash; and the id to use with "flask consent show". Nothing that links
    an event to a browser is listed.
    """
    search = search_of(kinds, since, until)
    found = find(Reader(ledger_of(ctx)), search, limit=limit)
    if as_json:
        for row in found.rows:
            say_json(row.members(personal=False))
    elif found.rows:
        say(table(COLUMNS, map(cells, found.rows)))
    else:
        complain("No such event is recorded.")
    if found.before is not None:
        complain(f"There are older ones: --limit {limit} was reached.")


def cells(row: Row) -> tuple[object, ...]:
    """*row* as a line of the table."""
    event = row.event
    return (
        row.index,
        time_text(row),
        row.kind or "unreadable",
        elided(answers_text(row), _ANSWERS) or "-",
        (event and event.source) or "-",
        (event and event.language) or "-",
        "-" if row.revision is None else row.revision,
        event.notice[:_HASH] if event and event.notice else "-",
        row.id,
    )
