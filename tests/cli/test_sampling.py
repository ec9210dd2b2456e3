"""``sample``: a made-up history that says what it is, and never stands beside what anybody answered."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from flask import Flask

from consent.audit.recount import compare
from consent.audit.row import Reader
from consent.audit.sample import Era, History, is_sample, profiles
from consent.ledger import Kind
from consent.policy import parse
from tests.audit.clinic import NEXT_POLICY, POLICY, MakeApp, site_of, visit
from tests.storage.events import new_event

from .conftest import Run, run_for


def test_a_sample_says_in_the_log_that_it_is_one(app: Flask, run: Run) -> None:
    result = run("sample", "--events", "700")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "Recorded 700 made-up events; 1 of them are erased.\n"
    ledger = site_of(app).recorder.ledger
    assert is_sample(ledger)
    marked = [record.event() for record in ledger.records() if b'"kind":"operated"' in record.leaf]
    assert [each.detail for each in marked if each and each.detail and "sample" in each.detail] == [
        {"sample": "Sample data: no visitor did any of this."}
    ]
    assert compare(ledger) is None
    assert ledger.counted() == 512
    assert run("verify").exit_code == 0


def test_a_log_in_which_anybody_has_answered_is_left_alone(app: Flask, run: Run) -> None:
    visit(app, "none")
    ledger = site_of(app).recorder.ledger
    before = ledger.size()
    result = run("sample", "--events", "9")
    assert (result.exit_code, result.stdout, ledger.size()) == (3, "", before)
    assert "visitors have answered in this log" in result.stderr
    assert not is_sample(ledger)


def test_an_answer_counts_however_much_was_set_up_since(app: Flask, run: Run) -> None:
    visit(app, "none")
    ledger = site_of(app).recorder.ledger
    ledger.record_all([(new_event(kind=Kind.OPERATED), bytes(32)) for _ in range(200)])
    before = ledger.size()
    assert run("sample", "--events", "9").exit_code == 3
    assert ledger.size() == before


def test_every_made_up_event_was_given_under_a_notice_of_its_policy(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app = make_app(NEXT_POLICY)
    (tmp_path / "old.toml").write_text(POLICY.replace("2026-11-01", "2026-05-01"))
    run = run_for(app)
    assert run("sample", "--events", "600", "--before", str(tmp_path / "old.toml")).exit_code == 0
    reader = Reader(site_of(app).recorder.ledger)
    rows = [row for row in reader.rows(reader.ledger.records()) if row.event and row.event.notice]
    assert {row.revision for row in rows} == {1, 2}
    for row in rows:
        assert row.event
        assert row.event.policy
        policy = reader.policy(row.event.policy)
        assert policy
        assert policy.effective <= row.event.time.date()
        assert (policy.revision == 2) is (row.event.time.date() >= date(2026, 11, 1))
        document = reader.ledger.document(row.event.notice or "")
        assert document
        assert document.kind == "notice"
        assert f'value="{row.policy}"'.encode() in document.body or str(row.policy).encode() in document.body
    found = json.loads(run("stats", "--json").stdout)
    assert set(found["revisions"]) == {"1", "2"}
    assert set(found["profiles"]) == set(profiles())


def test_revisions_that_do_not_rise_are_refused(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(NEXT_POLICY)
    result = run_for(make_app(POLICY))("sample", "--before", str(tmp_path / "old.toml"))
    assert result.exit_code == 3
    assert "the revisions are 2, 1" in result.stderr


def test_policies_that_do_not_follow_each_other_until_yesterday_are_refused(
    make_app: MakeApp, tmp_path: Path
) -> None:
    run = run_for(make_app(NEXT_POLICY))
    for day, said in (("2026-11-01", "2026-11-01, 2026-11-01"), ("2026-11-18", "2026-11-18, 2026-11-01")):
        (tmp_path / "old.toml").write_text(POLICY.replace("2026-11-01", day))
        result = run("sample", "--before", str(tmp_path / "old.toml"))
        assert result.exit_code == 3
        assert f"in force from {said}" in result.stderr
    today = run_for(make_app(POLICY.replace("2026-11-01", "2026-11-18")))("sample")
    assert (today.exit_code, "before 2026-11-18" in today.stderr) == (3, True)


def history(events: int, seed: int = 1) -> History:
    """A year before a fixed day."""
    policy = parse(POLICY.replace("2026-11-01", "2020-01-01"))
    notices = {("en", profile): "ab" * 32 for profile in profiles()}
    end = datetime(2026, 11, 21, 15, tzinfo=UTC)
    return History([Era(policy=policy, notices=notices)], end, events, seed)


def test_a_history_has_as_many_events_as_asked_in_order_within_its_year() -> None:
    for size in (1, 7, 1000):
        made = history(size)
        times = [event.time for event in made]
        assert len(times) == size
        assert all(first <= second for first, second in pairwise(times))
        assert made.end - timedelta(days=366) < times[0]
        assert times[-1] < made.end


def test_the_same_seed_is_the_same_history_and_another_is_another() -> None:
    assert list(history(50)) == list(history(50)) != list(history(50, seed=2))


def test_a_history_knows_weekdays_withdrawals_and_signals() -> None:
    made = list(history(4000))
    days = Counter(event.time.weekday() for event in made)
    assert days[6] < days[1] / 1.5
    kinds = Counter(event.kind for event in made)
    assert {Kind.GIVEN, Kind.REFUSED, Kind.WITHDRAWN} <= set(kinds)
    assert kinds[Kind.WITHDRAWN] < kinds[Kind.GIVEN]
    given = {event.subject for event in made if event.kind is Kind.GIVEN}
    assert all(event.subject in given for event in made if event.kind is Kind.WITHDRAWN)
    assert 0.05 < sum(event.signal for event in made) / len(made) < 0.2
