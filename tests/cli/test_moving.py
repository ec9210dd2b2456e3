"""``db move``: a log goes from SQLite to PostgreSQL and stays the same log, whatever happens on the way."""

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import URL, create_engine, select

from consent.errors import LedgerUnavailable
from consent.ledger import Ledger, Outcome, Receipt, erasure, forgotten
from consent.ledger.pruning import Span, declare, drop, pruning, raise_bound
from consent.storage import OwnStorage, open_storage
from consent.storage.schema import SCHEMA, metadata
from consent.verify import Key, verify
from tests.audit.clinic import SAME, MakeApp, site_of, visit
from tests.storage import cluster
from tests.storage.events import NOW, change, go, new_event, record, rows, start
from tests.storage.trees import check_tree

from .conftest import Run, run_for

ORIGIN = "clinic.example/privacy-choices"


@pytest.fixture
def there(server: cluster.Cluster) -> Iterator[URL]:
    """An empty database on the server."""
    with server.database() as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the log is, its key and its guard."""
    return tmp_path / "instance"


@pytest.fixture
def answered(app: Flask) -> Flask:
    """The site with some answers on record."""
    for choice in ("all", "none", "some"):
        visit(app, choice)
    return app


def named(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
def moved(there: URL, folder: Path, make_app: MakeApp) -> Callable[[], Flask]:
    """Makes the site as it is once its settings are changed."""
    return lambda: make_app(CONSENT_DATABASE=named(there), CONSENT_SIGNING_KEY=str(folder / "consent.key"))


def ledger_of(app: Flask) -> Ledger:
    return site_of(app).recorder.ledger


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, as a program that isn't ours reads them."""
    schema = SCHEMA if url.startswith("postgresql") else None
    engine = create_engine(url, execution_options={"schema_translate_map": {None: schema}})
    with engine.connect() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.tables.values()
        }
    engine.dispose()
    return found


def test_a_log_that_moves_takes_every_row_of_every_table_with_it(
    app: Flask, run: Run, folder: Path, there: URL
) -> None:
    ledger = ledger_of(app)
    old = [record(ledger, new_event(subject=uuid.uuid4(), policy=None)).id for _ in range(300)]  # over a tile
    ledger.erase(erasure("retention", id=uuid.uuid4(), time=NOW), salt=bytes(32), ids=old[:99], listed=False)
    span, later = Span(cookies=0, retention=0), NOW + timedelta(hours=2)
    bound = pruning(256, ledger.records(), ledger.storage, origin=ORIGIN, time=later, policy=None, span=span)
    declare(ledger, bound, salt=bytes(32))
    raise_bound(ledger, bound)
    assert sum(drop(ledger)) == 99
    visit(app, "all")
    record(ledger, new_event(account="2vKUO-2T-oxxKXdge6n8LA", opted_out=True, policy=None))
    gone = record(ledger, new_event(policy=None)).id
    assert run("forget", str(gone), "--yes").exit_code == 0
    assert run("keys", "rotate").exit_code == 0
    before = everything(f"sqlite:///{folder}/consent.sqlite3")

    url = there.update_query_dict({"sslmode": "prefer"})
    result = run("db", "move", named(url.update_query_dict({"password": "unsaid", "sslpassword": "unsaid"})))
    assert result.exit_code == 0, result.output
    assert f"CONSENT_DATABASE = '{named(url)}'" in result.stdout
    assert "unsaid" not in result.output
    after = everything(named(there))
    checkpoints = before.pop("checkpoint"), after.pop("checkpoint")
    assert after == before
    assert set(checkpoints[0]) <= set(checkpoints[1])
    assert all(before.values())
    assert f"The log of {len(before['entry']) + 99} entries is in {named(url)}" in result.stdout
    assert f"CONSENT_SIGNING_KEY = '{folder / 'consent.key'}'" in result.stdout


@pytest.mark.requirement("REC-05")
def test_receipts_and_copies_from_before_hold_after_it(
    answered: Flask, run: Run, there: URL, folder: Path, tmp_path: Path, moved: Callable[[], Flask]
) -> None:
    ledger = ledger_of(answered)
    receipt = ledger.receipt(ledger.newest(limit=1)[0].id)
    assert receipt is not None
    kept = tmp_path / "mine.tlog-proof"
    kept.write_text(receipt.to_text())
    assert run("export", "--bundle", str(tmp_path / "before")).exit_code == 0
    assert run("db", "move", named(there)).exit_code == 0

    app = moved()
    visit(app, "all")
    run = run_for(app)
    assert run("seal").exit_code == 0
    now = ledger_of(app)
    assert now.keys() == ledger.keys()
    assert now.check(Receipt.parse(kept.read_text())) is Outcome.VALID
    held = ["--checkpoint", str(tmp_path / "before" / "checkpoint"), "--receipt", str(kept)]
    result = run("verify", *held)
    assert result.exit_code == 0, result.output
    assert run("export", "--bundle", str(tmp_path / "after")).exit_code == 0
    (key,) = ledger.verifier_keys()
    report = verify(
        tmp_path / "after",
        [Key.parse(key)],
        checkpoints=[tmp_path / "before" / "checkpoint"],
        receipts=[kept],
        now=datetime.now(UTC),
    )
    assert (report.right, report.findings) == (True, [])
    assert report.facts["anchored"] == ledger.size() - 1  # the copy is on record as the last one
    assert check_tree(now).size > ledger.size()
    assert now.problems() == []


