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

# Whoever deletes an opening, and by whatever release: what was said of the event goes from index and counts in the same
# transaction. From then on it counts as what its leaf says.
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER opening_uncounted AFTER DELETE ON opening BEGIN
        INSERT INTO tally (day, facets, events, erased)
            SELECT (i.place >> 40) / 24, f.bare, 1, 1 FROM indexed i JOIN facets f ON f.id = i.facets
            WHERE i.leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
            ON CONFLICT (day, facets) DO UPDATE SET events = events + 1, erased = erased + 1;
        UPDATE tally SET events = events - 1 WHERE (day, facets) = (
            SELECT (place >> 40) / 24, i.facets FROM indexed i
            WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
        );
        DELETE FROM tally WHERE events = 0 AND (day, facets) = (
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
        day_of bigint; facets_of bigint; bare_of bigint; at_index bigint;
    BEGIN
        SELECT leaf_index INTO at_index FROM consent.entry WHERE uid = OLD.uid;
        SELECT (place >> 40) / 24, facets, bare INTO day_of, facets_of, bare_of
            FROM consent.indexed JOIN consent.facets ON id = facets WHERE leaf_index = at_index;
        IF FOUND THEN
            INSERT INTO consent.tally AS t (day, facets, events, erased) VALUES (day_of, bare_of, 1, 1)
                ON CONFLICT (day, facets) DO UPDATE SET events = t.events + 1, erased = t.erased + 1;
            UPDATE consent.tally SET events = events - 1 WHERE day = day_of AND facets = facets_of;
            DELETE FROM consent.tally WHERE day = day_of AND facets = facets_of AND events = 0;
            UPDATE consent.indexed SET facets = bare_of WHERE leaf_index = at_index;
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
