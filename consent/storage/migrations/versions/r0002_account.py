"""opt-outs of accounts

Fixed once released: later changes are later revisions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table. Unlike the others it may be changed: it says what holds now, the events what happened."""
    op.create_table(
        "account",
        sa.Column("link", sa.String(22), primary_key=True),
        sa.Column("uid", sa.Uuid, nullable=False),
    )
