"""Receipts are made from what is stored, on each database; only of what is sealed and signed, and is as it was."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from consent.errors import LedgerError
from consent.ledger import Ledger, Outcome, Receipt

from .events import change, new_event, open_ledger, open_served, record, rows, seal_all

COUNT = "SELECT count(*) FROM checkpoint"


@pytest.fixture(params=["file", "server"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger of each kind, where its key is."""
    if request.param == "file":
        ledger, storage = open_ledger(tmp_path)
    else:
        url: URL = request.getfixturevalue("begun_url")
        ledger, storage = open_served(url, signing_key=tmp_path / "consent.key")
    yield ledger
    storage.close()


def test_each_event_has_a_receipt_that_holds_and_keeps_holding(own: Ledger) -> None:
    ids = [record(own, new_event(subject=uuid.uuid4())).id for _ in range(5)]
    seal_all(own)
    own.sign()
    first = [own.receipt(id) for id in ids]
    record(own)
    seal_all(own)
    own.sign()
    for id, before in zip(ids, first, strict=True):
        now = own.receipt(id)
        assert now is not None
        assert before is not None
        assert (now.leaf, now.opening) == (before.leaf, before.opening)
        assert now.checkpoint.size > before.checkpoint.size
        for receipt in (before, now):
            assert own.check(Receipt.parse(receipt.to_text())) is Outcome.VALID


def test_what_is_not_on_record_has_none(own: Ledger) -> None:
    assert own.receipt(uuid.uuid4()) is None


def test_what_is_on_the_server_has_none_before_it_is_sealed_and_signed(
    begun_url: URL, tmp_path: Path
) -> None:
    ledger, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    recorded = record(ledger, new_event(subject=uuid.uuid4()))
    assert recorded.index is None
    assert ledger.receipt(recorded.id) is None
    seal_all(ledger)
    assert ledger.receipt(recorded.id) is None
    ledger.sign()
    receipt = ledger.receipt(recorded.id)
    assert receipt is not None
    assert ledger.check(receipt) is Outcome.VALID
    storage.close()


def test_where_the_key_is_beside_the_database_it_is_signed_for_the_receipt(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    recorded = record(ledger, new_event(subject=uuid.uuid4()))
    assert rows(tmp_path, COUNT) == [(0,)]
    assert ledger.receipt(recorded.id) is not None
    assert ledger.receipt(recorded.id) is not None
    assert rows(tmp_path, COUNT) == [(1,)]
    storage.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE opening SET body = x'7b7d'",
        "UPDATE opening SET body = 'text'",
        "UPDATE entry SET leaf = replace(CAST(leaf AS TEXT), 'given', 'refused')",
        "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'given', 'expired') AS BLOB)",
    ],
)
def test_what_was_changed_has_none_but_an_error(tmp_path: Path, statement: str) -> None:
    ledger, storage = open_ledger(tmp_path)
    recorded = record(ledger, new_event(subject=uuid.uuid4()))
    assert ledger.receipt(recorded.id) is not None
    triggers = rows(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
    change(tmp_path, *(f'DROP TRIGGER "{name}"' for (name,) in triggers), statement)
    with pytest.raises(LedgerError):
        ledger.receipt(recorded.id)
    storage.close()
