"""on PostgreSQL, recording as a function of the database

Fixed once released: later changes are later revisions.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: As it is called in GRANT and REVOKE.
FUNCTION = "consent.append(uuid, bytea, uuid, bytea, bytea, boolean, text, boolean, text[], integer)"

# Each session keeps the plans of a function, and planning costs more than doing it. Whoever calls it needs the same
# rights to the tables as without it. Each statement in it sees what was committed until it began.
#
# An event that is there, sealed or not, is found and nothing is stored. Its opening goes first: that its id is free
# there is what two appends of one id meet at, also when the first was sealed in between. All NULL says that nothing
# was done, and a transaction with more statements has to: the subject has an event, a document isn't stored yet,
# another append of this id came in between, or the role's default isolation is another one.
#
# pg_temp is named because it would come first otherwise. A plan that was made while the tables were small would read
# them whole for as long as the session lasts, so none may. synchronous_commit counts at the commit, and lock_timeout
# from the next lock on, also in the statement that calls; statement_timeout would not. The message in the log makes a
# commit that wrote nothing wait as one that wrote: what was found may still be on its way to a standby.
POSTGRESQL_STATEMENTS = (
    """
    CREATE OR REPLACE FUNCTION consent.append(
        new_uid uuid, new_leaf bytea, new_subject uuid, new_salt bytea, new_body bytea, alone boolean,
        about text, opting_out boolean, documents text[], milliseconds integer,
        OUT at_index bigint, OUT known_leaf bytea, OUT added boolean
    ) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
    DECLARE
        setting text;
    BEGIN
        setting := set_config('synchronous_commit', 'on', true);
        setting := set_config('lock_timeout', milliseconds::text, true);
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RETURN;
        END IF;
        IF documents IS NOT NULL THEN
            IF EXISTS (
                SELECT FROM unnest(documents) AS named (hash)
                WHERE NOT EXISTS (SELECT FROM consent.document AS stored WHERE stored.hash = named.hash)
            ) THEN
                RETURN;
            END IF;
        END IF;
        SELECT leaf_index, leaf INTO at_index, known_leaf FROM (
            SELECT leaf_index, leaf FROM consent.entry WHERE uid = new_uid
            UNION ALL SELECT NULL, leaf FROM consent.inbox WHERE uid = new_uid
        ) AS known;
        IF FOUND THEN
            added := false;
            PERFORM pg_logical_emit_message(true, 'consent', '');
            RETURN;
        END IF;
        IF alone THEN
            IF EXISTS (SELECT FROM consent.opening WHERE subject = new_subject) THEN
                RETURN;
            END IF;
        END IF;
        INSERT INTO consent.opening (uid, subject, salt, body) VALUES (new_uid, new_subject, new_salt, new_body)
            ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        INSERT INTO consent.inbox (uid, leaf) VALUES (new_uid, new_leaf);
        IF about IS NOT NULL THEN
            IF opting_out THEN
                INSERT INTO consent.account (link, uid) VALUES (about, new_uid)
                    ON CONFLICT (link) DO UPDATE SET uid = excluded.uid;
            ELSE
                DELETE FROM consent.account WHERE link = about;
            END IF;
        END IF;
        added := true;
    END $$
    """,
    f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC",
)

# Where the roles are in use, who may record may go on without anything else being run.
_GRANT = f"""
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'consent_app') THEN
            GRANT EXECUTE ON FUNCTION {FUNCTION} TO consent_app;
        END IF;
    END $$
"""


def upgrade() -> None:
    """Make the function; who may record may call it."""
    if op.get_bind().dialect.name != "sqlite":
        for statement in (*POSTGRESQL_STATEMENTS, _GRANT):
            op.execute(statement)
