"""NULL where none belongs, as who owns a server's tables can put there: it is named, and ends in no traceback."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from consent.audit.live import own_keys, verify_live
from consent.errors import LedgerConflict, LedgerError
from consent.ledger import Document, Kind, Ledger
from consent.storage.schema import metadata, served

from .events import (
    SUBJECT,
    change,
    grow,
    new_event,
    open_served,
    owner,
    record,
    refusal,
    rows,
    seal_all,
)
from .test_erasing import erase
from .trees import check_tree

TABLES = {**metadata.tables, **served.tables}
#: The tables that follow from others.
COUNTED = {"facets", "indexed", "tally", "counted", "replies", "replied", "faded"}
#: The columns that always hold something, but for keys.
FILLED = [
    pytest.param(table.name, column.name, marks=[pytest.mark.full] if table.name in COUNTED else [])
    for table in TABLES.values()
    for column in table.columns
    if not column.nullable and not column.primary_key
]
#: What proves nothing: what was counted, waits or was set aside, and which event raised the bound.
UNPROVEN = {*COUNTED, "inbox", "conflict", "bound.uid"}
#: Where one of many rows is meant.
ONE = {"entry": "leaf_index = 1", "opening": "subject IS NOT NULL"}
NOTICE = Document.of("notice", b"<section>")
#: What there isn't in every log.
FURTHER = (
    "INSERT INTO bound SELECT 1, 0, uid FROM entry WHERE leaf_index = 1",
    "INSERT INTO faded SELECT day, facets, 1 FROM tally LIMIT 1",
    "INSERT INTO conflict VALUES (1, gen_random_uuid(), 'x')",
    "INSERT INTO inbox (uid, leaf) VALUES (gen_random_uuid(), 'x')",
)


@pytest.fixture
def signed(begun_url: URL, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of 300 entries on the server, whose key is here."""
    ledger, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    record(ledger, new_event(notice=NOTICE.hash), documents=[NOTICE])
    record(ledger, new_event(kind=Kind.OPTED_OUT, subject=None, account="A" * 22, opted_out=True))
    grow(ledger, 300, begun_url)
    ledger.sign()
    yield ledger
    storage.close()


def put(url: URL, *statements: str) -> None:
    """Run *statements* as who owns the tables, past their triggers."""
    with owner(url) as connection:
        connection.execute(text("SET search_path = consent"))
        for table in TABLES:
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            connection.execute(text(statement))


def nulled(table: str, column: str) -> tuple[str, str]:
    """What puts NULL there."""
    return (
        f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL",
        f"UPDATE {table} SET {column} = NULL WHERE {ONE.get(table, 'true')}",
    )


def verdicts(ledger: Ledger) -> set[str]:
    """What verification finds, and where, in a log that nothing from outside confirms."""
    report = verify_live(
        ledger,
        own_keys(ledger, lambda said: None),
        (),
        progress=lambda records, total: records,
        now=datetime.now(UTC),
    )
    return {f"{each.verdict} {each.place}" for each in report.findings if each.verdict != "unanchored"}


def in_words(work: Callable[[], object]) -> str:
    """What *work* finds, or says why it can't; no other error."""
    try:
        return str(work())
    except LedgerError as error:
        return str(error)


@pytest.mark.requirement("REC-05")
@pytest.mark.parametrize(("table", "column"), FILLED)
def test_null_in_whichever_column_is_named_and_ends_nothing_in_a_traceback(
    signed: Ledger, begun_url: URL, table: str, column: str
) -> None:
    first, last = (signed.newest(before, 1)[0].id for before in (2, None))
    put(begun_url, *FURTHER, *nulled(table, column))
    found = in_words(lambda: sorted(verdicts(signed)))
    assert bool(UNPROVEN & {table, f"{table}.{column}"}) == (found == "[]")
    for work in (
        lambda: seal_all(signed),
        lambda: record(signed, new_event(), merge_within=60),
        lambda: record(signed, refusal(), documents=[NOTICE]),
        lambda: signed.get(first),
        lambda: signed.receipt(first),
        lambda: signed.receipt(last),
        lambda: [each.index for each in signed.of_subject(SUBJECT)],
        signed.sign,
        signed.keys,
        signed.count,
        lambda: [*signed.documents("notice"), *signed.tombstones(), *signed.erased()],
        lambda: list(signed.storage.held()),
        lambda: signed.storage.prune(0, patience=30),
        lambda: erase(signed),
    ):
        in_words(work)
    assert f"{table}.{column}" in in_words(signed.problems)


