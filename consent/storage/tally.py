"""Counting in the database: each full tile's events come into the index and into their days' counts, once.

Nothing is done as an event is recorded. Whoever completes a tile counts it in the same transaction, and a few more that
were not counted yet: those of an older release, of a log that is counted anew, or of a burst, during which PostgreSQL
only seals. What answers said is counted beside that, by itself (``consent.ledger.replies``).
"""

import hashlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from consent.errors import LedgerError
from consent.ledger.facets import Facets, place
from consent.ledger.replies import Outline, Reply, is_answer, replies_of
from consent.ledger.tile import WIDTH
from consent.storage import turn
from consent.storage.altered import as_bytes, require_facets, require_size, require_whole

log = logging.getLogger("consent")

#: Rows of what has faded that one count takes out at most.
FADED = 500
#: Outlines of policies that a process remembers, by the digests of these.
MOST_OUTLINES = 256
_OUTLINES = dict[str, Outline]()

#: Tiles that one recording counts at most, and one step of whoever counts and does nothing else.
IN_PASSING, AT_ONCE = 4, 16

_SIZE = "SELECT size FROM {0}counted"
# What was altered is mended, as the id follows from what is said.
_DEFINE = (
    "INSERT INTO {0}facets AS f (id, bare, said) VALUES (:id, :bare, :said) "
    "ON CONFLICT (id) DO UPDATE SET bare = excluded.bare, said = excluded.said "
    "WHERE (f.bare = excluded.bare AND f.said = excluded.said) IS NOT TRUE"
)
_FACETS = "SELECT id, bare, said FROM {0}facets"
_UNDEFINE = "DELETE FROM {0}facets WHERE id = :id"
_TALLY = "SELECT day FROM {0}tally LIMIT 1"
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
# Of the index only what no counting comes to: the rest is replaced as that is done, and found until then.
_FORGET = (
    *(f"DELETE FROM {{0}}{table}" for table in ("tally", "counted", "replies", "replied", "faded")),
    "DELETE FROM {0}indexed WHERE NOT (leaf_index >= 0 AND leaf_index < "
    f"(SELECT size / {WIDTH} * {WIDTH} FROM {{0}}head))",
)

_REPLIED = "SELECT size FROM {0}replied"
_REPLY = (
    "INSERT INTO {0}replies AS r (dimension, day, value, category, said, events) "
    "VALUES (:dimension, :day, :value, :category, :said, :events) "
    "ON CONFLICT (dimension, day, value, category, said) DO UPDATE SET events = r.events + excluded.events"
)
_MOVE_REPLIED = (
    "INSERT INTO {0}replied AS r (one, size) VALUES (1, :size) "
    "ON CONFLICT (one) DO UPDATE SET size = excluded.size"
)
_FADED = (
    "SELECT d.day, d.events, f.said, d.facets FROM {0}faded d JOIN {0}facets f ON f.id = d.facets "
    "ORDER BY d.day, d.facets LIMIT :most"
)
_TAKE_OUT = "DELETE FROM {0}faded WHERE day = :day AND facets = :facets"
_CLEAR_FADED = "DELETE FROM {0}faded"
_CLEAR_REPLIES = "DELETE FROM {0}replies"
_TALLIED = "SELECT t.day, t.events, f.said FROM {0}tally t JOIN {0}facets f ON f.id = t.facets"
_POLICY = "SELECT body FROM {0}document WHERE hash = :hash AND kind = 'policy'"

_OPENED = (
    "SELECT e.leaf_index, e.leaf, o.body FROM entry e LEFT JOIN opening o USING (uid) "
    "WHERE e.leaf_index >= :first AND e.leaf_index < :beyond ORDER BY e.leaf_index"
)
# It needs no right to read openings.
_SHOWN = "SELECT leaf_index, leaf, said FROM consent.shown(:first, :beyond)"

Values = Mapping[str, object]
#: Index of an entry, its place, and the id of its facets.
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Tables:
    """How a transaction reads tiles and writes what was counted."""

    opened: Callable[[Values], Iterable[Sequence[Any]]]
    """Index, leaf, and opening or the part of it that names nobody, of the entries from ``first`` to ``beyond``."""
    write: Callable[[str, Sequence[Values]], object]
    """Run a statement, in which the tables are named, once for each of the values."""
    place: Callable[[Sequence[Place]], object]
    """Put these into the index."""
    read: Callable[[str, Values], Iterable[Sequence[Any]]]
    """What a statement finds, in which the tables are named."""

    def size(self, statement: str) -> int:
        """The one number of entries that *statement* finds; 0 when it finds none, LedgerError where it can be none."""
        return next((require_size(row[0]) for row in self.read(statement, {})), 0)


@dataclass(slots=True)
class _Events:
    """What the events of some tiles come to."""

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
    size, end = tables.size(_SIZE), sealed // WIDTH * WIDTH
    beyond = min(end, size + most * WIDTH)
    if size < beyond:
        if size == 0 and any(
            tables.read(_TALLY, {})
        ):  # what was counted is there, and nothing says of how many entries
            forget(tables)
        found = _count_events(tables, size, beyond)
        if size == tables.size(_REPLIED):
            _count_replies(
                tables, ((day, many, found.facets[id]) for (day, id), many in found.events.items())
            )
            tables.write(_MOVE_REPLIED, [{"size": beyond}])
    return max(0, end - max(size, beyond))


