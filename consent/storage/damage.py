"""What the indexes of a SQLite file hide from who looks by them: whoever has the file can alter an index alone."""

import uuid

from sqlalchemy import Connection

from consent.ledger.record import naming

#: Sentences of the database that are passed on at most.
MOST = 20
_CHECK = f"PRAGMA integrity_check({MOST})"
_LEAVES = "SELECT count(*) FROM entry NOT INDEXED WHERE instr(leaf, ?) > 0"
_OPENINGS = "SELECT count(*) FROM opening NOT INDEXED WHERE subject = ? OR instr(body, ?) > 0"


def contradictions(connection: Connection) -> list[str]:
    """Where tables, and the indexes by which they are read, contradict each other, as the database itself says it.

    It reads all of the file: some seven seconds with 10^6 events.
    """
    found = connection.exec_driver_sql(_CHECK).scalars().all()
    return [" ".join(str(each).split()) for each in found if each != "ok"]


def told_of(connection: Connection, id: uuid.UUID) -> tuple[int, int]:
    """How many leaves are of the event *id*, and how many openings of the subject *id*; all are read for that."""
    leaves = connection.exec_driver_sql(_LEAVES, (b'"id":"%s"' % str(id).encode(),)).scalar_one()
    openings = connection.exec_driver_sql(_OPENINGS, (id.hex, naming(id))).scalar_one()
    return leaves, openings
