"""Ledgers on disk and in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consent.ledger import Ledger
from consent.storage import SqliteStorage, open_storage

from .events import ORIGIN, open_ledger


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStorage]:
    """An empty storage, of each kind."""
    url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/consent.sqlite3"
    opened = open_storage(url, origin=ORIGIN, floor=0)
    yield opened
    opened.close()


@pytest.fixture
def ledger(storage: SqliteStorage) -> Ledger:
    """An empty ledger in each kind of storage."""
    return Ledger(storage, ORIGIN)


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger in a file of tmp_path."""
    ledger, storage = open_ledger(tmp_path)
    yield ledger
    storage.close()
