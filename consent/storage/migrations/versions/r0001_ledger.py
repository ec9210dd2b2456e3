"""entries, openings and documents, and the triggers that keep them

Fixed once released: later changes are later revisions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# "INSERT OR REPLACE" deletes rows without asking DELETE triggers (sqlite.org/lang_conflict.html),
# so what would replace a row is stopped as it comes in. A row may be named by its key or by its rowid.
# Before the insert a rowid that SQLite is yet to choose reads as -1, so none below 1 may be chosen.
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER entry_in_order BEFORE INSERT ON entry
    WHEN NEW.leaf_index IS NOT (SELECT coalesce(max(leaf_index), -1) + 1 FROM entry)
      OR EXISTS (SELECT 1 FROM entry WHERE uid = NEW.uid)
    BEGIN SELECT RAISE(ABORT, 'entries are only added, each at the next index under an id of its own'); END
    """,
    """
    CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END
    """,
    """
    CREATE TRIGGER entry_remains BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END
    """,
    """
    CREATE TRIGGER opening_once BEFORE INSERT ON opening
    WHEN EXISTS (SELECT 1 FROM opening WHERE uid = NEW.uid OR rowid = NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'openings are never changed'); END
    """,
    """
    CREATE TRIGGER opening_numbered AFTER INSERT ON opening
    WHEN NEW.rowid < 1
    BEGIN SELECT RAISE(ABORT, 'openings are never numbered below 1'); END
    """,
    """
    CREATE TRIGGER opening_stays BEFORE UPDATE ON opening
    BEGIN SELECT RAISE(ABORT, 'openings are never changed'); END
    """,
    """
    CREATE TRIGGER document_once BEFORE INSERT ON document
    WHEN EXISTS (SELECT 1 FROM document WHERE hash = NEW.hash)
    BEGIN SELECT RAISE(IGNORE); END
    """,
    """
    CREATE TRIGGER document_alone BEFORE INSERT ON document
    WHEN EXISTS (SELECT 1 FROM document WHERE rowid = NEW.rowid AND hash <> NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'documents are never changed'); END
    """,
    """
    CREATE TRIGGER document_numbered AFTER INSERT ON document
    WHEN NEW.rowid < 1
    BEGIN SELECT RAISE(ABORT, 'documents are never numbered below 1'); END
    """,
    """
    CREATE TRIGGER document_stays BEFORE UPDATE ON document
    BEGIN SELECT RAISE(ABORT, 'documents are never changed'); END
    """,
    """
    CREATE TRIGGER document_remains BEFORE DELETE ON document
    BEGIN SELECT RAISE(ABORT, 'documents are never deleted'); END
    """,
)


def upgrade() -> None:
    """Create the tables and, on SQLite, their triggers."""
    op.create_table(
        "entry",
        sa.Column(
            "leaf_index",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("uid", sa.Uuid, nullable=False, unique=True),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "opening",
        sa.Column("uid", sa.Uuid, primary_key=True),
        sa.Column("subject", sa.Uuid, index=True),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "document",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for trigger in SQLITE_TRIGGERS:
            op.execute(trigger)
