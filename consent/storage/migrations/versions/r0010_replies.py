"""what answers said, counted by itself, so that sums of it cost the same however different they are

Fixed once released: later changes are later revisions. The tables are empty at first: "flask consent db upgrade", and
whoever counts, fills them from the tally.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# As before, but that replies which are counted already are noted as faded, for whoever counts next to take out.
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER opening_uncounted AFTER DELETE ON opening BEGIN
        INSERT INTO faded (day, facets, events)
            SELECT (place >> 40) / 24, facets, 1 FROM indexed
            WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
                AND leaf_index < (SELECT size FROM replied)
            ON CONFLICT (day, facets) DO UPDATE SET events = events + 1;
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
POSTGRESQL_STATEMENTS = (
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
            IF at_index < (SELECT size FROM consent.replied) THEN
                INSERT INTO consent.faded AS f (day, facets, events) VALUES (day_of, facets_of, 1)
                    ON CONFLICT (day, facets) DO UPDATE SET events = f.events + 1;
            END IF;
            INSERT INTO consent.tally AS t (day, facets, events, erased) VALUES (day_of, bare_of, 1, 1)
                ON CONFLICT (day, facets) DO UPDATE SET events = t.events + 1, erased = t.erased + 1;
            UPDATE consent.tally SET events = events - 1 WHERE day = day_of AND facets = facets_of;
            DELETE FROM consent.tally WHERE day = day_of AND facets = facets_of AND events = 0;
            UPDATE consent.indexed SET facets = bare_of WHERE leaf_index = at_index;
        END IF;
        RETURN NULL;
    END $$
    """,
    "REVOKE ALL ON FUNCTION consent.uncount() FROM PUBLIC",
)
# Where the roles are in use, who seals goes on counting without anything else being run.
_GRANT = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT rolname FROM pg_roles
            WHERE rolname IN ('consent_app', 'consent_sealer', 'consent_eraser', 'consent_pruner', 'consent_reader')
        LOOP
            EXECUTE 'GRANT SELECT ON consent.replies, consent.replied, consent.faded TO ' || quote_ident(name);
            IF name = 'consent_sealer' THEN
                GRANT INSERT, UPDATE, DELETE ON consent.replies, consent.replied TO consent_sealer;
                GRANT DELETE ON consent.faded TO consent_sealer;
            END IF;
        END LOOP;
    END $$
"""


def upgrade() -> None:
    """Create the tables, empty, and keep them clear of what is erased."""
    op.create_table(
        "replies",
        sa.Column("dimension", sa.String, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("category", sa.String, primary_key=True),
        sa.Column("said", sa.String, primary_key=True),
        sa.Column("events", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "replied",
        sa.Column(
            "one", sa.SmallInteger, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("size", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "faded",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("facets", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER opening_uncounted")
        for trigger in SQLITE_TRIGGERS:
            op.execute(trigger)
    else:
        for statement in (*POSTGRESQL_STATEMENTS, _GRANT):
            op.execute(statement)
