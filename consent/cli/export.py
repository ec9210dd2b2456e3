"""``flask consent export``: the events for other programs."""

import glob
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
from click.core import ParameterSource

from consent.audit.copying import copied
from consent.audit.export import (
    WRITERS,
    rows_below,
    schema_of,
    whole_file,
    write_folder,
    write_rows,
    write_zip,
)
from consent.audit.exported import record_export
from consent.audit.jsonld import Records
from consent.audit.lookup import stand_in
from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.wording import PRUNED_BELOW
from consent.cli.asked import NAMES, say_absent, search_options
from consent.cli.command import command, database_file, ledger_of, site_of
from consent.cli.operator import operator
from consent.cli.terminal import complain, say, with_progress
from consent.ledger import Checkpoint, Ledger, Sealed
from consent.ledger.note import Note
from consent.web.recorder import moment
from consent.web.site import Site

#: The formats that events are exported in.
FORMS = (*WRITERS, "jsonld")


@command(
    "export",
    "flask consent export --output events.jsonl",
    "flask consent export --format csv --since 2026-03-01 --until 2026-03-31 --output march.csv",
    "flask consent export --format jsonld --kind given --output consents.jsonld",
    "flask consent export --category performance --answer yes --output yes.jsonl",
    "flask consent export --bundle log.zip",
    "flask consent export --bundle march.zip --since 2026-03-01 --until 2026-03-31",
)
@search_options
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="jsonl",
    show_default=True,
    help="JSON Lines, one object a line; CSV; or consent records in JSON-LD.",
)
@click.option("--schema", is_flag=True, help="Instead, what the format looks like: its JSON or table schema.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=Path("-"),
    help="A file instead of standard output. It appears whole, or not at all, readable by its owner only.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="FILE.zip|FOLDER",
    help="Instead, the log for others to check offline: a zip, or a folder that isn't there yet.",
)
@click.option("--without-openings", is_flag=True, help="A bundle without what the events said.")
@click.pass_context
def export(
    ctx: click.Context,
    search: Search,
    form: str,
    schema: bool,
    output: Path,
    bundle: Path | None,
    without_openings: bool,
) -> None:
    """Write the events, oldest first, as JSON Lines, CSV or JSON-LD; or the log as a bundle.

    That it was made is recorded first, with what it holds, so that "flask consent forget" can name it later, and with
    what stands for your account on this machine. It names subjects, so that one browser's events can be followed: treat
    it as personal data. In CSV what a spreadsheet would run as a formula has an apostrophe in front. In JSON-LD
    each answer is a consent record, its fields modelled on ISO/IEC TS 27560 in terms of DPV; what is no answer, or
    erased, has none.

    A bundle can be checked anywhere, without the site, by the verify.py in it: that nothing was altered since the
    log was signed. It has the newest signed checkpoint; where the log's key is, the tree as it is is signed first.
    Its openings are what the events said, personal data; without them all else is still checked. With --since and
    --until, which are days then, it has those of these days only: whoever checks it sees that none of them is missing.
    """
    if schema:
        say(schema_of(form).rstrip())
        return
    site, ledger = site_of(ctx), ledger_of(ctx)
    if bundle is not None:
        require_provable(ctx, search, without_openings)
        export_bundle(site, ledger, bundle, openings=not without_openings, search=search)
        return
    if without_openings:
        raise click.UsageError("--without-openings is for a bundle: --bundle FILE.zip")
    size = ledger.size()
    if pruned := ledger.pruned():
        complain(PRUNED_BELOW.format(pruned))
    reader = Reader(ledger)
    say_absent(reader, search)
    records = Records.of(site, reader)

    def progress(events: Iterator[Sealed]) -> Iterator[Sealed]:
        return with_progress(events, size, "events exported")

    def export_to(out: IO[bytes]) -> int:
        writer = records.write if form == "jsonld" else WRITERS[form]
        return write_rows(writer, rows_below(size, reader, search, progress), out)

    if output == Path("-"):
        record(site, ledger, form, search, size)
        export_to(sys.stdout.buffer)
    else:
        require_foreign(site, output, "--output")
        with whole_file(output) as file:
            record(site, ledger, form, search, size)
            written = export_to(file)
        complain(f"{written:,} {'records' if form == 'jsonld' else 'events'} written to {output}.")
    if records.left_out:
        complain(
            f"{records.left_out:,} events have no consent record: they are no answers, erased, or altered."
        )


