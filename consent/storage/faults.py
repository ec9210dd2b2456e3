"""What SQLite and the system say when they can't, in sentences that name the fix."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from consent.errors import LedgerError, LedgerUnavailable
from consent.storage import moved

_ACCESS = "Give this process's user write access to the file, its -wal and -shm beside it, and their folder."
_RESTORE = "Stop the site, set the file aside and restore it from a backup."
_BUSY = "Find what holds it, such as a backup or an open sqlite3 shell, and let it finish."

#: By primary result code (sqlite.org/rescode.html): what was found, the fix, seconds until a retry makes sense.
_SAID: dict[int, tuple[str, str, int]] = {
    sqlite3.SQLITE_PERM: ("may not be opened", _ACCESS, 60),
    sqlite3.SQLITE_BUSY: ("is locked by another program", _BUSY, 2),
    sqlite3.SQLITE_LOCKED: ("is locked by another connection of this process", _BUSY, 2),
    sqlite3.SQLITE_NOMEM: ("can't be used for want of memory", "Give this process more.", 10),
    sqlite3.SQLITE_READONLY: ("can't be written: it is read-only", _ACCESS, 60),
    sqlite3.SQLITE_IOERR: ("can't be read or written: the disk reports an error", "Check the disk.", 30),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _RESTORE, 300),
    sqlite3.SQLITE_FULL: ("can't grow: the disk is full", "Make room on the disk.", 60),
    sqlite3.SQLITE_CANTOPEN: ("can't be opened", _ACCESS, 60),
    sqlite3.SQLITE_PROTOCOL: ("is locked by another program that is starting", _BUSY, 2),
    sqlite3.SQLITE_NOTADB: ("is not a database, or is damaged at its start", _RESTORE, 300),
}
#: After these the connection is as good as before; after all others it is opened anew.
_PASSING = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT}
)

#: What an operation on a database may raise.
RAISED = (DBAPIError, sqlite3.Error, OSError)


def passing(error: BaseException) -> bool:
    """Whether the connection that raised *error* can be used again."""
    return _code(error) in _PASSING


def explain(error: BaseException, database: str) -> LedgerError:
    """The error to raise instead of *error*: LedgerUnavailable where a later try may succeed."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, FileNotFoundError):
        message = f"A folder for the ledger's files is missing ({cause}). Create it."
        return LedgerUnavailable(message, retry_after=60)
    if isinstance(cause, OSError):
        return LedgerUnavailable(f"The ledger's files can't be used ({cause}). {_ACCESS}", retry_after=60)
    if to := moved.refusal(cause or error):
        return moved.gone(database, to)
    said = _SAID.get(_code(error))
    if said is None:
        return LedgerError(f"The database {database} refused what was asked of it: {cause}.")
    found, fix, retry_after = said
    name = getattr(cause, "sqlite_errorname", "")
    return LedgerUnavailable(f"The database {database} {found} ({name}). {fix}", retry_after=retry_after)


def busy(database: str, patience: float) -> LedgerUnavailable:
    """The error when the turn in the queue didn't come."""
    return LedgerUnavailable(
        f"The database {database} was in use by others for {patience:g} s. If that lasts, look for a process "
        "of this site that hangs.",
        retry_after=2,
    )


def replaced(database: str) -> LedgerUnavailable:
    """The error when the file isn't the one that was opened."""
    return LedgerUnavailable(
        f"The database {database} was removed or replaced while it was in use; what is there now is opened anew.",
        retry_after=1,
    )


def _code(error: BaseException) -> int:
    """SQLite's primary result code, which is the low byte of the extended one; 0 if there is none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(cause, "sqlite_errorcode", 0)) & 0xFF
