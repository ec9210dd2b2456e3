"""``flask consent export``: the events for other programs."""

import glob
import io
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import IO, TypeVar

import click
from click.core import ParameterSource

from consent.audit.export import WRITERS, bundle_of, schema_of, whole_file, write_folder, write_zip
from consent.audit.exported import record_export
from consent.audit.jsonld import Records
from consent.audit.lookup import stand_in
from consent.audit.row import Brief, Reader, Row
from consent.audit.search import Search, all_found
from consent.audit.wording import PRUNED_BELOW
from consent.cli.asked import NAMES, search_options
from consent.cli.checkpoint import newest_note
from consent.cli.command import command, database_file, ledger_of, site_of
from consent.cli.operator import operator
from consent.cli.terminal import complain, say, with_progress
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Checkpoint, Ledger, Record
from consent.ledger.bundle import Part
from consent.ledger.note import Note
from consent.web.recorder import moment
from consent.web.site import Site

#: A row, or one in brief.
Line = TypeVar("Line", bound=Row | Brief)
#: The formats that events are exported in.
FORMS = (*WRITERS, "jsonld")
#: How often a bundle is begun when entries are pruned meanwhile, and seconds in which that is waited for and looked at.
_TRIES, _PATIENCE, _LOOK = 5, 30.0, 0.2


@command(
    "export",
    "flask consent export --output events.jsonl",
    "flask consent export --format csv --since 2026-03-01 --until 2026-03-31 --output march.csv",
    "flask consent export --format jsonld --kind given --output consents.jsonld",
    "flask consent export --category performance --answer yes --output yes.jsonl",
    "flask consent export --bundle log.zip",
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
    help="Instead, the whole log for others to check offline: a zip, or a folder that isn't there yet.",
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
    """Write the events, oldest first, as JSON Lines, CSV or JSON-LD; or the whole log as a bundle.

    That it was made is recorded first, with what it holds, so that "flask consent forget" can name it later, and with
    what stands for your account on this machine. It names subjects, so that one browser's events can be followed: treat
    it as personal data. In CSV a cell that a spreadsheet would run as a formula has an apostrophe in front. In JSON-LD
    each answer is a consent record, its fields modelled on ISO/IEC TS 27560 in terms of DPV; what is no answer, or
    erased, has none.

    A bundle can be checked anywhere, without the site, by the verify.py in it: that nothing was altered since the
    log was signed. It has the newest signed checkpoint; where the log's key is, the tree as it is is signed first.
    Its openings are what the events said, personal data; without them all else is still checked.
    """
    if schema:
        say(schema_of(form).rstrip())
        return
    site, ledger = site_of(ctx), ledger_of(ctx)
    if bundle is not None:
        named = {"form", "output", *NAMES}
        if any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in named):
            raise click.UsageError(
                "A bundle is of the whole log: it takes no other option than --without-openings."
            )
        export_bundle(site, ledger, bundle, openings=not without_openings)
        return
    if without_openings:
        raise click.UsageError("--without-openings is for a bundle: --bundle FILE.zip")
    size = ledger.size()
    if pruned := ledger.pruned():
        complain(PRUNED_BELOW.format(pruned))
    reader = Reader(ledger)
    records = Records(site.policy.controller.site + site.settings.url_prefix, reader.policy)

    def export_to(out: IO[bytes]) -> int:
        if form == "jsonld":
            return write(records.write, rows_below(size, reader, search, reader.row), out)
        return write(WRITERS[form], rows_below(size, reader, search, reader.brief), out)

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


def export_bundle(site: Site, ledger: Ledger, target: Path, *, openings: bool) -> None:
    """Write the whole log to *target*, a zip if it is called so, else a folder; say how it is checked."""
    require_foreign(site, target, "--bundle")
    for _ in range(_TRIES):
        # Asked first: the checkpoint is over the entry that says so.
        before = ledger.storage.remaining()
        try:
            note = write_bundle(site, ledger, target, before, openings=openings)
            break
        except LedgerError:
            if ledger.storage.remaining() == before:
                raise
        complain("Entries were pruned while they were read. The bundle is begun again.")
        wait_for_pruning(ledger)
    else:
        raise LedgerUnavailable(
            "Entries are being pruned, so no bundle was made. Run the command again once that is done.",
            retry_after=60,
        )
    say_how_to_check(ledger, target, note, openings=openings)


def wait_for_pruning(ledger: Ledger) -> None:
    """Wait until for a moment nothing was pruned; half a minute at most."""
    deadline, before = time.monotonic() + _PATIENCE, None
    while (now := ledger.storage.remaining()) != before and time.monotonic() < deadline:
        before = now
        time.sleep(_LOOK)


def write_bundle(
    site: Site, ledger: Ledger, target: Path, remaining: tuple[int, int], *, openings: bool
) -> str:
    """Write the log to *target*; the signed note that it is of.

    *remaining*: what ``Storage.remaining`` said before. LedgerError, and nothing is written, if it says something else
    in the end, since then a part may lack what another has.
    """
    note = newest_note(ledger)
    size = Checkpoint.parse(Note.parse(note).text).size
    bundle = bundle_of(
        ledger,
        note,
        pruned=remaining[0],
        openings=openings,
        progress=lambda records, total: with_progress(records, total, "entries read"),
    )

    def parts() -> Iterator[Part]:
        # Read when there is a place to write to: what can't be written is no export.
        if openings:
            record(site, ledger, "bundle", Search(), size)
        yield from bundle.parts()
        if ledger.storage.remaining() != remaining:
            raise LedgerError("Entries were pruned while they were read.")

    (write_zip if is_zip(target) else write_folder)(parts(), target)
    return note


def is_zip(target: Path) -> bool:
    """Whether a bundle at *target* is a zip."""
    return target.suffix.lower() == ".zip"


def say_how_to_check(ledger: Ledger, target: Path, note: str, *, openings: bool) -> None:
    """Say what was written to *target*, a bundle of the tree that *note* signs, and how it is checked."""
    as_zip, size = is_zip(target), Checkpoint.parse(Note.parse(note).text).size
    path = shlex.quote(str(target))
    program = "verify.py" if as_zip else shlex.quote(str(target / "verify.py"))
    keys = Note.parse(note).signed_by(ledger.verifier_keys())
    complain(
        f"{size:,} entries written to {target}{', with personal data' if openings else ''}. To check it:\n"
    )
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
    record_export(ledger, form, search, below, who=who, time=moment(site.clock()), policy=site.policy.digest)


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


def rows_below(size: int, reader: Reader, search: Search, read: Callable[[Record], Line]) -> Iterator[Line]:
    """The events below index *size* that *search* asks for, *read* and oldest first; later ones are left out."""
    records = takewhile(lambda record: record.index < size, all_found(reader, search))
    rows = map(read, with_progress(records, size, "events exported"))
    if search == Search():
        return rows
    return (row for row in rows if search.matches(row, reader.policy(row.policy)))


def write(writer: Callable[[Iterable[Line], IO[str]], int], rows: Iterable[Line], out: IO[bytes]) -> int:
    """Have *writer* write *rows* to *out*; how many."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    try:
        return writer(rows, text)
    finally:
        text.detach()
