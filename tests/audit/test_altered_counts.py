"""Counts, and the index of searches, that somebody altered: it is said how they are made anew, and nobody waits."""

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from consent.ledger import Ledger
from consent.ledger.tile import WIDTH
from consent.storage import OwnStorage
from tests.cli.conftest import Run, run_for

from .clinic import Auditor, Clock, new_event, visit
from .tampering import allow_null, alter_kept

REBUILD = "flask consent stats --rebuild"
PAGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/", {}),
    ("/overview", {}),
    ("/opt-outs", {}),
    ("/policies", {}),
    ("/", {"kind": "given", "language": "en"}),
    ("/overview", {"since": "2026-11-01"}),
)
#: What somebody with the file can put there, table by table.
ALTERED = (
    *(f"UPDATE counted SET size = {value}" for value in ("'x'", "-256", "100", "1.5", "x'00'")),
    *(f"UPDATE counted SET missing = {value}" for value in ("'x'", "-1", "1000")),
    "DELETE FROM counted",
    "UPDATE counted SET size = 0",
    *(f"UPDATE replied SET size = {value}" for value in ("'x'", "-256")),
    *(f"UPDATE facets SET bare = {value}" for value in ("'x'", "12345", "x'00'")),
    "UPDATE facets SET id = CAST(id AS BLOB)",
    "UPDATE facets SET id = CAST(id AS BLOB) WHERE id = (SELECT max(id) FROM facets)",
    "UPDATE facets SET id = id + 1",
    *(
        f"UPDATE facets SET said = {value}"
        for value in ("''", "x'ff'", "'{}'", """'{"kind":7,"policy":null}'""")
    ),
    *(f"UPDATE OR REPLACE faded SET facets = {value}" for value in ("'x'", "-1", "1.5", "x'00'")),
    *(f"UPDATE OR REPLACE faded SET {column} = 1.5" for column in ("day", "events")),
    *(f"UPDATE OR REPLACE tally SET facets = {value} WHERE events = 1" for value in ("'x'", "1.5", "x'00'")),
    "UPDATE OR REPLACE tally SET day = day + 0.5 WHERE events = 1",
    "UPDATE tally SET events = 9223372036854775807",
    "UPDATE indexed SET place = place + 0.5",
    "UPDATE indexed SET place = 'x'",
    "UPDATE indexed SET facets = x'00'",
)


@pytest.fixture
def counted(app: Flask, ledger: Ledger, clock: Clock) -> Ledger:
    """A log with a full tile, of which something was erased since that was counted."""
    visit(app, "all").answer("none")
    now = datetime.fromtimestamp(clock.now, UTC)
    some = [
        new_event(time=now - timedelta(hours=number), subject=uuid.uuid4(), language=("en", "de")[number % 2])
        for number in range(WIDTH + 10)
    ]
    ledger.record_all([(event, secrets.token_bytes(32)) for event in some])
    for event in some[:3]:
        assert forget(app, event.id).exit_code == 0
    assert isinstance(ledger.storage, OwnStorage)
    ledger.storage.close()
    return ledger


@pytest.fixture
def run(app: Flask) -> Run:
    """Runs ``flask consent …`` for the site."""
    return run_for(app)


def forget(app: Flask, id: uuid.UUID) -> Result:
    return run_for(app)("forget", str(id), "--yes")


@pytest.mark.parametrize("statement", ALTERED)
def test_what_was_counted_and_altered_is_named_and_made_anew_and_keeps_nobody_from_anything(
    counted: Ledger, app: Flask, auditor: Auditor, run: Run, tmp_path: Path, statement: str
) -> None:
    alter_kept(tmp_path, statement)
    result = run("stats", "--check")
    assert (result.exit_code, REBUILD in result.stdout) == (1, True)
    for page, query in PAGES:
        assert auditor.open(page, **query).status_code in (200, 503)
    for command in (("stats",), ("stats", "--json"), ("log", "--limit", "3"), ("log", "--language", "de")):
        found = run(*command)
        assert found.exit_code == 0 or (found.exit_code, REBUILD in found.stderr) == (3, True)
    assert visit(app, "all").answer("none").status_code == 303
    event = next(each for each in counted.records() if each.body and each.index > 100)
    assert forget(app, event.id).exit_code == 0
    assert run("stats", "--rebuild").exit_code == 0
    assert run("stats", "--check").exit_code == 0
    assert [auditor.open(page, **query).status_code for page, query in PAGES] == [200] * len(PAGES)


def test_what_was_counted_keeps_nobody_from_being_erased(
    counted: Ledger, app: Flask, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    some = [each for each in counted.records() if each.body and each.index > 100][:2]
    allow_null(tmp_path, "facets")
    alter_kept(tmp_path, "UPDATE facets SET bare = NULL")
    assert REBUILD in run("stats", "--check").stdout
    for each in some:
        assert forget(app, each.id).exit_code == 0
    assert "so that it was forgotten for an erasure" in caplog.text
    assert counted.counted() == 0
    assert run("stats", "--rebuild").exit_code == 0
    assert run("stats", "--check").exit_code == 0
    assert run("verify").exit_code == 0


def test_what_was_counted_is_not_counted_twice_where_nothing_says_of_how_many_entries_it_is(
    counted: Ledger, clock: Clock, run: Run, tmp_path: Path
) -> None:
    alter_kept(tmp_path, "DELETE FROM counted")
    now = datetime.fromtimestamp(clock.now, UTC)
    counted.record_all([(new_event(time=now), secrets.token_bytes(32)) for _ in range(WIDTH)])
    assert counted.counted() == 2 * WIDTH
    assert run("stats", "--check").exit_code == 0
