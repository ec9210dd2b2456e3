"""``flask consent keys``: the keys that sign the log's checkpoints, and what keeps them from signing two logs."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from consent.cli.command import WRONG, Group, command, database_file, ledger_of, site_of
from consent.cli.terminal import complain, facts, say, say_json, table
from consent.errors import ConfigurationError, LedgerError, SigningRefused
from consent.ledger import Checkpoint, Ledger, LogKey, rotation
from consent.ledger.merkle import root_of
from consent.ledger.note import Note, Signer, encoded
from consent.storage import GuardedStorage
from consent.storage.accountkey import AccountKey
from consent.storage.desk import FileDesk
from consent.verify import counted
from consent.web.site import Site


@command("show", "flask consent keys show", "flask consent keys show --json")
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """List the log's verifier keys, and where key, guard and database lie.

    Publish the verifier keys where others find them without this site: who checks a receipt or an export needs
    them. `old` ones sign no longer, but what they signed stays valid; `revoked` ones count no longer.
    """
    ledger, site = ledger_of(ctx), site_of(ctx)
    keys, places = ledger.keys(), places_of(site, ledger)
    if as_json:
        listed = [{"entry": key.announced, "key": key.verifier, "state": key.state} for key in keys]
        say_json({"keys": listed, "places": {name: str(place) for name, place in places}})
        return
    say(table(["entry", "state", "verifier key"], [(key.announced, key.state, key.verifier) for key in keys]))
    say()
    say(facts(places))


@command("rotate", "flask consent keys rotate", "flask consent keys rotate --finish")
@click.option("--finish", is_flag=True, help="End the time in which both sign: the old key signs no longer.")
@click.option(
    "--revoke", is_flag=True, help="Others may have the old key: it signs no longer, and counts no longer."
)
@click.option(
    "--to",
    metavar="KEY",
    help="The verifier key of one of CONSENT_SIGNERS to go over to, instead of a new file.",
)
@click.option("--yes", is_flag=True, help="Don't ask before a key is revoked.")
@click.pass_context
def rotate(ctx: click.Context, finish: bool, revoke: bool, to: str | None, yes: bool) -> None:
    """Make a new key for the log, which the old one vouches for.

    Both sign from now on. Publish the new verifier key beside the old one; when those who check know it, run this
    with --finish. What the old key signed stays valid. Both acts are events of the log.
    """
    ledger = ledger_of(ctx)
    desk = desk_of(ledger)
    ledger.sign(patience=rotation.PATIENCE)  # nothing is rotated where nothing may be signed
    newest = newest_here(ledger)
    olds = rotation.before(ledger, newest)
    if revoke and not yes:
        complain("Receipts and checkpoints that only the old key signed will count no longer.")
        click.confirm("Revoke it?", abort=True, err=True)
    if olds and not (finish or revoke):
        raise LedgerError(
            "Two keys sign already. Run: flask consent keys rotate --finish, once the new one is published."
        )
    if not olds and finish:
        raise LedgerError("One key signs, so there is nothing to finish. Run: flask consent keys rotate")
    if not olds:
        new = chosen(desk, to) if to else next_signer(ledger, desk)
        rotation.announce(ledger, new, time=datetime.now(UTC), salt=os.urandom(32))
        ledger.sign(patience=rotation.PATIENCE)
        say(f"New key, which the old one vouches for: {new.key}")
        newest = newest_here(ledger)
        olds = rotation.before(ledger, newest)
    if finish or revoke:
        for old in olds:
            rotation.end(ledger, old.verifier, revoked=revoke, time=datetime.now(UTC), salt=os.urandom(32))
            say(f"{'Revoked' if revoke else 'Signs no longer'}: {old.verifier}")
        ledger.sign(patience=rotation.PATIENCE)
        complain(
            f"Only {newest.verifier} signs here now. Keep the old file: accounts are linked under the first key."
        )
    else:
        complain("Both sign now. Publish the new key, then run: flask consent keys rotate --finish")
    for other in rotation.current_keys(ledger):
        if other.verifier not in {newest.verifier, *(old.verifier for old in olds)}:
            complain(
                f"Entry {other.announced} announces {other.verifier}, which isn't here and which this key can't end. "
                "Unless you know it, whoever had an older key put it there: tell those who check not to believe it."
            )


@command("recover", "flask consent keys recover")
@click.option(
    "--yes", is_flag=True, help="Don't ask: the loss is known, and the newest database is gone for good."
)
@click.pass_context
def recover(ctx: click.Context, yes: bool) -> None:
    """Sign a database again that doesn't continue what was signed last, as after a restore.

    First look for the newest database and guard file: with them nothing is lost, and nothing is to be done here.
    This says what was lost, asks, records it in the log for everybody to see, and signs. Who holds an earlier
    checkpoint or receipt can prove that entries are gone, and should hear it from you.
    """
    ledger = ledger_of(ctx)
    desk = desk_of(ledger)
    try:
        ledger.sign(patience=rotation.PATIENCE)
    except SigningRefused as error:
        complain(str(error).partition(" Nothing is signed;")[0])
    else:
        say("Nothing is to be recovered: the tree continues the one that was signed last, and is signed.")
        return
    say(losses(ledger))
    if not yes:
        typed = click.prompt("To sign it all the same, type the name of the log", err=True, default="")
        if typed != ledger.origin:
            complain("That isn't its name. Nothing was done.")
            ctx.exit(WRONG)
    forgotten = rotation.forgotten_keys(ledger)
    aside = desk.set_guard_aside()
    note = rotation.recover(ledger, time=datetime.now(UTC), salt=os.urandom(32))
    size = Checkpoint.parse(Note.parse(note).text).size
    say(f"The loss is on record, and the tree of {size:,} entries is signed.")
    if aside is not None:
        complain(
            f"What was signed before is kept in {aside}: whoever holds a checkpoint of then may ask for it."
        )
    if forgotten:
        complain(
            f"What was recorded of {', '.join(forgotten)} is lost; the key itself is here. The keys before sign again, "
            "also one that was revoked. Run once more: flask consent keys rotate, and then --finish; or --revoke."
        )


@command("account", "flask consent keys account account.key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def account(ctx: click.Context, file: Path) -> None:
    """Write the key that accounts and auditors are linked under to FILE, for those who have no signing key.

    On PostgreSQL the site's workers need it where CONSENT_ACCOUNT or CONSENT_AUDITOR is set: name FILE in
    CONSENT_ACCOUNT_KEY there. It stays the same for as long as the log is, and the signing key can't be found from it.
    Who has it can try out which account an opt-out in the log is of, so let nobody else read it.
    """
    ledger = ledger_of(ctx)
    kept, key = AccountKey(file.absolute()), ledger.account_key()
    first = ledger.keys()[0].verifier
    if not kept.write(first, key) and kept.read(first) != key:
        raise LedgerError(f"{file} is another key of accounts. Name another file, or move that one away.")
    say(f"The key of accounts is in {file}. Name it in CONSENT_ACCOUNT_KEY.")


def losses(ledger: Ledger) -> str:
    """What a tree lacks that doesn't continue the one signed last, in a table."""
    signed, head = rotation.signed_last(ledger), ledger.head()
    if signed is None:
        return facts(
            [
                ("signed last", "not known: the guard file is gone, or not this log's"),
                ("in the database", f"{counted(head.size, 'entry', 'entries')}, root {encoded(head.root)}"),
                ("lost", "not known"),
            ]
        )
    if head.size < signed.size:
        lost = f"{counted(signed.size - head.size, 'entry', 'entries')} at least"
    else:
        lost = "entries were changed, or others were recorded in the place of what is gone"
    return facts(
        [
            ("signed last", f"{counted(signed.size, 'entry', 'entries')}, root {encoded(signed.root)}"),
            ("in the database", f"{counted(head.size, 'entry', 'entries')}, root {encoded(head.root)}"),
            ("lost", lost),
            ("certainly as signed", f"the first {counted(common(ledger, signed), 'entry', 'entries')}"),
        ]
    )


