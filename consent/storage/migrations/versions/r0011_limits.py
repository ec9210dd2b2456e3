"""limits on what rows may hold; on PostgreSQL, what is counted is cut out of openings, and not read there

Fixed once released: later changes are later revisions. Only what is written from now on is held against the limits: a
row that breaks them stays as it is, for verification to find, and what waits to be sealed is set aside by the sealing.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SPAN = 2**24
#: Bytes that a leaf has at most (C2SP tlog-tiles), and that no opening and no document of this release comes near.
_LEAF, _BODY, _SALT, _DOCUMENT = 65_535, 65_535, 32, 2**22

# An entry follows another, whatever stands behind a gap: that keeps nobody from recording. Where the last ones were
# taken away it follows the tree. As before, what would replace a row is stopped as it comes in.
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER entry_in_order BEFORE INSERT ON entry
    WHEN NEW.leaf_index < 0
      OR EXISTS (SELECT 1 FROM entry WHERE leaf_index = NEW.leaf_index)
      OR EXISTS (SELECT 1 FROM entry WHERE uid = NEW.uid)
      OR NEW.leaf_index > 0
        AND NOT EXISTS (SELECT 1 FROM entry WHERE leaf_index = NEW.leaf_index - 1)
        AND NEW.leaf_index IS NOT (SELECT size FROM head)
    BEGIN SELECT RAISE(ABORT, 'entries are only added, each at the next index under an id of its own'); END
    """,
    f"""
    CREATE TRIGGER entry_short BEFORE INSERT ON entry
    WHEN length(CAST(NEW.leaf AS BLOB)) > {_LEAF}
    BEGIN SELECT RAISE(ABORT, 'leaves of entries are never longer than {_LEAF} bytes'); END
    """,
    # Of a text with a zero in it the one length ends there.
    """
    CREATE TRIGGER document_addressed BEFORE INSERT ON document
    WHEN typeof(NEW.hash) <> 'text' OR length(NEW.hash) <> 64 OR length(CAST(NEW.hash AS BLOB)) <> 64
      OR NEW.hash GLOB '*[^0-9a-f]*'
    BEGIN SELECT RAISE(ABORT, 'documents are never filed but under 64 lower-case hex digits'); END
    """,
    # As before, but that of an event which isn't counted yet nothing is taken out of the counts: while all are counted
    # anew it can be in the index already.
    """
    CREATE TRIGGER opening_uncounted AFTER DELETE ON opening BEGIN
        INSERT INTO faded (day, facets, events)
            SELECT (place >> 40) / 24, facets, 1 FROM indexed
            WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
                AND leaf_index < (SELECT size FROM counted)
                AND leaf_index < (SELECT size FROM replied)
            ON CONFLICT (day, facets) DO UPDATE SET events = events + 1;
        INSERT INTO tally (day, facets, events, erased)
            SELECT (i.place >> 40) / 24, f.bare, 1, 1 FROM indexed i JOIN facets f ON f.id = i.facets
            WHERE i.leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
                AND i.leaf_index < (SELECT size FROM counted)
            ON CONFLICT (day, facets) DO UPDATE SET events = events + 1, erased = erased + 1;
        UPDATE tally SET events = events - 1 WHERE (day, facets) = (
            SELECT (place >> 40) / 24, i.facets FROM indexed i
            WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
                AND leaf_index < (SELECT size FROM counted)
        );
        DELETE FROM tally WHERE events = 0 AND (day, facets) = (
            SELECT (place >> 40) / 24, i.facets FROM indexed i
            WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid)
                AND leaf_index < (SELECT size FROM counted)
        );
        UPDATE indexed SET facets = (SELECT bare FROM facets WHERE id = indexed.facets)
        WHERE leaf_index = (SELECT leaf_index FROM entry WHERE uid = OLD.uid);
    END
    """,
)


#: The triggers that hold new rows of a file against the limits, by their names.
LIMITS_OF_FILE = ("entry_short", "document_addressed")
#: The constraints that do so on PostgreSQL, each of the table with which its name begins, in the server's own words.
LIMITS = {
    "document_addressed": "CHECK (((hash)::text = encode(sha256(body), 'hex'::text)))",
    "document_short": f"CHECK ((octet_length(body) <= {_DOCUMENT}))",
    "opening_short": f"CHECK (((octet_length(salt) <= {_SALT}) AND (octet_length(body) <= {_BODY})))",
    "inbox_short": f"CHECK ((octet_length(leaf) <= {_LEAF}))",
    "entry_short": f"CHECK ((octet_length(leaf) <= {_LEAF}))",
}

