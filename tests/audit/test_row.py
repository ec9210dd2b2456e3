"""Records as rows: every field, and what is said of those that are erased or altered."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given

from consent.audit.answers import answer_lines
from consent.audit.row import Reader
from consent.audit.wording import KINDS, facts_of, kind_text
from consent.ledger import Event, Facets, Kind, Ledger, Record, Sealed, commitment, leaf_hash
from consent.ledger.record import Entry
from consent.storage import open_storage
from tests.ledger.strategies import UNHURRIED, events

from .clinic import new_event, newest, record, site_of, visit
from .tampering import alter, erase


@pytest.mark.requirement("REC-03")
@pytest.mark.requirement("REC-04")
def test_a_row_states_every_answer_granted_and_refused_with_notice_language_profile_and_control(
    app: Flask,
) -> None:
    visit(app, category_performance="yes", category_functionality="no", category_media="no")
    event = newest(app)
    reader = Reader(site_of(app).recorder.ledger)
    found = reader.ledger.get(event.id)
    assert found
    members = reader.row(found).members(personal=True)
    assert members["granted"] == ["experiment", "statistics"]
    assert members["refused"] == ["names", "videos"]
    assert members["before"] == {"granted": [], "refused": []}
    assert members["kind"] == "given"
    assert members["source"] == "banner"
    assert members["language"] == "en"
    assert members["profile"] == "default"
    assert members["revision"] == 1
    assert members["policy"] == site_of(app).policy.digest
    assert members["notice"] == event.notice
    assert members["subject"] == str(event.subject)
    assert members["time"] == "2026-11-18T11:06:40.000Z"
    assert members["problem"] is None


@pytest.mark.requirement("LOG-07")
def test_members_that_are_not_personal_hold_no_subject_and_no_account(ledger: Ledger) -> None:
    event = record(ledger, account="e" * 64)
    found = ledger.get(event.id)
    assert found
    row = Reader(ledger).row(found)
    plain = row.members(personal=False)
    assert str(event.subject) not in repr(plain)
    assert event.account not in plain.values()
    assert row.members(personal=True)["account"] == event.account


def test_of_an_erased_event_the_row_keeps_kind_hour_and_policy_only(ledger: Ledger, tmp_path: Path) -> None:
    event = record(ledger, policy="ab" * 32)
    erase(tmp_path, event.id)
    found = ledger.get(event.id)
    assert found
    row = Reader(ledger).row(found)
    assert row.erased
    assert row.problem is None
    members = row.members(personal=True)
    assert (members["kind"], members["hour"], members["policy"]) == (
        "given",
        "2026-11-18T09:00:00Z",
        "ab" * 32,
    )
    assert members["time"] is members["granted"] is members["subject"] is members["notice"] is None
    assert members["erased"] is True
    assert ("record", "its personal part is erased") in facts_of(row, None)


def test_what_an_event_says_nothing_of_has_no_line(ledger: Ledger) -> None:
    event = record(ledger, kind=Kind.ACCESSED, detail={"export": {"since": None, "kinds": [], "form": "csv"}})
    found = ledger.get(event.id)
    assert found
    told = dict(facts_of(Reader(ledger).row(found), None))
    assert {name: said for name, said in told.items() if name.startswith("export")} == {"export: form": "csv"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("body", b'{"granted":["everything"]}'),
        ("body", b"\xff\xfe not even text"),
        ("body", b"[" * 100_000),
        ("salt", b"short"),
        ("salt", bytes(32)),
    ],
)
def test_an_altered_opening_is_named_and_never_raises(
    ledger: Ledger, tmp_path: Path, column: str, value: bytes
) -> None:
    event = record(ledger)
    alter(tmp_path, f"UPDATE opening SET {column} = ? WHERE uid = ?", value, event.id.hex)
    row = Reader(ledger).row(ledger.newest(limit=1)[0])
    assert row.problem
    assert not row.erased
    assert row.kind == "given"


def test_an_altered_answer_that_still_reads_well_is_told_by_its_commitment(
    ledger: Ledger, tmp_path: Path
) -> None:
    event = record(ledger, granted=(), refused=("statistics", "videos"))
    forged = new_event(
        id=event.id, time=event.time, subject=event.subject, granted=("statistics", "videos"), refused=()
    )
    alter(tmp_path, "UPDATE opening SET body = ? WHERE uid = ?", forged.body(), event.id.hex)
    row = Reader(ledger).row(ledger.newest(limit=1)[0])
    assert row.problem == "altered: the opening is not the one that the leaf commits to"


@pytest.mark.parametrize("value", [b"{}", b"\x00", b"[1]", b"[" * 100_000])
def test_an_altered_leaf_is_named_and_never_raises(ledger: Ledger, tmp_path: Path, value: bytes) -> None:
    event = record(ledger)
    alter(tmp_path, "UPDATE entry SET leaf = ? WHERE uid = ?", value, event.id.hex)
    row = Reader(ledger).row(ledger.newest(limit=1)[0])
    assert row.problem
    assert row.kind is None
    assert kind_text(row) == "Unreadable record"


def test_an_altered_leaf_hash_is_named(ledger: Ledger, tmp_path: Path) -> None:
    event = record(ledger)
    alter(tmp_path, "UPDATE entry SET leaf_hash = ? WHERE uid = ?", bytes(32), event.id.hex)
    row = Reader(ledger).row(ledger.newest(limit=1)[0])
    assert row.problem == "altered: the leaf has another hash than was recorded"


def test_a_policy_that_is_not_on_record_or_was_altered_has_no_revision(
    ledger: Ledger, tmp_path: Path
) -> None:
    record(ledger)
    assert Reader(ledger).row(ledger.newest(limit=1)[0]).revision is None


def test_an_altered_policy_is_not_believed(app: Flask, tmp_path: Path) -> None:
    visit(app, "all")
    ledger = site_of(app).recorder.ledger
    alter(tmp_path, "UPDATE document SET body = ? WHERE kind = 'policy'", b"{}")
    row = Reader(ledger).row(ledger.newest(limit=1)[0])
    assert row.revision is None
    assert row.policy == site_of(app).policy.digest


@pytest.mark.requirement("REC-03")
def test_answers_are_listed_service_by_service_before_and_after(app: Flask) -> None:
    visitor = visit(app, "all")
    visitor.answer("some", category_media="no", category_performance="yes", category_functionality="yes")
    reader = Reader(site_of(app).recorder.ledger)
    row = reader.row(reader.ledger.newest(limit=1)[0])
    lines = answer_lines(row, reader.policy(row.policy))
    assert [(one.service, one.before, one.after, one.changed) for one in lines] == [
        ("names", "granted", "granted", False),
        ("statistics", "granted", "granted", False),
        ("experiment", "granted", "granted", False),
        ("videos", "granted", "refused", True),
    ]
    assert (lines[3].title, lines[3].category) == ("Films", "media")


def test_answers_under_an_unknown_policy_keep_their_keys(ledger: Ledger) -> None:
    record(ledger, granted=("zebra", "ape"), refused=())
    row = Reader(ledger).row(ledger.newest(limit=1)[0])
    assert [(one.service, one.title, one.category) for one in answer_lines(row, None)] == [
        ("ape", "ape", None),
        ("zebra", "zebra", None),
    ]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """A reader of a log that knows no policy."""
    storage = open_storage("sqlite://", origin="clinic.example")
    yield Reader(Ledger(storage, "clinic.example"))
    storage.close()


def stored(event: Event, **altered: Any) -> Sealed:
    """*event* as it is stored, but for what is *altered*."""
    entry = Entry.of(event, origin="clinic.example", salt=b"s" * 32)
    members: dict[str, Any] = {name: getattr(entry, name) for name in Record.__slots__ if name != "index"}
    return Sealed(index=7, **(members | altered))


@UNHURRIED
@given(events())
def test_a_row_says_what_was_recorded_whatever_was_read_before(reader: Reader, event: Event) -> None:
    row = reader.row(stored(event))
    assert row.event == event
    assert (row.id, row.hour, row.facets) == (str(event.id), event.hour, Facets.of(event))
    assert row.span == (event.time, event.time)
    assert row.like is reader.row(stored(replace(event, id=uuid.uuid4(), subject=uuid.uuid4()))).like


@pytest.mark.parametrize(
    "altered",
    [
        {"leaf_hash": bytes(32)},
        {"salt": bytes(32)},
        {"body": None, "salt": None},
        {"body": b"{}"},
        {"body": new_event(granted=(), refused=("statistics", "videos")).body()},
        {"leaf": b"{}"},
        {"leaf": b"{}", "body": None, "salt": None},
        {"id": uuid.UUID(int=7)},
        {
            "leaf": new_event(time=datetime(2026, 11, 18, 10, 30, tzinfo=UTC)).leaf(
                "clinic.example", b"s" * 32
            )
        },
    ],
)
def test_what_is_not_as_it_was_recorded_is_found_beside_others_that_are_like_it(
    reader: Reader, altered: dict[str, Any]
) -> None:
    event = new_event()
    assert reader.row(stored(event)).problem is None  # and what it is like is known from now on
    row = reader.row(stored(event, **altered))
    assert row.erased if altered == {"body": None, "salt": None} else row.problem
    assert reader.row(stored(event)).problem is None


def test_a_day_that_there_never_was_is_a_problem(reader: Reader) -> None:
    event = new_event(time=datetime(2026, 2, 28, 9, 30, tzinfo=UTC))
    body = event.body().replace(b"02-28", b"02-31")
    leaf = event.leaf_over(commitment(b"s" * 32, body), "clinic.example").replace(b"02-28", b"02-31")
    row = reader.row(stored(event, leaf=leaf, body=body, leaf_hash=leaf_hash(leaf)))
    assert row.problem
    assert row.hour is None


def test_every_kind_has_a_name() -> None:
    assert set(KINDS) == set(Kind)


@pytest.mark.parametrize(
    "time", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]
)
def test_of_an_erased_event_the_whole_hour_is_its_time_even_the_calendars_first_and_last(
    ledger: Ledger, tmp_path: Path, time: datetime
) -> None:
    event = record(ledger, time=time)
    erase(tmp_path, event.id)
    found = ledger.get(event.id)
    assert found
    hour = time.replace(minute=0, second=0)
    assert Reader(ledger).row(found).span == (hour, hour.replace(minute=59, second=59, microsecond=999_999))
