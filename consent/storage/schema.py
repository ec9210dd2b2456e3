"""The tables, as statements name them. What a database is really created by are the migrations."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Uuid

#: The schema's revisions that this release knows, oldest first; a test compares them with the migrations.
REVISIONS = ("0001", "0002")
VERSION_TABLE = "consent_alembic_version"

metadata = MetaData()

#: The log: one row per event, for ever.
entry = Table(
    "entry",
    metadata,
    # In SQLite only a column of exactly type INTEGER is the row's own number.
    Column("leaf_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("uid", Uuid, nullable=False, unique=True),
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
#: the one table that is changed. It can be rebuilt from the openings, whose events say both beginning and end.
account = Table(
    "account",
    metadata,
    Column("link", String(22), primary_key=True),
    Column("uid", Uuid, nullable=False),
)
