"""An account's opt-out that is taken back or made up in the database is found by the openings."""

import os
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from consent.audit.live import own_keys, verify_live
from consent.ledger import Event, Kind, Ledger, erasure, forgotten
from consent.ledger.pruning import drop
from consent.storage.sqlite import SqliteStorage
from consent.verify import Report

from .events import NOW, change, grow, new_event, open_ledger, owner, record, seal_all
from .test_pruning import bound, erase_all

ADA, BO = "a" * 22, "b" * 22
Alter = Callable[[str], None]


@pytest.fixture(params=["file", "server"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """An empty ledger in each kind of database that others get at."""
    found: Ledger = request.getfixturevalue({"file": "filed", "server": "served"}[request.param])
    return found


@pytest.fixture
def alter(request: pytest.FixtureRequest, ledger: Ledger, tmp_path: Path) -> Alter:
    """Runs a statement as somebody who may write into the database."""
    if isinstance(ledger.storage, SqliteStorage):
        return lambda statement: change(tmp_path, statement)
    url: URL = request.getfixturevalue("begun_url")

    def run(statement: str) -> None:
        with owner(url) as connection:
            connection.execute(text("SET search_path = consent"))
            connection.execute(text(statement))

    return run


def act(account: str, *, opted_out: bool, **fields: object) -> Event:
    """An event by which the opt-out of *account* begins or ends."""
    kind = Kind.OPTED_OUT if opted_out else Kind.GIVEN
    return new_event(kind=kind, account=account, opted_out=opted_out, **({"subject": uuid.uuid4()} | fields))


def index(ledger: Ledger, event: Event) -> int:
    found = ledger.get(event.id)
    assert found is not None
    assert found.index is not None
    return found.index


def verified(ledger: Ledger) -> Report:
    keys = own_keys(ledger, lambda said: None)
    return verify_live(ledger, keys, (), progress=lambda records, _: records, now=datetime.now(UTC))


def found(ledger: Ledger) -> list[tuple[str, str]]:
    """Places and words of what was tampered with."""
    return [(each.place, each.said) for each in verified(ledger).findings if each.verdict == "tampered"]


def erase(ledger: Ledger, *events: Event) -> None:
    said = erasure("visitor", id=uuid.uuid4(), time=NOW)
    assert ledger.erase(said, salt=os.urandom(32), ids=[each.id for each in events], listed=False)


@pytest.mark.requirement("GPC-09")
def test_accounts_that_opt_out_and_in_and_out_again_are_sound(ledger: Ledger) -> None:
    for account in (ADA, BO):
        for opted_out in (True, False, True):
            record(ledger, act(account, opted_out=opted_out))
    record(ledger, act(BO, opted_out=False))
    ledger.record_news(act(ADA, opted_out=True), salt=os.urandom(32))
    assert found(ledger) == []
    seal_all(ledger)
    assert found(ledger) == []


def test_an_opt_out_that_was_deleted_from_the_database_is_tampered(ledger: Ledger, alter: Alter) -> None:
    event = act(ADA, opted_out=True)
    record(ledger, event)
    record(ledger, act(BO, opted_out=True))
    seal_all(ledger)
    alter(f"DELETE FROM account WHERE link = '{ADA}'")
    said = "opts out an account that isn't opted out any more, and no event ended that"
    assert found(ledger) == [(f"entry {index(ledger, event)}", said)]


def test_an_opt_out_that_was_deleted_while_its_event_waits_is_tampered(
    served: Ledger, begun_url: URL
) -> None:
    record(served)  # after it nothing is sealed in passing for a second
    record(served, act(ADA, opted_out=True))
    with owner(begun_url) as connection:
        connection.execute(text("DELETE FROM consent.account"))
    served.storage.seal = lambda **_: 0  # type: ignore[method-assign]
    assert [said[:30] for _, said in found(served)] == ["opts out an account that isn't"]


def test_an_opt_out_that_no_event_says_is_tampered(ledger: Ledger, alter: Alter) -> None:
    event = new_event()
    record(ledger, event)
    seal_all(ledger)
    stored = event.id.hex if isinstance(ledger.storage, SqliteStorage) else str(event.id)
    alter(f"INSERT INTO account (link, uid) VALUES ('{ADA}', '{stored}')")
    assert found(ledger) == [(f"opt-out by {event.id}", "is of an account that this event doesn't opt out")]


def test_an_opt_out_that_was_moved_to_another_account_is_tampered_twice(ledger: Ledger, alter: Alter) -> None:
    event = act(ADA, opted_out=True)
    record(ledger, event)
    seal_all(ledger)
    alter(f"UPDATE account SET link = '{BO}'")
    places = [place for place, _ in found(ledger)]
    assert places == [f"opt-out by {event.id}", f"entry {index(ledger, event)}"]


def test_an_opt_out_that_was_put_back_after_its_end_is_tampered(ledger: Ledger, alter: Alter) -> None:
    first, last = act(ADA, opted_out=True), act(ADA, opted_out=False)
    record(ledger, first)
    record(ledger, last)
    seal_all(ledger)
    stored = first.id.hex if isinstance(ledger.storage, SqliteStorage) else str(first.id)
    alter(f"INSERT INTO account (link, uid) VALUES ('{ADA}', '{stored}')")
    ended = f"still holds, and entry {index(ledger, last)} ended it"
    assert found(ledger) == [(f"opt-out by {first.id}", ended)]


def test_no_finding_names_an_account(ledger: Ledger, alter: Alter) -> None:
    record(ledger, act(ADA, opted_out=True))
    seal_all(ledger)
    alter(f"UPDATE account SET link = '{BO}'")
    said = str([(each.place, each.said) for each in verified(ledger).findings])
    assert ADA not in said
    assert BO not in said


def test_an_account_that_the_site_has_forgotten_is_sound(ledger: Ledger) -> None:
    record(ledger, act(ADA, opted_out=True))
    assert ledger.forget_account(forgotten(ADA, id=uuid.uuid4(), time=NOW), salt=os.urandom(32))
    seal_all(ledger)
    assert found(ledger) == []


def test_an_opt_out_holds_soundly_after_its_event_was_erased(ledger: Ledger, alter: Alter) -> None:
    event = act(ADA, opted_out=True)
    record(ledger, event)
    erase(ledger, event)
    seal_all(ledger)
    assert found(ledger) == []
    record(ledger, act(ADA, opted_out=False))
    seal_all(ledger)
    assert found(ledger) == []
    stored = event.id.hex if isinstance(ledger.storage, SqliteStorage) else str(event.id)
    alter(f"INSERT INTO account (link, uid) VALUES ('{ADA}', '{stored}')")
    assert [place for place, _ in found(ledger)] == [f"opt-out by {event.id}"]


def test_what_an_erased_event_may_have_ended_is_said_and_is_no_finding(ledger: Ledger) -> None:
    first, last = act(ADA, opted_out=True), act(ADA, opted_out=False)
    record(ledger, first)
    record(ledger, last)
    erase(ledger, last)
    seal_all(ledger)
    report = verified(ledger)
    assert report.right
    (remark,) = [each for each in report.remarks if "opt-outs" in each]
    assert remark.startswith("1 opt-outs of accounts hold no more, and nobody can tell why")
    assert f"entry {index(ledger, first)}" in remark


def test_erased_events_explain_no_more_ends_than_they_are(ledger: Ledger, alter: Alter) -> None:
    events = [act(account, opted_out=True) for account in (ADA, BO)]
    for event in events:
        record(ledger, event)
    last = act(ADA, opted_out=False)
    record(ledger, last)
    erase(ledger, last)
    seal_all(ledger)
    alter("DELETE FROM account")
    ((place, said),) = found(ledger)
    assert place == f"entry {index(ledger, events[0])}"
    assert said.endswith("those that were erased can have ended 1 others")


def test_events_that_were_erased_before_an_opt_out_explain_no_end_of_it(ledger: Ledger, alter: Alter) -> None:
    before, event = new_event(), act(ADA, opted_out=True)
    record(ledger, before)
    record(ledger, event)
    erase(ledger, before)
    seal_all(ledger)
    alter("DELETE FROM account")
    assert [place for place, _ in found(ledger)] == [f"entry {index(ledger, event)}"]


def test_an_erased_event_of_a_kind_that_ends_no_opt_out_explains_none(ledger: Ledger, alter: Alter) -> None:
    event, later = act(ADA, opted_out=True), new_event(kind=Kind.EXPIRED, granted=())
    record(ledger, event)
    record(ledger, later)
    erase(ledger, later)
    seal_all(ledger)
    alter("DELETE FROM account")
    assert [place for place, _ in found(ledger)] == [f"entry {index(ledger, event)}"]


def opt_out(ledger: Ledger, alter: Alter, account: str, event: Event) -> None:
    """Have the table say that *event* opts out *account*."""
    stored = event.id.hex if isinstance(ledger.storage, SqliteStorage) else str(event.id)
    alter(f"INSERT INTO account (link, uid) VALUES ('{account}', '{stored}')")


@pytest.mark.parametrize("kind", [Kind.GIVEN_ONCE, Kind.EXPIRED, Kind.INVALIDATED])
def test_an_erased_event_of_a_kind_that_begins_no_opt_out_is_not_what_one_holds_by(
    ledger: Ledger, alter: Alter, kind: Kind
) -> None:
    event = new_event(kind=kind)
    record(ledger, event)
    erase(ledger, event)
    seal_all(ledger)
    opt_out(ledger, alter, ADA, event)
    ((place, said),) = found(ledger)
    assert place == f"opt-out by {event.id}"
    assert f"it is of the kind {kind}, which opts out no account" in said


@pytest.mark.parametrize("kind", [Kind.GIVEN, Kind.REFUSED, Kind.WITHDRAWN, Kind.SIGNAL_OPT_OUT])
def test_an_erased_event_that_may_have_begun_an_opt_out_is_believed_of_one_account(
    ledger: Ledger, alter: Alter, kind: Kind
) -> None:
    event = new_event(kind=kind, account=ADA, opted_out=True)
    record(ledger, event)
    erase(ledger, event)
    seal_all(ledger)
    assert found(ledger) == []
    opt_out(ledger, alter, BO, event)
    assert found(ledger) == [(f"opt-out by {event.id}", "is of two accounts, and an event opts out one")]


def test_on_a_server_the_events_of_one_account_are_recorded_one_by_one(
    served: Ledger, begun_url: URL
) -> None:
    """Else what holds could be what one of them said that is not the last in the log."""
    record(served)
    threads = [
        threading.Thread(target=lambda who=who: record(served, act(who, opted_out=False), patience=30))
        for who in (ADA, BO)
    ]
    with owner(begun_url) as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock(hashtextextended('{ADA}', 0))"))
        for thread in threads:
            thread.start()
        threads[1].join(20)
        threads[0].join(0.3)
        assert [thread.is_alive() for thread in threads] == [True, False]
    threads[0].join(20)
    assert not threads[0].is_alive()


def test_an_id_that_is_none_ends_no_check(filed: Ledger, tmp_path: Path) -> None:
    record(filed, act(ADA, opted_out=True))
    change(tmp_path, "UPDATE account SET uid = 'x'", "INSERT INTO account VALUES (x'00', 'y')")
    assert found(filed)


#: What somebody with the file can put for an id, in the order in which SQLite has them.
NO_IDS = ("-9e999", "0", "''", "'-1'", "'x'", "x''", "zeroblob(32)")


@pytest.mark.parametrize("value", NO_IDS)
def test_an_opt_out_by_what_is_no_id_holds_and_is_tampered(filed: Ledger, tmp_path: Path, value: str) -> None:
    record(filed, act(ADA, opted_out=True))
    change(tmp_path, f"UPDATE account SET uid = {value}")
    assert filed.opted_out(ADA)
    assert found(filed) == [("account", "one of its rows is filed under what is no event's id")]


@pytest.mark.parametrize("value", NO_IDS)
def test_what_says_an_opt_out_anew_is_recorded_where_the_old_one_is_by_no_id(
    filed: Ledger, tmp_path: Path, value: str
) -> None:
    record(filed, act(ADA, opted_out=True))
    change(tmp_path, "DROP TRIGGER entry_stays")
    change(
        tmp_path, f"UPDATE account SET uid = {value}", f"UPDATE entry SET uid = {value} WHERE leaf_index = 1"
    )
    again = filed.record_news(act(ADA, opted_out=True), salt=os.urandom(32))
    assert (again.index, again.merged) == (2, False)


def test_an_opening_that_is_filed_under_no_id_is_tampered(filed: Ledger, tmp_path: Path) -> None:
    record(filed)
    change(tmp_path, "DROP TRIGGER opening_stays", "UPDATE opening SET uid = '' WHERE subject IS NOT NULL")
    assert ("opening", "one of its rows is filed under what is no event's id") in found(filed)


def test_opt_outs_hold_soundly_when_what_was_around_their_events_is_pruned(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    kept, gone = act(ADA, opted_out=True), act(BO, opted_out=True)
    record(ledger, kept)
    record(ledger, gone)
    grow(ledger, 600, None)
    erase(ledger, gone)
    erase_all(ledger)
    bound(ledger, 512)
    assert sum(drop(ledger)) == 510
    ledger.sign()
    assert found(ledger) == []
    record(ledger, act(BO, opted_out=False))
    assert found(ledger) == []
    change(tmp_path, f"INSERT INTO account VALUES ('{BO}', '{gone.id.hex}')")
    assert found(ledger) == [
        (f"opt-out by {gone.id}", f"still holds, and entry {ledger.size() - 1} ended it")
    ]
    change(tmp_path, "DELETE FROM account")
    assert any("is that of entry 1" in each for each in verified(ledger).remarks)
    storage.close()
