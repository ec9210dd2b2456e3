"""Ledgers on disk, in memory, and on a PostgreSQL server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import URL

from consent.ledger import Ledger
from consent.storage import OwnStorage, open_storage

from .cluster import Cluster
from .events import ORIGIN, open_ledger, open_served


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a signing key; its guard is beside it once a log was begun with it."""
    path = tmp_path_factory.mktemp("key") / "consent.key"
    own = Ed25519PrivateKey.generate()
    path.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    return path


@pytest.fixture
def empty(server: Cluster) -> Iterator[URL]:
    """A database on the server without any table."""
    with server.database() as url:
        yield url


@pytest.fixture(scope="session")
def begun(server: Cluster, key: Path) -> Iterator[URL]:
    """A database on the server in which a log was begun; to be copied, because making its tables is slow."""
    with server.database() as url:
        _, storage = open_served(url, signing_key=key)
        storage.upgrade()
        storage.close()
        yield url


@pytest.fixture
def begun_url(server: Cluster, begun: URL, key: Path, tmp_path: Path) -> Iterator[URL]:
    """A database on the server in which a log is begun; its key is in tmp_path."""
    for file in (key, key.with_suffix(".guard")):
        shutil.copy2(file, tmp_path)
    with server.database(like=begun) as url:
        yield url


@pytest.fixture(params=["file", "server"])
def url(request: pytest.FixtureRequest) -> URL | None:
    """The database on the server; None where it is a file."""
    return request.getfixturevalue("begun_url") if request.param == "server" else None


@pytest.fixture
def served(begun_url: URL) -> Iterator[Ledger]:
    """An empty ledger on the server, for those who have no key."""
    ledger, storage = open_served(begun_url)
    yield ledger
    storage.close()


@pytest.fixture(params=["file", "memory", "server"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger in each kind of storage."""
    if request.param == "server":
        yield request.getfixturevalue("served")
        return
    storage: OwnStorage = open_storage(
        "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/consent.sqlite3",
        origin=ORIGIN,
        floor=0,
    )
    yield Ledger(storage, ORIGIN)
    storage.close()


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger in a file of tmp_path."""
    ledger, storage = open_ledger(tmp_path)
    yield ledger
    storage.close()
