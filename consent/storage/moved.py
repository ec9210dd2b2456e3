"""The marks that keep a log which moves from going on in two places: one where it was, one where it arrives.

Both are triggers, so whatever writes there obeys them: an older release, too, and a process that has had the database
open all the time.
"""

import re
import sqlite3

from sqlalchemy import Connection, text

from consent.errors import LedgerUnavailable

_SAID = "this log has moved to "
#: What is refused where it was. Erasing isn't: a kept file is cleared again like a backup that is put back. What
#: visitors and operators erase is on record as an event, and so it fails there whole.
_REFUSED = (
    ("entry", "INSERT"),
    ("document", "INSERT"),
    ("checkpoint", "INSERT"),
    ("account", "INSERT"),
    ("account", "DELETE"),
)
_MARK = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = 'entry_insert_moved'"

#: Close a database on a server while a log arrives there, by a trigger of this name, and open it. Ask whether it is
#: closed.
ARRIVING = "inbox_arriving"
CLOSE = (
    f"CREATE TRIGGER {ARRIVING} BEFORE INSERT ON consent.inbox "
    "FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse()"
)
OPEN = f"DROP TRIGGER {ARRIVING} ON consent.inbox"
_ARRIVING = text(
    "SELECT EXISTS (SELECT FROM pg_trigger "
    "WHERE tgrelid = to_regclass('consent.inbox') AND tgname = 'inbox_arriving')"
)


def mark(connection: sqlite3.Connection, to: str) -> None:
    """Have the SQLite database refuse whatever would be recorded, as its log has moved *to* another."""
    said = f"{_SAID}{to}".replace("'", "''")
    for table, act in _REFUSED:
        connection.execute(
            f"CREATE TRIGGER {table}_{act.lower()}_moved BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )


def moved_to(connection: sqlite3.Connection) -> str | None:
    """Where the log of the SQLite database has moved to; None as long as it is there."""
    row = connection.execute(_MARK).fetchone()
    if row is None:
        return None
    found = re.search(rf"RAISE\(ABORT, '{_SAID}(.*)'\); END$", str(row[0]), re.DOTALL)
    return found[1].replace("''", "'") if found else "another database"


def arriving(connection: Connection) -> bool:
    """Whether a log is on its way into the database on the server, and isn't complete yet."""
    return bool(connection.execute(_ARRIVING).scalar_one())


def refusal(error: BaseException) -> str | None:
    """Where the log has moved to, if that is why SQLite raised *error*."""
    said = str(error)
    return said.removeprefix(_SAID) if said.startswith(_SAID) else None


def gone(database: str, to: str) -> LedgerUnavailable:
    """The error where the log was."""
    return LedgerUnavailable(
        f"The log in {database} has moved to {to}, and nothing is recorded here any more. Name that in "
        "CONSENT_DATABASE, and start the site again.",
        retry_after=300,
    )


def incomplete(database: str) -> LedgerUnavailable:
    """The error where it arrives."""
    return LedgerUnavailable(
        f"A log is being moved into {database}, or that was interrupted; until it is complete nothing is recorded "
        "there. If nobody is at it, run again: flask consent db move",
        retry_after=60,
    )
