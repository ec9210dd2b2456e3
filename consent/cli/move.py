"""``flask consent db move``: takes a log from SQLite to PostgreSQL, so that it is the same log."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import zip_longest

import click

from consent.audit.live import own_keys, verify_live
from consent.cli.command import command, database_file, ledger_of, site_of
from consent.cli.keys import desk_of
from consent.cli.terminal import complain, facts, say, with_progress
from consent.errors import ConfigurationError, LedgerError
from consent.ledger import Checkpoint, Ledger, rotation
from consent.ledger.note import Note
from consent.storage import GuardedStorage, SqliteStorage, open_storage
from consent.storage.departure import Row
from consent.verify import FINE
from consent.web.site import Site

TO = "postgresql+psycopg://clinic_owner@db.example/clinic"
#: Seconds for which the log waits until nobody writes.
_PATIENCE = 30.0


@command("move", f"flask consent db move {TO}")
@click.argument("to", metavar="URL")
@click.pass_context
def move(ctx: click.Context, to: str) -> None:
    """Take the log from SQLite to the PostgreSQL database at URL.

    Run it where the signing key is, with a URL that names who is to own the tables; the schema there has to be empty.
    Everything is copied, and proved to be the same log: its tree is computed anew from what arrived, and has to
    continue the checkpoint that was signed last. While that lasts nothing is recorded, and the site answers as it does
    when its log is busy. Then it says what to change in the settings. The file stays, and takes nothing more.

    Interrupted at any moment, it leaves the log where it was, or is completed by running it again.
    """
    site, ledger = site_of(ctx), ledger_of(ctx)
    source = ledger.storage
    if database_file(site) is None or not isinstance(source, SqliteStorage):
        raise ConfigurationError("only a log in a SQLite file moves. CONSENT_DATABASE has to name that one.")
    key = desk_of(ledger).keys.path
    target = open_storage(to, origin=ledger.origin, signing_key=key, signers=site.settings.signers)
    if not isinstance(target, GuardedStorage):
        raise click.BadParameter("expected postgresql+psycopg://<user>@<host>/<database>", param_hint="URL")
    try:
        there = Ledger(target, ledger.origin)
        gone_to = source.moved_to()
        if gone_to is None:
            carry(ledger, source, there, target)
        elif gone_to != target.name:
            raise LedgerError(f"the log has moved to {gone_to} already")
        if gone_to is None or target.arriving():
            same(ledger, there)
            target.open()
        note = there.sign(patience=rotation.PATIENCE)
    finally:
        target.close()
    say(settled(site, target.name, Checkpoint.parse(Note.parse(note).text), str(key)))


def carry(ledger: Ledger, source: SqliteStorage, there: Ledger, target: GuardedStorage) -> None:
    """Copy all of *ledger* into *target* and prove that it is *there*; then let *source* record nothing more.

    LedgerError when it isn't, or can't be done: then all is as it was, but for a copy in which nothing is recorded.
    """
    source.upgrade()
    signed = ledger.sign(
        patience=rotation.PATIENCE
    )  # what may not be signed here is not carried there to be signed
    with source.leaving(_PATIENCE) as departure:
        target.receive(departure, progress)
        same(ledger, there)
        prove(ledger, there, signed)
        departure.mark(target.name)


def progress(rows: Iterable[Row], total: int, what: str) -> Iterator[Row]:
    """*rows*; standard error says how many of *total* have arrived."""
    return with_progress(rows, total, f"{what} copied")


def same(ledger: Ledger, there: Ledger) -> None:
    """LedgerError unless *there* is the tree of *ledger*, with the same signed checkpoints."""
    if there.head() != ledger.head():
        raise LedgerError("the tree that arrived is another: size or root differ. Nothing was switched over.")
    for one, other in zip_longest(ledger.storage.notes(), there.storage.notes()):
        if one != other:
            raise LedgerError("the checkpoints that arrived are others. Nothing was switched over.")


def prove(ledger: Ledger, there: Ledger, signed: str) -> None:
    """LedgerError unless all that is *there* verifies, and continues the checkpoint *signed* last."""
    report = verify_live(
        there,
        own_keys(ledger, complain),
        [("the checkpoint signed last", signed)],
        progress=lambda records, total: with_progress(records, total, "entries verified"),
        now=datetime.now(UTC),
    )
    if wrong := [each for each in report.findings if each.verdict not in FINE]:
        complain("\n".join(f"{each.verdict}  {each.place}: {each.said}" for each in wrong))
        raise LedgerError(
            "what arrived doesn't verify, so nothing was switched over. See whether it does where it was: "
            "flask consent verify"
        )


def settled(site: Site, name: str, signed: Checkpoint, key: str) -> str:
    """What has happened, and what is to be changed now."""
    linking = site.settings.account or site.settings.auditor
    accounts = "CONSENT_ACCOUNT_KEY, a file that this makes: flask consent keys account FILE"
    return "\n".join(
        [
            f"The log of {signed.size:,} entries is in {name}: the same tree, the same key, and signed there.",
            "",
            "Change the settings, and start the site again:",
            facts(
                [
                    ("everywhere", f"CONSENT_DATABASE = {name!r}, each with a role of its own"),
                    ("who signs", f"CONSENT_SIGNING_KEY = {key!r}, on this machine alone"),
                    (
                        "the site",
                        f"no CONSENT_SIGNING_KEY{f'; {accounts}' if linking else ''}",
                    ),
                ]
            ),
            "",
            "Then run: flask consent db roles --apply, and on this machine: flask consent seal --every 1s",
            f"{database_file(site)} records nothing more. It still holds what is personal: keep it no longer than a "
            "backup.",
        ]
    )