@pytest.mark.requirement("REC-01")
def test_what_waits_without_id_or_leaf_keeps_nothing_from_being_sealed_and_is_named(
    served: Ledger, begun_url: URL
) -> None:
    put(
        begun_url,
        *(
            "ALTER TABLE inbox ALTER COLUMN uid DROP NOT NULL",
            "ALTER TABLE inbox ALTER COLUMN leaf DROP NOT NULL",
        ),
        "INSERT INTO inbox (uid, leaf, at) VALUES (NULL, 'x', 'epoch'), (gen_random_uuid(), NULL, 'epoch')",
    )
    record(served)
    seal_all(served)
    assert check_tree(served).size == 2
    assert "2 rows that wait to be sealed have no id, or no leaf" in " ".join(served.problems())
    assert "have waited" not in " ".join(served.problems())
    put(
        begun_url,
        "DELETE FROM inbox WHERE uid IS NULL OR leaf IS NULL",
        *(
            "ALTER TABLE inbox ALTER COLUMN uid SET NOT NULL",
            "ALTER TABLE inbox ALTER COLUMN leaf SET NOT NULL",
        ),
    )
    assert not [each for each in served.problems() if "triggers" not in each]


@pytest.mark.requirement("LOG-05")
@pytest.mark.parametrize("value", ["NULL", "'x'"])
def test_an_opening_without_an_id_is_erased_with_the_others_of_its_subject(
    filed: Ledger, tmp_path: Path, value: str
) -> None:
    lost, other = record(filed), record(filed)
    change(
        tmp_path,
        "DROP TRIGGER opening_stays",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'opening'",
    )
    change(tmp_path, f"UPDATE opening SET uid = {value} WHERE uid = '{lost.id.hex}'")
    assert erase(filed) == 1
    assert rows(tmp_path, "SELECT count(*) FROM opening WHERE subject IS NOT NULL") == [(0,)]
    assert [*filed.tombstones()] == [other.id]


@pytest.mark.requirement("LOG-05")
def test_on_a_server_an_opening_without_an_id_is_erased_with_the_others_of_its_subject(
    signed: Ledger, begun_url: URL
) -> None:
    other = record(signed, new_event(granted=("videos",), refused=()))
    put(
        begun_url,
        "ALTER TABLE opening DROP CONSTRAINT opening_pkey",
        "ALTER TABLE opening ALTER COLUMN uid DROP NOT NULL",
        f"UPDATE opening SET uid = NULL WHERE subject IS NOT NULL AND uid <> '{other.id}'",
        "ALTER TABLE opening ADD UNIQUE (uid)",
    )
    assert erase(signed) == 2
    with owner(begun_url) as connection:
        found = connection.execute(text("SELECT count(*) FROM consent.opening WHERE subject IS NOT NULL"))
        assert found.scalar() == 0
    assert [*signed.tombstones()] == [other.id]
    assert "opening.uid" in " ".join(signed.problems())


def test_what_is_to_be_listed_without_an_id_keeps_nothing_from_being_listed(
    signed: Ledger, begun_url: URL, tmp_path: Path
) -> None:
    put(
        begun_url,
        "ALTER TABLE unlisted DROP CONSTRAINT unlisted_pkey",
        "ALTER TABLE unlisted ALTER COLUMN uid DROP NOT NULL",
        "INSERT INTO unlisted VALUES (NULL)",
        "ALTER TABLE unlisted ADD UNIQUE (uid)",
    )
    (id,) = [each.id for each in signed.of_subject(SUBJECT)]
    assert erase(signed) == 1
    seal_all(signed)
    assert (tmp_path / "consent.erased").read_text() == f"{id}\n"


def test_what_stands_under_the_id_of_an_event_without_its_leaf_keeps_that_from_nobody(
    signed: Ledger, begun_url: URL
) -> None:
    event = new_event(kind=Kind.OPERATED, subject=None, granted=(), refused=())
    signed.record_once(event, salt=os.urandom(32))
    seal_all(signed)
    put(
        begun_url,
        "ALTER TABLE entry ALTER COLUMN leaf DROP NOT NULL",
        f"UPDATE entry SET leaf = NULL WHERE uid = '{event.id}'",
    )
    with pytest.raises(LedgerConflict, match="stands under the id"):
        record(signed, event)
    assert signed.record_once(event, salt=os.urandom(32)).id != event.id


def test_a_partition_is_named_whose_columns_take_null(served: Ledger, begun_url: URL) -> None:
    put(begun_url, "ALTER TABLE entry ALTER COLUMN leaf DROP NOT NULL")
    (said,) = (each for each in served.problems() if "NULL" in each)
    assert "none of them does as it was made: entry.leaf, entry_0.leaf. What" in said
    put(begun_url, "ALTER TABLE entry ALTER COLUMN leaf SET NOT NULL")
    assert not [each for each in served.problems() if "NULL" in each]
