"""the bound below which entries may be pruned, and triggers that let only those go

Fixed once released: later changes are later revisions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: How the leaf of the event that names a bound goes on after its kind, and what stands in leaves that stay for ever.
_NAMED = '"kind":"pruned","min_index":'
_STAYING = ('"kind":"operated"', '"kind":"pruned"')

_UNNAMED = f"""NOT EXISTS (
        SELECT 1 FROM entry WHERE uid = NEW.uid AND leaf_index >= NEW.min_index
        AND instr(leaf, CAST('{_NAMED}' || NEW.min_index || ',' AS BLOB)) > 0
    )"""

# "INSERT OR REPLACE" deletes rows without asking DELETE triggers, so what would replace a row is stopped as it
# comes in.
SQLITE_TRIGGERS = (
    "DROP TRIGGER entry_remains",
    f"""
    CREATE TRIGGER entry_remains BEFORE DELETE ON entry
    WHEN OLD.leaf_index < 1 OR OLD.leaf_index >= coalesce((SELECT min_index FROM bound), 0)
      OR EXISTS (SELECT 1 FROM opening WHERE uid = OLD.uid)
      {" ".join(f"OR instr(OLD.leaf, CAST('{mark}' AS BLOB)) > 0" for mark in _STAYING)}
    BEGIN SELECT RAISE(ABORT, 'entries are never deleted, but below the bound once nothing else is left of them'); END
    """,
    f"""
    CREATE TRIGGER bound_named BEFORE INSERT ON bound
    WHEN EXISTS (SELECT 1 FROM bound) OR {_UNNAMED}
    BEGIN SELECT RAISE(ABORT, 'there is never a second bound, nor one that no entry names'); END
    """,
    f"""
    CREATE TRIGGER bound_grows BEFORE UPDATE ON bound
    WHEN NEW.min_index <= OLD.min_index OR {_UNNAMED}
    BEGIN SELECT RAISE(ABORT, 'the bound never falls, nor rises to where no entry names it'); END
    """,
    """
    CREATE TRIGGER bound_remains BEFORE DELETE ON bound
    BEGIN SELECT RAISE(ABORT, 'the bound is never deleted'); END
    """,
)

# ENABLE ALWAYS: they fire under session_replication_role = replica, too. What they compare with is the system's own,
# whatever whoever writes calls so. Each can be run again.
POSTGRESQL_TRIGGERS = (
    f"""
    CREATE OR REPLACE FUNCTION consent.refuse_unless_pruned() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        IF OLD.leaf_index < 1 OR OLD.leaf_index >= coalesce((SELECT min_index FROM consent.bound), 0)
            OR EXISTS (SELECT FROM consent.opening WHERE uid = OLD.uid)
            {" ".join(f"OR position('{mark}'::bytea IN OLD.leaf) > 0" for mark in _STAYING)}
        THEN
            RAISE EXCEPTION USING ERRCODE = 'restrict_violation',
                MESSAGE = 'consent.entry refuses DELETE: what is recorded stays';
        END IF;
        RETURN OLD;
    END $$
    """,
    f"""
    CREATE OR REPLACE FUNCTION consent.refuse_unless_named() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND NEW.min_index <= OLD.min_index OR NOT EXISTS (
            SELECT FROM consent.entry WHERE uid = NEW.uid AND leaf_index >= NEW.min_index
            AND position(convert_to('{_NAMED}' || NEW.min_index || ',', 'UTF8') IN leaf) > 0
        ) THEN
            RAISE EXCEPTION USING ERRCODE = 'restrict_violation',
                MESSAGE = 'consent.bound refuses ' || TG_OP || ': it only grows, to where an entry names it';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE OR REPLACE TRIGGER entry_stays BEFORE UPDATE OR TRUNCATE ON consent.entry "
    "FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse()",
    "ALTER TABLE consent.entry ENABLE ALWAYS TRIGGER entry_stays",
    "CREATE OR REPLACE TRIGGER entry_remains BEFORE DELETE ON consent.entry "
    "FOR EACH ROW EXECUTE FUNCTION consent.refuse_unless_pruned()",
    "ALTER TABLE consent.entry ENABLE ALWAYS TRIGGER entry_remains",
    "CREATE OR REPLACE TRIGGER bound_stays BEFORE DELETE OR TRUNCATE ON consent.bound "
    "FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse()",
    "ALTER TABLE consent.bound ENABLE ALWAYS TRIGGER bound_stays",
    "CREATE OR REPLACE TRIGGER bound_grows BEFORE INSERT OR UPDATE ON consent.bound "
    "FOR EACH ROW EXECUTE FUNCTION consent.refuse_unless_named()",
    "ALTER TABLE consent.bound ENABLE ALWAYS TRIGGER bound_grows",
)


def upgrade() -> None:
    """Create the table and the triggers. As long as it has no row nothing may go."""
    op.create_table(
        "bound",
        sa.Column(
            "one", sa.SmallInteger, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("min_index", sa.BigInteger, nullable=False),
        sa.Column("uid", sa.Uuid, nullable=False),
        sqlite_with_rowid=False,
    )
    for trigger in SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_TRIGGERS:
        op.execute(trigger)
