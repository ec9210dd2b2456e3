"""on PostgreSQL, recording by one statement, and openings that are alike counted together

Fixed once released: later changes are later revisions. The function has another name than the one before it, because
it gives something else.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ARGUMENTS = "uuid, bytea, uuid, bytea, bytea, boolean, text, boolean, text[], text"
#: As it is called in GRANT and REVOKE.
FUNCTION = f"consent.record({_ARGUMENTS})"

# Each session keeps the plans of a function, and planning costs more than doing it. Whoever calls it needs the same
# rights to the tables as without it. Of an event that is new all is done by one statement, as each costs about as much.
#
# What it gives: nothing at all in bytes when the event was stored; eight bytes with the index, or -1 while it waits,
# and its leaf, when it was there already. NULL says that nothing was done, and a transaction with more statements has
# to: the subject has an event, a document isn't stored yet, another append of this id came in between, or the role's
# default isolation is another one.
#
# An event that is there, sealed or not, is found and nothing is stored. Its opening goes first: that its id is free
# there is what two appends of one id meet at, also when the first was sealed in between.
#
# The path in which names are looked up is not set, as that costs as much as an insert: tables are named with their
# schema, and no type is named at all, as one in pg_temp would come first. A plan that was made while the tables were
# small would read them whole for as long as the session lasts, so none may. synchronous_commit counts at the commit,
# and lock_timeout from the next lock on, also in the statement that calls; statement_timeout would not. The message in
# the log makes a commit that wrote nothing wait as one that wrote: what was found may still be on its way to a standby.
POSTGRESQL_STATEMENTS = (
    """
    CREATE OR REPLACE FUNCTION consent.record(
        new_uid uuid, new_leaf bytea, new_subject uuid, new_salt bytea, new_body bytea, alone boolean,
        about text, opting_out boolean, documents text[], milliseconds text
    ) RETURNS bytea LANGUAGE plpgsql AS $$
    DECLARE
        known bytea;
    BEGIN
        IF set_config('synchronous_commit', 'on', true) IS NULL
            OR set_config('lock_timeout', milliseconds, true) IS NULL
            OR set_config('enable_seqscan', 'off', true) IS NULL
            OR current_setting('transaction_isolation') <> 'read committed'
        THEN
            RETURN NULL;
        END IF;
        IF documents IS NOT NULL THEN
            IF (SELECT count(*) FROM consent.document WHERE hash = ANY (documents)) < cardinality(documents) THEN
                RETURN NULL;
            END IF;
        END IF;
        WITH opened AS (
            INSERT INTO consent.opening (uid, subject, salt, body)
            SELECT new_uid, new_subject, new_salt, new_body
            WHERE NOT EXISTS (SELECT FROM consent.entry WHERE uid = new_uid)
                AND NOT EXISTS (SELECT FROM consent.inbox WHERE uid = new_uid)
                AND NOT (alone AND EXISTS (SELECT FROM consent.opening WHERE subject = new_subject))
            ON CONFLICT DO NOTHING RETURNING uid
        )
        INSERT INTO consent.inbox (uid, leaf) SELECT uid, new_leaf FROM opened;
        IF NOT FOUND THEN
            SELECT int8send(leaf_index) || leaf INTO known FROM (
                SELECT leaf_index, leaf FROM consent.entry WHERE uid = new_uid
                UNION ALL SELECT -1, leaf FROM consent.inbox WHERE uid = new_uid
            ) AS found;
            IF FOUND THEN
                PERFORM pg_logical_emit_message(true, 'consent', '');
            END IF;
            RETURN known;
        END IF;
        IF about IS NOT NULL THEN
            IF opting_out THEN
                INSERT INTO consent.account (link, uid) VALUES (about, new_uid)
                    ON CONFLICT (link) DO UPDATE SET uid = excluded.uid;
            ELSE
                DELETE FROM consent.account WHERE link = about;
            END IF;
        END IF;
        RETURN '';
    END $$
    """,
    f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC",
    # As before, but that no opening keeps the others from being counted: what is declared is outside of what catches.
    """
    CREATE OR REPLACE FUNCTION consent.facets_in(body bytea) RETURNS bytea LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        said jsonb;
    BEGIN
        said := convert_from(body, 'UTF8')::jsonb;
        RETURN convert_to(jsonb_build_object('language', said -> 'language', 'profile', said -> 'profile',
            'source', said -> 'source', 'signal', said -> 'signal', 'granted', said -> 'granted',
            'refused', said -> 'refused')::text, 'UTF8');
    EXCEPTION WHEN OTHERS THEN
        RETURN ''::bytea;
    END $$
    """,
    # As the one before it, but for what each opening has of its own, at its end: a subject or none, and a time. The
    # rest is the same of many, and read once. What doesn't end so is read by itself. A colon before a word would be
    # taken for a parameter.
    """
    CREATE OR REPLACE FUNCTION consent.opened(first bigint, beyond bigint)
    RETURNS TABLE (leaf_index bigint, leaf bytea, said bytea) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
        WITH of_tile AS MATERIALIZED (
            SELECT e.leaf_index, e.leaf, CASE
                WHEN substring(o.body FROM length(o.body) - 82 FOR 9) = convert_to('"subject"', 'UTF8')
                    THEN substring(o.body FROM 1 FOR length(o.body) - 83) || convert_to('"subject": null}', 'UTF8')
                WHEN substring(o.body FROM length(o.body) - 48 FOR 9) = convert_to('"subject"', 'UTF8')
                    THEN substring(o.body FROM 1 FOR length(o.body) - 49) || convert_to('"subject": null}', 'UTF8')
                ELSE o.body
            END AS alike
            FROM consent.entry e LEFT JOIN consent.opening o ON o.uid = e.uid
            WHERE e.leaf_index >= first AND e.leaf_index < beyond
        ), kinds AS MATERIALIZED (
            SELECT alike, consent.facets_in(alike) AS said
            FROM (SELECT DISTINCT alike FROM of_tile WHERE alike IS NOT NULL) AS different
        )
        SELECT t.leaf_index, t.leaf, k.said FROM of_tile t LEFT JOIN kinds k ON k.alike = t.alike ORDER BY t.leaf_index
    $$
    """,
)

# Where the roles are in use, who may record may go on without anything else being run.
_GRANT = f"""
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'consent_app') THEN
            GRANT EXECUTE ON FUNCTION {FUNCTION} TO consent_app;
        END IF;
    END $$
"""
_BEFORE = "consent.append(uuid, bytea, uuid, bytea, bytea, boolean, text, boolean, text[], integer)"


def upgrade() -> None:
    """Make the function, which takes the place of the one before; who may record may call it."""
    if op.get_bind().dialect.name != "sqlite":
        for statement in (*POSTGRESQL_STATEMENTS, _GRANT, f"DROP FUNCTION IF EXISTS {_BEFORE}"):
            op.execute(statement)
