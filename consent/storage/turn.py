"""Whose turn it is with the counts in PostgreSQL: one erases, counts, or forgets what was counted, at a time.

By locks that need a right: an advisory one could be held by anybody who may connect.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

#: Whoever erases has this (``consent.take_turn``), and nothing is counted meanwhile.
TURN = "LOCK TABLE consent.counted IN SHARE UPDATE EXCLUSIVE MODE"
#: How long who does nothing but count waits for each lock.
MOMENT = "500ms"
_PATIENCE = text("SELECT current_setting('lock_timeout')")
_BE_PATIENT = text("SELECT set_config('lock_timeout', :patience, true)")
#: What the server says when somebody else has a lock (lock_not_available).
_LOCKED = "55P03"


def take(connection: Connection) -> bool:
    """Whether nobody erases, nor can until this transaction ends; nothing is waited for."""
    return _locked(connection, f"{TURN} NOWAIT")


def wait(connection: Connection, head: str) -> bool:
    """Wait a moment for whoever erases, and then for whoever seals, whose lock is taken by *head*.

    Whether both are had; else neither is. Nothing else may be locked by then.
    """
    patience = connection.execute(_PATIENCE).scalar_one()
    connection.execute(_BE_PATIENT, {"patience": MOMENT})
    both = _locked(connection, TURN, head)
    connection.execute(_BE_PATIENT, {"patience": patience})
    return both


def _locked(connection: Connection, *statements: str) -> bool:
    """Whether all of *statements* got their locks; none is kept if not."""
    try:
        with connection.begin_nested():
            for statement in statements:
                connection.execute(text(statement))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCKED:
            return False
        raise
    return True
