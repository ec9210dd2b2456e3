"""Reading what was counted: how many events have which facets on which day, and where the newest of them are."""

import json
from collections.abc import Collection, Mapping, Sequence
from heapq import nlargest
from typing import Any

from sqlalchemy import Connection, CursorResult, bindparam, func, literal_column, select, text, union_all

from consent.ledger import Counts, Facets, Sealed
from consent.ledger.facets import BITS
from consent.ledger.replies import Replies
from consent.storage import records
from consent.storage.altered import miscounted, require_counts, require_facets, require_size, require_whole
from consent.storage.schema import counted, indexed, tally
from consent.storage.schema import facets as facets_table

#: Events that one statement finds at most; as many parts it may have.
MOST = 200
#: Events that are looked at in one go where all are asked for.
LOOKED_AT = 10_000
#: Hours so few that looking for each facets in them takes less than looking at all events.
FEW_HOURS = 24

_FACETS = select(*facets_table.c)
_MANY = select(func.count()).select_from(facets_table)
_SIZE = select(counted.c.size)
_ALL = select(literal_column("-1").label("day"), literal_column("0"), counted.c.size, counted.c.missing)
_OF_DAYS = tally.c.day >= bindparam("first"), tally.c.day < bindparam("beyond")
# One statement, so that the counts are of as many entries as the row without a day says.
_COUNTS = union_all(
    _ALL, select(tally.c.day, tally.c.facets, tally.c.events, tally.c.erased).where(*_OF_DAYS)
)
# Few rows, however many days and facets they sum up. Each database has a way of its own to find a day's span.
_SUMS = {
    "sqlite": """
        SELECT -1, 0, size, missing FROM counted UNION ALL SELECT * FROM (
            WITH span (first, beyond) AS MATERIALIZED (
                SELECT value, lead(value) OVER (ORDER BY key) FROM json_each(:edges)
            ), grouped (facets, part) AS MATERIALIZED (
                SELECT CAST(key AS integer), value FROM json_each(:groups)
            )
            SELECT span.first, part, sum(events), sum(erased)
            FROM span CROSS JOIN tally CROSS JOIN grouped USING (facets)
            WHERE day >= span.first AND day < span.beyond GROUP BY 1, 2
        )
    """,
    "postgresql": """
        SELECT -1, 0, size, missing FROM consent.counted UNION ALL (
            WITH edge (days) AS (
                SELECT array_agg(CAST(value AS integer) ORDER BY place)
                FROM json_array_elements_text(:edges) WITH ORDINALITY AS each (value, place)
            ), grouped (facets, part) AS (
                SELECT CAST(key AS bigint), CAST(value AS bigint) FROM json_each_text(:groups)
            )
            SELECT days[width_bucket(day, days)], part, CAST(sum(events) AS bigint), CAST(sum(erased) AS bigint)
            FROM edge CROSS JOIN consent.tally JOIN grouped USING (facets)
            WHERE day >= days[1] AND day < days[array_length(days, 1)] GROUP BY 1, 2
        )
    """,
}
# One statement, so that all of it is of as many entries as the row without a day says.
_REPLIES = """
    SELECT -1 AS kind, 0 AS day, '' AS a, '' AS b, '' AS c, size AS events FROM {0}replied
    UNION ALL SELECT 0, day, category, said, '', events FROM {0}replies
        WHERE dimension = '' AND day >= :first AND day < :beyond
    UNION ALL SELECT 1, 0, value, category, said, CAST(sum(events) AS bigint) FROM {0}replies
        WHERE dimension = :dimension AND day >= :first AND day < :beyond GROUP BY value, category, said
    UNION ALL SELECT 2, day, CAST(facets AS text), '', '', events FROM {0}faded
        WHERE day >= :first AND day < :beyond
"""
_DAYS = select(tally.c.day).where(
    *_OF_DAYS, tally.c.facets.not_in(bindparam("other", expanding=True, literal_execute=True))
)
_FIRST_DAY, _LAST_DAY = (_DAYS.order_by(day).limit(1) for day in (tally.c.day, tally.c.day.desc()))
_BETWEEN = indexed.c.place >= bindparam("first"), indexed.c.place < bindparam("before")
# Of each facets the newest event: one look into the index each, however many events there are.
_NEWEST = select(
    facets_table.c.id,
    select(func.max(indexed.c.place))
    .where(indexed.c.facets == facets_table.c.id, *_BETWEEN)
    .scalar_subquery()
    .label("place"),
)
# A place says which entry's it is: so the index alone tells.
_AMONG = indexed.c.place.op("&")((1 << BITS) - 1) < bindparam("size")
# Of each facets how many: a look into the index each, as long as the span and no longer.
_MANY_BETWEEN = select(
    facets_table.c.id,
    select(func.count())
    .select_from(indexed)
    .where(indexed.c.facets == facets_table.c.id, *_BETWEEN, _AMONG)
    .scalar_subquery(),
)
_OF_ONE = """
    SELECT place, leaf_index FROM {table} WHERE facets = {id} AND place >= :first AND place < :before
    ORDER BY place DESC LIMIT :limit
"""
# A server plans each part of a union by itself, which takes longer than to find what it asks for.
_OF_EACH = f"""
    SELECT place, leaf_index FROM json_array_elements_text(:ids) AS each (id)
    CROSS JOIN LATERAL ({_OF_ONE.format(table="consent.indexed", id="CAST(each.id AS bigint)")}) AS newest
"""
# By their indexes, which is how they lie.
_PLACED = (
    select(indexed.c.leaf_index, indexed.c.facets)
    .where(indexed.c.leaf_index > bindparam("after"), *_BETWEEN)
    .order_by(indexed.c.leaf_index)
    .limit(bindparam("limit"))
)
# Where they are few of many, by a look into the index for each facets.
_PLACED_IN_FEW_HOURS = (
    "SELECT leaf_index, {0}facets.id FROM {0}facets CROSS JOIN {0}indexed "
    "WHERE {0}indexed.facets = {0}facets.id AND place >= :first AND place < :before AND leaf_index > :after "
    "ORDER BY leaf_index LIMIT :limit"
)


