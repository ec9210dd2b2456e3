"""How far the log reaches: the index that the next entry gets, and entries that stand where none belongs."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, cast, func, select

from consent.errors import LedgerError
from consent.ledger import Head
from consent.ledger.merkle import HASH_BYTES, root_of
from consent.ledger.tile import WIDTH, TileReader
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
_TILES = select(func.count()).where(
    tile.c.level == 0,
    tile.c.n >= 0,
    tile.c.n < bindparam("beyond"),
    tile.c.n == cast(tile.c.n, BigInteger),  # in SQLite who alters a row can put a fraction there
    func.length(tile.c.hashes) == WIDTH * HASH_BYTES,
)
# Only those that aren't under a full tile yet: these are what the tree goes on from.
_UNHASHED = (
    select(entry.c.leaf_index)
    .where(
        entry.c.leaf_index >= bindparam("first"),
        func.length(func.coalesce(cast(entry.c.leaf_hash, LargeBinary), b"")) != HASH_BYTES,
    )
    .order_by(entry.c.leaf_index)
    .limit(1)
)


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
    """What is wrong with the tree, as far as its head, its last tiles and counting tell."""
    head = records.head(connection)
    tiles = connection.execute(_TILES, {"beyond": head.size // WIDTH}).scalar_one()
    stray = next(iter(strays(connection)), None)
    found = list(tree.problems(head, records.size(connection), tiles, stray))
    found += [
        f"What stands for the leaf hash of entry {index} is none: somebody else wrote it. Run flask consent verify, "
        "find out who can write to the database, and restore it from a backup."
        for index in connection.execute(_UNHASHED, {"first": head.size // WIDTH * WIDTH}).scalars()
    ]
    if not found and not _leads(connection, head):
        found.append(
            f"The tiles of the tree of {head.size} entries, and the entries after them, have another root than its "
            "head says: somebody altered one of them. Run flask consent verify, and restore the database from a backup."
        )
    return found


def _leads(connection: Connection, head: Head) -> bool:
    """Whether the last tiles and entries lead to the root of *head*; one tile of each level is read."""
    try:
        return root_of(head.size, TileReader(records.Tiles(connection))) == head.root
    except (LedgerError, ValueError):
        return False