def sum_up(tables: Tables) -> None:
    """Count the replies anew from the tally, unless they are of as many entries; then only take out what has faded."""
    size = tables.size(_SIZE)
    if size == tables.size(_REPLIED):
        while _count_replies(tables, ()):
            pass
        return
    tables.write(_CLEAR_REPLIES, [{}])
    tables.write(_CLEAR_FADED, [{}])
    _count_replies(tables, _facets_in(tables.read(_TALLIED, {})))
    tables.write(_MOVE_REPLIED, [{"size": size}])


def _count_replies(tables: Tables, events: Iterable[tuple[int, int, Facets]]) -> bool:
    """Add what so many *events* of a day with these facets reply, and take out some of what has faded since.

    Whether there may be more of that.
    """
    found = Counter[tuple[int, Reply]]()
    for day, many, facets in events:
        for reply in _replies(tables, facets):
            found[day, reply] += many
    faded = list(tables.read(_FADED, {"most": FADED}))
    for day, many, facets in _facets_in(row[:3] for row in faded):
        for reply in _replies(tables, facets):
            found[day, reply] -= many
    tables.write(_TAKE_OUT, [{"day": day, "facets": id} for day, _, _, id in faded])
    tables.write(
        _REPLY,
        [
            {"day": day, "events": many, **reply._asdict()}
            for (day, reply), many in sorted(found.items())
            if many
        ],
    )
    return len(faded) == FADED


def _facets_in(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, int, Facets]]:
    for day, events, said in rows:
        require_whole(day, events)
        yield day, events, Facets.from_bytes(as_bytes(said))


def _replies(tables: Tables, facets: Facets) -> Sequence[Reply]:
    return replies_of(facets, _outline(tables, facets.policy)) if is_answer(facets) else ()


def _outline(tables: Tables, policy: str | None) -> Outline | None:
    """The outline of the policy with this digest; None when it isn't on record as it was."""
    if policy is None:
        return None
    if policy not in _OUTLINES:
        body = next((as_bytes(row[0]) for row in tables.read(_POLICY, {"hash": policy})), b"")
        if hashlib.sha256(body).hexdigest() != policy or (outline := Outline.read(body)) is None:
            return None
        if len(_OUTLINES) >= MOST_OUTLINES:
            _OUTLINES.clear()
        _OUTLINES[policy] = outline
    return _OUTLINES[policy]


def _count_events(tables: Tables, first: int, beyond: int) -> _Events:
    """Count the events of the tiles from index *first* until *beyond*: together, as each statement takes its time."""
    span = {"first": first, "beyond": beyond}
    found = _Events()
    for row in tables.opened(span):
        found.add(*row)
    facets = found.facets | {each.bare.id: each.bare for each in found.facets.values()}
    # In order, so that two who write the same wait for each other and not both.
    tables.write(
        _DEFINE,
        [{"id": id, "bare": each.bare.id, "said": each.to_bytes()} for id, each in sorted(facets.items())],
    )
    tables.write(_CLEAR, [span])
    tables.place(found.places)
    tables.write(
        _ADD,
        [
            {"day": day, "facets": id, "events": events, "erased": found.erased[day, id]}
            for (day, id), events in sorted(found.events.items())
        ],
    )
    tables.write(_MOVE, [{"size": beyond, "missing": beyond - first - len(found.places)}])
    return found


def in_file(connection: sqlite3.Connection) -> Tables:
    """The tables in SQLite, by the driver's own connection."""

    def write(statement: str, values: Sequence[Values]) -> None:
        connection.executemany(statement.format(""), values)

    return Tables(
        lambda span: connection.execute(_OPENED, span),
        write,
        lambda places: connection.executemany(_PLACE, places),
        lambda statement, values: connection.execute(statement.format(""), values),
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

    def read(statement: str, values: Values) -> Iterable[Sequence[Any]]:
        return connection.execute(text(statement.format("consent.")), values)

    return Tables(lambda span: connection.execute(text(_SHOWN), span).all(), write, place, read)


def count_in_file(
    connection: sqlite3.Connection, sealed: int, most: int = IN_PASSING, *, whole: bool = False
) -> int:
    """As ``count``. Whatever keeps it from being done keeps nobody from answering.

    With *whole* also what an older release has left out, once nothing else is left.
    """
    connection.execute("SAVEPOINT counting")
    try:
        left = count(in_file(connection), sealed, most)
        if whole and not left:
            sum_up(in_file(connection))
    except (sqlite3.Error, LedgerError) as error:
        connection.execute("ROLLBACK TO counting")
        log.warning("the newest events could not be counted: %s", error)
        left = 0
    connection.execute("RELEASE counting")
    return left


def count_on_server(
    connection: Connection, sealed: int, most: int = IN_PASSING, *, whole: bool = False
) -> int:
    """As ``count_in_file``, by whoever holds the head's row. While somebody erases it is left for later."""
    try:
        with connection.begin_nested():
            if turn.take(connection):
                left = count(on_server(connection), sealed, most)
                if whole and not left:
                    sum_up(on_server(connection))
                return left
    except DBAPIError as error:
        log.warning("the newest events could not be counted: %s", error.orig)
    except LedgerError as error:
        log.warning("the newest events could not be counted: %s", error)
    return 0


def forget(tables: Tables) -> None:
    """Forget what was counted, so that all of it is counted anew; the index is replaced as that is done.

    Facets stay, as the index names them, but for those that nobody of ours wrote so.
    """
    for statement in _FORGET:
        tables.write(statement, [{}])
    tables.write(_UNDEFINE, [{"id": row[0]} for row in list(tables.read(_FACETS, {})) if not _ours(*row)])


def _ours(id: object, bare: object, said: object) -> bool:
    """Whether facets are stored as they were written."""
    try:
        require_facets(id, bare, said)
    except LedgerError:
        return False
    return True
