"""Events for other programs: lossless JSON Lines, CSV that no spreadsheet runs, files that are whole."""

import csv
import io
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from consent.audit.export import COLUMNS, cell, json_line, whole_file, write_csv, write_jsonl
from consent.audit.row import Reader, Row
from consent.ledger import Ledger

from .clinic import record, site_of, visit
from .tampering import alter, erase


def rows(ledger: Ledger) -> Iterator[Row]:
    """All of the ledger."""
    return Reader(ledger).rows(ledger.records())


def jsonl(ledger: Ledger) -> list[dict[str, Any]]:
    """The export as JSON Lines, read back."""
    out = io.StringIO()
    write_jsonl(rows(ledger), out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def as_csv(ledger: Ledger) -> list[dict[str, str]]:
    """The export as CSV, read back."""
    out = io.StringIO(newline="")
    write_csv(rows(ledger), out)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("WD-04")
def test_each_act_is_one_line_and_a_withdrawal_leaves_the_grant_before_it(app: Flask) -> None:
    visitor = visit(app, "all")
    visitor.answer("some", category_performance="yes", category_media="no", category_functionality="no")
    visitor.answer("none")
    lines = jsonl(site_of(app).recorder.ledger)
    assert [line["index"] for line in lines] == list(range(5))
    assert [line["kind"] for line in lines[2:]] == ["given", "withdrawn", "withdrawn"]
    assert lines[2]["granted"] == ["experiment", "names", "statistics", "videos"]
    assert lines[3]["before"]["granted"] == lines[2]["granted"]
    assert lines[4]["granted"] == []
    assert {line["subject"] for line in lines[2:]} == {lines[2]["subject"]}
    assert len({line["id"] for line in lines}) == 5


@pytest.mark.requirement("REC-02")
def test_each_answer_names_the_notice_whose_very_bytes_are_on_record(app: Flask) -> None:
    visit(app, "all")
    ledger = site_of(app).recorder.ledger
    notice = ledger.document(jsonl(ledger)[-1]["notice"])
    assert notice
    assert notice.kind == "notice"
    assert b"pc-banner" in notice.body


def test_each_line_of_json_has_the_members_of_its_row(app: Flask, ledger: Ledger, tmp_path: Path) -> None:
    of_everything(app, ledger, tmp_path)
    out = io.StringIO()
    write_jsonl(rows(ledger), out)
    assert out.getvalue().splitlines() == [json_line(row.members(personal=True)) for row in rows(ledger)]


def of_everything(app: Flask, ledger: Ledger, folder: Path) -> None:
    """Several events that are alike, one without subject, an erased and an unreadable one, hostile words."""
    for choice in ("all", "all", "none", "none"):
        visit(app, choice)
    erase(folder, record(ledger).id)
    record(ledger, detail={"note": "a, b\n“c”"}, signal=True)
    record(ledger, language="%s %(id)s {0} \0 \\u0000", source="\0")
    alter(folder, "UPDATE entry SET leaf = ? WHERE uid = ?", b"{}", record(ledger).id.hex)


def test_csv_says_the_same_as_json(app: Flask, ledger: Ledger, tmp_path: Path) -> None:
    of_everything(app, ledger, tmp_path)
    for line, row in zip(jsonl(ledger), as_csv(ledger), strict=True):
        assert set(row) == set(COLUMNS)
        for name in COLUMNS:
            before = line["before"] or {"granted": None, "refused": None}
            value = {"before_granted": before["granted"], "before_refused": before["refused"], **line}[name]
            assert row[name] == cell(value)


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "\u00a0=1",
    "\u3000=1",
    "\ufeff=1",
    "\x0b=1",
    "\u200b\u2009@x",
    '=HYPERLINK("x")',
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_like_a_formula_whatever_was_recorded(ledger: Ledger, text: str) -> None:
    record(ledger, language=text, source=text, profile=text, granted=(text,), account=text, refused=())
    row = as_csv(ledger)[-1]
    for name in ("language", "source", "profile", "granted", "account"):
        assert row[name].startswith("'")
        assert row[name].replace("'", "") == text


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("text", [*FORMULAS, '"=1', '"" =1'])
def test_no_formula_begins_where_another_separator_than_the_comma_ends_a_cell(
    ledger: Ledger, text: str, separator: str
) -> None:
    hidden = f"a{separator}{text}"
    record(ledger, language=hidden, source=f"b\n{text}", detail={"x": hidden, "y": f"c,d{separator}{text}"})
    out = io.StringIO(newline="")
    write_csv(rows(ledger), out)
    begins = re.compile('[\\s\ufeff\u200b"]*[=+@\uff1d-]')
    for line in re.split("[\r\n]+", out.getvalue()):
        found = next(csv.reader([line], delimiter=separator), [])
        assert not [each for each in found if begins.match(each)]


def test_json_lines_are_ascii_and_one_line_each_whatever_was_recorded(ledger: Ledger) -> None:
    event = record(ledger, language="e\u2028n\n\x1b[2J\u202e", source='"}\n{"index":0}')
    out = io.StringIO()
    write_jsonl(rows(ledger), out)
    lines = out.getvalue().split("\n")
    assert len(lines) == 3
    assert out.getvalue().isascii()
    assert "\x1b" not in out.getvalue()
    assert json.loads(lines[1])["language"] == event.language


# --- files


def test_a_file_appears_whole_under_its_name_and_for_its_owner_only(tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    with whole_file(target) as file:
        file.write(b"half")
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["events.jsonl"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_export_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "events.jsonl"
    target.write_text("the last good one")

    def interrupted() -> None:
        with whole_file(target) as file:
            file.write(b"half of a new one")
            raise error

    with pytest.raises(error):
        interrupted()
    assert target.read_text() == "the last good one"
    assert os.listdir(tmp_path) == ["events.jsonl"]


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with whole_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError, match="not a regular file"), whole_file(pipe):
        pass
    assert stat.S_ISFIFO(pipe.stat().st_mode)
