"""``export`` as a process of its own: whole files, closed pipes, and memory that doesn't grow."""

import csv
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from consent.audit.export import rows_below, schema_of, whole_file
from consent.audit.exported import exports
from consent.audit.row import Reader
from consent.audit.search import Search
from consent.cli.command import ENDING, command
from consent.ledger import Kind, Ledger, commitment, leaf_hash
from tests.audit.clinic import MakeApp, new_event, record, site_of, visit

from .conftest import Run, run_for

CHECKOUT = Path(__file__).parents[2]
#: An app, and ``flask`` as the entry point makes it; it says at the end how much memory the command took (KiB).
PROGRAM = """
    import resource, sys
    def memory():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    from flask import Flask
    from flask.cli import FlaskGroup
    from consent import Consent
    from consent.cli import cli

    def create_app():
        app = Flask("clinic", root_path={folder!r}, instance_path={folder!r} + "/instance")
        app.config.from_mapping(SECRET_KEY="a key for tests, long enough")
        Consent().init_app(app)
        return app

    app = create_app()
    flask = FlaskGroup(name="flask", create_app=lambda: app, set_debug_flag=False)
    flask.add_command(cli)
    before = memory()
    try:
        flask.main(["consent", *sys.argv[1:]], prog_name="flask")
    finally:
        print("took", memory() - before, file=sys.stderr)
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """``flask consent`` with *arguments* for the site in *folder*, in a process of its own."""
    return subprocess.Popen(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            textwrap.dedent(PROGRAM).format(folder=str(folder)),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        # Whatever runs these tests in the background may have it ignored, and then so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def fill(folder: Path, ledger: Ledger, count: int) -> None:
    """Put *count* events into the database in one go: recording them would take a sync of the disk for each."""
    first = ledger.size()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    entries, openings = [], []
    for index in range(first, first + count):
        event = new_event(id=uuid.uuid4(), time=start + timedelta(minutes=index), policy=None, notice=None)
        salt, body = os.urandom(32), event.body()
        leaf = event.leaf_over(commitment(salt, body), ledger.origin)
        entries.append((index, event.id.hex, leaf, leaf_hash(leaf)))
        openings.append((event.id.hex, event.subject and event.subject.hex, salt, body))
    with closing(sqlite3.connect(folder / "instance" / "consent.sqlite3")) as connection, connection:
        connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", entries)
        connection.executemany("INSERT INTO opening VALUES (?, ?, ?, ?)", openings)


def took(process: subprocess.Popen[bytes]) -> int:
    """KiB of memory that *process* took, which must have ended well."""
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return int(said.split()[-1])


def test_exporting_five_thousand_events_takes_the_memory_of_exporting_a_few(
    app: Flask, ledger: Ledger, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    visit(app, "all")
    few = took(start(tmp_path, "export", "--output", str(output)))
    fill(tmp_path, ledger, 5_000)
    # Besides, what the log opened with, and each export before; CSV has a line of names.
    for form, lines in (("jsonl", 5_004), ("csv", 5_006)):
        many = took(start(tmp_path, "export", "--format", form, "--output", str(output)))
        assert output.read_bytes().count(b"\n") == lines
        # Held at once, they would take some 20 MiB.
        assert many - few < 10 * 1024


def test_an_export_that_is_interrupted_leaves_the_last_one_and_no_half(
    app: Flask, ledger: Ledger, tmp_path: Path
) -> None:
    visit(app, "all")
    fill(tmp_path, ledger, 5_000)
    before = set(os.listdir(tmp_path))
    (tmp_path / "out").write_text("the last good one")
    process = start(tmp_path, "export", "--output", "out")
    while not (parts := list(tmp_path.glob(".out.*.part"))) or not parts[0].stat().st_size:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert said.startswith(b"Interrupted.")
    assert b"Traceback" not in said
    assert (tmp_path / "out").read_text() == "the last good one"
    assert set(os.listdir(tmp_path)) == before | {"out"}


@pytest.mark.parametrize("asked", ENDING)
def test_an_export_that_is_asked_to_end_or_whose_terminal_is_closed_leaves_no_half(
    asked: signal.Signals, tmp_path: Path
) -> None:
    before = signal.signal(asked, signal.SIG_DFL)  # whoever runs the tests may have it ignored, as nohup does

    @command("export")
    def export() -> None:
        assert signal.getsignal(asked) is signal.default_int_handler
        with whole_file(tmp_path / "out") as out:
            out.write(b"half of it")
            signal.raise_signal(asked)

    result = CliRunner().invoke(export)
    after = signal.signal(asked, before)
    assert (result.exit_code, result.stderr) == (3, "Interrupted.\n")
    assert not os.listdir(tmp_path)
    assert after is signal.SIG_DFL


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_command_that_is_told_to_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = CliRunner().invoke(command("wait")(lambda: signal.raise_signal(signal.SIGHUP)))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert result.exit_code == 0


def test_whoever_reads_only_the_beginning_ends_the_export_quietly(
    app: Flask, ledger: Ledger, tmp_path: Path
) -> None:
    visit(app, "all")
    fill(tmp_path, ledger, 2_000)
    process = start(tmp_path, "export")
    assert process.stdout
    assert process.stderr
    assert json.loads(process.stdout.readline())["index"] == 0
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 3
    assert said.split()[0] == b"took"


# --- within this process


@pytest.mark.requirement("REC-03")
def test_an_export_to_standard_output_is_the_answer_and_nothing_else(app: Flask, run: Run) -> None:
    visit(app, "all").answer("none")
    result = run("export")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2, 3]
    assert lines[3]["refused"] == ["experiment", "names", "statistics", "videos"]
    assert result.stderr == ""


@pytest.mark.requirement("REC-03")
@pytest.mark.parametrize("option", ["--output", "--bundle"])
def test_an_export_that_cannot_be_written_is_not_on_record(
    app: Flask, ledger: Ledger, run: Run, tmp_path: Path, option: str
) -> None:
    visit(app, "all")
    for target in ("missing/march", "instance/consent.sqlite3", "instance"):
        assert run("export", option, str(tmp_path / target)).exit_code in (2, 3)
    assert list(exports(ledger)) == []
    assert run("export", option, str(tmp_path / "march")).exit_code == 0
    assert len(list(exports(ledger))) == 1


@pytest.mark.parametrize(
    "unknown",
    [{"kinds": ["novel"]}, {"since": "x"}, {"since": "2026-11-18"}, {"revision": "x"}, {"answer": "yes"}],
)
def test_an_export_whose_search_cannot_be_read_may_hold_anything_and_keeps_no_event_from_being_erased(
    unknown: dict[str, object], app: Flask, ledger: Ledger, run: Run
) -> None:
    event = record(ledger)
    said = {"format": "csv", "below": 9, "until": "2026-11-17T00:00:00", **unknown}
    record(ledger, kind=Kind.ACCESSED, subject=None, granted=(), refused=(), detail={"export": said})
    result = run("forget", str(event.id), "--yes", "--json")
    assert result.exit_code == 0, result.output
    assert [each["format"] for each in json.loads(result.stdout)["exports"]] == ["csv"]


def test_an_export_to_a_file_is_for_its_owner_only_and_says_how_many(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    visit(app, "all")
    output = tmp_path / "march.csv"
    result = run("export", "--format", "csv", "--output", str(output))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"3 events written to {output}.\n"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    with output.open(newline="") as file:
        assert [row["kind"] for row in csv.DictReader(file)] == ["operated", "operated", "given"]


def test_an_export_as_json_ld_holds_the_answers_and_says_how_many_events_are_none(
    app: Flask, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    visit(app, "all").answer("none")
    output = tmp_path / "march.jsonld"
    result = run("export", "--format", "jsonld", "--output", str(output))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        f"2 records written to {output}.\n"
        "2 events have no consent record: they are no answers, erased, or altered.\n"
    )
    assert [one["log:kind"] for one in json.loads(output.read_text())["@graph"]] == ["given", "withdrawn"]
    assert [export.form for export in exports(ledger)] == ["jsonld"]
    only = run("export", "--format", "jsonld", "--kind", "given")
    assert (len(json.loads(only.stdout)["@graph"]), only.stderr) == (1, "")


@pytest.mark.parametrize("form", ["jsonl", "csv", "jsonld"])
def test_what_a_format_looks_like_can_be_asked_where_nothing_is_recorded(run: Run, form: str) -> None:
    result = run("export", "--format", form, "--schema")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == json.loads(schema_of(form))


def test_an_export_holds_what_the_filters_ask_for(app: Flask, run: Run) -> None:
    visit(app, "all").answer("none")
    lines = [json.loads(line) for line in run("export", "--kind", "withdrawn").stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["withdrawn"]
    assert run("export", "--since", "2030-01-01").stdout == ""


def test_events_recorded_while_the_export_runs_are_left_out(app: Flask, tmp_path: Path) -> None:
    ledger = site_of(app).recorder.ledger
    record(ledger)
    fill(tmp_path, ledger, 600)  # more than are read at a time
    reader = Reader(ledger)
    rows = rows_below(ledger.size(), reader, Search())
    assert next(rows).index == 0
    record(ledger)
    assert [row.index for row in rows] == list(range(1, 602))


@pytest.mark.parametrize("output", ["no/such/folder/out", "."])
def test_an_export_that_cannot_be_written_ends_with_a_sentence(app: Flask, run: Run, output: str) -> None:
    visit(app, "all")
    result = run("export", "--output", output)
    assert result.exit_code in (2, 3)
    assert result.stdout == ""
    assert output in result.stderr


# --- db


def test_db_upgrade_makes_the_database_once(make_app: MakeApp, tmp_path: Path) -> None:
    first = run_for(make_app())("db", "upgrade")
    assert first.exit_code == 0
    assert first.stdout.startswith("Applied 0001")
    assert (tmp_path / "instance" / "consent.sqlite3").exists()
    second = run_for(make_app())("db", "upgrade")
    assert (second.exit_code, second.stdout) == (0, "The database is up to date.\n")


def test_db_upgrade_where_nothing_can_be_written_ends_with_3(app: Flask, run: Run, tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("a file where the folder should be")
    result = run("db", "upgrade")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    "name", ["instance/consent.sqlite3", "instance/consent.key", "instance/consent.guard", "consent.toml"]
)
@pytest.mark.parametrize("linked", [False, True])
def test_an_export_replaces_no_file_that_the_component_needs(app: Flask, name: str, linked: bool) -> None:
    visit(app, "all")
    kept = Path(app.root_path) / name
    before = kept.read_bytes()
    output = kept
    if linked:
        output = Path(app.root_path) / "events.jsonl"
        output.symlink_to(kept)
    result = run_for(app)("export", "--output", str(output))
    assert result.exit_code == 2
    assert "Name another" in result.output
    assert kept.read_bytes() == before
