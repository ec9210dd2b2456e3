"""``flask consent prune``: the leaves of what was erased and kept long enough go; their hashes stay (LOG-09)."""

import re
import secrets
from datetime import UTC, datetime, timedelta

import click

from consent.audit.row import stamp
from consent.cli.asked import Moment
from consent.cli.command import WRONG, command, ledger_of, site_of
from consent.cli.terminal import complain, say, say_json, with_progress
from consent.ledger import Ledger, pruning
from consent.ledger.rotation import desk_of
from consent.ledger.tile import WIDTH
from consent.verify import counted
from consent.web.pruning import Plan, plan
from consent.web.recorder import moment
from consent.web.site import Site

#: No log is older; longer spans reach back to this.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"d": 1, "w": 7, "y": 366}


class Span(click.ParamType[timedelta]):
    """A span of time such as ``900d``, ``52w`` or ``5y``; a year is taken for 366 days."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The span; click's own error for anything else."""
        found = re.fullmatch(r"([0-9]{1,5})([dwy])", str(value))
        if found is None:
            self.fail(f"{value!r} is no span of time; expected such as 900d, 52w or 5y", param, ctx)
        return timedelta(days=int(found[1]) * _UNITS[found[2]])


class Boundary(click.ParamType[int]):
    """An index at which a tile begins."""

    name = "index"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The index; click's own error, which names the next boundary, for any other number."""
        text = str(value)
        index = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
        if not index:
            self.fail(f"{value!r} is no index; expected a whole number above 0, such as 512", param, ctx)
        if index % WIDTH:
            near = pruning.boundary(index)
            self.fail(
                f"{index} lies within a tile of {WIDTH} entries, which goes whole; the next boundary is {near}",
                param,
                ctx,
            )
        return index