_ALL_PLACED = (
    select(indexed.c.leaf_index, indexed.c.place, indexed.c.facets)
    .where(indexed.c.leaf_index > bindparam("after"))
    .order_by(indexed.c.leaf_index)
    .limit(bindparam("limit"))
)


class Known:
    """The facets that a process has read. Those that are there stay, and so only their number is asked for."""

    def __init__(self) -> None:
        self._known: Mapping[int, Facets] = {}

    def read(self, connection: Connection) -> Mapping[int, Facets]:
        """All facets by their ids; LedgerError if any can't be read."""
        known = self._known
        if connection.execute(_MANY).scalar_one() != len(known):
            known = {row.id: require_facets(*row) for row in connection.execute(_FACETS)}
            self._known = known
        return known


def size(connection: Connection) -> int:
    """How many entries are indexed and counted; LedgerError where that can be no size any more."""
    found = connection.execute(_SIZE).scalar()
    return 0 if found is None else require_size(found)


def counts(connection: Connection, first: int, beyond: int) -> Counts:
    """What was counted of the days from *first* until *beyond*; LedgerError where it can be no counts any more."""
    return _read(connection.execute(_COUNTS, {"first": first, "beyond": beyond}))


def sums(connection: Connection, edges: Sequence[int], groups: Mapping[int, int]) -> Counts:
    """What was counted of the days from each of *edges* until the next together, and of the facets by their *groups*.

    LedgerError where it can be no counts any more.
    """
    values = {"edges": json.dumps(list(edges)), "groups": json.dumps(dict(groups))}
    return _read(connection.execute(text(_SUMS[connection.dialect.name]), values))


def _read(found: CursorResult[Any]) -> Counts:
    # They are many, and plain numbers: the driver's own tuples take a third of the time.
    rows = list(found.cursor.fetchall())
    found.close()
    at = next((at for at, row in enumerate(rows) if row[0] < 0), None)
    if at is None and rows:
        raise miscounted("nothing says of how many entries they are")
    if at is None:
        return Counts(0, 0, ())
    _, _, size, missing = rows.pop(at)
    require_counts(rows)
    return Counts(require_size(size, missing), missing, rows)


def replies(connection: Connection, dimension: str, first: int, beyond: int) -> Replies:
    """What the answers of the days from *first* until *beyond* said, and what under *dimension*.

    LedgerError where it can be no counts any more.
    """
    schema = "" if connection.dialect.name == "sqlite" else "consent."
    values = {"dimension": dimension, "first": first, "beyond": beyond}
    rows = connection.execute(text(_REPLIES.format(schema)), values).all()
    require_counts([(day, 0, events, 0) for _, day, *_, events in rows])
    return Replies(
        size=next((require_size(events) for kind, *_, events in rows if kind < 0), 0),
        whole=[(day, str(a), str(b), events) for kind, day, a, b, _, events in rows if kind == 0],
        apart={(str(a), str(b), str(c)): events for kind, _, a, b, c, events in rows if kind == 1},
        faded=[(day, _id(a), events) for kind, day, a, _, _, events in rows if kind > 1],
    )


