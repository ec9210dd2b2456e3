"""Each look-up of somebody leaves its event, and nothing is shown without: by whom, when, how and of which event."""

import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from consent.audit.lookup import look_ups, stand_in
from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.summary import Summary
from consent.audit.tally import tally
from consent.ledger import Event, Kind, Ledger, seen

from .clinic import Auditor, Clock, auditor_of, new_event, newest, record, site_of, visit
from .tampering import alter, erase
from .test_pages import text_of

FIELDS = "policy digest"
"""What an event's page says, and no other."""


@dataclass(slots=True)
class Desk:
    """The clinic's auditors, each with a browser, and the log as they leave it."""

    app: Flask
    ledger: Ledger
    known: dict[str, Auditor] = field(default_factory=dict)

    def named(self, name: str) -> Auditor:
        """The auditor whom the site calls *name*."""
        if name not in self.known:
            self.known[name] = auditor_of(self.app, name)
        return self.known[name]

    def traces(self) -> list[dict[str, Any]]:
        """What is on record of look-ups, oldest first."""
        events = [record.event() for record in self.ledger.records()]
        details: list[Any] = [event.detail for event in events if event and event.kind == Kind.ACCESSED]
        return [detail["look_up"] for detail in details]

    def who(self, name: str) -> str:
        """What stands for the auditor *name*."""
        return stand_in(site_of(self.app).recorder, name)


@pytest.fixture
def desk(app: Flask, ledger: Ledger) -> Desk:
    """The auditors of the site."""
    return Desk(app, ledger)


@pytest.mark.requirement("LOG-07")
def test_a_look_up_is_on_record_by_what_stands_for_the_auditor_and_the_event(
    desk: Desk, clock: Clock
) -> None:
    event = record(desk.ledger)
    assert desk.named("anna@clinic.example").look_up(event.id).status_code == 200
    trace = newest(desk.app)
    assert (trace.kind, trace.time.timestamp()) == (Kind.ACCESSED, clock())
    said = {"found": "event", "how": "page", "who": desk.who("anna@clinic.example")}
    assert trace.detail == {"look_up": said}
    (stored,) = desk.ledger.newest(limit=1)
    assert stored.body
    for secret in ("anna", str(event.id), str(event.subject)):
        assert secret.encode() not in stored.leaf + stored.body


def test_an_auditor_is_linked_under_another_name_than_an_account(desk: Desk) -> None:
    recorder = site_of(desk.app).recorder
    record(desk.ledger)
    assert stand_in(recorder, "ada") != recorder.link("ada")


@pytest.mark.requirement("LOG-07")
def test_the_page_of_an_event_says_who_looked_it_up_and_other_events_of_the_same_browser(
    desk: Desk, clock: Clock
) -> None:
    subject = uuid.uuid4()
    first, second = (record(desk.ledger, subject=subject) for _ in range(2))
    record(desk.ledger)
    desk.named("auditor-1").look_up(first.id)
    clock.pass_days(1)
    words = text_of(desk.named("auditor-2").look_up(second.id).text)
    one, two = desk.who("auditor-1"), desk.who("auditor-2")
    assert f"2026-11-19 11:06:40 {two} (you) on a page 2 (this one)" in words
    assert f"2026-11-18 11:06:40 {one} on a page 1" in words
    assert words.index(two) < words.index(one)


def test_what_is_linked_to_nobody_has_its_own_look_ups(desk: Desk) -> None:
    events = [record(desk.ledger, subject=None, kind=Kind.REFUSED, granted=()) for _ in range(2)]
    desk.named("auditor-1").look_up(events[0].id)
    found = [desk.ledger.get(event.id) for event in events]
    assert [len(look_ups(desk.ledger, each).listed) for each in found if each] == [1, 0]


def test_the_same_look_up_within_a_minute_is_recorded_once(desk: Desk, clock: Clock) -> None:
    event, missing = record(desk.ledger), uuid.uuid4()
    for name in ("auditor-1", "auditor-1", "auditor-2", "auditor-2"):
        desk.named(name).look_up(event.id)
        desk.named(name).look_up(missing)
    assert len(desk.traces()) == 4
    clock.pass_days(61 / 86_400)
    desk.named("auditor-2").look_up(event.id)
    assert len(desk.traces()) == 5


def test_a_look_up_that_finds_nothing_is_recorded_without_what_was_asked_for(
    desk: Desk, tmp_path: Path
) -> None:
    event, missing = record(desk.ledger), uuid.uuid4()
    erase(tmp_path, event.id)
    auditor = desk.named("auditor-1")
    assert auditor.look_up(missing).status_code == 404
    assert auditor.look_up(event.id).status_code == 200
    assert [each["found"] for each in desk.traces()] == ["nothing", "erased"]
    for stored in desk.ledger.newest(limit=2):
        assert stored.body
        assert str(missing).encode() not in stored.body + stored.leaf
        assert str(event.id).encode() not in stored.body + stored.leaf


def test_what_is_no_id_or_comes_from_elsewhere_looks_nothing_up(desk: Desk) -> None:
    event, auditor = record(desk.ledger), desk.named("auditor-1")
    auditor.look_up("anna")
    auditor.look_up(event.id, csrf_token="wrong")
    auditor.look_up(event.id, headers={"Sec-Fetch-Site": "cross-site"})
    auditor.open()
    auditor.open(f"/notices/{'0' * 64}")
    assert desk.traces() == []


