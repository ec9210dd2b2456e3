"""What is recorded, once, in which order, and how it is found again: the same in a file, in memory, on a server."""

import os
import sqlite3
import threading
import tracemalloc
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.dialects.sqlite import dialect

from consent.errors import LedgerConflict, LedgerError
from consent.ledger import Document, Event, Kind, Ledger, erasure, forgotten, leaf_hash, operated
from consent.storage import appending, engine, records, sealing

from .events import NOW, ORIGIN, SUBJECT, change, new_event, open_ledger, owner, place, record, rows, seal_all

SALT = bytes(range(32))


@pytest.mark.requirement("REC-01")
def test_every_event_gets_the_next_index_and_is_found_whole(ledger: Ledger) -> None:
    events = [new_event(subject=uuid.uuid4()) for _ in range(3)]
    assert [place(ledger, record(ledger, each)) for each in events] == [1, 2, 3]
    found = [ledger.get(each.id) for each in events]
    assert [each and each.event() for each in found] == events
    assert [each and each.index for each in found] == [1, 2, 3]
    seal_all(ledger)
    assert ledger.size() == 4


def test_a_stored_leaf_is_the_events_own_and_so_is_its_hash(ledger: Ledger) -> None:
    event = new_event()
    record(ledger, event, salt=SALT)
    found = ledger.get(event.id)
    assert found is not None
    assert found.leaf == event.leaf(ORIGIN, SALT)
    assert found.leaf_hash == leaf_hash(found.leaf)
    assert (found.salt, found.body, found.subject) == (SALT, event.body(), SUBJECT)
    assert found.outline().id == event.id


@pytest.mark.requirement("WD-04")
def test_a_withdrawal_is_added_and_the_grant_before_it_stays(ledger: Ledger) -> None:
    grant = new_event()
    withdrawal = new_event(
        kind=Kind.WITHDRAWN, granted=(), refused=("statistics", "videos"), time=NOW + timedelta(seconds=1)
    )
    record(ledger, grant, merge_within=60)
    record(ledger, withdrawal, merge_within=60)
    assert [each.event() for each in ledger.of_subject(SUBJECT)] == [grant, withdrawal]


def test_recording_the_same_event_again_finds_it(ledger: Ledger) -> None:
    event = new_event()
    first = record(ledger, event, salt=SALT)
    assert record(ledger, event, salt=SALT).id == first.id
    assert place(ledger, first) == 1
    again = record(ledger, event, salt=SALT)
    assert (again.id, again.index, again.merged) == (event.id, 1, False)
    seal_all(ledger)
    assert ledger.size() == 2


def test_another_event_under_a_recorded_id_is_refused(ledger: Ledger) -> None:
    event = new_event()
    record(ledger, event, salt=SALT)
    for _ in range(2):
        with pytest.raises(LedgerConflict, match=f"event {event.id} is recorded a.* with another leaf"):
            record(ledger, replace(event, granted=()), salt=SALT)
        seal_all(ledger)
    found = ledger.get(event.id)
    assert found is not None
    assert found.event() == event


def test_an_event_with_a_derived_id_is_recorded_once_whatever_its_salt(ledger: Ledger) -> None:
    event = operated({"policy": "9f" * 32}, origin=ORIGIN, time=NOW)
    later = replace(event, time=NOW + timedelta(days=1))
    first = ledger.record_once(event, salt=SALT)
    assert ledger.record_once(later, salt=bytes(32)).id == first.id
    seal_all(ledger)
    assert ledger.record_once(later, salt=bytes(32)).id == first.id
    seal_all(ledger)
    assert ledger.size() == 2
    found = ledger.get(first.id)
    assert found is not None
    assert found.event() == event


@pytest.mark.parametrize("erased", [False, True])
def test_who_takes_a_derived_id_beforehand_keeps_nothing_from_being_recorded(
    ledger: Ledger, erased: bool
) -> None:
    event = operated({"policy": "9f" * 32}, origin=ORIGIN, time=NOW)
    record(ledger, replace(new_event(), id=event.id), salt=SALT)
    seal_all(ledger)
    if erased:
        ledger.erase(erasure("operator", id=uuid.uuid4(), time=NOW), salt=SALT, ids=[event.id])
    other = ledger.record_once(event, salt=bytes(32))
    seal_all(ledger)
    assert other.id != event.id
    found = ledger.get(other.id)
    assert found is not None
    assert found.event() == replace(event, id=other.id)


