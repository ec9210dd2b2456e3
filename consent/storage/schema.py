"""The tables, as statements name them. What a database is really created by are the migrations."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Uuid,
    text,
)

#: The schema's revisions that this release knows, oldest first; a test compares them with the migrations.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
VERSION_TABLE = "consent_alembic_version"
#: Where all of them are on PostgreSQL.
SCHEMA = "consent"

#: How PostgreSQL knows the function by which events are recorded.
RECORD = "consent.record(uuid,bytea,uuid,bytea,bytea,boolean,text,boolean,text[],text)"
#: What shows whoever counts as much of openings as names nobody; and what does so to an older release.
SHOWN, OPENED = "consent.shown(bigint, bigint)", "consent.opened(bigint, bigint)"

#: The tables of both databases, and those that only PostgreSQL has.
metadata, served = MetaData(), MetaData()

#: The log: one row per event, until it is pruned.
entry = Table(
    "entry",
    metadata,
    # In SQLite only a column of exactly type INTEGER is the row's own number.
    Column("leaf_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("uid", Uuid, nullable=False, unique=True),  # in partitions there can be no such constraint
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

#: What the leaves commit to; the only rows that may go.
opening = Table(
    "opening",
    metadata,
    Column("uid", Uuid, primary_key=True),
    Column("subject", Uuid, index=True),
    Column("salt", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: Policies and notices by hash, for ever.
document = Table(
    "document",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: The accounts that are opted out, by their links, each with the event that says so: what holds now, and so
#: it is changed. It can be rebuilt from the openings, whose events say both beginning and end.
account = Table(
    "account",
    metadata,
    Column("link", String(22), primary_key=True),
    Column("uid", Uuid, nullable=False),
)

#: The full tiles of the tree: 256 hashes each, and the root over them. Partial ones follow from these and entries.
tile = Table(
    "tile",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: The tree as it stands: the only row that changes, and it only grows. Whoever locks it may seal.
head = Table(
    "head",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),  # milliseconds since 1970, UTC
    sqlite_with_rowid=False,
)

#: Signed checkpoints, for ever.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: Tombstones: the events whose openings were erased. An id and nothing else, and no order but the ids' own: when
#: each was written, or after which other, would say which of them were one person's.
erased = Table(
    "erased",
    metadata,
    Column("uid", Uuid, primary_key=True),
    sqlite_with_rowid=False,
)

#: The index below which entries may go, and the event that says so. It has a row once anything was pruned, and grows.
bound = Table(
    "bound",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("min_index", BigInteger, nullable=False),
    Column("uid", Uuid, nullable=False),
    sqlite_with_rowid=False,
)

#: Each combination of facets that any event has, and what is left of it once the opening is erased.
facets = Table(
    "facets",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("bare", BigInteger, nullable=False),
    Column("said", LargeBinary, nullable=False),
)

#: Which facets an event has, in the order of places (``consent.ledger.facets.place``). It follows from leaves and
#: openings, and what was of an opening goes with it.
indexed = Table(
    "indexed",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("place", BigInteger, nullable=False),
    Column("facets", BigInteger, nullable=False),
    Index("ix_indexed_facets", "facets", "place"),
    sqlite_with_rowid=False,
)

#: How many events of a day, counted from 1970 in UTC, have the same facets, and how many of them are erased.
#: It names nobody, and stays.
tally = Table(
    "tally",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("facets", BigInteger, primary_key=True, autoincrement=False),
    Column("events", BigInteger, nullable=False),
    Column("erased", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: The number of entries, in full tiles, that are indexed and tallied, and of those that were pruned before they were.
counted = Table(
    "counted",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: How many answers of a day said what (``consent.ledger.replies``). It follows from the tally, names nobody, and stays.
replies = Table(
    "replies",
    metadata,
    Column("dimension", String, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("value", String, primary_key=True),
    Column("category", String, primary_key=True),
    Column("said", String, primary_key=True),
    Column("events", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: The number of entries, in full tiles, whose replies are counted.
replied = Table(
    "replied",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: How many events with these facets were erased since their replies were counted.
faded = Table(
    "faded",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("facets", BigInteger, primary_key=True, autoincrement=False),
    Column("events", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: What was recorded and waits to be sealed.
inbox = Table(
    "inbox",
    served,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("uid", Uuid, nullable=False, unique=True),
    Column("leaf", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
)

#: What was erased and isn't in the list beside the key yet, which whoever has the key takes from here.
unlisted = Table("unlisted", served, Column("uid", Uuid, primary_key=True))

#: Leaves that came under an id that another leaf has, or were longer than any, by the number of their row in the inbox.
#: There should be none.
conflict = Table(
    "conflict",
    served,
    Column("number", BigInteger, nullable=False),
    Column("uid", Uuid, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
)
