"""Run by Alembic: applies the revisions to the connection that ``consent.storage.migrate`` hands over."""

from alembic import context

from consent.storage.migrate import schema_of
from consent.storage.schema import VERSION_TABLE

connection = context.config.attributes["connection"]
# The caller began the transaction and commits it: all revisions, or none.
context.configure(
    connection=connection, version_table=VERSION_TABLE, version_table_schema=schema_of(connection)
)
context.run_migrations()
