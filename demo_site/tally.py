"""Daily totals in the demo's database. A total belongs to nobody."""

import logging
import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from demo_site.database import current_database

#: As declared: 13 months.
RETENTION = timedelta(days=395)

log = logging.getLogger(__name__)


def add(kind: str, name: str) -> None:
    """Adds one to today's total of *name*."""
    write(
        "INSERT INTO tally VALUES (?, ?, ?, 1) ON CONFLICT (day, kind, name) DO UPDATE SET count = count + 1",
        today().isoformat(),
        kind,
        name,
    )


def totals(kind: str) -> Mapping[str, int]:
    """The totals of *kind* by name, the largest first."""
    rows = current_database().execute(
        "SELECT name, sum(count) AS count FROM tally WHERE kind = ? AND day >= ? GROUP BY name ORDER BY 2 DESC, 1",
        (kind, oldest().isoformat()),
    )
    return {row["name"]: row["count"] for row in rows}


def forget_old() -> None:
    """Deletes totals that are older than declared."""
    write("DELETE FROM tally WHERE day < ?", oldest().isoformat())


def write(statement: str, *values: str) -> None:
    """Changes the totals. No page is lost because they could not be written: the log says so, and that is all."""
    try:
        current_database().execute(statement, values)
    except sqlite3.OperationalError as error:
        log.warning("not counted: %s", error)


def today() -> date:
    """The day that is counted on, in UTC."""
    return datetime.now(UTC).date()


def oldest() -> date:
    """The oldest day still kept."""
    return today() - RETENTION
