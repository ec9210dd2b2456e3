"""What was changed in the index by which events are searched is found by the events, and mended by counting anew."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from consent.audit.recount import compare, recount
from consent.ledger import Ledger, erasure
from consent.ledger.tile import WIDTH

from .events import NOW, change, grow, open_ledger, open_served, owner, record, seal_all

SIZE = 2 * WIDTH + 5
MISSING = "is not in the index by which events are searched."
OTHER = "stands in the index by which events are searched as one that said something else."
FOREIGN = "is in the index by which events are searched, and there is none such that is counted."


@pytest.fixture
def log(url: URL | None, tmp_path: Path) -> Iterator[Ledger]:
    """A log of two full tiles and some events more, one of which is erased."""
    ledger, storage = (
        open_ledger(tmp_path) if url is None else open_served(url, signing_key=tmp_path / "consent.key")
    )
    erased = record(ledger).id
    grow(ledger, SIZE - 1, url)
    said = erasure("operator", id=uuid.uuid4(), time=NOW)
    assert ledger.erase(said, salt=os.urandom(32), ids=[erased], listed=False)
    seal_all(ledger)
    assert ledger.counted() == 2 * WIDTH
    yield ledger
    storage.close()


@pytest.fixture
def alter(url: URL | None, tmp_path: Path) -> Callable[[str], None]:
    """Runs a statement as somebody who may write into the database."""

    def run(statement: str) -> None:
        if url is None:
            change(tmp_path, statement)
            return
        with owner(url) as connection:
            connection.execute(text("SET search_path = consent"))
            connection.execute(text(statement))

    return run


def found(ledger: Ledger) -> str | None:
    difference = compare(ledger)
    return None if difference is None else difference.in_words()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM indexed WHERE leaf_index < 500", f"Entry 0 {MISSING}"),
        ("DELETE FROM indexed WHERE leaf_index = 511", f"Entry 511 {MISSING}"),
        ("UPDATE indexed SET place = place + 1099511627776 WHERE leaf_index = 7", f"Entry 7 {OTHER}"),
        (
            "UPDATE indexed SET facets = (SELECT facets FROM indexed WHERE leaf_index = 9) WHERE leaf_index < 2",
            f"Entry 0 {OTHER}",
        ),
        ("INSERT INTO indexed VALUES (-1, 5, 5)", f"Entry -1 {FOREIGN}"),
        (f"INSERT INTO indexed VALUES ({SIZE - 1}, 5, 5)", f"Entry {SIZE - 1} {FOREIGN}"),
    ],
)
def test_the_first_entry_that_the_index_has_wrong_is_named_and_counting_anew_mends_it(
    log: Ledger, alter: Callable[[str], None], statement: str, said: str
) -> None:
    assert found(log) is None
    alter(statement)
    assert found(log) == said
    for _ in recount(log):
        pass
    assert found(log) is None


def test_a_row_of_no_event_is_named_also_where_an_entry_stands_behind_a_gap(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    grow(ledger, WIDTH, None)
    far = "SELECT 1000000, lower(hex(zeroblob(16))), leaf, leaf_hash FROM entry WHERE leaf_index = 1"
    change(
        tmp_path,
        *("DROP TRIGGER entry_in_order", f"INSERT INTO entry {far}"),
        "INSERT INTO indexed VALUES (700, 5, 5)",
    )
    assert found(ledger) == f"Entry 700 {FOREIGN}"
    storage.close()


def test_a_log_that_is_being_counted_anew_has_nothing_wrong_in_its_index(log: Ledger) -> None:
    log.recount(patience=30)
    assert found(log) is None


def test_what_is_no_number_in_the_index_is_named(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    grow(ledger, WIDTH, None)
    change(tmp_path, "INSERT INTO indexed VALUES ('x', 5, 5)")
    assert found(ledger) == f"Entry x {FOREIGN}"
    for _ in recount(ledger):
        pass
    assert found(ledger) is None
    storage.close()
