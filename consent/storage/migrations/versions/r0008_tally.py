"""counts by day, and where events with the same facets are

Fixed once released: later changes are later revisions. The tables are empty at first: sealing fills them a few tiles
at a time, and "flask consent db upgrade" all of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Whoever deletes an opening, and by whatever release: what was said of the event goes from the index in the same
# transaction, and its day's count says that it did.
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER opening_uncounted AFTER DELETE ON opening BEGIN
        UPDATE tally SET erased = erased + 1 WHERE (day, facets) = (
            SELECT (place >> 40) / 24, i.facets FROM indexed i
            WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
        );
        UPDATE indexed SET facets = (SELECT bare FROM facets WHERE id = indexed.facets)
        WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid);
    END
    """,
)

# One erases at a time, before any row is locked, and nobody counts meanwhile: no opening is counted that is just going.
# What whoever seals is shown of openings names nobody. Each can be run again.
POSTGRESQL_STATEMENTS = (
    """
    CREATE OR REPLACE FUNCTION consent.take_turn() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(7163384699739271541);
        RETURN NULL;
    END $$
    """,
    "CREATE OR REPLACE TRIGGER opening_in_turn BEFORE DELETE ON consent.opening "
    "FOR EACH STATEMENT EXECUTE FUNCTION consent.take_turn()",
    "ALTER TABLE consent.opening ENABLE ALWAYS TRIGGER opening_in_turn",
    """
    CREATE OR REPLACE FUNCTION consent.uncount() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        place_of bigint; facets_of bigint; at_index bigint;
    BEGIN
        SELECT leaf_index INTO at_index FROM consent.entry WHERE uid = OLD.uid;
        SELECT place, facets INTO place_of, facets_of FROM consent.indexed WHERE leaf_index = at_index;
        IF FOUND THEN
            UPDATE consent.tally SET erased = erased + 1 WHERE day = (place_of >> 40) / 24 AND facets = facets_of;
            UPDATE consent.indexed SET facets = (SELECT bare FROM consent.facets WHERE id = facets_of)
            WHERE leaf_index = at_index;
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE OR REPLACE TRIGGER opening_uncounted AFTER DELETE ON consent.opening "
    "FOR EACH ROW EXECUTE FUNCTION consent.uncount()",
    "ALTER TABLE consent.opening ENABLE ALWAYS TRIGGER opening_uncounted",
    """
    CREATE OR REPLACE FUNCTION consent.facets_in(body bytea) RETURNS bytea LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        said jsonb := convert_from(body, 'UTF8')::jsonb;
    BEGIN
        RETURN convert_to(jsonb_build_object('language', said -> 'language', 'profile', said -> 'profile',
            'source', said -> 'source', 'signal', said -> 'signal', 'granted', said -> 'granted',
            'refused', said -> 'refused')::text, 'UTF8');
    EXCEPTION WHEN OTHERS THEN
        RETURN ''::bytea;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION consent.opened(first bigint, beyond bigint)
    RETURNS TABLE (leaf_index bigint, leaf bytea, said bytea) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
        SELECT e.leaf_index, e.leaf, CASE WHEN o.uid IS NOT NULL THEN consent.facets_in(o.body) END
        FROM consent.entry e LEFT JOIN consent.opening o ON o.uid = e.uid
        WHERE e.leaf_index >= first AND e.leaf_index < beyond ORDER BY e.leaf_index
    $$
    """,
    "REVOKE ALL ON FUNCTION consent.opened(bigint, bigint), consent.facets_in(bytea), consent.uncount() FROM PUBLIC",
)


def upgrade() -> None:
    """Create the tables, empty, and what keeps them clear of what is erased."""
    op.create_table(
        "facets",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("bare", sa.BigInteger, nullable=False),
        sa.Column("said", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "indexed",
        sa.Column("leaf_index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("facets", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_indexed_facets", "indexed", ["facets", "place"])
    op.create_table(
        "tally",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("facets", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("erased", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counted",
        sa.Column(
            "one", sa.SmallInteger, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("missing", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_STATEMENTS:
        op.execute(statement)
