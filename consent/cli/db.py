"""``flask consent db``: the database that the ledger is kept in."""

import click

from consent.cli.command import Group, command, site_of
from consent.cli.terminal import say
from consent.errors import ConfigurationError
from consent.storage import SqliteStorage


@command("upgrade", "flask consent db upgrade")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the database, or bring it to the schema of this release.

    Nothing recorded is changed. The site does the same by itself when it first uses the database; run this
    before, while you look on. It is safe while the site runs.
    """
    storage = site_of(ctx).recorder.ledger.storage
    if not isinstance(storage, SqliteStorage):
        raise ConfigurationError(f"a ledger kept in {type(storage).__name__} has no schema to upgrade.")
    done = storage.upgrade()
    say("\n".join(f"Applied {line}" for line in done) or "The database is up to date.")


db = Group("db", help="Look after the database that the ledger is kept in.", commands=[upgrade])
