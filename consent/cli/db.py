"""``flask consent db``: the database that the ledger is kept in."""

import click

from consent.audit.recount import catch_up
from consent.cli.command import Group, command, site_of
from consent.cli.move import move
from consent.cli.terminal import complain, progressing, say
from consent.errors import ConfigurationError
from consent.storage import GuardedStorage, OwnStorage, roles


@command("upgrade", "flask consent db upgrade")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the database, or bring it to the schema of this release.

    Nothing recorded is changed. What an older release recorded is counted for "flask consent stats", a little at a time
    so that nobody waits long. In SQLite the site does the same by itself when it first uses the database; run this
    before, while you look on. It is safe while the site runs.

    On PostgreSQL this is the only way: run it where the signing key is (CONSENT_SIGNING_KEY), as the role that is
    to own the tables, before the site starts and with each new release. It says when "flask consent db roles --apply"
    has to follow: when roles are in use and lack rights that the release needs.
    """
    storage = site_of(ctx).recorder.ledger.storage
    if not isinstance(storage, OwnStorage):
        raise ConfigurationError(f"a ledger kept in {type(storage).__name__} has no schema to upgrade.")
    done = storage.upgrade()
    say("\n".join(f"Applied {line}" for line in done) or "The database is up to date.")
    if isinstance(storage, GuardedStorage) and (deprived := storage.deprived()):
        complain(f"Rights are missing to {', '.join(deprived)}. Now run: flask consent db roles --apply")
    ledger = site_of(ctx).recorder.ledger
    for _ in progressing(catch_up(ledger), ledger.size()):
        pass


@command("roles", "flask consent db roles", "flask consent db roles --apply")
@click.option("--apply", is_flag=True, help="Run the statements, as the owner of the tables, instead.")
@click.pass_context
def db_roles(ctx: click.Context, apply: bool) -> None:
    """Print the SQL that gives PostgreSQL roles the least they need, and has it refuse the rest.

    Five roles that can't log in: consent_app records, consent_sealer seals, consent_eraser erases openings,
    consent_pruner prunes, consent_reader reads. Grant them to the roles that the site, "flask consent seal" and
    others connect as. The triggers and constraints that refuse what changes the log, or no release writes, are put
    back, too. It can be run again at any time.
    """
    storage = site_of(ctx).recorder.ledger.storage
    statements = roles.statements()
    if not apply:
        say("\n".join(f"{statement};" for statement in statements))
        return
    if not isinstance(storage, GuardedStorage):
        raise ConfigurationError("there are no roles for a file: its permissions guard it.")
    storage.apply(statements)
    complain(f"Applied. Now grant them, as in: GRANT {roles.APP} TO clinic_site;")


db = Group(
    "db", help="Look after the database that the ledger is kept in.", commands=[upgrade, db_roles, move]
)