def common(ledger: Ledger, signed: Checkpoint) -> int:
    """How many entries are certainly those that were signed: of the newest note that the tree continues."""
    size = min(signed.size, ledger.head().size)
    while size > 0 and (note := ledger.storage.note(size)) is not None:
        found = Checkpoint.parse(Note.parse(note).text)
        if root_of(found.size, ledger.tree) == found.root:
            return found.size
        size = found.size - 1
    return 0


def places_of(site: Site, ledger: Ledger) -> list[tuple[str, object]]:
    """Where the keys, the guard and the database lie."""
    storage = ledger.storage
    database = (
        storage.name if isinstance(storage, GuardedStorage) else database_file(site) or site.settings.database
    )
    desk = ledger.storage.desk
    if not isinstance(desk, FileDesk):
        return [("key", "not kept here"), ("guard", "not kept here"), ("database", database)]
    return [
        *(("key", key.path if key.path.exists() else f"{key.path} (missing)") for key in desk.keys.ring()),
        ("guard", desk.keys.guard),
        ("database", database),
    ]


def desk_of(ledger: Ledger) -> FileDesk:
    """The desk at the log's key file; ConsentError where that isn't kept."""
    desk = rotation.desk_of(ledger)
    if not isinstance(desk, FileDesk):
        raise ConfigurationError(
            "the log is kept in memory, and its key ends with it. Name a CONSENT_DATABASE."
        )
    return desk


def newest_here(ledger: Ledger) -> LogKey:
    """The newest of the keys that sign and are here; LedgerError if there is none."""
    if found := rotation.signing(ledger):
        return found[-1]
    raise LedgerError("None of the log's keys is here that may sign. Put the key's file back.")


def next_signer(ledger: Ledger, desk: FileDesk) -> Signer:
    """The key of a new file; that of a file which was made, but not announced, before a process was killed."""
    announced = ledger.keys()
    known = {key.verifier for key in announced}
    for key in desk.keys.ring()[1:]:
        if (made := Signer.of(key.origin, key.use())).key not in known:
            return made
    following = desk.keys.following()
    return Signer.of(following.origin, following.make())


def chosen(desk: FileDesk, key: str) -> Signer:
    """The signer with the verifier key *key*; click's own error if there is none."""
    for signer in desk.signers():
        if signer.key == key:
            return signer
    raise click.BadParameter(f"{key!r} is the key of none of CONSENT_SIGNERS", param_hint="--to")


keys = Group(
    "keys",
    help="Look after the keys that sign the log's checkpoints.",
    commands=[show, rotate, recover, account],
)