#: What changes the tables: the limits that are missing are set, and nobody else writes until the transaction ends.
#
# Constraints, as a trigger for each row would cost whoever records a tenth of the time. To set one, nobody may read or
# write its table for a moment: who waits for an export that goes on would keep everybody else waiting behind it, so it
# gives up after a fifth of a second, before the server could take it for a deadlock, and tries again for five minutes.
# A vacuum that runs by itself gives way only to who has waited for as long as the server takes to look for deadlocks;
# once the tables are locked none is in the way, and who reads them is waited for no longer than else. All is locked at
# once, so that what follows in the transaction waits for nobody. What is there as it was made isn't touched.
SETTING = """
    DO $$ DECLARE
        patience text := current_setting('lock_timeout');
        beyond timestamptz := clock_timestamp() + interval '5 minutes';
        tries integer := 0;
        wrong record;
    BEGIN
        PERFORM set_config('quote_all_identifiers', 'off', true);
        LOOP
            BEGIN
                tries := tries + 1;
                PERFORM set_config('lock_timeout', CASE WHEN mod(tries, 10) = 0 AND EXISTS (
                    SELECT FROM pg_locks JOIN pg_class c ON c.oid = relation
                    WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND relnamespace = 'consent'::regnamespace AND mode = 'ShareUpdateExclusiveLock'
                ) THEN (
                    SELECT (setting::integer + 200)::text FROM pg_settings WHERE name = 'deadlock_timeout'
                ) ELSE '200' END, true);
                LOCK TABLE consent.document, consent.opening, consent.inbox, consent.entry, consent.conflict,
                    consent.tile, consent.head, consent.checkpoint, consent.erased, consent.bound
                    IN SHARE ROW EXCLUSIVE MODE;
                PERFORM set_config('lock_timeout', '200', true);
                FOR wrong IN
                    SELECT 'consent.' || split_part(name, '_', 1) AS at, name, made
                    FROM (VALUES {limits}, ('conflict_pkey', NULL)) AS l (name, made)
                    WHERE (made IS NOT NULL) <> EXISTS (
                        SELECT FROM pg_constraint
                        WHERE conrelid = to_regclass('consent.' || split_part(name, '_', 1)) AND conname = name
                            AND (made IS NULL OR pg_get_constraintdef(oid) IN (made, made || ' NOT VALID'))
                    )
                LOOP
                    EXECUTE 'ALTER TABLE ' || wrong.at || ' DROP CONSTRAINT IF EXISTS ' || wrong.name;
                    IF wrong.made IS NOT NULL THEN
                        EXECUTE 'ALTER TABLE ' || wrong.at || ' ADD CONSTRAINT ' || wrong.name || ' '
                            || wrong.made || ' NOT VALID';
                    END IF;
                END LOOP;
                PERFORM set_config('lock_timeout', patience, true);
                EXIT;
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                IF clock_timestamp() > beyond THEN
                    RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE =
                        'for five minutes somebody has been reading or writing the log without a pause, so that its '
                        || 'tables could not be changed; find out who in pg_stat_activity, and run this again';
                END IF;
                IF tries = 3 THEN
                    RAISE WARNING USING MESSAGE = 'somebody is reading or writing the log: its tables are changed '
                        || 'as soon as nobody does for a moment, which is waited for up to five minutes';
                END IF;
                PERFORM pg_sleep(0.2);
            END;
        END LOOP;
    END $$
""".format(limits=", ".join(f"('{name}', $made${made}$made$)" for name, made in LIMITS.items()))

