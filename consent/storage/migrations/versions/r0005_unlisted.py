"""what was erased on PostgreSQL and isn't in the list beside the key yet

Fixed once released: later changes are later revisions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; with SQLite whoever erases writes the list."""
    if op.get_bind().dialect.name != "sqlite":
        op.create_table("unlisted", sa.Column("uid", sa.Uuid, primary_key=True))
