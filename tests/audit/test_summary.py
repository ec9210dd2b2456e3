"""Counts over the log: what each answer left in force, by category and by service."""

from pathlib import Path

import pytest
from flask import Flask

from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.summary import Summary
from consent.audit.tally import tally
from consent.ledger import Kind
from consent.ledger.replies import to_category

from .clinic import NEXT_POLICY, MakeApp, record, site_of, visit
from .tampering import alter, erase


def counts(app: Flask) -> Summary:
    """The counts over the app's whole log."""
    reader = Reader(site_of(app).recorder.ledger)
    return Summary.of(tally(reader, Search()), reader.policy)


def test_answers_are_counted_by_category_and_by_service(app: Flask) -> None:
    visit(app, "all")
    visit(app, "none")
    visit(app, category_performance="some", service_statistics="yes", category_media="yes")
    found = counts(app).members()
    assert found["kinds"] == {"given": 2, "operated": 2, "refused": 1}
    assert found["answers"] == 3
    assert found["categories"] == {
        "functionality": {"yes": 1, "some": 0, "no": 2},
        "media": {"yes": 2, "some": 0, "no": 1},
        "performance": {"yes": 1, "some": 1, "no": 1},
    }
    assert found["services"] == {
        "experiment": {"yes": 1, "no": 2},
        "names": {"yes": 1, "no": 2},
        "statistics": {"yes": 2, "no": 1},
        "videos": {"yes": 2, "no": 1},
    }
    assert found["languages"] == {"en": 3}
    assert found["sources"] == {"banner": 3}
    assert found["revisions"] == {"1": 3}
    assert found["profiles"] == {"default": 3}


def test_a_withdrawal_is_an_answer_of_its_own(app: Flask) -> None:
    visit(app, "all").answer("none")
    found = counts(app).members()
    assert found["kinds"] == {"given": 1, "operated": 2, "withdrawn": 1}
    assert found["answers"] == 2


@pytest.mark.requirement("LOG-07")
def test_counts_hold_nothing_that_names_a_browser(app: Flask) -> None:
    visit(app, "all")
    ledger = site_of(app).recorder.ledger
    event = ledger.newest(limit=1)[0].event()
    assert event
    assert event.subject
    assert str(event.subject) not in repr(counts(app).members())


def test_events_erased_or_altered_before_they_are_counted_are_no_answers(app: Flask, tmp_path: Path) -> None:
    ledger = site_of(app).recorder.ledger
    erase(tmp_path, record(ledger).id)
    altered = record(ledger)
    alter(tmp_path, "UPDATE opening SET body = ? WHERE uid = ?", b"?", altered.id.hex)
    found = counts(app)
    assert (found.erased, found.answers) == (1, 0)
    assert found.kinds[Kind.GIVEN] == 2


def test_answers_under_a_policy_that_is_not_on_record_are_counted_by_service_only(app: Flask) -> None:
    record(site_of(app).recorder.ledger)
    found = counts(app).members()
    assert found["categories"] == {}
    assert found["services"] == {"statistics": {"yes": 1, "no": 0}, "videos": {"yes": 0, "no": 1}}
    assert found["revisions"] == {"unknown": 1}


def test_revisions_are_counted_apart(make_app: MakeApp) -> None:
    visit(make_app(), "all")
    app = make_app(NEXT_POLICY)
    visit(app, "all")
    visit(app, "none")
    assert counts(app).revisions == {"1": 1, "2": 2}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"yes"}, "yes"),
        ({"no"}, "no"),
        ({"yes", "no"}, "some"),
        ({"yes", None}, "some"),
        ({"no", None}, "no"),
        ({None}, None),
        (set(), None),
    ],
)
def test_a_category_is_yes_only_when_all_of_it_was_granted(
    answers: set[str | None], said: str | None
) -> None:
    assert to_category(answers) == said