@pytest.mark.parametrize("ledger", ["file", "server"], indirect=True)
def test_who_puts_an_opening_alone_under_a_derived_id_keeps_nothing_from_being_recorded_or_erased(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    event, first = operated({"policy": "9f" * 32}, origin=ORIGIN, time=NOW), record(ledger)
    statement = f"INSERT INTO opening (uid, salt, body) VALUES ('{event.id.hex}', '', '')"
    if request.node.callspec.params["ledger"] == "server":
        with owner(request.getfixturevalue("begun_url")) as connection:
            connection.exec_driver_sql(statement.replace("opening", "consent.opening", 1))
    else:
        change(tmp_path, statement)
    with pytest.raises(LedgerConflict, match="an opening stands under the id"):
        record(ledger, event)
    other = ledger.record_once(event, salt=bytes(32))
    seal_all(ledger)
    found = ledger.get(other.id)
    assert found is not None
    assert found.event() == replace(event, id=other.id)
    assert ledger.erase(replace(event, kind=Kind.ERASED, detail={}), salt=SALT, ids=[first.id]) == 1


def test_the_same_answer_of_a_subject_within_a_minute_is_recorded_once(ledger: Ledger) -> None:
    first = record(ledger, new_event(), merge_within=60)
    again = record(ledger, new_event(time=NOW + timedelta(seconds=59)), merge_within=60)
    assert (again.id, again.merged) == (first.id, True)
    assert place(ledger, again) == 1
    seal_all(ledger)
    sealed = record(ledger, new_event(time=NOW + timedelta(seconds=59)), merge_within=60)
    assert (sealed.id, sealed.index, sealed.merged) == (first.id, 1, True)
    later = record(ledger, new_event(time=NOW + timedelta(seconds=61)), merge_within=60)
    assert (place(ledger, later), later.merged) == (2, False)


def test_only_a_subjects_newest_event_is_repeated(ledger: Ledger) -> None:
    yes, no = new_event(), new_event(kind=Kind.WITHDRAWN, granted=(), refused=("statistics", "videos"))
    recorded = [record(ledger, replace(each, id=uuid.uuid4()), merge_within=60) for each in (yes, no, yes)]
    assert [place(ledger, each) for each in recorded] == [1, 2, 3]


def test_answers_without_subject_are_never_merged(ledger: Ledger) -> None:
    def refusal() -> Event:
        return new_event(kind=Kind.REFUSED, subject=None, granted=(), refused=("statistics",))

    assert [place(ledger, record(ledger, refusal(), merge_within=60)) for _ in range(2)] == [1, 2]


@pytest.mark.requirement("REC-02")
def test_documents_are_stored_with_the_event_once_and_found_by_hash(ledger: Ledger) -> None:
    notice, policy = Document.of("notice", b"<section>"), Document.of("policy", b"{}")
    record(ledger, new_event(notice=notice.hash), documents=[policy, notice])
    record(ledger, new_event(notice=notice.hash), documents=[policy, notice])
    assert ledger.document(notice.hash) == notice
    assert list(ledger.documents("policy")) == [policy]
    assert ledger.document("00" * 32) is None


@pytest.mark.requirement("POL-03")
def test_documents_can_be_kept_before_any_event_and_all_are_listed(ledger: Ledger) -> None:
    notices = [Document.of("notice", str(number).encode()) for number in range(45)]
    ledger.keep(notices)
    ledger.keep(notices)
    ledger.keep([])
    assert sorted(ledger.documents("notice"), key=lambda each: int(each.body)) == notices


def test_a_document_under_a_hash_that_isnt_its_own_is_refused(ledger: Ledger) -> None:
    forged = Document(hash="00" * 32, kind="notice", body=b"<section>")
    for store in (lambda: ledger.keep([forged]), lambda: record(ledger, documents=[forged])):
        with pytest.raises(ValueError, match="another hash"):
            store()
    assert ledger.size() == 1


def test_the_newest_come_first_and_page_by_page(ledger: Ledger) -> None:
    for _ in range(4):
        record(ledger)
    seal_all(ledger)
    assert [each.index for each in ledger.newest(limit=3)] == [4, 3, 2]
    assert [each.index for each in ledger.newest(before=2, limit=3)] == [1, 0]


def test_what_isnt_there_isnt_found(ledger: Ledger) -> None:
    assert ledger.get(uuid.uuid4()) is None
    assert ledger.of_subject(uuid.uuid4()) == []
    assert list(ledger.records(after=0)) == []


def test_all_records_are_read_in_order_while_others_write(ledger: Ledger) -> None:
    for _ in range(3):
        record(ledger)
    seal_all(ledger)
    seen = []
    for found in ledger.records():
        seen.append(found.index)
        if found.index == 1:
            record(ledger)
            seal_all(ledger)
    assert seen == [0, 1, 2, 3]
    assert [each.index for each in ledger.records(after=2)] == [3, 4]


def test_threads_of_one_process_share_a_ledger(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PATIENCE", 30)  # in memory, who reads waits for a turn, too

    def work() -> None:
        for _ in range(5):
            record(ledger, new_event(subject=uuid.uuid4()), patience=30)
            ledger.seal(patience=30)
            list(ledger.newest(limit=2))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    seal_all(ledger)
    assert [each.index for each in ledger.records()] == list(range(31))


def fill(folder: Path, count: int) -> None:
    """*count* more entries, by a program that is faster than ours."""
    connection = sqlite3.connect(folder / "consent.sqlite3")
    uids = [(number, f"{number:032x}") for number in range(1, count + 1)]
    connection.executemany("INSERT INTO entry VALUES (?, ?, zeroblob(300), zeroblob(32))", uids)
    connection.execute(
        "INSERT INTO opening SELECT uid, NULL, zeroblob(32), zeroblob(500) FROM entry WHERE leaf_index"
    )
    connection.commit()
    connection.close()


def test_reading_all_records_takes_the_same_memory_for_many_as_for_few(filed: Ledger, tmp_path: Path) -> None:
    count = filed.size() + 20_000
    fill(tmp_path, 20_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in filed.records()) == count
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20  # of some 17 MB
    finally:
        tracemalloc.stop()


#: Every statement that runs in a request or over the whole log, in SQLite's words.
STATEMENTS = [
    *(appending._KNOWN, appending._LATEST, sealing._OF_ENTRIES, sealing._OF_TILES, sealing._STORED),
    *(
        str(statement.compile(dialect=dialect(), compile_kwargs={"render_postcompile": True}))
        for statement in (records._BY_ID, records._OF_SUBJECT, records._BELOW, records._ABOVE, records._NEXT)
    ),
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_nothing_is_read_through_or_sorted_to_find_a_record(
    filed: Ledger, tmp_path: Path, statement: str
) -> None:
    filed.size()
    unknown = (1,) * statement.count("?")
    plan = [step for *_, step in rows(tmp_path, f"EXPLAIN QUERY PLAN {statement}", *unknown)]
    assert plan
    assert not [step for step in plan if step.startswith("SCAN")]
    # The few records of one subject are put in order; nothing else is.
    ordered = statement.endswith("opening.subject = ? ORDER BY entry.leaf_index")
    assert ordered == ("USE TEMP B-TREE FOR ORDER BY" in plan)


def test_an_erased_opening_leaves_the_entry(filed: Ledger, tmp_path: Path) -> None:
    event = new_event()
    record(filed, event)
    change(tmp_path, "DELETE FROM opening WHERE subject IS NOT NULL")
    found = filed.get(event.id)
    assert found is not None
    assert (found.event(), found.body, found.salt, found.subject) == (None, None, None, None)
    assert found.outline().kind == "given"
    assert filed.of_subject(SUBJECT) == []
    assert [each.index for each in filed.records()] == [0, 1]


@pytest.mark.requirement("LOG-01")
@pytest.mark.requirement("LOG-02")
def test_what_is_stored_of_a_visitor_is_what_the_event_says(filed: Ledger, tmp_path: Path) -> None:
    event = new_event()
    record(filed, event, salt=SALT)
    leaf = event.leaf(ORIGIN, SALT)
    assert rows(tmp_path, "SELECT * FROM entry WHERE leaf_index = 1") == [
        (1, event.id.hex, leaf, leaf_hash(leaf))
    ]
    assert rows(tmp_path, "SELECT * FROM opening WHERE subject IS NOT NULL") == [
        (event.id.hex, SUBJECT.hex, SALT, event.body())
    ]


def test_a_damaged_opening_keeps_nobody_from_answering(filed: Ledger, tmp_path: Path) -> None:
    record(filed, new_event(), merge_within=60)
    change(tmp_path, "DROP TRIGGER opening_stays", "UPDATE opening SET body = x'7b'")
    assert record(filed, new_event(), merge_within=60).index == 2
    with pytest.raises(LedgerError, match="can't be read"):
        filed.of_subject(SUBJECT)[0].event()


def test_an_altered_document_is_not_shown_as_the_one_that_was_stored(filed: Ledger, tmp_path: Path) -> None:
    notice = Document.of("notice", b"<section>")
    filed.keep([notice])
    change(tmp_path, "DROP TRIGGER document_stays", "UPDATE document SET body = x'7b'")
    with pytest.raises(LedgerError, match="was altered"):
        filed.document(notice.hash)


# -- opt-outs of accounts

ADA, BO = "A" * 22, "B" * 22


def act(account: str, *, opted_out: bool, **fields: object) -> Event:
    """An event by which the opt-out of *account* begins or ends."""
    kind = Kind.OPTED_OUT if opted_out else Kind.GIVEN
    return new_event(kind=kind, account=account, opted_out=opted_out, **fields)


@pytest.mark.requirement("GPC-09")
def test_an_account_is_opted_out_from_one_event_to_another(ledger: Ledger) -> None:
    for opted_out in (True, False, True):
        record(ledger, act(ADA, opted_out=opted_out), merge_within=60)
        assert ledger.opted_out(ADA) is opted_out
        assert not ledger.opted_out(BO)
    seal_all(ledger)
    assert ledger.size() == 4, "none of them repeats another"


def test_an_event_that_is_tried_again_changes_no_account_any_more(ledger: Ledger) -> None:
    out = act(ADA, opted_out=True)
    record(ledger, out, salt=SALT)
    record(ledger, act(ADA, opted_out=False))
    record(ledger, out, salt=SALT)
    assert not ledger.opted_out(ADA)


def test_what_is_no_news_of_an_account_is_not_recorded(ledger: Ledger) -> None:
    for account in (ADA, ADA, BO):
        event = act(account, opted_out=True, subject=None, granted=(), refused=())
        ledger.record_news(event, salt=SALT)
    seal_all(ledger)
    assert ledger.size() == 3
    record(ledger, act(ADA, opted_out=False))
    ledger.record_news(act(ADA, opted_out=True), salt=SALT)
    seal_all(ledger)
    assert ledger.size() == 5
    assert ledger.opted_out(ADA)


def test_an_account_can_be_forgotten_and_its_events_stay(ledger: Ledger) -> None:
    event = act(ADA, opted_out=True)
    record(ledger, event)
    assert forget(ledger, ADA)
    assert not forget(ledger, ADA)
    assert not ledger.opted_out(ADA)
    found = ledger.get(event.id)
    assert found is not None
    assert found.event() == event


def test_that_an_account_was_forgotten_is_on_record_once(ledger: Ledger) -> None:
    record(ledger, act(ADA, opted_out=True))
    for _ in range(2):
        forget(ledger, ADA)
    seal_all(ledger)
    assert ledger.size() == 3
    said = ledger.newest(limit=1)[0].event()
    assert said is not None
    assert (said.kind, said.subject, said.account, said.detail) == (Kind.ERASED, None, ADA, {"by": "site"})


def forget(ledger: Ledger, account: str) -> bool:
    """Forget *account*, as a site does."""
    return ledger.forget_account(forgotten(account, id=uuid.uuid4(), time=NOW), salt=os.urandom(32))


def test_the_key_of_accounts_stays_as_long_as_the_log_and_is_no_others(tmp_path: Path) -> None:
    keys = []
    for folder in ("one", "one", "two"):
        (tmp_path / folder).mkdir(exist_ok=True)
        opened, storage = open_ledger(tmp_path / folder)
        keys.append(opened.account_key())
        storage.close()
    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]) == 32
