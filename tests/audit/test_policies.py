"""The history of the policy: what is on record, when it came into use, and what each revision changed."""

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Flask

from consent.audit.policies import history
from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.tally import tally
from consent.cli.diff import in_words
from consent.ledger import Kind
from consent.policy import compare
from tests.web.clinic import WORDING

from .clinic import NEXT_POLICY, POLICY, Auditor, Clock, MakeApp, auditor_of, newest, record, site_of, visit
from .tampering import alter
from .test_pages import PAGE_POLICY, directives, text_of

DAY = 86_400
#: As the next revision, but for what visitors read of a service.
REWORDED = NEXT_POLICY.replace("Sign-in name", "Name for signing in")


@pytest.fixture
def apps(make_app: MakeApp, clock: Clock) -> list[Flask]:
    """The site under three policies, one after the other, two days each."""
    made = []
    for policy in (POLICY, NEXT_POLICY, REWORDED):
        app = make_app(policy)
        visit(app, "all")
        clock.now += DAY
        visit(app, "none")
        clock.now += DAY
        made.append(app)
    return made


@pytest.mark.requirement("POL-03")
def test_policies_stand_in_the_order_of_their_first_use(apps: list[Flask]) -> None:
    ledger = site_of(apps[-1]).recorder.ledger
    record(
        ledger,
        kind=Kind.IMPORTED,
        time=datetime(2020, 1, 1, tzinfo=UTC),
        policy=site_of(apps[2]).policy.digest,
    )
    reader = Reader(ledger)
    versions = history(reader, tally(reader, Search()))
    assert [version.digest for version in versions] == [site_of(app).policy.digest for app in apps]
    assert [version.days and [str(day) for day in version.days] for version in versions] == [
        ["2026-11-18", "2026-11-19"],
        ["2026-11-20", "2026-11-21"],
        ["2026-11-22", "2026-11-23"],
    ]
    assert [version.entries for version in versions] == [3, 3, 3]
    assert [version.before and version.before.revision for version in versions] == [None, 1, 2]


def test_what_each_changed_is_said_in_the_words_of_the_command(apps: list[Flask]) -> None:
    page = auditor_of(apps[-1]).open("/policies")
    assert page.status_code == 200
    words = text_of(page.text)
    policies = [site_of(app).policy for app in apps]
    for before, after in pairwise(policies):
        said = in_words(compare(before, after))
        for line in said.replace(":", " ").replace("→", " ").splitlines():
            assert " ".join(line.split()) in words.replace(":", " ").replace("  ", " "), line
    assert "services.videos.retention 30 days 90 days" in words
    assert "Name for signing in" in words
    assert words.index("It is the first on record.") > words.index("services.videos.retention")
    assert "Asked again nobody" in words
    assert all(policy.digest in words for policy in policies)
    assert "Visitors are told Video Co keeps what it learns for longer." in words
    assert "First use 2026-11-20" in words


def test_no_line_breaks_a_date_that_differs_in_two(make_app: MakeApp) -> None:
    visit(make_app(), "all")
    visit(app := make_app(NEXT_POLICY.replace("2026-11-01", "2026-11-15")), "all")
    page = auditor_of(app).open("/policies").text
    assert '<td dir="auto"><span class="pc-whole">2026-11-15</span></td>' in page


def test_a_policy_that_was_altered_is_said_to_be_unreadable(apps: list[Flask], tmp_path: Path) -> None:
    alter(tmp_path, "UPDATE document SET body = ? WHERE hash = ?", b"{}", site_of(apps[1]).policy.digest)
    page = auditor_of(apps[-1]).open("/policies")
    assert page.status_code == 200
    words = text_of(page.text)
    assert "A policy that can’t be read" in words
    assert words.count("What it changed isn’t known") == 2
    assert "retention 30 days" not in words


def test_the_history_of_a_log_with_nothing_in_it_says_so(auditor: Auditor) -> None:
    assert "No policy is on record." in auditor.open("/policies").text


def test_markup_in_a_policy_stays_text(make_app: MakeApp) -> None:
    visit(make_app(), "all")
    app = make_app(NEXT_POLICY.replace("Video Co keeps", "<script>alert(1)</script> keeps"))
    visit(app, "all")
    page = auditor_of(app).open("/policies")
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script" not in page.text


def test_what_a_policy_says_in_another_language_is_set_in_that_languages_direction(
    make_app: MakeApp, tmp_path: Path
) -> None:
    visit(make_app(), "all")
    wording = WORDING.replace("[services.names]", '[services.names]\ntitle = "X"')
    (tmp_path / "consent.ar.toml").write_text(wording.replace('"X"', '"نص Film 1"'))
    (tmp_path / "consent.de.toml").write_text(wording)
    app = make_app(NEXT_POLICY.replace("[services.names]", '[services.names]\nretention = "9 days"'))
    visit(app, "all")
    page = auditor_of(app).open("/policies").text
    assert '<td lang="ar" dir="rtl">نص Film 1</td>' in page
    assert '<td lang="de" dir="ltr">X</td>' in page
    assert '<td dir="auto">9 days</td>' in page
    assert not re.search(r"<td[^>]+>\(nothing\)", page), "these words are ours"


def test_what_the_policys_own_language_says_is_set_in_its_direction(make_app: MakeApp) -> None:
    own = POLICY.replace('language = "en"', 'language = "ar"').replace('"Visit statistics"', '"إحصاءات Film"')
    visit(make_app(own), "all")
    app = make_app(own.replace("revision = 1", 'revision = 2\nchange = "Film Co لم يعد هنا."'))
    visit(app, "all")
    history = auditor_of(app).open("/policies").text
    assert '<dt>Visitors are told</dt><dd lang="ar" dir="rtl">Film Co لم يعد هنا.</dd>' in history
    listed = auditor_of(app).open().text
    assert '<span title="statistics" lang="ar" dir="rtl">إحصاءات Film</span>' in listed
    event = auditor_of(app).look_up(newest(app).id).text
    assert '<bdi lang="ar" dir="rtl">إحصاءات Film</bdi> <code>statistics</code>' in event
    assert '<p lang="ar" dir="rtl">Film Co لم يعد هنا.</p>' in event
    assert (
        '<b lang="ar" dir="rtl">إحصاءات Film</b> <code>statistics</code>: <bdi lang="ar" dir="rtl">' in event
    )


def test_the_history_is_protected_as_the_other_pages_are(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    page = auditor.open("/policies")
    assert page.headers["Cache-Control"] == "no-store"
    assert directives(page.headers["Content-Security-Policy"]) == PAGE_POLICY
    assert app.test_client().get("/privacy-choices/audit/policies").status_code == 404
