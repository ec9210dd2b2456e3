"""``health``: one look at the log, for whatever watches over the site."""

import json
from pathlib import Path

from flask import Flask

from consent.ledger import Ledger
from tests.audit.clinic import NEXT_POLICY, MakeApp, lose_database, visit

from .conftest import Run, run_for


def test_a_log_that_is_well_ends_with_0(app: Flask, run: Run) -> None:
    visit(app, "none")
    result = run("health")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "The log is well.\n", "")
    assert json.loads(run("health", "--json").stdout) == {"ok": True, "problems": []}


def test_looking_puts_nothing_on_record(app: Flask, run: Run, ledger: Ledger) -> None:
    visit(app, "none")
    before = ledger.size()
    run("health")
    assert ledger.size() == before


def test_what_is_wrong_is_said_and_ends_with_1(app: Flask, run: Run, tmp_path: Path) -> None:
    visit(app, "none")
    (tmp_path / "instance" / "consent.guard").unlink()
    result = run("health")
    assert result.exit_code == 1
    assert "guard" in result.stdout
    found = json.loads(run("health", "--json").stdout)
    assert found["ok"] is False
    assert found["problems"] == result.stdout.splitlines()


def test_a_policy_that_the_log_does_not_take_is_wrong(app: Flask, make_app: MakeApp) -> None:
    visit(app, "none")
    changed = make_app(NEXT_POLICY.replace("revision = 2", "revision = 1"))
    result = run_for(changed)("health")
    assert result.exit_code == 1
    assert "revision" in result.stdout


def test_where_nothing_is_recorded_it_ends_with_3_and_makes_no_database(run: Run, tmp_path: Path) -> None:
    result = run("health")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "nothing is recorded yet" in result.stderr
    assert not (tmp_path / "instance").exists()


def test_a_database_that_is_missing_beside_its_guard_is_wrong_and_ends_with_1(app: Flask, run: Run) -> None:
    lose_database(app)
    result = run("health")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.startswith("The database is missing, but the guard file")
    assert json.loads(run("health", "--json").stdout)["problems"] == result.stdout.splitlines()
    (Path(app.instance_path) / "consent.sqlite3").touch()  # an empty one is none
    assert run("health").stdout == result.stdout


def test_what_reads_the_log_says_that_its_database_is_missing(app: Flask, run: Run) -> None:
    lose_database(app)
    for command in ("log", "stats"):
        result = run(command)
        assert result.exit_code == 3
        assert result.stderr.startswith("Error: The database is missing, but the guard file")
