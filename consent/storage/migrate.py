"""Bringing a database to the schema of this release."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from consent.storage.schema import REVISIONS, SCHEMA, VERSION_TABLE

_SCRIPTS = Path(__file__).parent / "migrations"


def pending(connection: Connection) -> Sequence[str]:
    """The revisions that the database lacks, oldest first.

    None when a later release has upgraded it: that release keeps what this one needs.
    """
    schema = schema_of(connection)
    if not inspect(connection).has_table(VERSION_TABLE, schema=schema):
        return REVISIONS
    name = f"{schema}.{VERSION_TABLE}" if schema else VERSION_TABLE
    version = connection.execute(text(f"SELECT version_num FROM {name}")).scalar()
    if version is None:
        return REVISIONS
    return REVISIONS[REVISIONS.index(version) + 1 :] if version in REVISIONS else ()


def schema_of(connection: Connection) -> str | None:
    """The schema that the tables are in; None on SQLite, which has none."""
    return SCHEMA if connection.dialect.name == "postgresql" else None


def load() -> None:
    """Import Alembic now, which takes most of a second, so that nobody waits for it behind a lock."""
    import alembic.command  # noqa: F401


def upgrade(connection: Connection) -> Sequence[str]:
    """Apply the pending revisions inside the transaction *connection* is in; what each did, in a line.

    Alembic is imported here only: it would double the time an app takes to start.
    """
    todo = pending(connection)
    if not todo:
        return ()
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    # Config reads % as the start of a placeholder.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    command.upgrade(config, REVISIONS[-1])
    scripts = ScriptDirectory.from_config(config)
    return tuple(f"{name}: {scripts.get_revision(name).doc}" for name in todo)
