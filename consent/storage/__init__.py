"""Where the ledger is kept: SQLAlchemy Core on SQLite and PostgreSQL."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, runtime_checkable

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from consent.errors import ConfigurationError
from consent.ledger import Storage
from consent.ledger.note import Signer
from consent.storage.accountkey import AccountKey
from consent.storage.birth import Birth
from consent.storage.database import FIRST_USE, Database
from consent.storage.departure import Departure, Progress
from consent.storage.desk import FileDesk, MemoryDesk
from consent.storage.keyfile import KeyFile
from consent.storage.place import Place, require_local
from consent.storage.sqlite import SqliteStorage as SqliteStorage
from consent.storage.tombstones import Tombstones
from consent.storage.trials import afresh

#: Bytes that must stay free on the disk, unless the caller says otherwise.
FLOOR = 64 * 2**20

_EXPECTED = "expected sqlite:///<path of a file> or postgresql+psycopg://<user>@<host>/<database>"


@runtime_checkable
class OwnStorage(Storage, Protocol):
    """What ``open_storage`` opens: besides what a ledger needs, it can be upgraded and closed."""

    def upgrade(self) -> Sequence[str]:
        """Make the database, or bring it to this release's schema; a line for each revision applied."""

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""


@runtime_checkable
class GuardedStorage(OwnStorage, Protocol):
    """One in which roles and rights say who may do what: on a server, not in a file."""

    @property
    def name(self) -> str:
        """What messages call the database."""

    def apply(self, statements: Sequence[str]) -> None:
        """Run *statements*, which change rights, in one transaction."""

    def deprived(self) -> Sequence[str]:
        """The roles that are in use here and lack a right which this release gives them."""

    def receive(self, departure: Departure, progress: Progress) -> None:
        """Make the tables and copy the rows of a log that moves here; until ``open`` nothing is recorded in them.

        LedgerError if there is anything but what an interrupted copy of the same log left.
        """

    def arriving(self) -> bool:
        """Whether a log is on its way here, and isn't complete yet."""

    def open(self) -> None:
        """Let the log that has arrived go on here."""


def _now() -> datetime:
    return datetime.now(UTC)


def open_storage(
    url: str,
    *,
    origin: str,
    signing_key: Path | None = None,
    account_key: Path | None = None,
    clock: Callable[[], datetime] = _now,
    floor: int = FLOOR,
    signers: Sequence[Signer] = (),
    first_use: float = FIRST_USE,
) -> OwnStorage:
    """The storage at *url* for the log named *origin*. Nothing is opened or created before its first use.

    ``sqlite:///`` and a path, relative to the current folder or absolute; ``sqlite://`` keeps it in memory,
    for tests. *signing_key*: the key file, else it lies beside the database with the ending ``.key``. Below
    *floor* bytes of free disk nothing is recorded. *signers*: keys that sign besides those in files, such as one in
    a hardware module, once the log announces them. *account_key*: the file of the key that accounts are linked under,
    else that follows from the signing key.

    ``postgresql+psycopg://`` is a server's database, in which the tables have the schema ``consent``. They are made
    by ``upgrade``, which needs *signing_key*; to record, no key is needed.

    ConfigurationError for any other URL, for a path on a network file system, and without PostgreSQL's driver.
    """
    parsed = _parsed(url)
    accounts = AccountKey(account_key.absolute()) if account_key else None
    elsewhere = frozenset(signer.key for signer in signers)
    if parsed.get_backend_name() == "postgresql":
        key = KeyFile(signing_key.absolute(), origin) if signing_key else None
        birth = Birth(origin, key, clock, served=True, accounts=accounts, elsewhere=elsewhere)
        return _served(parsed, birth, signers, first_use)
    file = _file(parsed)
    if file is None:
        birth = Birth(origin, None, clock)
        return SqliteStorage(Database(None, birth), MemoryDesk(origin, birth.unnamed))
    require_local(file)
    key = KeyFile(signing_key.absolute() if signing_key else file.with_suffix(".key"), origin)
    birth = Birth(origin, key, clock, accounts=accounts, file=file, elsewhere=elsewhere)
    database = Database(Place(file, floor), birth, first_use, Tombstones(key.erased))
    return SqliteStorage(database, FileDesk(key, signers, served=False))


def begin_afresh(url: str, signing_key: Path | None) -> str:
    """How another log is begun in the place of the one that ``open_storage`` finds there, if it holds trials only."""
    parsed = _parsed(url)
    file = _file(parsed) if parsed.get_backend_name() == "sqlite" else None
    return afresh(file, signing_key or (file and file.with_suffix(".key")))


def _served(url: URL, birth: Birth, signers: Sequence[Signer], first_use: float) -> OwnStorage:
    if url.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            f"CONSENT_DATABASE is {url.render_as_string()!r}; expected it to begin with postgresql+psycopg://."
        )
    if find_spec("psycopg") is None:
        raise ConfigurationError(
            "CONSENT_DATABASE names PostgreSQL, whose driver isn't installed. Run: pip install 'flask-assent[postgres]'"
        )
    # Here, because the driver takes its time and only those who use it have it.
    from consent.storage.listing import Listing
    from consent.storage.postgres import PostgresStorage
    from consent.storage.server import Server

    server, key = Server(url, birth, first_use), birth.keys
    if key is None:
        return PostgresStorage(server, None)
    desk = FileDesk(key, signers, served=True)
    return PostgresStorage(server, desk, Listing(server, Tombstones(key.erased), birth))


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        told = re.sub("//.*@", "//***@", url, flags=re.DOTALL)
        hint = ", any : / @ in name or password written as %3A %2F %40" if "//" in url else ""
        raise ConfigurationError(
            f"CONSENT_DATABASE is {told!r}, which is no URL; {_EXPECTED}{hint}."
        ) from None


def _file(parsed: URL) -> Path | None:
    """The path that the URL names, None for memory."""
    database = parsed.database or ""
    if parsed != URL.create("sqlite", database=parsed.database) or database.startswith("file:"):
        raise ConfigurationError(
            f"CONSENT_DATABASE is {parsed.render_as_string()!r}; {_EXPECTED}; for SQLite without options."
        )
    return None if database in ("", ":memory:") else Path(database).absolute()
