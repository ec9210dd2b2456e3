"""What PostgreSQL says when it can't, in sentences that name the fix; and what it says although it could."""

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from consent.errors import LedgerError, LedgerUnavailable

_MAKE = "Run: flask consent db upgrade, with CONSENT_SIGNING_KEY set, as a role that may create tables."

#: By SQLSTATE, or its class (postgresql.org/docs/current/errcodes-appendix.html): what was found, the fix, seconds
#: until a retry makes sense.
_SAID: dict[str, tuple[str, str, int]] = {
    "08": ("can't be reached", "See that the server runs, and that this machine may connect.", 5),
    "25006": ("can't be written: it is read-only", "Name the primary server, not a standby.", 30),
    "28": ("doesn't let this site in", "Check role and password in CONSENT_DATABASE.", 60),
    "3D": ("isn't there", "Create it, or mend CONSENT_DATABASE.", 60),
    "40": ("has too much going on at once", "If that lasts, look for what holds locks.", 1),
    "42883": (
        "lacks the function by which this release records",
        "Run: flask consent db upgrade, or flask consent db roles --apply, as the owner of the tables.",
        300,
    ),
    "42501": ("refuses this role a right that it needs", 'See "flask consent db roles".', 300),
    "53": ("is short of connections, memory or disk", "Give the server more.", 30),
    "55P03": ("was in use by others for too long", "If that lasts, look for what holds locks.", 2),
    "57014": ("took too long", "If that lasts, look at the server's load and at its standbys.", 2),
    "57P": ("is being stopped or started", "Wait until it runs.", 5),
    "58": ("can't be read or written: the server's system reports an error", "Check its disk.", 30),
    "XX": ("is damaged", "Look at the server's log, and restore a backup.", 300),
}

#: What an operation may raise.
RAISED = (psycopg.Error, SQLAlchemyError)


class NotAcknowledgedError(psycopg.OperationalError):
    """The commit was made here, but a standby may not have it."""


def lost(error: BaseException) -> bool:
    """Whether the connection that raised *error* is gone."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    # An error of the server has a code, unless it is the last word before it hangs up.
    code = getattr(error, "sqlstate", None) or ""
    gone = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return gone and not isinstance(error, NotAcknowledgedError) and code[:3] in ("", "57P")


def explain(error: BaseException, database: str) -> LedgerError:
    """The error to raise instead of *error*: LedgerUnavailable where a later try may succeed."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    words = next(iter(str(cause).splitlines()), "")
    if isinstance(cause, NotAcknowledgedError):
        return LedgerUnavailable(
            f"The database {database} recorded, but a standby didn't confirm it in time ({words}). Look at "
            "synchronous_standby_names and at the standbys.",
            retry_after=5,
        )
    code = getattr(cause, "sqlstate", None) or ""
    if not code and isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | SQLAlchemyError):
        code = "08"
    said = next((_SAID[start] for start in (code, code[:3], code[:2]) if start in _SAID), None)
    if said is None:
        return LedgerError(f"The database {database} refused what was asked of it: {words}.")
    found, fix, retry_after = said
    return LedgerUnavailable(f"The database {database} {found} ({words}). {fix}", retry_after=retry_after)


def busy(database: str, patience: float) -> LedgerUnavailable:
    """The error when another thread has been opening the database for so long."""
    return LedgerUnavailable(f"The database {database} didn't answer within {patience:g} s.", retry_after=2)


def lacking(database: str) -> LedgerUnavailable:
    """The error when tables of this release are missing."""
    return LedgerUnavailable(
        f"The database {database} lacks tables of this release. {_MAKE}", retry_after=300
    )


def unbegun(database: str) -> LedgerUnavailable:
    """The error when there are tables, and no entry 0 yet."""
    return LedgerUnavailable(
        f"The log in the database {database} isn't begun: its first entry names the signing key. {_MAKE}",
        retry_after=300,
    )


def unsynced(database: str) -> LedgerUnavailable:
    """The error when the server doesn't write to its disk what it says it has."""
    return LedgerUnavailable(
        f"The database {database} runs with fsync = off: what it records wouldn't survive a power cut. "
        "Set fsync = on.",
        retry_after=300,
    )