def _id(text: object) -> int:
    """The id of facets that is written as *text*; LedgerError for any other."""
    if not (isinstance(text, str) and text.isascii() and text.isdigit()):
        raise miscounted(f"facets under the id {text!r}")
    return int(text)


def days(connection: Connection, first: int, beyond: int, other: Collection[int]) -> tuple[int, int] | None:
    """The first and the last day from *first* until *beyond* on which facets other than *other* were counted."""
    values = {"first": first, "beyond": beyond, "other": list(other)}
    found = connection.execute(_FIRST_DAY, values).scalar()
    if found is None:
        return None
    last = connection.execute(_LAST_DAY, values).scalar_one()
    require_whole(found, last)
    return found, last


def events(connection: Connection, first: int, before: int, size: int) -> Mapping[int, int]:
    """How many of the first *size* entries there are from place *first* until *before*, by the ids of their facets."""
    rows = connection.execute(_MANY_BETWEEN, {"first": first, "before": before, "size": size})
    return {id: many for id, many in rows if many}


def places(
    connection: Connection, ids: Collection[int], first: int, before: int, limit: int
) -> Sequence[tuple[int, int]]:
    """Place and index of up to *limit* events with any of the facets *ids* from place *first* until *before*.

    The newest first. At most ``MOST`` at a time.
    """
    span, limit = {"first": first, "before": before}, min(limit, MOST)
    if not ids:
        return ()
    newest = connection.execute(_NEWEST, span).all()
    # Whoever isn't among the first by its newest event has none among the first at all.
    require_whole(*(place for _, place in newest if place is not None))
    leading = nlargest(limit, [(place, id) for id, place in newest if place is not None and id in ids])
    if not leading:
        return ()
    values = {**span, "limit": limit, "ids": json.dumps([id for _, id in leading])}
    if connection.dialect.name == "sqlite":
        parts = (f"SELECT * FROM ({_OF_ONE.format(table='indexed', id=id)})" for _, id in leading)
        found = connection.execute(text(" UNION ALL ".join(parts)), values)
    else:
        found = connection.execute(text(_OF_EACH), values)
    rows = [(place, index) for place, index in found]
    for row in rows:
        require_whole(*row)
    return nlargest(limit, rows)


def placed(connection: Connection, after: int, limit: int) -> Sequence[tuple[int, int, int]]:
    """Index, place and id of the facets of up to *limit* entries above index *after*, as the index has them."""
    rows = connection.execute(_ALL_PLACED, {"after": after, "limit": limit})
    return [(index, place, facets) for index, place, facets in rows]


def found(
    connection: Connection, ids: Collection[int], first: int, before: int, limit: int
) -> tuple[Sequence[tuple[int, Sealed]], int | None]:
    """As ``places``, with the records; and the place before which to go on, None after the last.

    One that was pruned has no record any more.
    """
    there = places(connection, ids, first, before, limit)
    stored = records.at(connection, [index for _, index in there])
    going_on = there[-1][0] if len(there) == min(limit, MOST) else None
    return [(place, stored[index]) for place, index in there if index in stored], going_on


def chosen(
    connection: Connection, ids: Collection[int], first: int, before: int, after: int
) -> tuple[Sequence[Sealed], int | None]:
    """Some events above index *after* with any of the facets *ids*, from place *first* until *before*.

    In index order; and after which index to go on, None after the last.
    """
    span = {"first": first, "before": before, "after": after, "limit": LOOKED_AT}
    if before - first > FEW_HOURS << BITS:
        placed = connection.execute(_PLACED, span).all()
    else:
        schema = "" if connection.dialect.name == "sqlite" else "consent."
        placed = connection.execute(text(_PLACED_IN_FEW_HOURS.format(schema)), span).all()
    wanted = [index for index, facets in placed if facets in ids]
    stored = records.at(connection, wanted) if wanted else {}
    going_on = placed[-1][0] if len(placed) == LOOKED_AT else None
    return [stored[index] for index in wanted if index in stored], going_on
