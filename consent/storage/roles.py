"""Who may do what on PostgreSQL: the least that each task needs, and what nobody may."""

from collections.abc import Sequence
from importlib import import_module

APP, SEALER, ERASER, READER = "consent_app", "consent_sealer", "consent_eraser", "consent_reader"
PRUNER = "consent_pruner"

#: What each role may do with which tables. All may read, but for openings those that have no need to.
_READ = "entry, document, account, tile, head, checkpoint, erased, bound, unlisted, conflict, consent_alembic_version"
_RIGHTS = {
    APP: {
        "SELECT": f"{_READ}, opening, inbox",
        "INSERT": "inbox, opening, document, account",
        "UPDATE": "account",
        "DELETE": "account",
    },
    SEALER: {
        "SELECT": f"{_READ}, inbox",
        "DELETE": "inbox, unlisted",
        "INSERT": "entry, tile, checkpoint, conflict",
        "UPDATE": "head",
    },
    ERASER: {
        "SELECT": f"{_READ}, opening, inbox",
        "DELETE": "opening",
        "INSERT": "erased, unlisted, opening, inbox",
    },
    PRUNER: {"SELECT": f"{_READ}, opening", "DELETE": "entry", "INSERT": "bound", "UPDATE": "bound"},
    READER: {"SELECT": f"{_READ}, opening, inbox"},
}


def statements() -> Sequence[str]:
    """The SQL, in order, without semicolons at the end. Each statement can be run again."""
    revisions = (
        import_module("consent.storage.migrations.versions.r0003_tree"),
        import_module("consent.storage.migrations.versions.r0004_pruning"),
    )
    triggers = [trigger for revision in revisions for trigger in revision.POSTGRESQL_TRIGGERS]
    triggers += import_module("consent.storage.migrations.versions.r0006_partitions").POSTGRESQL_STATEMENTS
    return [
        *(_create(role) for role in _RIGHTS),
        "REVOKE ALL ON SCHEMA consent FROM PUBLIC",
        "REVOKE ALL ON ALL TABLES IN SCHEMA consent FROM PUBLIC",
        *(statement for role, rights in _RIGHTS.items() for statement in _grant(role, rights)),
        *(" ".join(trigger.split()) for trigger in triggers),
        f"GRANT EXECUTE ON FUNCTION consent.make_room() TO {SEALER}",
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
