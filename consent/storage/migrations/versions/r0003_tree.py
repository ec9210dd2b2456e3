"""the tree over the entries; on PostgreSQL the inbox, and the triggers

Fixed once released: later changes are later revisions. The tree itself is built after this, by the sealing that
also catches up over entries of an older release.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INSERT_ONLY = {
    "tile": "level = NEW.level AND n = NEW.n",
    "checkpoint": "size = NEW.size",
    "erased": "uid = NEW.uid",
}

# "INSERT OR REPLACE" deletes rows without asking DELETE triggers, so what would replace a row is stopped as it
# comes in. These tables have no rowid by which a row could be named besides its key.
SQLITE_TRIGGERS = (
    *(
        statement
        for table, key in _INSERT_ONLY.items()
        for statement in (
            f"""
            CREATE TRIGGER {table}_once BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE {key})
            BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END
            """,
            f"""
            CREATE TRIGGER {table}_stays BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END
            """,
            f"""
            CREATE TRIGGER {table}_remains BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, 'rows of {table} are never deleted'); END
            """,
        )
    ),
    """
    CREATE TRIGGER head_once BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head)
    BEGIN SELECT RAISE(ABORT, 'there is never a second head'); END
    """,
    """
    CREATE TRIGGER head_grows BEFORE UPDATE ON head WHEN NEW.size <= OLD.size
    BEGIN SELECT RAISE(ABORT, 'the head never shrinks and never changes at the same size'); END
    """,
    """
    CREATE TRIGGER head_remains BEFORE DELETE ON head
    BEGIN SELECT RAISE(ABORT, 'the head is never deleted'); END
    """,
)

#: What each table refuses on PostgreSQL, as whole statements.
_REFUSED = {
    "entry": "UPDATE OR DELETE OR TRUNCATE",
    "document": "UPDATE OR DELETE OR TRUNCATE",
    "tile": "UPDATE OR DELETE OR TRUNCATE",
    "checkpoint": "UPDATE OR DELETE OR TRUNCATE",
    "erased": "UPDATE OR DELETE OR TRUNCATE",
    "conflict": "UPDATE OR DELETE OR TRUNCATE",
    "opening": "UPDATE OR TRUNCATE",
    "inbox": "UPDATE OR TRUNCATE",
    "head": "DELETE OR TRUNCATE",
}

# ENABLE ALWAYS: they fire under session_replication_role = replica, too. What they compare with is the system's own,
# whatever whoever writes calls so. Each can be run again.
POSTGRESQL_TRIGGERS = (
    """
    CREATE OR REPLACE FUNCTION consent.refuse() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        RAISE EXCEPTION USING ERRCODE = 'restrict_violation',
            MESSAGE = 'consent.' || TG_TABLE_NAME || ' refuses ' || TG_OP || ': what is recorded stays';
    END $$
    """,
    *(
        statement
        for table, refused in _REFUSED.items()
        for statement in (
            f"CREATE OR REPLACE TRIGGER {table}_stays BEFORE {refused} ON consent.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse()",
            f"ALTER TABLE consent.{table} ENABLE ALWAYS TRIGGER {table}_stays",
        )
    ),
    "CREATE OR REPLACE TRIGGER head_grows BEFORE UPDATE ON consent.head "
    "FOR EACH ROW WHEN (NEW.size <= OLD.size) EXECUTE FUNCTION consent.refuse()",
    "ALTER TABLE consent.head ENABLE ALWAYS TRIGGER head_grows",
)


def upgrade() -> None:
    """Create the tables and their triggers; the head is that of an empty tree."""
    op.create_table(
        "tile",
        sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    head = op.create_table(
        "head",
        sa.Column(
            "one", sa.SmallInteger, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("sealed_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erased",
        sa.Column("uid", sa.Uuid, primary_key=True),
        sqlite_with_rowid=False,
    )
    # The root of the empty tree is the hash of nothing (RFC 6962 §2.1).
    nothing = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    op.bulk_insert(head, [{"one": 1, "size": 0, "root": nothing, "frontier": b"", "sealed_at": 0}])
    if op.get_bind().dialect.name == "sqlite":
        triggers = SQLITE_TRIGGERS
    else:
        _create_inbox()
        triggers = POSTGRESQL_TRIGGERS
    for trigger in triggers:
        op.execute(trigger)


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("uid", sa.Uuid, nullable=False, unique=True),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")
        ),
    )
    op.create_table(
        "conflict",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("uid", sa.Uuid, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
    )
    # Hashes don't compress.
    op.execute("ALTER TABLE consent.tile ALTER COLUMN hashes SET STORAGE EXTERNAL")
