"""What an auditor downloads from the log's page: on record first, whole, and what the commands would write."""

import csv
import io
import json
import re
import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from consent.audit.download import FORMS
from consent.audit.exported import Export, exports
from consent.audit.lookup import stand_in
from consent.cli.export import FORMS as COMMANDS
from consent.errors import LedgerError
from consent.ledger import Ledger
from consent.verify import Key, Report, verify

from .clinic import AUDIT, SAME, Auditor, record, site_of, visit
from .test_routes import HEADERS

MARCH = {"since": "2026-03-01", "until": "2026-03-31"}
#: Times of the events of the log below: before, in, and after March.
TIMES = ("2026-02-28T23:59", "2026-03-01T00:00", "2026-03-31T23:59", "2026-04-01T00:00")


@pytest.fixture
def year(ledger: Ledger) -> Ledger:
    """A log with two events of March and two beside it."""
    for time in TIMES:
        record(ledger, time=datetime.fromisoformat(time).replace(tzinfo=UTC))
    return ledger


def test_page_and_command_hand_out_the_same_formats(auditor: Auditor, year: Ledger) -> None:
    page = auditor.open(**MARCH).text
    assert set(re.findall(r'name="format" value="([a-z]+)"', page)) == {"bundle", *COMMANDS} == set(FORMS)


def download(auditor: Auditor, form: str, **fields: str) -> TestResponse:
    """What the button of *form* on the list gives for the search *fields*."""
    data = {"csrf_token": auditor.token(), "format": form, **fields}
    return auditor.client.post(f"{AUDIT}/export", data=data, headers=SAME, buffered=True)


def checked(data: bytes, ledger: Ledger, folder: Path) -> Report:
    """What comes of checking the bundle *data*."""
    path = folder / "taken.zip"
    path.write_bytes(data)
    keys = [Key.parse(key) for key in ledger.verifier_keys()]
    return verify(path, keys, now=datetime.now(UTC) + timedelta(days=365))


def test_a_bundle_of_march_is_taken_from_the_desk_and_verifies(
    auditor: Auditor, year: Ledger, tmp_path: Path
) -> None:
    answer = download(auditor, "bundle", **MARCH)
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    report = checked(answer.data, year, tmp_path)
    assert (report.verdict, report.facts["left_out"]) == ("unanchored", 2)
    assert report.facts["entries"] == 5 == year.size() - 1
    with zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
        opened = [json.loads(line)["index"] for line in bundle.read("openings.jsonl").splitlines()]
    assert opened == [0, 2, 3]


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize("form", FORMS)
def test_a_download_is_on_record_with_who_took_it_and_of_which_days(
    app: Flask, auditor: Auditor, year: Ledger, form: str
) -> None:
    size = year.size()
    assert download(auditor, form, **MARCH).status_code == 200
    (found,) = exports(year)
    assert isinstance(found, Export)
    assert (found.form, found.below, found.index) == (form, size, size)
    assert found.who == stand_in(site_of(app).recorder, "auditor-1")
    assert found.search.days == (datetime(2026, 3, 1).date(), datetime(2026, 3, 31).date())


@pytest.mark.parametrize(
    ("form", "mimetype"),
    [
        ("bundle", "application/zip"),
        ("csv", "text/csv"),
        ("jsonl", "application/jsonl"),
        ("jsonld", "application/ld+json"),
    ],
)
def test_a_download_is_a_file_that_is_named_after_its_days_and_kept_by_nobody(
    auditor: Auditor, year: Ledger, form: str, mimetype: str
) -> None:
    answer = download(auditor, form, **MARCH)
    ending = "zip" if form == "bundle" else form
    name = f"consent-from-2026-03-01-to-2026-03-31.{ending}"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert answer.mimetype == mimetype
    assert answer.content_length == len(answer.data) > 100
    for header, value in HEADERS.items():
        assert answer.headers[header] == value