def require_provable(ctx: click.Context, search: Search, without_openings: bool) -> None:
    """click's own error unless *search* asks for what a bundle can show to be complete: all, or whole days."""
    named = {name for name in ("form", "output", *NAMES) if is_given(ctx, name)}
    if not named:
        return
    if named - {"since", "until"} or without_openings:
        raise click.UsageError(
            "A bundle has every leaf of the log, and takes --since and --until, which choose openings by the hour in "
            "the leaf, or --without-openings. What else chooses events stands in the openings: nobody could see that "
            "one was left out."
        )
    if search.days is None:
        raise click.UsageError(
            "A bundle of a span needs the first and the last day of it: --since 2026-03-01 --until 2026-03-31."
        )


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether the parameter *name* was typed."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def export_bundle(site: Site, ledger: Ledger, target: Path, *, openings: bool, search: Search) -> None:
    """Write the log to *target*, a zip if it is called so, else a folder; say how it is checked.

    With the *openings* of the days that *search* names, or of all.
    """
    require_foreign(site, target, "--bundle")
    note = copied(
        ledger,
        lambda parts: (write_zip if is_zip(target) else write_folder)(parts, target),
        openings=openings,
        span=search.days,
        record=lambda size: record(site, ledger, "bundle", search, size),
        progress=lambda records, total: with_progress(records, total, "entries read"),
        begun_again=lambda: complain("Entries were pruned while they were read. The bundle is begun again."),
    )
    say_how_to_check(ledger, target, note, openings=openings, search=search)


def is_zip(target: Path) -> bool:
    """Whether a bundle at *target* is a zip."""
    return target.suffix.lower() == ".zip"


def say_how_to_check(ledger: Ledger, target: Path, note: str, *, openings: bool, search: Search) -> None:
    """Say what was written to *target*, a bundle of the tree that *note* signs, and how it is checked."""
    as_zip, size = is_zip(target), Checkpoint.parse(Note.parse(note).text).size
    path = shlex.quote(str(target))
    program = "verify.py" if as_zip else shlex.quote(str(target / "verify.py"))
    keys = ledger.verifier_keys()  # with old ones: they signed what earlier prunings and checkpoints say
    personal = ", with personal data" if openings else ""
    if search.days:
        first, last = search.days
        personal += f" of {first} to {last} only"
    complain(f"{size:,} entries written to {target}{personal}. To check it:\n")
    if as_zip:
        complain(f"    unzip {path} verify.py")
    complain(f"    python {program} {path}{''.join(f' --key {shlex.quote(key)}' for key in keys)}\n")
    complain(
        "Publish the key where others find it without you: from whoever made the bundle it shows nothing. Who kept a "
        "checkpoint or a receipt of the log adds --checkpoint FILE or --receipt FILE."
    )


def record(site: Site, ledger: Ledger, form: str, search: Search, below: int) -> None:
    """Put the export on record that is made now."""
    who = stand_in(site.recorder, operator())
    record_export(
        ledger, form, search, below, who=who, time=moment(site.clock()), policy=site.recorder.named_policy()
    )


def require_foreign(site: Site, target: Path, option: str) -> None:
    """click's own error if *target* is a file that the component itself needs."""
    if target.exists() and any(target.samefile(own) for own in own_files(site)):
        raise click.BadParameter(
            f"{target} is a file that the component itself needs. Name another.", param_hint=option
        )


def own_files(site: Site) -> Iterator[Path]:
    """The files that are there of the site's policy, ledger and keys; an export must replace none of them."""
    policy, database, key = site.settings.policy, database_file(site), site.settings.signing_key
    yield from policy.parent.glob(f"{glob.escape(policy.stem)}*.toml")
    for kept in (database, key):
        if kept:
            yield from kept.parent.glob(f"{glob.escape(kept.stem)}.*")
