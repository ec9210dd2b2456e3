"""What the migrations execute on an empty database, kept from the first one: the tests make a thousand of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, event

from consent.storage import migrate, schema

_READING = ("SELECT", "PRAGMA")

#: Alembic's own way; whoever tests the migrations themselves goes it.
really_upgrade = migrate.upgrade

_kept: dict[str, tuple[list[tuple[str, Any]], Sequence[str]]] = {}


def upgrade(connection: Connection) -> Sequence[str]:
    """As ``migrate.upgrade``, but on an empty database without Alembic, from the second of a kind on."""
    if migrate.pending(connection) != schema.REVISIONS:
        return really_upgrade(connection)
    kind = connection.dialect.name
    if kind not in _kept:
        executed: list[tuple[str, Any]] = []

        def keep(_: Connection, __: Any, statement: str, parameters: Any, *rest: Any) -> None:
            if not statement.lstrip().startswith(_READING):
                executed.append((statement, parameters or None))

        event.listen(connection, "before_cursor_execute", keep)
        done = really_upgrade(connection)
        event.remove(connection, "before_cursor_execute", keep)
        _kept[kind] = executed, done
        return done
    statements, done = _kept[kind]
    for statement, parameters in statements:
        connection.exec_driver_sql(statement, parameters)
    return done
