"""on PostgreSQL, entries in partitions of 2^24

Fixed once released: later changes are later revisions. What is there becomes the first partition as it is.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: Entries of a partition: as many as a full tile of level 2 stands for.
_SPAN = 2**24

# What a partition refuses when it is named by itself; of the rest it has what the table as a whole has.
_GUARD = """
        EXECUTE 'CREATE OR REPLACE TRIGGER entry_stays BEFORE UPDATE OR TRUNCATE ON consent.' || name
            || ' FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse()';
        EXECUTE 'ALTER TABLE consent.' || name || ' ENABLE ALWAYS TRIGGER entry_stays';
        EXECUTE 'ALTER TABLE consent.' || name || ' ENABLE ALWAYS TRIGGER entry_remains';
"""

# A table that is made for itself and attached then keeps nobody from reading or recording meanwhile; one that is made
# as a partition would. Whoever seals may call it, holds the head's row, and needs no right to make tables. pg_temp is
# named because it would come first otherwise, where anybody can put a type of their own called "text". ENABLE ALWAYS:
# they fire under session_replication_role = replica, too. Each can be run again.
POSTGRESQL_STATEMENTS = (
    f"""
    CREATE OR REPLACE FUNCTION consent.make_room() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        number bigint := ((SELECT size FROM consent.head) + {_SPAN} / 2) / {_SPAN};
        name text := 'entry_' || number;
    BEGIN
        IF to_regclass('consent.' || name) IS NOT NULL THEN
            RETURN;
        END IF;
        EXECUTE 'CREATE TABLE consent.' || name || ' (LIKE consent.entry)';
        EXECUTE 'ALTER TABLE consent.entry ATTACH PARTITION consent.' || name || ' FOR VALUES FROM ('
            || number * {_SPAN} || ') TO (' || (number + 1) * {_SPAN} || ')';
        {_GUARD}
    END $$
    """,
    "REVOKE ALL ON FUNCTION consent.make_room() FROM PUBLIC",
    f"""
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT quote_ident(relname) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'consent.entry'::regclass
        LOOP
            {_GUARD}
        END LOOP;
    END $$
    """,
)


def upgrade() -> None:
    """Make the table anew, with what was it as its first partition; nothing is copied."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for statement in (
        "DROP TRIGGER entry_stays ON consent.entry",
        "DROP TRIGGER entry_remains ON consent.entry",
        "ALTER TABLE consent.entry DROP CONSTRAINT entry_uid_key",
        "ALTER TABLE consent.entry RENAME TO entry_0",
        "ALTER INDEX consent.entry_pkey RENAME TO entry_0_pkey",
        "CREATE TABLE consent.entry (LIKE consent.entry_0, PRIMARY KEY (leaf_index)) PARTITION BY RANGE (leaf_index)",
        "CREATE INDEX ix_entry_uid ON consent.entry (uid)",
        f"ALTER TABLE consent.entry ATTACH PARTITION consent.entry_0 FOR VALUES FROM (0) TO ({_SPAN})",
        "CREATE TRIGGER entry_stays BEFORE UPDATE OR TRUNCATE ON consent.entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse()",
        "ALTER TABLE consent.entry ENABLE ALWAYS TRIGGER entry_stays",
        "CREATE TRIGGER entry_remains BEFORE DELETE ON consent.entry "
        "FOR EACH ROW EXECUTE FUNCTION consent.refuse_unless_pruned()",
        "ALTER TABLE consent.entry ENABLE ALWAYS TRIGGER entry_remains",
        *POSTGRESQL_STATEMENTS,
    ):
        op.execute(statement)
