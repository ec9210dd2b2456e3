"""Where the ledger is kept: SQLAlchemy Core on SQLite; PostgreSQL comes with a later release."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from consent.errors import ConfigurationError
from consent.storage.birth import Birth
from consent.storage.database import FIRST_USE, Database
from consent.storage.keyfile import KeyFile
from consent.storage.place import Place, require_local
from consent.storage.sqlite import SqliteStorage as SqliteStorage

#: Bytes that must stay free on the disk, unless the caller says otherwise.
FLOOR = 64 * 2**20


def _now() -> datetime:
    return datetime.now(UTC)


def open_storage(
    url: str,
    *,
    origin: str,
    signing_key: Path | None = None,
    clock: Callable[[], datetime] = _now,
    floor: int = FLOOR,
    first_use: float = FIRST_USE,
) -> SqliteStorage:
    """The storage at *url* for the log named *origin*. Nothing is opened or created before its first use.

    ``sqlite:///`` and a path, relative to the current folder or absolute; ``sqlite://`` keeps it in memory,
    for tests. *signing_key*: the key file, else it lies beside the database with the ending ``.key``. Below
    *floor* bytes of free disk nothing is recorded. ConfigurationError for any other URL, and for a path on
    a network file system.
    """
    file = _file(url)
    if file is None:
        return SqliteStorage(Database(None, Birth(origin, None, clock)))
    require_local(file)
    key = signing_key.absolute() if signing_key else file.with_suffix(".key")
    return SqliteStorage(Database(Place(file, floor), Birth(origin, KeyFile(key, origin), clock), first_use))


def _file(url: str) -> Path | None:
    """The path that *url* names, None for memory."""
    expected = "expected sqlite:///<path of a file>"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(f"CONSENT_DATABASE is {url!r}, which is no URL; {expected}.") from None
    if parsed.get_backend_name() == "postgresql":
        raise ConfigurationError(f"CONSENT_DATABASE: PostgreSQL comes with a later release; {expected}.")
    database = parsed.database or ""
    if parsed != URL.create("sqlite", database=parsed.database) or database.startswith("file:"):
        raise ConfigurationError(
            f"CONSENT_DATABASE is {parsed.render_as_string()!r}; {expected}, without options."
        )
    return None if database in ("", ":memory:") else Path(database).absolute()
