"""``flask consent export``: the events for other programs."""

import glob
import io
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import IO

import click

from consent.audit.export import WRITERS, whole_file
from consent.audit.exported import record_export
from consent.audit.row import Reader, Row
from consent.audit.search import Search
from consent.cli.asked import search_of, search_options
from consent.cli.command import command, database_file, ledger_of, site_of
from consent.cli.terminal import complain, with_progress
from consent.web.recorder import moment
from consent.web.site import Site


@command(
    "export",
    "flask consent export --output events.jsonl",
    "flask consent export --format csv --since 2026-03-01 --until 2026-03-31 --output march.csv",
)
@search_options
@click.option(
    "--format",
    "form",
    type=click.Choice(list(WRITERS)),
    default="jsonl",
    show_default=True,
    help="JSON Lines, one object a line, or CSV.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=Path("-"),
    help="A file instead of standard output. It appears whole, or not at all, readable by its owner only.",
)
@click.pass_context
def export(
    ctx: click.Context,
    kinds: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    form: str,
    output: Path,
) -> None:
    """Write the events, oldest first, as JSON Lines or CSV.

    That it was made is recorded first, with what it holds, so that "flask consent forget" can name it later. It
    names subjects, so that one browser's events can be followed: treat it as personal data. In CSV a cell that a
    spreadsheet would run as a formula has an apostrophe in front.
    """
    search = search_of(kinds, since, until)
    site, ledger = site_of(ctx), ledger_of(ctx)
    size = ledger.size()
    record_export(ledger, form, search, size, time=moment(site.clock()), policy=site.policy.digest)
    rows = rows_below(size, Reader(ledger), search)
    if output == Path("-"):
        write(form, rows, sys.stdout.buffer)
        return
    if output.exists() and any(output.samefile(own) for own in own_files(site)):
        raise click.BadParameter(
            f"{output} is a file that the component itself needs. Name another.", param_hint="--output"
        )
    with whole_file(output) as file:
        written = write(form, rows, file)
    complain(f"{written:,} events written to {output}.")


def own_files(site: Site) -> Iterator[Path]:
    """The files that are there of the site's policy, ledger and keys; an export must replace none of them."""
    policy, database, key = site.settings.policy, database_file(site), site.settings.signing_key
    yield from policy.parent.glob(f"{glob.escape(policy.stem)}*.toml")
    for kept in (database, key):
        if kept:
            yield from kept.parent.glob(f"{glob.escape(kept.stem)}.*")


def rows_below(size: int, reader: Reader, search: Search) -> Iterator[Row]:
    """The events below index *size* that *search* asks for, oldest first; what is recorded meanwhile is left out."""
    records = takewhile(lambda record: record.index < size, reader.ledger.records())
    return filter(search.matches, reader.rows(with_progress(records, size, "events exported")))


def write(form: str, rows: Iterable[Row], out: IO[bytes]) -> int:
    """Write *rows* to *out* in the format *form*; how many."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    try:
        return WRITERS[form](rows, text)
    finally:
        text.detach()