@command(
    "prune",
    "flask consent prune --dry-run",
    "flask consent prune",
    "flask consent prune --before 2024-01-01 --yes",
    "flask consent prune --keep 6y --yes --json",
)
@click.option(
    "--before", type=Moment(end=False), help="Only what was recorded before this date or time (UTC)."
)
@click.option("--keep", type=Span(), metavar="5y", help="Only what was recorded longer ago than this.")
@click.option("--below", type=Boundary(), metavar="INDEX", help="Only below this index, a multiple of 256.")
@click.option("--dry-run", is_flag=True, help="Say what would be pruned, and do nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def prune(
    ctx: click.Context,
    before: datetime | None,
    keep: timedelta | None,
    below: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Drop the oldest entries, to save space; everything else still verifies.

    An entry may go when no cookie with its answer can live, CONSENT_RETENTION is over and what it said is erased; what
    is due to be erased is erased first. Whole tiles of 256 are taken from the oldest on, as far as that holds. Their
    hashes stay, so every checkpoint, proof and receipt holds as before. What the site ran under, keys, policies and
    notices stay, too, and so does any entry that is still needed, with what it says.

    Says how much that is, and asks. What is to be pruned is signed and goes on record first, and under a signed
    checkpoint: run it where the key is. It may be interrupted and done again at any time. On PostgreSQL it needs
    consent_pruner besides the roles of who records, seals and erases.
    """
    site, ledger = site_of(ctx), ledger_of(ctx)
    if sum(option is not None for option in (before, keep, below)) > 1:
        raise click.UsageError("Name one of --before, --keep and --below.")
    now = moment(site.clock())
    if keep is not None:
        before = now - min(keep, now - _EARLIEST)
    require_old(site, before, now)
    records = with_progress(ledger.records(), ledger.size(), "entries read")
    planned = plan(site.retention, ledger, records, before=before, below=below)
    require_reached(planned, below, now)
    if not planned.events and planned.min_index <= ledger.pruned():
        nothing(planned, now, as_json=as_json)
        return
    if dry_run:
        say_json(members(planned)) if as_json else say(in_words(planned))
        return
    if not yes:
        complain(in_words(planned))
        if not click.confirm(f"Prune {counted(planned.events, 'event', 'events')} for good?", err=True):
            complain("Nothing was pruned.")
            ctx.exit(WRONG)
    if planned.min_index > ledger.pruned():
        desk_of(ledger)  # nothing is erased for a pruning that can't be
    site.retention.run()
    if planned.min_index > ledger.pruned():
        declare(site, ledger, planned)
    count = sum(with_progress(pruning.drop(ledger), planned.events, "transactions"))
    if as_json:
        say_json({"pruned": count, "min_index": ledger.pruned()})
    else:
        say(f"Pruned {counted(count, 'event', 'events')} below index {ledger.pruned()}.")


def require_old(site: Site, before: datetime | None, now: datetime) -> None:
    """click's own error if what was recorded up to *before* may still be needed."""
    horizon = site.retention.horizon(now)
    if before is not None and before > horizon:
        raise click.UsageError(
            f"What was recorded from {horizon:%Y-%m-%d %H:%M} UTC on may still be in a cookie that lives, or is to be "
            f"kept for CONSENT_RETENTION. Name no later date: --before {horizon:%Y-%m-%d}."
        )


def require_reached(planned: Plan, below: int | None, now: datetime) -> None:
    """click's own error if not all up to index *below* may go."""
    if below is None or planned.min_index >= below:
        return
    last = f"The last boundary is {planned.min_index}." if planned.min_index else "None can be pruned yet."
    raise click.UsageError(f"Not all below {below} can be pruned: {stopped(planned, now)}. {last}")


def stopped(planned: Plan, now: datetime) -> str:
    """Why nothing beyond *planned* can be pruned."""
    if planned.next is None:
        return "the log ends before"
    index, hour = planned.next
    if hour <= now:
        return f"entry {index} is of {hour:%Y-%m-%d %H}h and may still be needed"
    return (
        f"entry {index} is dated {hour:%Y-%m-%d %H}h, which is yet to come, so a clock was wrong when it was recorded, "
        "and nothing shows how old it is. An entry's date can't be mended: it and what follows stay until that date is "
        'as long past as all else has to be ("flask consent log" shows the entries around it)'
    )


def nothing(planned: Plan, now: datetime, *, as_json: bool) -> None:
    """Say that nothing is to be done, and what stands in the way if that won't pass soon."""
    if as_json:
        say_json({"pruned": 0, "min_index": planned.min_index})
        return
    complain("Nothing can be pruned now: no further tile of 256 entries is old enough.")
    if planned.next is not None and planned.next[1] > now:
        complain(f"It ends at index {planned.min_index}: {stopped(planned, now)}.")


def in_words(planned: Plan) -> str:
    """*planned* in a sentence or two."""
    until = f", the latest of {planned.until:%Y-%m-%d %H}h" if planned.until else ""
    stay = f" {planned.stay:,} below it stay." if planned.stay else ""
    if planned.ahead:
        stay += (
            f" One of these is entry {planned.ahead[0]}, which is dated {planned.ahead[1]:%Y-%m-%d %H}h, yet to come: "
            "a clock was wrong when it was recorded."
        )
    events = f"{counted(planned.events, 'event', 'events')} below index {planned.min_index}"
    return f"{events} can be pruned{until}: {planned.bytes:,} bytes.{stay}"


def members(planned: Plan) -> dict[str, object]:
    """*planned* as plain data for JSON."""
    return {
        "bytes": planned.bytes,
        "events": planned.events,
        "min_index": planned.min_index,
        "stay": planned.stay,
        "ahead": planned.ahead and {"index": planned.ahead[0], "hour": stamp(planned.ahead[1], "seconds")},
        "until": planned.until and stamp(planned.until, "seconds"),
    }


def declare(site: Site, ledger: Ledger, planned: Plan) -> None:
    """Put on record what is to be pruned, and raise the bound once that is signed."""
    event = pruning.pruning(
        planned.min_index,
        ledger.records(),
        ledger.storage,
        origin=ledger.origin,
        time=moment(site.clock()),
        policy=site.recorder.named_policy(),
        span=site.retention.span,
        pruned=ledger.pruned(),
    )
    said = pruning.declare(ledger, event, salt=secrets.token_bytes(32))
    pruning.raise_bound(ledger, said)
