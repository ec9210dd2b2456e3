"""``forget``: an operator erases somebody, what was kept long enough, and what a backup brought back."""

import json
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import make_url

from consent.audit.lookup import look_ups, stand_in
from consent.cli.operator import operator
from consent.ledger import Event, Kind, Ledger
from consent.storage import OwnStorage, roles
from tests.audit.clinic import NEXT_POLICY, POLICY, Clock, MakeApp, newest, record, site_of, visit
from tests.audit.tampering import alter, flip, index_all_but
from tests.storage.cluster import Cluster

from .conftest import Run, run_for


def left(ledger: Ledger) -> list[str]:
    """The kinds of the events that have their openings."""
    return [event.kind for event in map(lambda each: each.event(), ledger.records()) if event]


@pytest.mark.requirement("LOG-05")
@pytest.mark.parametrize("named", ["event", "subject"])
def test_all_events_of_the_one_who_is_named_are_erased(ledger: Ledger, run: Run, named: str) -> None:
    subject = uuid.uuid4()
    first, other = record(ledger, subject=subject), record(ledger)
    record(ledger, subject=subject, kind=Kind.WITHDRAWN, granted=())
    result = run("forget", str(first.id if named == "event" else subject), "--yes")
    assert (result.exit_code, result.stdout) == (0, "Erased 2 events.\n")
    assert ledger.of_subject(subject) == []
    found = ledger.get(other.id)
    assert found is not None
    assert found.event() == other
    assert left(ledger) == ["operated", "given", "erased"]


def test_an_event_that_is_linked_to_nobody_goes_alone(ledger: Ledger, run: Run) -> None:
    events = [record(ledger, subject=None, kind=Kind.REFUSED, granted=()) for _ in range(2)]
    assert run("forget", str(events[0].id), "--yes").exit_code == 0
    assert [each.body is None for each in ledger.records()][1:3] == [True, False]


def test_it_says_what_will_be_erased_and_asks(ledger: Ledger, run: Run) -> None:
    event = record(ledger)
    refused = run("forget", str(event.id), input="n\n")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Consent given" in refused.stderr
    assert str(event.id) in refused.stderr
    assert "Nothing was erased." in refused.stderr
    assert left(ledger) == ["operated", "given", "accessed"]
    assert run("forget", str(event.id), input="y\n").exit_code == 0
    assert left(ledger) == ["operated", "accessed", "erased"]