def test_an_entry_of_the_log_itself_is_read_without_a_trace(desk: Desk) -> None:
    record(desk.ledger)
    first = next(desk.ledger.records())
    page = desk.named("auditor-1").look_up(first.id)
    assert "its look-ups are not recorded" in text_of(page.text).replace("’", "'")
    assert desk.traces() == []


@pytest.mark.requirement("LOG-07")
def test_while_a_look_up_cannot_be_recorded_nothing_is_shown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, auditor = record(desk.ledger, policy="ab" * 32), desk.named("auditor-1")
    token = auditor.token()
    monkeypatch.setattr("consent.audit.lookup.PATIENCE", 0.05)
    database = Path(desk.app.instance_path) / "consent.sqlite3"
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        for id in (event.id, uuid.uuid4()):
            page = auditor.look_up(id, csrf_token=token)
            assert page.status_code == 503
            assert "can&#39;t be put on record" in page.text
            assert "can&#39;t be read now" not in page.text
            assert FIELDS not in page.text.lower()
            assert str(event.subject) not in page.text
            assert "is recorded here" not in page.text
    page = auditor.look_up(event.id, csrf_token=token)
    assert page.status_code == 200
    assert FIELDS in page.text.lower()


@pytest.mark.requirement("LOG-07")
def test_without_the_key_that_auditors_are_recorded_under_nothing_is_shown(desk: Desk) -> None:
    event = record(desk.ledger)
    (Path(desk.app.instance_path) / "consent.key").unlink()
    page = desk.named("auditor-1").look_up(event.id)
    assert page.status_code == 503
    assert "can&#39;t be put on record" in page.text
    assert str(event.subject) not in page.text


@pytest.mark.requirement("LOG-05")
def test_after_an_erasure_the_look_ups_stay_and_nobody_can_tell_of_whom_they_were(desk: Desk) -> None:
    event = record(desk.ledger)
    found = desk.ledger.get(event.id)
    assert found
    assert found.salt
    desk.named("auditor-1").look_up(event.id)
    assert event.subject
    site_of(desk.app).recorder.erase(event.subject, "visitor")
    (trace,) = (each for each in desk.ledger.records() if b'"accessed"' in each.leaf)
    assert trace.subject == seen(found.salt, event.id)
    assert desk.traces()[0]["who"] == desk.who("auditor-1")
    words = text_of(desk.named("auditor-1").look_up(event.id).text)
    assert "can’t be told any more" in words
    assert desk.who("auditor-1") not in words


def test_look_ups_are_no_events_of_the_browser_that_was_looked_up(desk: Desk) -> None:
    event = record(desk.ledger)
    desk.named("auditor-1").look_up(event.id)
    assert event.subject
    assert [each.id for each in desk.ledger.of_subject(event.subject)] == [event.id]
    repeated = new_event(subject=event.subject, time=event.time)
    assert desk.ledger.record(repeated, salt=bytes(32), merge_within=60).merged


@pytest.mark.requirement("LOG-04")
def test_look_ups_are_kept_for_as_long_as_anything_else_and_prolong_nothing(desk: Desk, clock: Clock) -> None:
    visit(desk.app, "all")
    event = newest(desk.app)
    clock.pass_days(1300)
    desk.named("auditor-1").look_up(event.id)
    site = site_of(desk.app)
    clock.pass_days(200)
    site.retention.run()
    kinds = [each.kind for each in map(readable, desk.ledger.records()) if each]
    assert Kind.GIVEN not in kinds
    assert Kind.ACCESSED in kinds
    clock.pass_days(1400)
    site.retention.run()
    assert desk.traces() == []


def readable(stored: Any) -> Event | None:
    """The event of a record; None once it is erased."""
    event: Event | None = stored.event()
    return event


def counted(desk: Desk) -> Summary:
    """What stats and the overview count."""
    reader = Reader(desk.ledger)
    return Summary.of(tally(reader, Search()), reader.policy)


def test_a_look_up_counts_as_no_answer(desk: Desk) -> None:
    for choice in ("all", "none"):
        visit(desk.app, choice)
    event = newest(desk.app)
    before = counted(desk)
    desk.named("auditor-1").look_up(event.id)
    after = counted(desk)
    assert after.kinds.pop(Kind.ACCESSED) == 1
    assert replace(after, events=before.events) == before
    assert after.answers == 2


def test_the_trace_of_a_look_up_can_be_looked_up_and_says_what_stands_for_what(desk: Desk) -> None:
    event, auditor = record(desk.ledger), desk.named("auditor-1")
    auditor.look_up(event.id)
    trace = newest(desk.app)
    words = text_of(auditor.look_up(trace.id).text)
    assert f"{trace.subject}: stands for the event that was looked up" in words
    assert f"Look up: who {desk.who('auditor-1')}" in words
    assert str(event.id) not in words


def test_an_altered_trace_keeps_nobody_from_reading(desk: Desk, tmp_path: Path) -> None:
    event, auditor = record(desk.ledger), desk.named("auditor-1")
    auditor.look_up(event.id)
    alter(tmp_path, "UPDATE opening SET body = ? WHERE uid = ?", b"{}", newest_id(desk).hex)
    assert auditor.look_up(event.id).status_code == 200


def newest_id(desk: Desk) -> uuid.UUID:
    """The id of the newest entry."""
    (stored,) = desk.ledger.newest(limit=1)
    return stored.id
