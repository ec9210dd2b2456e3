"""How far the log reaches: the index that the next entry gets, and entries that stand where none belongs."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select

from consent.storage import records, tree
from consent.storage.schema import entry, tile

_first, _last, _following = entry.alias(), entry.alias(), entry.alias()
_END_OF_RUN = (
    select(_last.c.leaf_index + 1)
    .where(
        _last.c.leaf_index >= bindparam("size"),
        ~select(_following.c.leaf_index).where(_following.c.leaf_index == _last.c.leaf_index + 1).exists(),
        select(_first.c.leaf_index).where(_first.c.leaf_index == bindparam("size")).exists(),
    )
    .order_by(_last.c.leaf_index)
    .limit(1)
)
# One after the other: asked for both together, SQLite reads all entries through.
_FIRST_BEFORE, _FIRST_BEHIND = (
    select(entry.c.leaf_index).where(outside).order_by(entry.c.leaf_index).limit(1)
    for outside in (entry.c.leaf_index < 0, entry.c.leaf_index >= bindparam("index"))
)
_TILES = select(func.count()).where(tile.c.level == 0)


def following(connection: Connection, size: int) -> int:
    """The index that the next entry gets, where the tree is over *size*: behind the last one, but for strays.

    An older release, which knows no tree, writes entries that follow the tree's without a gap.
    """
    end = records.size(connection)
    if end <= size:
        return end
    return connection.execute(_END_OF_RUN, {"size": size}).scalar() or size


def strays(connection: Connection) -> Sequence[int]:
    """The first index of an entry that stands where none is ever recorded: before entry 0, or behind a gap."""
    end = following(connection, records.head(connection).size)
    before = connection.execute(_FIRST_BEFORE).scalars().all()
    return before or connection.execute(_FIRST_BEHIND, {"index": end}).scalars().all()


def problems(connection: Connection) -> list[str]:
    """What is wrong with the tree, as far as counting tells."""
    tiles = connection.execute(_TILES).scalar_one()
    stray = next(iter(strays(connection)), None)
    return list(tree.problems(records.head(connection).size, records.size(connection), tiles, stray))