def test_a_worker_on_the_old_file_records_nothing_more_and_says_why(
    answered: Flask, run: Run, there: URL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one that has had the file open all the time: as when the log can't be reached, a No holds."""
    worker, ledger = visit(answered, "none"), ledger_of(answered)
    entries = ledger.size()
    assert run("db", "move", named(there)).exit_code == 0
    page = worker.client.get("/privacy-choices").text
    notice = page.partition('name="notice" value="')[2][:64]
    answer = {"notice": notice, "from": "banner"}
    yes = worker.client.post("/privacy-choices", data={**answer, "choice": "all"}, headers=SAME)
    assert yes.status_code == 503
    assert f"has moved to {named(there)}, and nothing is recorded here any more" in caplog.text
    no = worker.client.post("/privacy-choices", data={**answer, "choice": "none"}, headers=SAME)
    assert no.status_code == 303
    assert ledger.size() == entries
    with pytest.raises(LedgerUnavailable, match="has moved to"):
        ledger.opted_out("ada")
    with pytest.raises(LedgerUnavailable, match="has moved to"):
        ledger.forget_account(forgotten("ada", id=uuid.uuid4(), time=datetime.now(UTC)), salt=bytes(32))
    result = run("check")
    assert result.exit_code == 1
    assert "has moved to" in result.stdout
    assert run("export", "--bundle", str(tmp_path / "kept")).exit_code == 3  # which would be on record
    assert run("log").exit_code == run("verify").exit_code == 0  # it is kept, and can be read


def test_what_is_erased_later_is_erased_in_the_kept_file_when_that_is_opened(
    answered: Flask, run: Run, there: URL, folder: Path, moved: Callable[[], Flask]
) -> None:
    event = next(each for each in ledger_of(answered).newest() if each.subject)
    assert run("db", "move", named(there)).exit_code == 0
    app = moved()
    assert run_for(app)("forget", str(event.id), "--yes").exit_code == 0
    assert run_for(app)("seal").exit_code == 0
    assert len(rows(folder, "SELECT * FROM opening WHERE uid = ?", event.id.hex)) == 1
    storage = ledger_of(answered).storage
    assert isinstance(storage, OwnStorage)
    storage.close()
    assert run("log").exit_code == 0
    assert rows(folder, "SELECT * FROM opening WHERE uid = ?", event.id.hex) == []


def test_a_schema_that_holds_anything_is_left_alone(
    answered: Flask, run: Run, there: URL, server: cluster.Cluster, folder: Path
) -> None:
    server.run("CREATE SCHEMA consent", "CREATE TABLE consent.prices (price int)", database=there.database)
    result = run("db", "move", named(there))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "isn't empty: it holds prices." in result.stderr
    assert server.run("SELECT count(*) FROM consent.prices", database=there.database) == [(0,)]
    server.run("DROP SCHEMA consent CASCADE", database=there.database)
    other = open_storage(named(there), origin=ORIGIN, signing_key=folder / "consent.key")
    other.upgrade()
    other.close()
    result = run("db", "move", named(there))
    assert result.exit_code == 3
    assert f"it holds the log {ORIGIN}, of 1 entries" in result.stderr
    visit(answered, "all")


def test_nothing_that_was_acknowledged_while_it_moves_is_lost(
    answered: Flask, run: Run, folder: Path, there: URL
) -> None:
    program = """
        from consent.errors import LedgerUnavailable

        while True:
            try:
                print(record(ledger, new_event(subject=uuid.uuid4(), policy=None)).id, flush=True)
            except LedgerUnavailable as error:
                if "has moved" in str(error):
                    print("moved", flush=True)
                    break
    """
    writers = [start(program, folder) for _ in range(2)]
    for writer in writers:
        go(writer)
        assert writer.stdout is not None
        writer.stdout.readline()
    result = run("db", "move", named(there))
    assert result.exit_code == 0, result.output
    acknowledged = []
    for writer in writers:
        answer, error = writer.communicate()
        assert error == ""
        *ids, last = answer.split()
        assert last == "moved"
        acknowledged += ids
    recorded = {str(uid) for _, uid, *_ in everything(named(there))["entry"]}
    assert set(acknowledged) <= recorded


#: Where a process is stopped to be killed: what it is about to do, and what it leaves.
MOMENTS = {
    "while rows are copied": "move.with_progress = stopping(move.with_progress, lambda *a: 'rows of opening' in a[2])",
    "once all is copied": "move.prove = stopping(move.prove)",
    "once it is proved": "Departure.mark = stopping(Departure.mark)",
    "once the old file is closed": "PostgresStorage.open = stopping(PostgresStorage.open)",
    "once the new one is open": "PostgresStorage.durable_head = stopping(PostgresStorage.durable_head)",
}
#: Those of them that are always tried: the log is in both places, still here and already there.
SHORT = ("once all is copied", "once the old file is closed")
KILLED = """
    import sys
    from pathlib import Path
    from flask import Flask
    from consent import Consent
    from consent.cli import move
    from consent.storage.departure import Departure
    from consent.storage.postgres import PostgresStorage
    from tests.cli.conftest import run_for

    def stopping(work, here=lambda *_: True):
        def stopped(*arguments, **options):
            if here(*arguments):
                print("here", file=sys.__stdout__, flush=True)
                sys.__stdin__.readline()
            return work(*arguments, **options)
        return stopped

    {moment}
    app = Flask("clinic", root_path={folder!r}, instance_path={folder!r} + "/instance")
    app.config.from_mapping(SECRET_KEY="a key for tests, long enough")
    Consent().init_app(app)
    result = run_for(app)("db", "move", {url!r})
    print(result.output, file=sys.__stderr__)
"""


@pytest.mark.requirement("REC-01")
@pytest.mark.parametrize(
    "moment", [pytest.param(each, marks=() if each in SHORT else pytest.mark.full) for each in MOMENTS]
)
def test_killed_at_any_moment_it_is_done_by_running_it_again(
    answered: Flask, run: Run, there: URL, tmp_path: Path, moved: Callable[[], Flask], moment: str
) -> None:
    ledger = ledger_of(answered)
    program = textwrap.dedent(KILLED).format(moment=MOMENTS[moment], folder=str(tmp_path), url=named(there))
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n", process.communicate()[1]
    process.send_signal(signal.SIGKILL)
    process.communicate()

    if ledger.problems():  # closed: then the new one alone may go on
        assert "has moved to" in ledger.problems()[0]
    else:  # nothing was switched over
        visit(answered, "all")
        with pytest.raises(LedgerUnavailable, match=r"lacks tables|is being moved into"):
            record(ledger_of(moved()))
    entries = ledger.size()
    result = run("db", "move", named(there))
    assert result.exit_code == 0, result.output
    assert f"The log of {entries} entries is in" in result.stdout
    app = moved()
    visit(app, "all")
    run_for(app)("seal")
    assert check_tree(ledger_of(app)).size > entries
    assert run_for(app)("verify").exit_code == 0
    assert ledger.problems() != []


def test_a_log_that_was_altered_is_not_moved(answered: Flask, run: Run, folder: Path, there: URL) -> None:
    change(
        folder,
        "DROP TRIGGER opening_stays",
        "UPDATE opening SET body = replace(body, 'banner', 'centre') WHERE rowid = 3",
    )
    result = run("db", "move", named(there))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "tampered  entry 2" in result.stderr
    assert "nothing was switched over" in result.stderr
    visit(answered, "all")
    assert [name for (name,) in rows(folder, "SELECT name FROM sqlite_schema WHERE name LIKE '%moved'")] == []


def test_a_log_that_may_not_be_signed_is_not_moved(
    answered: Flask, run: Run, folder: Path, there: URL
) -> None:
    (folder / "consent.guard").unlink()
    result = run("db", "move", named(there))
    assert result.exit_code == 3
    assert "guard file is missing" in result.stderr
    visit(answered, "all")


def test_what_moves_is_in_a_file_and_where_it_goes_is_a_server(
    answered: Flask, run: Run, there: URL, moved: Callable[[], Flask], tmp_path: Path
) -> None:
    assert run("db", "move", f"sqlite:///{tmp_path}/other.sqlite3").exit_code == 2
    assert run("db", "move", named(there)).exit_code == 0
    result = run_for(moved())("db", "move", named(there))
    assert result.exit_code == 3
    assert "only a log in a SQLite file moves" in result.stderr
    elsewhere = named(there.set(database="elsewhere"))
    result = run("db", "move", elsewhere)
    assert result.exit_code == 3
    assert f"has moved to {named(there)} already" in result.stderr