def test_what_goes_on_record_names_neither_the_erased_nor_the_operator_but_what_stands_for_the_latter(
    app: Flask, ledger: Ledger, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ward-3")
    event = record(ledger)
    run("forget", str(event.id), "--yes")
    (said,) = ledger.newest(limit=1)
    recorded = said.event()
    assert recorded is not None
    assert recorded.detail == {"by": "operator", "who": stand_in(site_of(app).recorder, "os:ward-3")}
    assert said.body is not None
    for secret in (event.id, event.subject, "ward-3"):
        assert str(secret).encode() not in said.body + said.leaf


@pytest.mark.parametrize("command", ["forget", "show", "export"])
def test_what_an_operator_does_puts_no_policy_on_record_that_contradicts_the_one_that_is(
    make_app: MakeApp, command: str
) -> None:
    """Else the site would contradict itself once the slip is mended, and take no Yes any more."""
    app = make_app()
    visit(app, "all")
    (given,) = [each.id for each in site_of(app).recorder.ledger.records() if each.subject]
    slip = make_app(policy=POLICY.replace('retention = "30 days"', 'retention = "90 days"'))
    assert site_of(slip).recorder.contradiction()
    arguments = {"forget": (str(given), "--yes"), "show": (str(given),), "export": ()}[command]
    assert run_for(slip)(command, *arguments).exit_code == 0
    said = newest(slip)
    assert (said.kind, said.policy) == (Kind.ERASED if command == "forget" else Kind.ACCESSED, None)
    mended = make_app()
    assert site_of(mended).recorder.contradiction() is None
    visit(mended, "all")


def test_who_may_erase_and_nothing_else_does_so_under_a_policy_that_is_not_on_record_yet(
    on_server: Flask, make_app: MakeApp, server: Cluster
) -> None:
    run_for(on_server)("db", "upgrade")
    run_for(on_server)("db", "roles", "--apply")
    event = record(site_of(on_server).recorder.ledger)
    name = f"consent_test_{uuid.uuid4().hex}"
    server.run(
        f"CREATE ROLE {name} LOGIN PASSWORD 'for-tests'",
        f"GRANT {roles.ERASER} TO {name}",
    )
    there = make_url(on_server.config["CONSENT_DATABASE"]).set(username=name, password="for-tests")
    later = make_app(
        policy=NEXT_POLICY,
        CONSENT_DATABASE=there.render_as_string(hide_password=False),
        CONSENT_SIGNING_KEY=on_server.config["CONSENT_SIGNING_KEY"],
    )
    result = run_for(later)("forget", str(event.id), "--yes")
    assert (result.exit_code, result.stdout) == (0, "Erased 1 event.\n"), result.stderr


def test_where_the_key_is_missing_somebody_is_erased_all_the_same_but_not_listed(
    app: Flask, ledger: Ledger, run: Run
) -> None:
    event = record(ledger)
    (Path(app.instance_path) / "consent.key").unlink()
    result = run("forget", str(event.id), input="y\n")
    assert (result.exit_code, result.stdout) == (0, "Erased 1 event.\n")
    assert str(event.id) not in result.stderr
    assert "can't be put on record" in result.stderr
    assert left(ledger) == ["operated", "erased"]


@pytest.mark.requirement("LOG-07")
def test_who_looked_up_exported_or_erased_something_cannot_be_taken_out(ledger: Ledger, run: Run) -> None:
    event = record(ledger)
    run("show", str(event.id))
    run("export")
    run("forget", str(event.id), "--yes")
    for trace in ledger.newest(limit=3):
        for id in {trace.id, trace.subject or trace.id}:
            refused = run("forget", str(id), "--yes")
            assert (refused.exit_code, refused.stdout) == (3, "")
            assert "CONSENT_RETENTION" in refused.stderr
    assert left(ledger) == ["operated", "accessed", "accessed", "erased"]


def test_somebody_who_is_asked_for_and_not_erased_was_looked_up(ledger: Ledger, run: Run) -> None:
    event = record(ledger)
    run("forget", str(event.subject), input="n\n")
    found = ledger.get(event.id)
    assert found is not None
    assert [each.how for each in look_ups(ledger, found).listed] == ["forget"]


def test_erasing_twice_is_no_error_and_says_so(ledger: Ledger, run: Run) -> None:
    event = record(ledger)
    run("forget", str(event.id), "--yes")
    size = ledger.size()
    again = run("forget", str(event.id), "--json")
    assert (again.exit_code, json.loads(again.stdout)) == (0, {"erased": 0, "exports": []})
    assert ledger.size() == size


@pytest.fixture(params=["index", "copy", "condition", "another", "nobody"])
def hidden(request: pytest.FixtureRequest, ledger: Ledger, tmp_path: Path) -> Event:
    """An event that nobody finds by the index of subjects, or finds as somebody else's."""
    record(ledger)
    event, other = record(ledger, subject=uuid.uuid4()), uuid.uuid4()
    assert isinstance(ledger.storage, OwnStorage)
    assert event.subject is not None
    ledger.storage.close()
    match request.param:
        case "index":
            flip(tmp_path, "ix_opening_subject", event.subject.hex)
        case "copy":
            flip(tmp_path, "opening", event.id.hex)
        case "condition":
            index_all_but(tmp_path, event.subject)
        case "another":
            alter(tmp_path, "UPDATE opening SET subject = ? WHERE uid = ?", other.hex, event.id.hex)
        case "nobody":
            alter(tmp_path, "UPDATE opening SET subject = NULL WHERE uid = ?", event.id.hex)
    return event


@pytest.mark.requirement("LOG-05")
def test_what_an_altered_index_hides_is_not_said_to_be_erased_or_not_there(
    hidden: Event, run: Run, tmp_path: Path
) -> None:
    for named in (hidden.subject, hidden.id):
        result = run("forget", str(named), "--yes")
        assert (result.exit_code, result.stdout) == (3, "")
        assert "The database contradicts itself about the id" in result.stderr
    assert run("verify").exit_code == 1


@pytest.mark.requirement("LOG-05")
def test_an_index_that_was_altered_is_mended_and_all_is_erased(
    ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    event = record(ledger, subject=uuid.uuid4())
    assert isinstance(ledger.storage, OwnStorage)
    assert event.subject is not None
    ledger.storage.close()
    flip(tmp_path, "ix_opening_subject", event.subject.hex)
    assert run("forget", str(event.subject), "--yes").exit_code == 3
    ledger.storage.close()
    with closing(sqlite3.connect(tmp_path / "instance" / "consent.sqlite3")) as database:
        database.execute("REINDEX")
    assert run("forget", str(event.subject), "--yes").stdout == "Erased 1 event.\n"
    assert left(ledger) == ["operated", "erased"]
    assert run("verify").exit_code == 0


@pytest.mark.requirement("LOG-05")
def test_an_event_that_the_index_of_events_hides_is_not_said_to_be_unknown(
    ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    event = record(ledger, subject=None, kind=Kind.REFUSED, granted=())
    assert isinstance(ledger.storage, OwnStorage)
    ledger.storage.close()
    flip(tmp_path, "sqlite_autoindex_entry_1", event.id.hex)
    result = run("forget", str(event.id), "--yes")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "its event is there 1 times" in " ".join(result.stderr.split())


@pytest.mark.requirement("LOG-05")
def test_what_was_said_and_is_not_found_is_not_said_to_be_erased(
    ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    event = record(ledger, subject=None, kind=Kind.REFUSED, granted=())
    assert isinstance(ledger.storage, OwnStorage)
    ledger.storage.close()
    flip(tmp_path, "sqlite_autoindex_opening_1", event.id.hex)
    result = run("forget", str(event.id), "--yes")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "nothing says that it was erased" in " ".join(result.stderr.split())


@pytest.mark.requirement("LOG-05")
@pytest.mark.parametrize(("many", "said"), [(1, ""), (5, " and of 2 more")])
def test_what_somebody_added_to_a_subject_on_a_server_is_named_and_all_is_erased_once_it_is_away(
    on_server: Flask, server: Cluster, many: int, said: str
) -> None:
    run = run_for(on_server)
    run("db", "upgrade")
    ledger, database = (
        site_of(on_server).recorder.ledger,
        make_url(on_server.config["CONSENT_DATABASE"]).database,
    )
    event, added = record(ledger, subject=uuid.uuid4()), [uuid.uuid4() for _ in range(many)]
    for each in added:
        server.run(
            f"INSERT INTO consent.opening VALUES ('{each}', '{event.subject}', '', '')",
            f"INSERT INTO consent.inbox (uid, leaf) VALUES ('{each}', '')",
            database=database,
        )
    result = run("forget", str(event.subject), "--yes")
    assert (result.exit_code, result.stdout) == (3, "")
    told = " ".join(result.stderr.split())
    assert sum(str(each) in told for each in added) == min(many, 3)
    assert f"{said} is filed under it, and of somebody else." in told
    for each in added[: many % 5]:
        server.run(f"DELETE FROM consent.opening WHERE uid = '{each}'", database=database)
    if many > 3:
        server.run(
            f"DELETE FROM consent.opening {told[told.index('WHERE') :]}".rstrip("."), database=database
        )
    assert run("forget", str(event.subject), "--yes").stdout == "Erased 1 event.\n"


def test_unknown_ids_and_the_logs_own_entries_are_refused(ledger: Ledger, run: Run) -> None:
    first = next(ledger.records(-1))
    for id, says in ((str(uuid.uuid4()), "nothing is on record"), (str(first.id), "It stays.")):
        result = run("forget", id, "--yes")
        assert result.exit_code == 3
        assert says in result.stderr
    assert run("forget", "no id", "--yes").exit_code == 2
    assert run("forget").exit_code == 2
    assert run("forget", str(first.id), "--expired").exit_code == 2
    assert left(ledger) == ["operated"]


@pytest.mark.requirement("LOG-05")
def test_exports_that_hold_the_erased_are_named(app: Flask, ledger: Ledger, run: Run, tmp_path: Path) -> None:
    record(ledger)
    run("export", "--output", str(tmp_path / "before.jsonl"))
    event = record(ledger)
    run("export", "--format", "csv", "--output", str(tmp_path / "all.csv"))
    run("export", "--kind", "refused", "--output", str(tmp_path / "refused.jsonl"))
    run("export", "--since", "2027-01-01", "--output", str(tmp_path / "later.jsonl"))
    assert run("forget", "--exports", "--json").stdout == "[]\n"
    result = run("forget", str(event.id), "--yes", "--json")
    (named,) = json.loads(result.stdout)["exports"]
    assert named["who"] == stand_in(site_of(app).recorder, operator())
    assert {**named, "time": None, "who": None} == {
        "who": None,
        **{"time": None, "below": 4, "format": "csv"},
        **{"kinds": [], "since": None, "until": None},
    }
    assert json.loads(run("forget", "--exports", "--json").stdout) == [named]


def test_whoever_reads_exports_is_told_too_of_what_visitors_have_erased(
    ledger: Ledger, run: Run, tmp_path: Path, app: Flask
) -> None:
    event = record(ledger)
    run("export", "--output", str(tmp_path / "all.jsonl"))
    assert "No export" in run("forget", "--exports").stderr
    assert event.subject is not None
    site_of(app).recorder.erase(event.subject, "visitor")
    run("export", "--output", str(tmp_path / "without.jsonl"))
    assert run("forget", "--exports").stdout.count("jsonl, events below") == 1


def test_an_export_that_cannot_be_recorded_is_not_made(
    ledger: Ledger, app: Flask, run: Run, tmp_path: Path
) -> None:
    record(ledger)
    with closing(
        sqlite3.connect(Path(app.instance_path) / "consent.sqlite3", isolation_level=None)
    ) as holder:
        holder.execute("BEGIN IMMEDIATE")
        result = run("export", "--output", str(tmp_path / "all.jsonl"))
    assert result.exit_code == 3
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.requirement("LOG-04")
def test_what_was_kept_long_enough_is_erased_at_once(make_app: MakeApp, clock: Clock) -> None:
    app = make_app()
    for _ in range(3):
        visit(app, "none")
    visit(app, "all")
    clock.pass_days(200)
    run = run_for(app)
    assert json.loads(run("forget", "--expired", "--json").stdout) == {"erased": 0, "expired": 1}
    clock.pass_days(2000)
    assert run("forget", "--expired").stdout == (
        "Erased 5 events that were kept long enough; the end of 0 grants is on record.\n"
    )


def test_a_list_of_the_erased_erases_them_again(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app()
    ledger = site_of(app).recorder.ledger
    events = [record(ledger) for _ in range(3)]
    run = run_for(app)
    run("forget", str(events[0].id), str(events[1].id), "--yes")
    listed = run("forget", "--list").stdout
    assert listed.split() == sorted([str(events[0].id), str(events[1].id)])

    # A list may name what this log doesn't have (yet), and what is erased already.
    (tmp_path / "erased.txt").write_text(f"{listed}{uuid.uuid4()}\n{events[2].id}\n")
    assert run("forget", "--from", str(tmp_path / "erased.txt")).stdout == "Erased 1 of 4 events again.\n"
    assert [each.body is None for each in ledger.records()][1:4] == [True] * 3

    (tmp_path / "erased.txt").write_text("no id\n")
    wrong = run("forget", "--from", str(tmp_path / "erased.txt"))
    assert wrong.exit_code == 2
    assert "line 1 is 'no id'" in wrong.stderr
