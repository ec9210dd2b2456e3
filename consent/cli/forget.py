"""``flask consent forget``: erases what is on record of somebody, and what was kept long enough."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click

from consent.audit.exported import Export, exports, holding
from consent.audit.lookup import look_up, stand_in
from consent.audit.row import Reader, Row
from consent.audit.search import SearchError, read_id
from consent.audit.wording import PRUNED, kind_text, time_text
from consent.cli.command import WRONG, command, ledger_of, site_of
from consent.cli.operator import operator
from consent.cli.terminal import complain, say, say_json, table
from consent.errors import LedgerError
from consent.ledger import KEPT, Event, Kind, Ledger, Record, erasure
from consent.ledger.record import naming
from consent.storage.tombstones import parse
from consent.verify import counted
from consent.web.recorder import moment, new_id
from consent.web.site import Site

ID = "8f2b6c1e-9d4a-4c55-b1de-6a0f0c3e7a11"
#: Seconds that one transaction may take, and ids of a list that go into one.
_PATIENCE, _AT_ONCE = 30.0, 500
#: Openings of somebody else that are named one by one.
_NAMED = 3
#: What shows who did what with the log: whoever did mustn't be able to take it out.
_TRACES = frozenset({Kind.ACCESSED, Kind.ERASED})


@dataclass(frozen=True, slots=True)
class Found:
    """What one id stands for: all events of a subject, or one event that is linked to nobody."""

    subject: uuid.UUID | None
    rows: Sequence[Row]


@command(
    "forget",
    f"flask consent forget {ID}",
    f"flask consent forget {ID} --yes --json",
    "flask consent forget --expired",
    "flask consent forget --exports",
    "flask consent forget --list > erased.txt",
    "flask consent forget --from erased.txt",
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--expired", is_flag=True, help="Instead, erase what has been kept for CONSENT_RETENTION.")
@click.option(
    "--exports", "of_exports", is_flag=True, help="Name the exports that may hold what was erased since."
)
@click.option(
    "--list", "listing", is_flag=True, help="Print the ids of all erased events, to keep with backups."
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Erase again what such a list names, after an older backup was put back.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def forget(
    ctx: click.Context,
    ids: tuple[str, ...],
    yes: bool,
    expired: bool,
    of_exports: bool,
    listing: bool,
    source: Path | None,
    as_json: bool,
) -> None:
    """Erase what is on record of somebody, for good.

    ID is that of an event, as on a receipt, or of a subject, as in an export. All events of the subject are erased
    with it; an event that is linked to nobody goes alone. Says what that will be, and asks. What stays is that
    somebody did something in that hour. It is recorded that something was erased, and what stands for your account on
    this machine, but not whose it was. Who looked up, exported or erased something stays on record for
    CONSENT_RETENTION. A browser keeps its answer until that is changed or runs out.

    Exports that hold the erased are named: erase them there, too.
    """
    if sum([bool(ids), expired, of_exports, listing, source is not None]) != 1:
        raise click.UsageError("Name ids, or one of --expired, --exports, --list and --from.")
    site, ledger = site_of(ctx), ledger_of(ctx)
    if expired:
        run_retention(site, as_json=as_json)
    elif of_exports:
        say_exports(concerned(ledger), as_json=as_json)
    elif listing:
        for id in ledger.tombstones():
            say(str(id))
    elif source is not None:
        erase_again(site, ledger, source, as_json=as_json)
    else:
        erase_named(ctx, site, ledger, ids, yes=yes, as_json=as_json)


def erase_named(
    ctx: click.Context, site: Site, ledger: Ledger, ids: Sequence[str], *, yes: bool, as_json: bool
) -> None:
    """Erase whomever *ids* name."""
    reader = Reader(ledger)
    found = [find(reader, id) for id in ids]
    rows = [row for each in found for row in each.rows if not row.erased]
    if not rows:
        complain("Nothing is left to erase of these.")
    elif not yes:
        list_them(site, [each.rows[-1].id for each in found], rows)
        if not click.confirm(f"Erase {counted(len(rows), 'event', 'events')} for good?", err=True):
            complain("Nothing was erased.")
            ctx.exit(WRONG)
    held = holding(list(exports(ledger)), rows, reader)
    count = sum(
        ledger.erase(
            said(site),
            salt=secrets.token_bytes(32),
            subject=each.subject,
            ids=[uuid.UUID(row.id) for row in each.rows],
            patience=_PATIENCE,
        )
        for each in found
    )
    if as_json:
        say_json({"erased": count, "exports": [each.members() for each in held]})
        return
    say(f"Erased {counted(count, 'event', 'events')}.")
    if held:
        say_exports(held, as_json=False)


def find(reader: Reader, text: str) -> Found:
    """What *text* stands for; LedgerError when nothing of that id is on record."""
    try:
        wanted = read_id(text)
    except SearchError as error:
        raise click.BadParameter(str(error), param_hint="ID") from error
    record = reader.ledger.get(wanted)
    subject = record.subject if record else wanted
    linked = reader.ledger.of_subject(subject) if subject else ()
    records = linked or ([record] if record else [])
    require_all(reader.ledger, subject or wanted, records, linked)
    if not records and reader.ledger.was_pruned(wanted):
        raise LedgerError(PRUNED.format(wanted))
    if not records:
        raise LedgerError(
            f"nothing is on record under the id {wanted}. Is it of another site, erased as a whole, or copied wrongly?"
        )
    rows = list(reader.rows(records))
    if rows[0].kind in _TRACES:
        raise LedgerError(
            f"the event {wanted} says that somebody looked up, exported or erased something. It stays until it has "
            "been kept for CONSENT_RETENTION."
        )
    if rows[0].kind in KEPT:
        raise LedgerError(
            f"the event {wanted} says what the site or its log went through, and nothing of anybody. It stays."
        )
    return Found(subject if linked else None, rows)


def require_all(ledger: Ledger, id: uuid.UUID, records: Sequence[Record], linked: Sequence[Record]) -> None:
    """LedgerError unless *records* are all that is on record of the event or subject *id*, as reading everything tells.

    *linked* are those that were found by the subject. Otherwise an index that somebody has altered, or what it is made
    of, could keep something from being erased.
    """
    leaves, openings = ledger.storage.told_of(id)
    further = ""
    if leaves > len(records) or openings != len(linked):
        found = (
            f"its event is there {leaves} times and {openings} events are linked to it; by the indexes "
            f"{sum(each.id == id for each in records)} and {len(linked)} are found"
        )
    elif others := [
        each for each in records if each.body is not None and naming(each.subject) not in each.body
    ]:
        found = "the opening of " + ", ".join(str(each.id) for each in others[:_NAMED])
        if len(others) > _NAMED:  # of a subject, as no others are many
            subject = others[0].subject
            found += f" and of {len(others) - _NAMED:,} more"
            theirs = f"position('{naming(subject).decode()}'::bytea IN body) = 0"
            further = f", and the others, WHERE subject = '{subject}' AND {theirs}"
        found += " is filed under it, and of somebody else"
    elif any(each.body is None and not ledger.storage.is_erased(each.id) for each in records):
        found = "something that was said under it is gone, or not found, and nothing says that it was erased"
    else:
        return
    raise LedgerError(
        f"The database contradicts itself about the id {id}: {found}. Nothing was erased. Was something recorded at "
        "this moment? Run the command again. Else run flask consent verify: where only an index is wrong, the command "
        "REINDEX of sqlite3 mends it; where something was altered, restore the database from a backup. On PostgreSQL "
        f"whoever may record can have added an opening: where one is named, delete it from consent.opening{further}."
    )


def run_retention(site: Site, *, as_json: bool) -> None:
    """Look through the whole log."""
    passed = site.retention.run()
    if as_json:
        say_json({"erased": passed.erased, "expired": passed.expired})
    else:
        say(
            f"Erased {counted(passed.erased, 'event that was', 'events that were')} kept long enough; the end of "
            f"{counted(passed.expired, 'grant', 'grants')} is on record."
        )


def erase_again(site: Site, ledger: Ledger, source: Path, *, as_json: bool) -> None:
    """Erase the events that the list in *source* names."""
    try:
        ids = sorted(parse(source.read_text("utf-8")))
    except ValueError as error:
        raise click.BadParameter(f"{source}: {error}", param_hint="--from") from error
    count = sum(
        ledger.erase(
            said(site),
            salt=secrets.token_bytes(32),
            ids=ids[first : first + _AT_ONCE],
            patience=_PATIENCE,
        )
        for first in range(0, len(ids), _AT_ONCE)
    )
    say_json({"erased": count}) if as_json else say(
        f"Erased {count:,} of {counted(len(ids), 'event', 'events')} again."
    )


def concerned(ledger: Ledger) -> list[Export]:
    """The exports that may hold what was erased after them; of what was pruned since, the hours alone are known."""
    every = list(exports(ledger))
    if not every:
        return []
    reader = Reader(ledger)
    acts = [
        each
        for each in ledger.records()
        if b'"kind":"erased"' in each.leaf or b'"kind":"pruned"' in each.leaf
    ]
    before = [each for each in every if acts and each.index < acts[-1].index]
    records = (ledger.get(id) for _, id in ledger.erased())
    held = holding(before, [reader.row(each) for each in records if each is not None], reader)
    prunings = [row for row in map(reader.row, acts) if row.kind == Kind.PRUNED]
    return [each for each in before if each in held or any(may_hold(each, row) for row in prunings)]


def may_hold(export: Export, pruning: Row) -> bool:
    """Whether *export* was made before *pruning*, of a span in which that had anything to prune."""
    until = (pruning.event.detail or {}).get("until") if pruning.event else None
    since = export.search.since
    early = since is None or until is None or since < datetime.fromisoformat(str(until)) + timedelta(hours=1)
    return export.index < (pruning.index or 0) and early


def say_exports(found: Sequence[Export], *, as_json: bool) -> None:
    """Name *found*."""
    if as_json:
        say_json([each.members() for each in found])
    elif found:
        say("These exports were made before and hold what is erased now. Erase it there, too:")
        say("\n".join(f"  {each.in_words()}" for each in found))
    else:
        complain("No export on record holds anything that was erased since.")


def list_them(site: Site, ids: Sequence[str], rows: Sequence[Row]) -> None:
    """Say what *rows* are, once it is on record that *ids*, one of each history, are looked up; else only that."""
    try:
        for id in ids:
            look_up(site, uuid.UUID(id), operator(), "forget")
    except LedgerError as error:
        complain(str(error))
        return
    complain(table(("time (UTC)", "kind", "id"), [(time_text(r), kind_text(r), r.id) for r in rows]))


def said(site: Site) -> Event:
    """What goes on record of the erasure; of whoever does it only where the key is that they are recorded under."""
    try:
        who = stand_in(site.recorder, operator())
    except LedgerError:
        who = None
    time = moment(site.clock())
    return erasure("operator", id=new_id(), time=time, policy=site.recorder.named_policy(), who=who)
