"""A log that arrives in PostgreSQL: its tables are made and filled in one transaction, each row as it was."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import cast

import psycopg
from sqlalchemy import Connection, Table, func, select, text, update

from consent.errors import LedgerError
from consent.ledger import Leaf
from consent.storage import moved, records, sequencer
from consent.storage.birth import first_leaf
from consent.storage.departure import Departure, Progress, Row
from consent.storage.schema import SCHEMA, entry, head, metadata

_HELD = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = to_regnamespace(:schema) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION SELECT proname || '()' FROM pg_proc WHERE pronamespace = to_regnamespace(:schema)
    ORDER BY 1
""")


def make_room(connection: Connection, departure: Departure, database: str) -> None:
    """Drop what an interrupted copy of the same log left; LedgerError if there is anything else, with what it is."""
    held = connection.execute(_HELD, {"schema": SCHEMA}).scalars().all()
    if not held:
        return
    if "inbox" in held and moved.arriving(connection) and first_leaf(connection) == departure.first_leaf():
        connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        return
    raise LedgerError(
        f"The schema {SCHEMA} of {database} isn't empty: it holds {_in_words(connection, held)}. A log moves into an "
        "empty one only. Name another database, or drop the schema if nothing in it counts."
    )


def _in_words(connection: Connection, held: Sequence[str]) -> str:
    if {"entry", "head", "consent_alembic_version"} <= set(held):
        size = records.size(connection)
        name = Leaf.from_bytes(first_leaf(connection)).origin if size else "that isn't begun"
        return f"the log {name}, of {size:,} entries"
    return ", ".join(held[:20]) + (" …" if len(held) > 20 else "")


def fill(connection: Connection, departure: Departure, progress: Progress) -> None:
    """Copy all rows into the tables, which are new; LedgerError if there are fewer or more of them then.

    Whatever they hold: that they are what was recorded is proved of all of them together.
    """
    limits = import_module("consent.storage.migrations.versions.r0011_limits")
    for name in limits.LIMITS:
        connection.exec_driver_sql(f"ALTER TABLE {SCHEMA}.{name.partition('_')[0]} DROP CONSTRAINT {name}")
    driver = cast(psycopg.Connection, connection.connection.driver_connection)
    for table in metadata.tables.values():  # as they are declared: what others refer to comes first
        total = departure.count(table)
        rows = progress(departure.rows(table), total, f"rows of {table.name}")
        if table is entry:
            _make_partitions(connection, total)
        if table is head:  # whose only row a new database has
            for row in rows:
                connection.execute(update(head), dict(zip(head.columns.keys(), row, strict=True)))
        else:
            _copy(driver, table, rows)
        found = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if found != total:
            raise LedgerError(f"of {total:,} rows of {table.name}, {found:,} arrived; nothing was moved")
    connection.exec_driver_sql(limits.SETTING)


def _make_partitions(connection: Connection, size: int) -> None:
    """The partitions in which *size* entries find room, made as if the tree had grown here."""
    for full in range(sequencer.SPAN, size + 1, sequencer.SPAN):
        connection.execute(update(head), {"size": full})
        sequencer.make_room(connection, full)


def _copy(driver: psycopg.Connection, table: Table, rows: Iterable[Row]) -> None:
    names = ", ".join(column.name for column in table.columns)
    with driver.cursor().copy(f"COPY {SCHEMA}.{table.name} ({names}) FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)