# Of an opening whoever seals sees what is between two marks that canonical JSON has once, where members stand in order:
# what names somebody is before or behind them. The part isn't read here: a server's JSON isn't everybody's, and both
# ways of counting have to come to the same (``consent.ledger.facets``). The function before it stays for a release that
# still counts by it. Each can be run again.
POSTGRESQL_STATEMENTS = (
    # As before, but that a partition comes with the limits, without which it can't be attached.
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
        EXECUTE 'CREATE TABLE consent.' || name || ' (LIKE consent.entry INCLUDING CONSTRAINTS)';
        EXECUTE 'ALTER TABLE consent.entry ATTACH PARTITION consent.' || name || ' FOR VALUES FROM ('
            || number * {_SPAN} || ') TO (' || (number + 1) * {_SPAN} || ')';
        EXECUTE 'CREATE OR REPLACE TRIGGER entry_stays BEFORE UPDATE OR TRUNCATE ON consent.' || name
            || ' FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse()';
        EXECUTE 'ALTER TABLE consent.' || name || ' ENABLE ALWAYS TRIGGER entry_stays';
        EXECUTE 'ALTER TABLE consent.' || name || ' ENABLE ALWAYS TRIGGER entry_remains';
    END $$
    """,
    # As before, but by a lock that needs a right to the table: whoever may connect can hold an advisory one, and then
    # nothing would be erased.
    """
    CREATE OR REPLACE FUNCTION consent.take_turn() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        LOCK TABLE consent.counted IN SHARE UPDATE EXCLUSIVE MODE;
        RETURN NULL;
    END $$
    """,
    # As before, but that of an event which isn't counted yet nothing is taken out of the counts, as in a file.
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
            IF at_index < (SELECT size FROM consent.counted) THEN
                IF at_index < (SELECT size FROM consent.replied) THEN
                    INSERT INTO consent.faded AS f (day, facets, events) VALUES (day_of, facets_of, 1)
                        ON CONFLICT (day, facets) DO UPDATE SET events = f.events + 1;
                END IF;
                INSERT INTO consent.tally AS t (day, facets, events, erased) VALUES (day_of, bare_of, 1, 1)
                    ON CONFLICT (day, facets) DO UPDATE SET events = t.events + 1, erased = t.erased + 1;
                UPDATE consent.tally SET events = events - 1 WHERE day = day_of AND facets = facets_of;
                DELETE FROM consent.tally WHERE day = day_of AND facets = facets_of AND events = 0;
            END IF;
            UPDATE consent.indexed SET facets = bare_of WHERE leaf_index = at_index;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION consent.shown(first bigint, beyond bigint)
    RETURNS TABLE (leaf_index bigint, leaf bytea, said bytea) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
        SELECT e.leaf_index, e.leaf,
            CASE WHEN o.uid IS NOT NULL THEN coalesce(substring(behind.body FROM 1 FOR ending.at + 10), ''::bytea) END
        FROM consent.entry e LEFT JOIN consent.opening o ON o.uid = e.uid
        CROSS JOIN LATERAL (
            SELECT substring(o.body FROM nullif(position(',"granted":['::bytea IN o.body), 0)) AS body OFFSET 0
        ) AS behind
        CROSS JOIN LATERAL (
            SELECT nullif(position(',"subject":'::bytea IN behind.body), 0) AS at OFFSET 0
        ) AS ending
        WHERE e.leaf_index >= first AND e.leaf_index < beyond ORDER BY e.leaf_index
    $$
    """,
    "REVOKE ALL ON FUNCTION consent.shown(bigint, bigint) FROM PUBLIC",
)

# Where the roles are in use, who seals goes on counting without anything else being run; and who records, or says that
# something was erased, no longer chooses the number of a row, nor the time since when it waits.
_RIGHTS = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT rolname FROM pg_roles WHERE rolname IN ('consent_app', 'consent_eraser')
            AND has_table_privilege(oid, 'consent.inbox', 'INSERT')
        LOOP
            EXECUTE 'REVOKE INSERT ON consent.inbox FROM ' || quote_ident(name);
            EXECUTE 'GRANT INSERT (uid, leaf) ON consent.inbox TO ' || quote_ident(name);
        END LOOP;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'consent_sealer') THEN
            GRANT EXECUTE ON FUNCTION consent.shown(bigint, bigint) TO consent_sealer;
        END IF;
    END $$
"""


def upgrade() -> None:
    """Set the limits. What is set aside keeps the number that its row had, which another's may have had as well."""
    if op.get_bind().dialect.name == "sqlite":
        # Whoever has the file may have dropped the one, or made others of these names, to keep it from being upgraded.
        names = ("entry_in_order", *LIMITS_OF_FILE, "opening_uncounted")
        for name, trigger in zip(names, SQLITE_TRIGGERS, strict=True):
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
            op.execute(trigger)
    else:
        for statement in (SETTING, *POSTGRESQL_STATEMENTS, _RIGHTS):
            op.execute(statement)
