"""limits on what rows may hold; on PostgreSQL, what is counted is cut out of openings, and not read there

Fixed once released: later changes are later revisions. Only what is written from now on is held against the limits: a
row that breaks them stays as it is, for verification to find, and what waits to be sealed is set aside by the sealing.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

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
)


def _refusing(table: str, name: str, condition: str, why: str) -> tuple[str, str]:
    """Have *table* refuse a new row of this *condition*, by a trigger whose name ends with *name*; *why* is said."""
    return (
        f"CREATE OR REPLACE TRIGGER {table}_{name} BEFORE INSERT ON consent.{table} "
        f"FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION consent.refuse_row('{why}')",
        f"ALTER TABLE consent.{table} ENABLE ALWAYS TRIGGER {table}_{name}",
    )


_LONG_LEAF = f"octet_length(NEW.leaf) > {_LEAF}", f"a leaf has {_LEAF} bytes at most"
_LONG_OPENING = f"octet_length(NEW.salt) > {_SALT} OR octet_length(NEW.body) > {_BODY}"
_ELSEWHERE = "NEW.hash IS DISTINCT FROM encode(sha256(NEW.body), 'hex')"

#: The triggers that hold new rows against the limits, by their names: in a file, and on PostgreSQL.
LIMITS_OF_FILE = ("entry_short", "document_addressed")
LIMITS = ("document_addressed", "document_short", "opening_short", "inbox_short", "entry_short")

# Of an opening whoever seals sees what is between two marks that canonical JSON has once, where members stand in order:
# what names somebody is before or behind them. The part isn't read here: a server's JSON isn't everybody's, and both
# ways of counting have to come to the same (``consent.ledger.facets``). The function before it stays for a release that
# still counts by it. Each can be run again.
POSTGRESQL_STATEMENTS = (
    """
    CREATE OR REPLACE FUNCTION consent.refuse_row() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        RAISE EXCEPTION USING ERRCODE = 'restrict_violation',
            MESSAGE = 'consent.' || TG_TABLE_NAME || ' refuses such a row: ' || TG_ARGV[0];
    END $$
    """,
    # In the order in which whoever records needs them, so that neither waits for the other.
    *_refusing("document", "addressed", _ELSEWHERE, "a document is filed under the hash of its body"),
    *_refusing(
        "document",
        "short",
        f"octet_length(NEW.body) > {_DOCUMENT}",
        f"a document has {_DOCUMENT} bytes at most",
    ),
    *_refusing(
        "opening", "short", _LONG_OPENING, f"an opening has {_BODY} bytes at most, and a salt of {_SALT}"
    ),
    *_refusing("inbox", "short", *_LONG_LEAF),
    *_refusing("entry", "short", *_LONG_LEAF),
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
        for name, trigger in zip(("entry_in_order", *LIMITS_OF_FILE), SQLITE_TRIGGERS, strict=True):
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
            op.execute(trigger)
    else:
        for statement in (
            *POSTGRESQL_STATEMENTS,
            _RIGHTS,
            "ALTER TABLE consent.conflict DROP CONSTRAINT IF EXISTS conflict_pkey",
        ):
            op.execute(statement)
