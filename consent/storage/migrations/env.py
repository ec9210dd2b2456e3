"""Run by Alembic: applies the revisions to the connection that ``consent.storage.migrate`` hands over."""

from alembic import context

from consent.storage.schema import VERSION_TABLE

# The caller began the transaction and commits it: all revisions, or none.
context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
