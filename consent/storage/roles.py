"""Who may do what on PostgreSQL: the least that each task needs, and what nobody may."""

from collections.abc import Sequence
from importlib import import_module

from sqlalchemy import Connection, text

from consent.storage.schema import OPENED, RECORD, SHOWN

APP, SEALER, ERASER, READER = "consent_app", "consent_sealer", "consent_eraser", "consent_reader"
PRUNER = "consent_pruner"
#: To add to what waits, and to choose neither a row's number nor since when it waits.
ADDING = "INSERT (uid, leaf)"

#: What each role may do with which tables. All may read, but for openings those that have no need to.
_READ = (
    "entry, document, account, tile, head, checkpoint, erased, bound, unlisted, conflict, consent_alembic_version, "
    "facets, tally, counted, indexed, replies, replied, faded"
)
_RIGHTS = {
    APP: {
        "SELECT": f"{_READ}, opening, inbox",
        "INSERT": "opening, document, account",
        ADDING: "inbox",
        "UPDATE": "account",
        "DELETE": "account",
    },
    SEALER: {
        "SELECT": f"{_READ}, inbox",
        "DELETE": "inbox, unlisted, indexed, tally, counted, replies, replied, faded",
        "INSERT": "entry, tile, checkpoint, conflict, facets, indexed, tally, counted, replies, replied",
        "UPDATE": "head, facets, tally, counted, replies, replied",
    },
    ERASER: {
        "SELECT": f"{_READ}, opening, inbox",
        "DELETE": "opening",
        "INSERT": "erased, unlisted, opening",
        ADDING: "inbox",
    },
    PRUNER: {"SELECT": f"{_READ}, opening", "DELETE": "entry, indexed", "INSERT": "bound", "UPDATE": "bound"},
    READER: {"SELECT": f"{_READ}, opening, inbox"},
}


# Of roles that may use the schema at all: others may be there for another database of the same server.
_DEPRIVED = text("""
    SELECT DISTINCT rolname FROM pg_roles
    JOIN unnest(CAST(:roles AS text[]), CAST(:tables AS text[]), CAST(:rights AS text[])) AS need (role, name, right_)
        ON rolname = role
    WHERE has_schema_privilege(oid, 'consent', 'USAGE') AND NOT CASE right_
        WHEN 'EXECUTE' THEN has_function_privilege(oid, name, right_)
        WHEN :adding THEN has_column_privilege(oid, name, 'uid', 'INSERT')
            AND has_column_privilege(oid, name, 'leaf', 'INSERT')
        ELSE has_table_privilege(oid, name, right_) END
    ORDER BY rolname
""")


def deprived(connection: Connection) -> Sequence[str]:
    """The roles that are in use here and lack a right which this release gives them."""
    needs = [
        (role, f"consent.{table}", right)
        for role, rights in _RIGHTS.items()
        for right, tables in rights.items()
        for table in tables.split(", ")
    ]
    needs += [
        (APP, RECORD, "EXECUTE"),
        *((SEALER, each, "EXECUTE") for each in ("consent.make_room()", SHOWN)),
    ]
    named, tables, rights = map(list, zip(*needs, strict=True))
    values = {"roles": named, "tables": tables, "rights": rights, "adding": ADDING}
    return connection.execute(_DEPRIVED, values).scalars().all()


def statements() -> Sequence[str]:
    """The SQL, in order, without semicolons at the end. Each statement can be run again."""
    revisions = (
        import_module("consent.storage.migrations.versions.r0003_tree"),
        import_module("consent.storage.migrations.versions.r0004_pruning"),
    )
    triggers = [trigger for revision in revisions for trigger in revision.POSTGRESQL_TRIGGERS]
    triggers += import_module("consent.storage.migrations.versions.r0006_partitions").POSTGRESQL_STATEMENTS
    triggers += import_module("consent.storage.migrations.versions.r0008_tally").POSTGRESQL_STATEMENTS
    triggers += import_module("consent.storage.migrations.versions.r0010_replies").POSTGRESQL_STATEMENTS
    triggers += import_module("consent.storage.migrations.versions.r0009_record").POSTGRESQL_STATEMENTS
    limits = import_module("consent.storage.migrations.versions.r0011_limits")
    triggers += limits.POSTGRESQL_STATEMENTS
    return [
        " ".join(limits.SETTING.split()),
        *(_create(role) for role in _RIGHTS),
        "REVOKE ALL ON SCHEMA consent FROM PUBLIC",
        "REVOKE ALL ON ALL TABLES IN SCHEMA consent FROM PUBLIC",
        *(statement for role, rights in _RIGHTS.items() for statement in _grant(role, rights)),
        *(" ".join(statement.split()) for statement in triggers),
        f"GRANT EXECUTE ON FUNCTION consent.make_room(), {SHOWN}, {OPENED} TO {SEALER}",
        f"GRANT EXECUTE ON FUNCTION {RECORD} TO {APP}",
    ]


def _create(role: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
        f"THEN CREATE ROLE {role} NOLOGIN; END IF; END $$"
    )


def _grant(role: str, rights: dict[str, str]) -> list[str]:
    return [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA consent FROM {role}",
        f"GRANT USAGE ON SCHEMA consent TO {role}",
        *(
            f"GRANT {right} ON {', '.join(f'consent.{table}' for table in tables.split(', '))} TO {role}"
            for right, tables in rights.items()
        ),
    ]
