"""``seal`` and ``db roles``, for a site whose ledger is on a PostgreSQL server and for one in a file."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import make_url

from consent.ledger import KeyState, Ledger
from consent.web.metrics import Metrics
from tests.audit.clinic import POLICY, MakeApp, record, site_of, visit
from tests.storage.cluster import Cluster
from tests.storage.events import new_event

from .conftest import Run, run_for


def size(app: Flask) -> int:
    return site_of(app).recorder.ledger.size()


def test_until_the_database_is_made_commands_say_what_to_run(on_server: Flask) -> None:
    run = run_for(on_server)
    for command in ("log", "seal"):
        result = run(command)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "Run: flask consent db upgrade" in result.stderr
    assert "db upgrade" in run("check").output
    assert run("db", "upgrade").stdout.startswith("Applied 0001")
    assert run("db", "upgrade").stdout == "The database is up to date.\n"
    assert run("db", "roles", "--apply").exit_code == 0
    assert "db upgrade" not in run("check").output


def test_an_upgrade_says_when_roles_lack_rights_that_the_release_needs(
    on_server: Flask, server: Cluster
) -> None:
    run = run_for(on_server)
    run("db", "upgrade")
    assert run("db", "roles", "--apply").exit_code == 0
    assert run("db", "upgrade").stderr == ""
    database = make_url(on_server.config["CONSENT_DATABASE"]).database
    server.run("REVOKE DELETE ON consent.account FROM consent_app", database=database)
    result = run("db", "upgrade")
    assert (result.exit_code, result.stdout) == (0, "The database is up to date.\n")
    assert "Rights are missing to consent_app. Now run: flask consent db roles --apply" in result.stderr
    assert run("db", "roles", "--apply").exit_code == 0
    assert run("db", "upgrade").stderr == ""


def test_keys_show_names_the_servers_and_no_password(on_server: Flask, make_app: MakeApp) -> None:
    run_for(on_server)("db", "upgrade")
    there = make_url(on_server.config["CONSENT_DATABASE"])
    told = {"target_session_attrs": "read-write", "sslpassword": "secret-2"}
    address = there.set(password="secret-1").update_query_dict(told).render_as_string(hide_password=False)
    result = run_for(make_app(CONSENT_DATABASE=address))("keys", "show")
    assert result.exit_code == 0
    assert f":***@127.0.0.1:{there.port}/{there.database}?target_session_attrs=read-write\n" in result.stdout
    assert "secret" not in result.output


def test_seal_says_how_many_it_sealed(waiting: Flask) -> None:
    visit(waiting, "all").answer("none")
    assert size(waiting) == 1
    run = run_for(waiting)
    assert run("seal").stdout == "Sealed 3 events; the tree has 4.\n"
    assert run("seal").stdout == "Sealed 0 events; the tree has 4.\n"


def test_monitoring_says_how_long_an_event_has_waited_to_be_sealed(waiting: Flask) -> None:
    now = [1000.0]
    recorder = site_of(waiting).recorder
    recorder.metrics = metrics = Metrics(lambda: now[0], lambda: now[0])
    assert metrics.seal_lag(recorder.ledger) == 0
    visit(waiting, "none")
    now[0] += 60
    visit(waiting, "none")
    now[0] += 5
    assert metrics.seal_lag(recorder.ledger) == 65
    recorder.ledger.seal()
    assert metrics.seal_lag(recorder.ledger) == 0
    visit(waiting, "none")
    recorder.ledger.seal()
    visit(waiting, "none")
    now[0] += 7
    assert metrics.seal_lag(recorder.ledger) == 7


def test_an_event_that_isnt_sealed_is_shown_and_said_to_be(waiting: Flask) -> None:
    ledger, event, run = site_of(waiting).recorder.ledger, new_event(), run_for(waiting)
    ledger.record(event, salt=bytes(32))
    assert "not sealed yet" in run("show", str(event.id)).stdout
    ledger.seal()
    assert "1 (its place in the log)" in run("show", str(event.id)).stdout


def test_seal_goes_on_until_it_is_stopped(waiting: Flask) -> None:
    seen = []

    def record_and_stop() -> None:
        visit(waiting, "all")
        deadline = time.monotonic() + 20
        while size(waiting) == 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        seen.append(size(waiting))
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    other = threading.Timer(0.5, record_and_stop)
    other.start()
    result = run_for(waiting)("seal", "--every", "50ms")
    other.join()
    assert (result.exit_code, result.stdout) == (0, "")
    assert seen[0] > 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_comes_while_it_seals_waits_for_the_next_time(
    waiting: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(waiting, "all")
    ledger, sealed = site_of(waiting).recorder.ledger, list[int]()
    seal = Ledger.seal

    def seal_while_somebody_answers(self: Ledger, *, patience: float) -> int:
        sealed.append(seal(self, patience=patience))
        record(ledger)
        if len(sealed) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return sealed[-1]

    monkeypatch.setattr(Ledger, "seal", seal_while_somebody_answers)
    before = time.monotonic()
    assert run_for(waiting)("seal", "--every", "500ms").exit_code == 0
    assert [count > 0 for count in sealed] == [True, True]
    assert time.monotonic() - before >= 0.5


def test_accounts_that_no_key_links_here_are_a_fault(
    waiting: Flask, make_app: MakeApp, tmp_path: Path
) -> None:
    there = waiting.config["CONSENT_DATABASE"]
    selling = POLICY.replace("sells_or_shares = false", "sells_or_shares = true")
    site = {"policy": selling, "CONSENT_DATABASE": there, "CONSENT_ACCOUNT": lambda: "ada"}
    result = run_for(make_app(**site))("check")
    assert (result.exit_code, "CONSENT_ACCOUNT_KEY isn't set here" in result.stdout) == (1, True)
    assert run_for(waiting)("keys", "account", str(tmp_path / "account.key")).exit_code == 0
    result = run_for(make_app(**site, CONSENT_ACCOUNT_KEY="account.key"))("check")
    assert "CONSENT_ACCOUNT_KEY" not in result.stdout
    doctor = run_for(make_app(**site, CONSENT_ACCOUNT_KEY="account.key"))
    assert "account.key: only its owner may read it" in doctor("doctor").stdout
    (tmp_path / "account.key").chmod(0o644)
    assert "chmod 600" in doctor("doctor").stdout


def test_auditors_that_no_key_links_here_are_a_fault(waiting: Flask, make_app: MakeApp) -> None:
    there = waiting.config["CONSENT_DATABASE"]
    result = run_for(make_app(CONSENT_DATABASE=there, CONSENT_AUDITOR=lambda: "auditor-1"))("check")
    assert (result.exit_code, "CONSENT_ACCOUNT_KEY isn't set here" in result.stdout) == (1, True)


def test_in_a_file_there_is_nothing_to_seal_and_there_are_no_roles(app: Flask, run: Run) -> None:
    visit(app, "all")
    assert run("seal").stdout.startswith("Sealed 0 events; the tree has ")
    assert "CREATE ROLE consent_app" in run("db", "roles").stdout
    result = run("db", "roles", "--apply")
    assert result.exit_code == 3
    assert "no roles for a file" in result.stderr


@pytest.mark.parametrize("interval", ["0", "1m", "-1s", "soon", "1e9"])
def test_what_is_no_interval_is_used_wrongly(run: Run, interval: str) -> None:
    result = run("seal", f"--every={interval}")
    assert result.exit_code == 2
    assert "is no interval" in result.stderr


def test_where_the_key_is_what_was_sealed_is_signed(waiting: Flask) -> None:
    visit(waiting, "all")
    ledger = site_of(waiting).recorder.ledger
    assert ledger.checkpoint() is None
    run = run_for(waiting)
    run("seal")
    note = ledger.checkpoint(ledger.size() - 1)
    assert note is not None
    assert run("checkpoint").stdout == note


def test_on_a_server_keys_change_and_a_loss_is_recovered_as_in_a_file(waiting: Flask) -> None:
    visit(waiting, "all")
    run, ledger = run_for(waiting), site_of(waiting).recorder.ledger
    assert run("keys", "rotate").exit_code == 0
    assert run("keys", "rotate", "--finish").exit_code == 0
    known = ledger.keys()
    assert [key.state for key in known] == [KeyState.OLD, KeyState.CURRENT]
    assert "postgresql+psycopg://" in run("keys", "show").stdout
    guard = Path(waiting.instance_path) / "consent.guard"
    guard.unlink()
    assert "guard file is missing" in run("seal").stderr + run("checkpoint").stderr
    assert run("keys", "recover", "--yes").exit_code == 0
    assert run("checkpoint").stdout == guard.read_text()


def test_a_log_on_a_server_is_verified_where_it_is_and_as_a_bundle(on_server: Flask, tmp_path: Path) -> None:
    run = run_for(on_server)
    run("db", "upgrade")
    visit(on_server, "all").answer("none")
    assert run("seal").exit_code == 0
    assert "4 entries" in run("verify").stdout
    assert run("export", "--bundle", str(tmp_path / "log.zip")).exit_code == 0
    result = run("verify", str(tmp_path / "log.zip"))
    assert result.exit_code == 0
    assert "Openings checked: 4." in result.stdout
