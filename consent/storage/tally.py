"""Counting in the database: each full tile's events come into the index and into their days' counts, once.

Nothing is done as an event is recorded. Whoever completes a tile counts it in the same transaction, and a few more that
were not counted yet: those of an older release, or of a log that is counted anew.
"""

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from consent.ledger.facets import Facets, place
from consent.ledger.tile import WIDTH

log = logging.getLogger("consent")

#: Tiles that one recording counts at most, and one step of whoever counts and does nothing else.
IN_PASSING, AT_ONCE = 4, 16

_SIZE = "SELECT size FROM {0}counted"
# What was altered is mended, as the id follows from what is said.
_DEFINE = (
    "INSERT INTO {0}facets AS f (id, bare, said) VALUES (:id, :bare, :said) "
    "ON CONFLICT (id) DO UPDATE SET bare = excluded.bare, said = excluded.said "
    "WHERE f.bare <> excluded.bare OR f.said <> excluded.said"
)
_CLEAR = "DELETE FROM {0}indexed WHERE leaf_index >= :first AND leaf_index < :beyond"
_PLACE = "INSERT INTO indexed (leaf_index, place, facets) VALUES (?, ?, ?)"
# As one statement: a server takes as long for each as for the row.
_PLACE_ALL = text(
    "INSERT INTO consent.indexed (leaf_index, place, facets) SELECT * FROM "
    "unnest(CAST(:indexes AS bigint[]), CAST(:places AS bigint[]), CAST(:facets AS bigint[]))"
)
_ADD = (
    "INSERT INTO {0}tally AS t (day, facets, events, erased) VALUES (:day, :facets, :events, :erased) "
    "ON CONFLICT (day, facets) DO UPDATE SET events = t.events + excluded.events, erased = t.erased + excluded.erased"
)
_MOVE = (
    "INSERT INTO {0}counted AS c (one, size, missing) VALUES (1, :size, :missing) "
    "ON CONFLICT (one) DO UPDATE SET size = excluded.size, missing = c.missing + excluded.missing"
)
_FORGET = ("DELETE FROM {0}tally", "DELETE FROM {0}counted")

_OPENED = (
    "SELECT e.leaf_index, e.leaf, o.body FROM entry e LEFT JOIN opening o USING (uid) "
    "WHERE e.leaf_index >= :first AND e.leaf_index < :beyond ORDER BY e.leaf_index"
)
# It needs no right to read openings.
_SHOWN = "SELECT leaf_index, leaf, said FROM consent.opened(:first, :beyond)"
# Whoever erases holds it: nothing is counted meanwhile, and nobody waits.
_TURN = "SELECT pg_try_advisory_xact_lock(7163384699739271541)"

Values = Mapping[str, object]
#: Index of an entry, its place, and the id of its facets.
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Tables:
    """How a transaction reads a tile and writes what was counted."""

    opened: Callable[[Values], Iterable[Sequence[Any]]]
    """Index, leaf, and opening or the part of it that names nobody, of the entries from ``first`` to ``beyond``."""
    write: Callable[[str, Sequence[Values]], object]
    """Run a statement, in which the tables are named, once for each of the values."""
    place: Callable[[Sequence[Place]], object]
    """Put these into the index."""
    size: Callable[[], int]
    """How many entries are counted."""


@dataclass(slots=True)
class _Tile:
    """What the events of one tile come to."""

    places: list[Place] = field(default_factory=list)
    facets: dict[int, Facets] = field(default_factory=dict)
    events: Counter[tuple[int, int]] = field(default_factory=Counter)
    erased: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, index: int, leaf: bytes, said: bytes | None) -> None:
        hour, facets, id = Facets.read(leaf, said)
        day = hour // 24
        self.facets[id] = facets
        self.places.append((index, place(hour, index), id))
        self.events[day, id] += 1
        if said is None:
            self.erased[day, id] += 1


def count(tables: Tables, sealed: int, most: int) -> int:
    """Count up to *most* full tiles of the *sealed* entries that aren't counted yet; how many entries are left."""
    size, end = tables.size(), sealed // WIDTH * WIDTH
    for first in range(size, min(end, size + most * WIDTH), WIDTH):
        _count_tile(tables, first)
    return max(0, end - size - most * WIDTH)


def _count_tile(tables: Tables, first: int) -> None:
    span = {"first": first, "beyond": first + WIDTH}
    tile = _Tile()
    for row in tables.opened(span):
        tile.add(*row)
    # In order, so that two who write the same wait for each other and not both.
    facets = tile.facets | {each.bare.id: each.bare for each in tile.facets.values()}
    tables.write(
        _DEFINE,
        [{"id": id, "bare": each.bare.id, "said": each.to_bytes()} for id, each in sorted(facets.items())],
    )
    tables.write(_CLEAR, [span])
    tables.place(tile.places)
    tables.write(
        _ADD,
        [
            {"day": day, "facets": id, "events": events, "erased": tile.erased[day, id]}
            for (day, id), events in sorted(tile.events.items())
        ],
    )
    tables.write(_MOVE, [{"size": first + WIDTH, "missing": WIDTH - len(tile.places)}])


def in_file(connection: sqlite3.Connection) -> Tables:
    """The tables in SQLite, by the driver's own connection."""

    def write(statement: str, values: Sequence[Values]) -> None:
        connection.executemany(statement.format(""), values)

    def size() -> int:
        row = connection.execute(_SIZE.format("")).fetchone()
        return 0 if row is None else int(row[0])

    return Tables(
        lambda span: connection.execute(_OPENED, span),
        write,
        lambda places: connection.executemany(_PLACE, places),
        size,
    )


def on_server(connection: Connection) -> Tables:
    """The tables in PostgreSQL."""

    def write(statement: str, values: Sequence[Values]) -> None:
        if values:
            connection.execute(text(statement.format("consent.")), list(values))

    def place(places: Sequence[Place]) -> None:
        columns = zip(("indexes", "places", "facets"), zip(*places, strict=True), strict=True)
        if places:  # as the server writes arrays: the driver takes ten times as long for that
            values = {name: f"{{{','.join(map(str, column))}}}" for name, column in columns}
            connection.execute(_PLACE_ALL, values)

    def size() -> int:
        return int(connection.execute(text(_SIZE.format("consent."))).scalar() or 0)

    return Tables(lambda span: connection.execute(text(_SHOWN), span).all(), write, place, size)


def count_in_file(connection: sqlite3.Connection, sealed: int, most: int = IN_PASSING) -> int:
    """As ``count``. Whatever keeps it from being done keeps nobody from answering."""
    connection.execute("SAVEPOINT counting")
    try:
        left = count(in_file(connection), sealed, most)
    except sqlite3.Error as error:
        connection.execute("ROLLBACK TO counting")
        log.warning("the newest events could not be counted: %s", error)
        left = 0
    connection.execute("RELEASE counting")
    return left


def count_on_server(connection: Connection, sealed: int, most: int = IN_PASSING) -> int:
    """As ``count``, by whoever holds the head's row. While somebody erases it is left for later, as when it fails."""
    try:
        with connection.begin_nested():
            if connection.execute(text(_TURN)).scalar_one():
                return count(on_server(connection), sealed, most)
    except DBAPIError as error:
        log.warning("the newest events could not be counted: %s", error.orig)
    return 0


def forget(tables: Tables) -> None:
    """Forget what was counted, so that all of it is counted anew; the index is replaced tile by tile."""
    for statement in _FORGET:
        tables.write(statement, [{}])