def test_events_of_a_search_are_downloaded_as_the_commands_write_them(
    app: Flask, auditor: Auditor, year: Ledger
) -> None:
    visit(app, "none")
    lines = [json.loads(line) for line in download(auditor, "jsonl", **MARCH).text.splitlines()]
    assert [line["index"] for line in lines] == [2, 3]
    refused = [*csv.DictReader(io.StringIO(download(auditor, "csv", kind="refused").text))]
    assert [row["kind"] for row in refused] == ["refused"]
    records = json.loads(download(auditor, "jsonld", kind="refused").text)["@graph"]
    assert [record["dct:identifier"] for record in records] == [row["id"] for row in refused]
    everything = download(auditor, "jsonl")
    assert everything.headers["Content-Disposition"] == "attachment; filename=consent.jsonl"
    assert [json.loads(line)["index"] for line in everything.text.splitlines()] == [*range(year.size() - 1)]


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize(
    ("form", "said"),
    [("bundle", "The file can&#39;t be made now"), ("csv", "put on record"), ("jsonl", "put on record")],
)
def test_while_a_download_cannot_be_recorded_nothing_is_handed_out(
    app: Flask, auditor: Auditor, year: Ledger, form: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.audit.download.PATIENCE", 0.05)
    year.sign()
    size, subject = year.size(), next(str(each.subject) for each in year.records() if each.subject)
    with closing(sqlite3.connect(Path(app.instance_path) / "consent.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = download(auditor, form, **MARCH)
    assert answer.status_code == 503
    assert said in answer.text
    assert "Content-Disposition" not in answer.headers
    assert subject not in answer.text
    assert year.size() == size


def test_what_cannot_be_made_is_no_file(
    auditor: Auditor, year: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> bytes:
        raise LedgerError("the tile is gone")

    monkeypatch.setattr(type(year.storage), "tile", gone)
    answer = download(auditor, "bundle", **MARCH)
    assert answer.status_code == 503
    assert "The file can&#39;t be made now." in answer.text


@pytest.mark.parametrize("form", sorted(FORMS))
def test_what_the_disk_has_no_room_for_is_no_file_and_no_error_page(
    auditor: Auditor, year: Ledger, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full").open("r+b")  # noqa: SIM115 - the page closes it
    monkeypatch.setattr("consent.audit.download.TemporaryFile", lambda: full)
    answer = download(auditor, form, **MARCH)
    assert answer.status_code == 503
    assert "The file can&#39;t be made now." in answer.text
    assert "Content-Disposition" not in answer.headers
    assert full.closed


def test_where_no_temporary_file_can_be_made_nothing_is_handed_out(
    auditor: Auditor, year: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    answer = download(auditor, "csv", **MARCH)
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"format": "bundle"}, "whole days"),
        ({"format": "bundle", **MARCH, "kind": "given"}, "whole days"),
        ({"format": "bundle", "since": "2026-03-01"}, "whole days"),
        ({"format": "bundle", **MARCH, "until": "2026-03-31T10:00"}, "whole days"),
        ({"format": "bundle", **MARCH, "since": "soon"}, "not a date"),
        ({"format": "xml", **MARCH}, "no form to hand out"),
        ({"format": "", **MARCH}, "no form to hand out"),
    ],
)
def test_what_is_not_understood_hands_out_nothing_and_leaves_no_trace(
    auditor: Auditor, year: Ledger, fields: dict[str, str], said: str
) -> None:
    size = year.size()
    answer = auditor.client.post(
        f"{AUDIT}/export", data={"csrf_token": auditor.token(), **fields}, headers=SAME
    )
    assert (answer.status_code, said in answer.text) == (400, True)
    assert year.size() == size


def test_the_bundle_is_offered_only_for_a_search_by_whole_days_alone(auditor: Auditor, year: Ledger) -> None:
    bundle, others = "as a verifiable bundle", "Download as CSV"
    for query, provable, any_form in (
        (MARCH, True, True),
        (
            {"since": "2025-03-01", "until": "2025-03-31"},
            True,
            False,
        ),  # that nothing was is worth showing, too
        ({"since": "2026-03-01"}, False, True),
        ({**MARCH, "kind": "given"}, False, True),
        ({**MARCH, "since": "2026-03-01T10:00"}, False, True),
        ({}, False, False),
    ):
        page = auditor.open(**query).text
        assert (bundle in page, others in page) == (provable, any_form), query
    page = auditor.open("/opt-outs", **MARCH).text
    assert bundle not in page
    record(year, kind="opted_out", time=datetime(2026, 3, 5, tzinfo=UTC))
    page = auditor.open("/opt-outs", **MARCH).text
    assert others in page
    assert '<input type="hidden" name="kind" value="opted_out">' in page


def test_a_bundle_that_entries_are_pruned_from_meanwhile_is_begun_again_from_nothing(
    auditor: Auditor, year: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, asked = type(year.storage).remaining, 0

    def remaining(storage: object) -> tuple[int, int]:
        nonlocal asked
        asked += 1
        first, count = before(storage)  # type: ignore[arg-type]  # the class is the storage's own
        return first, count - (asked == 1)

    monkeypatch.setattr(type(year.storage), "remaining", remaining)
    answer = download(auditor, "bundle", **MARCH)
    assert asked > 3
    assert answer.data.count(b"README.txt") == 2  # before its bytes, and in the list of contents
    assert checked(answer.data, year, tmp_path).right
