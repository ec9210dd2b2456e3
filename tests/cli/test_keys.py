"""``flask consent keys``: what is shown, how keys change, and what it takes to sign after a loss."""

import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask

from consent.ledger import (
    Checkpoint,
    Event,
    KeyState,
    Kind,
    Ledger,
    Outcome,
    Receipt,
    check_receipt,
    derived_id,
    leaf_hash,
    open_checkpoint,
)
from consent.ledger.keys import announcement, ending, farewell, recovery, voucher
from consent.ledger.merkle import inclusion_proof
from consent.ledger.note import Note, Signer, encoded
from consent.storage import OwnStorage
from consent.storage.keyfile import KeyFile
from tests.audit.clinic import MakeApp, newest, site_of, visit

from .conftest import Run, run_for

ORIGIN = "clinic.example/privacy-choices"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "instance"


def states(ledger: Ledger) -> list[KeyState]:
    known = ledger.keys()
    return [key.state for key in known]


def receipt(ledger: Ledger, index: int) -> Receipt:
    """The receipt of entry *index* under the newest checkpoint."""
    note = ledger.checkpoint(index)
    assert note is not None
    size = Checkpoint.parse(Note.parse(note).text).size
    (record,) = ledger.newest(index + 1, 1)
    proof = tuple(inclusion_proof(index, size, ledger.tree))
    return Receipt(
        index=index, proof=proof, note=note, leaf=record.leaf, salt=record.salt, opening=record.body
    )


def close(ledger: Ledger) -> None:
    assert isinstance(ledger.storage, OwnStorage)
    ledger.storage.close()


def test_show_lists_the_keys_and_where_everything_lies(
    app: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    visit(app, "all")
    (key,) = ledger.verifier_keys()
    result = run("keys", "show")
    assert result.exit_code == 0
    assert f"0  current  {key}" in result.stdout
    for name in ("consent.key", "consent.guard", "consent.sqlite3"):
        assert str(folder / name) in result.stdout
    said = json.loads(run("keys", "show", "--json").stdout)
    assert said["keys"] == [{"entry": 0, "key": key, "state": "current"}]
    (folder / "consent.key").unlink()
    assert "consent.key (missing)" in run("keys", "show").stdout


def test_the_key_of_accounts_is_written_once_for_those_who_have_no_other(
    run: Run, ledger: Ledger, tmp_path: Path, make_app: MakeApp
) -> None:
    key, file = ledger.account_key(), tmp_path / "account.key"
    for _ in range(2):
        result = run("keys", "account", str(file))
        assert result.exit_code == 0, result.output
    assert "CONSENT_ACCOUNT_KEY" in result.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "other").write_text("something else")
    result = run("keys", "account", str(tmp_path / "other"))
    assert result.exit_code == 3
    assert (tmp_path / "other").read_text() == "something else"
    close(ledger)
    (tmp_path / "instance" / "consent.key").unlink()
    without = site_of(make_app(CONSENT_ACCOUNT_KEY=str(file))).recorder.ledger
    assert without.account_key() == key


def test_a_new_key_is_vouched_for_by_the_old_and_both_sign_until_that_is_finished(
    app: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    visit(app, "all")
    before, account = receipt(ledger, 1), ledger.account_key()
    first = ledger.verifier_keys()
    result = run("keys", "rotate")
    assert result.exit_code == 0, result.output
    assert states(ledger) == [KeyState.CURRENT, KeyState.CURRENT]
    both = ledger.verifier_keys()
    assert both[0] == first[0]
    assert result.stdout == f"New key, which the old one vouches for: {both[1]}\n"
    assert newest(app).key == both[1]
    assert stat.S_IMODE((folder / "consent.1.key").stat().st_mode) == 0o600
    note = ledger.checkpoint(newest_index(ledger))
    assert note is not None
    assert Note.parse(note).signed_by(both) == set(both)

    assert "Two keys sign already" in run("keys", "rotate").stderr
    result = run("keys", "rotate", "--finish")
    assert result.stdout == f"Signs no longer: {first[0]}\n"
    assert states(ledger) == [KeyState.OLD, KeyState.CURRENT]
    visit(app, "none")
    after = receipt(ledger, newest_index(ledger))
    assert Note.parse(after.note).signed_by(both) == {both[1]}
    # What the old key signed stays valid; accounts are linked as before; nothing is wrong.
    assert {check_receipt(one, ledger.verifier_keys(), ORIGIN) for one in (before, after)} == {Outcome.VALID}
    assert check_receipt(after, first, ORIGIN) is Outcome.UNKNOWN_SIGNATURE
    assert ledger.account_key() == account
    assert ledger.problems() == []
    assert run("keys", "rotate", "--finish").exit_code == 3


def newest_index(ledger: Ledger) -> int:
    return ledger.size() - 1


def test_what_only_a_revoked_key_signed_counts_no_longer(app: Flask, run: Run, ledger: Ledger) -> None:
    visit(app, "all")
    before = receipt(ledger, 1)
    (first,) = ledger.verifier_keys()
    assert run("keys", "rotate", "--revoke", input="n\n").exit_code == 1
    assert states(ledger) == [KeyState.CURRENT]
    result = run("keys", "rotate", "--revoke", "--yes")
    assert result.exit_code == 0, result.output
    assert f"Revoked: {first}" in result.stdout
    assert states(ledger) == [KeyState.REVOKED, KeyState.CURRENT]
    assert first not in ledger.verifier_keys()
    assert check_receipt(before, ledger.verifier_keys(), ORIGIN) is Outcome.UNKNOWN_SIGNATURE
    assert check_receipt(receipt(ledger, 1), ledger.verifier_keys(), ORIGIN) is Outcome.VALID
    assert "revoked" in run("keys", "show").stdout
    checked = run("verify")
    assert checked.exit_code == 0, checked.stdout
    assert "1 checkpoints in the database, which only revoked keys signed, don't count" in checked.stdout
    # And another key can follow.
    assert run("keys", "rotate").exit_code == 0
    assert states(ledger) == [KeyState.REVOKED, KeyState.CURRENT, KeyState.CURRENT]
    assert ledger.problems() == []


def test_a_revoked_key_stays_one_whatever_kind_stands_beside_what_revoked_it(
    app: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    visit(app, "all")
    assert run("keys", "rotate", "--revoke", "--yes").exit_code == 0
    with closing(sqlite3.connect(folder / "consent.sqlite3", isolation_level=None)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'document'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE document SET kind = 'notice', body = CAST(body AS TEXT)")
        for _, trigger in triggers:
            connection.execute(trigger)
    assert states(ledger) == [KeyState.REVOKED, KeyState.CURRENT]


@pytest.mark.parametrize("act", ["revoked", "retired"])
def test_no_row_in_the_database_ends_a_key_and_verification_finds_the_one_that_says_so(
    app: Flask, run: Run, ledger: Ledger, act: str
) -> None:
    visit(app, "all")
    before, keys = receipt(ledger, 1), ledger.keys()
    key, detail = keys[0].verifier, {"key": {act: keys[0].verifier, "note": "0" * 64}}
    named = derived_id(f"key {act}", ORIGIN, key), derived_id("key ended", ORIGIN, "0" * 64)
    time = datetime(2026, 11, 18, 9, tzinfo=UTC)
    for id in named:
        event = Event(id=id, kind=Kind.OPERATED, time=time, policy=None, detail=detail)
        ledger.record(event, salt=bytes(32))
    assert ledger.keys() == keys
    assert ledger.check(before) is Outcome.VALID
    assert run("checkpoint").exit_code == 0
    assert ledger.problems() == []
    verified = run("verify")
    assert verified.exit_code == 1
    assert "under an id that doesn't follow from what was signed of it" in verified.stdout
    assert f"documents/{'0' * 64} is missing" in verified.stdout
    assert run("keys", "rotate", "--revoke", "--yes").exit_code == 0
    assert states(ledger) == [KeyState.REVOKED, KeyState.CURRENT]


def test_what_nobody_of_the_log_vouched_for_keeps_no_key_from_being_read(
    app: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    visit(app, "all")
    other = Signer.of(ORIGIN, Ed25519PrivateKey.generate())
    said = voucher(other.key, ORIGIN, [other])
    event = announcement(other.key, said, origin=ORIGIN, time=datetime(2026, 11, 18, 9, tzinfo=UTC))
    keys, size, leaf = ledger.keys(), ledger.size(), b"garbage"
    with closing(sqlite3.connect(folder / "consent.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO document VALUES (?, 'key', ?)", (said.hash, said.body))
        row = (size, event.id.hex, leaf, leaf_hash(leaf))
        connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", row)
    visit(app, "none")
    assert ledger.keys() == keys
    for command in (("keys", "show"), ("checkpoint",), ("check",)):
        assert run(*command).exit_code == 0
    assert f"entry {size}: is no leaf" in run("verify").stdout


def test_who_had_the_old_key_and_announced_another_is_named_and_ends_no_key_of_ours(
    app: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    visit(app, "all")
    stolen = Signer.of(ORIGIN, KeyFile(folder / "consent.key", ORIGIN).private())
    theirs = Signer.of(ORIGIN, Ed25519PrivateKey.generate())
    time = datetime(2026, 11, 18, 9, tzinfo=UTC)
    said = voucher(theirs.key, ORIGIN, [stolen, theirs])
    ledger.record(announcement(theirs.key, said, origin=ORIGIN, time=time), salt=bytes(32), documents=[said])
    result = run("keys", "rotate", "--revoke", "--yes")
    assert result.exit_code == 0, result.output
    assert f"announces {theirs.key}, which isn't here" in result.stderr
    known = ledger.keys()
    first, _, ours = (key.verifier for key in known)
    assert states(ledger) == [KeyState.REVOKED, KeyState.CURRENT, KeyState.CURRENT]
    for key, revoked in ((ours, True), (ours, False), (first, False)):
        said = farewell(key, ORIGIN, [stolen, theirs], revoked=revoked)
        event = ending(key, said, revoked=revoked, origin=ORIGIN, time=time)
        ledger.record(event, salt=bytes(32), documents=[said])
    assert states(ledger) == [KeyState.REVOKED, KeyState.CURRENT, KeyState.CURRENT]
    # The site goes on: it signs, and another key of its own can follow.
    assert run("checkpoint").exit_code == 0
    assert run("keys", "rotate").exit_code == 0
    assert run("keys", "rotate", "--finish").exit_code == 0
    assert states(ledger)[2:] == [KeyState.OLD, KeyState.CURRENT]


def test_a_key_that_is_gone_is_retired_and_not_revoked(
    app: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    visit(app, "all")
    assert run("keys", "rotate").exit_code == 0
    (folder / "consent.key").rename(folder / "away")
    result = run("keys", "rotate", "--revoke", "--yes")
    assert result.exit_code == 3
    assert "nobody revokes a key without it" in result.stderr
    assert states(ledger) == [KeyState.CURRENT, KeyState.CURRENT]
    assert run("keys", "rotate", "--finish").exit_code == 0
    assert states(ledger) == [KeyState.OLD, KeyState.CURRENT]
    assert ledger.problems() == []


def test_where_no_key_is_that_may_sign_check_health_and_doctor_say_so(
    app: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    visit(app, "all")
    assert run("keys", "rotate").exit_code == 0
    assert run("keys", "rotate", "--finish").exit_code == 0
    assert ledger.problems() == []
    (folder / "consent.1.key").rename(folder / "away")
    [problem] = ledger.problems()
    assert problem.startswith(f"None of the log's keys is here that may sign: {ledger.verifier_keys()[1]}. ")
    for command in ("check", "health", "doctor"):
        result = run(command)
        assert result.exit_code == 1
        assert "None of the log's keys is here that may sign" in " ".join(result.output.split())
    (folder / "away").rename(folder / "consent.1.key")
    assert ledger.problems() == []


def test_a_key_in_hardware_takes_over_by_a_function_of_its_own(make_app: MakeApp, tmp_path: Path) -> None:
    hidden = Ed25519PrivateKey.generate()
    outer = Signer.of(ORIGIN, hidden)
    calls: list[Callable[[bytes], bytes]] = [hidden.sign]
    app = make_app(CONSENT_SIGNERS=[(outer.key, lambda data: calls[-1](data))])
    visit(app, "all")
    run, ledger = run_for(app), site_of(app).recorder.ledger
    assert run("keys", "rotate", "--to", "x").exit_code == 2
    assert run("keys", "rotate", "--to", outer.key).exit_code == 0
    assert run("keys", "rotate", "--finish").exit_code == 0
    assert not (tmp_path / "instance" / "consent.1.key").exists()
    (tmp_path / "instance" / "consent.key").unlink()
    visit(app, "none")
    note = ledger.checkpoint(newest_index(ledger))
    assert note is not None
    assert Note.parse(note).signed_by(ledger.verifier_keys()) == {outer.key}
    assert ledger.problems() == []

    def failing(_: bytes) -> bytes:
        raise RuntimeError("the token was pulled out")

    calls.append(failing)
    visit(app, "all")
    result = run("checkpoint")
    assert result.exit_code == 3
    assert "the token was pulled out" in result.stderr


@pytest.fixture
def restored(app: Flask, ledger: Ledger, folder: Path) -> Flask:
    """The site with a database of 4 entries, after a tree of 6 was signed; and one recorded since."""
    visit(app, "all")
    ledger.sign()
    assert ledger.size() == 3
    close(ledger)
    shutil.copy(folder / "consent.sqlite3", older := folder / "older.sqlite3")
    for _ in range(3):
        visit(app, "none")
    ledger.sign()
    close(ledger)
    for file in folder.glob("consent.sqlite3*"):
        file.unlink()
    older.rename(folder / "consent.sqlite3")
    visit(app, "all")
    return app


def test_recover_says_what_was_lost_and_does_nothing_until_the_logs_name_is_typed(
    restored: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    guard = (folder / "consent.guard").read_bytes()
    size = ledger.size()
    result = run("keys", "recover", input="yes\n")
    assert result.exit_code == 1
    assert "A tree of 6 entries was signed, and the database holds 4" in result.stderr
    said = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert said["signed last"].strip().startswith("6 entries, root ")
    assert said["in the database"].strip().startswith("4 entries, root ")
    assert said["lost"].strip() == "2 entries at least"
    assert said["certainly as signed"].strip() == "the first 3 entries"
    assert ledger.size() == size
    assert (folder / "consent.guard").read_bytes() == guard


def test_recover_records_the_loss_keeps_the_old_guard_and_signs_again(
    restored: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    guard = (folder / "consent.guard").read_text()
    lost = Checkpoint.parse(Note.parse(guard).text)
    assert any("6 entries" in problem for problem in ledger.problems())
    result = run("keys", "recover", input=f"{ORIGIN}\n")
    assert result.exit_code == 0, result.output
    assert "the tree of 5 entries is signed" in result.stdout
    assert "flask consent keys rotate" not in result.stderr
    detail = newest(restored).detail
    assert detail is not None
    recovered = detail["recovered"]
    assert isinstance(recovered, dict)
    assert recovered["signed"]["size"] == lost.size == 6
    assert recovered["found"]["size"] == 4
    assert (folder / "consent.1.guard").read_text() == guard
    now = open_checkpoint((folder / "consent.guard").read_text(), ledger.verifier_keys(), ORIGIN)
    assert now == Checkpoint(ORIGIN, 5, ledger.head().root)
    assert ledger.problems() == []
    visit(restored, "none")
    assert ledger.problems() == []
    assert ledger.sign()
    assert "Nothing is to be recovered" in run("keys", "recover").stdout


@pytest.mark.parametrize("claim", ["another kind", "another tree", "another guard", "nothing"])
def test_who_takes_the_id_of_a_recovery_beforehand_keeps_it_off_no_record(
    restored: Flask, run: Run, ledger: Ledger, folder: Path, claim: str
) -> None:
    lost, head = Checkpoint.parse(Note.parse((folder / "consent.guard").read_text()).text), ledger.head()
    due = recovery(lost, head, origin=ORIGIN, time=datetime(2026, 11, 18, 9, tzinfo=UTC))
    claims = {
        "another kind": replace(due, kind=Kind.GIVEN, detail=None),
        "another tree": recovery(lost, replace(head, size=2), origin=ORIGIN, time=due.time),
        "another guard": replace(recovery(None, head, origin=ORIGIN, time=due.time), id=due.id),
        "nothing": replace(due, detail={"recovered": None}),
    }
    ledger.record(claims[claim], salt=bytes(32))
    result = run("keys", "recover", "--yes")
    assert result.exit_code == 0, result.output
    recovered = (newest(restored).detail or {})["recovered"]
    assert isinstance(recovered, dict)
    assert recovered["signed"] == {"root": encoded(lost.root), "size": 6}
    assert recovered["found"] == {"root": encoded(ledger.root(5)), "size": 5}
    assert ledger.problems() == []


def test_what_keeps_a_recovered_log_from_being_signed_again_is_said_by_check(
    restored: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    lost = (folder / "consent.guard").read_text()
    visit(restored, "all")
    assert run("keys", "recover", "--yes").exit_code == 0
    (folder / "consent.guard").write_text(ledger.storage.note(3) or "")
    assert ledger.size() == 6
    close(ledger)
    # Who cut the entries off has left the signed checkpoint that was over them.
    with closing(sqlite3.connect(folder / "consent.sqlite3")) as database, database:
        database.execute("DROP TRIGGER checkpoint_remains")
        database.execute("DELETE FROM checkpoint WHERE size > 3")
        database.execute("INSERT INTO checkpoint (size, note) VALUES (6, ?)", (lost.encode(),))
    result = run("checkpoint")
    assert result.exit_code == 3
    assert "doesn't continue the one of 6 that was signed" in result.stderr
    result = run("check")
    assert result.exit_code == 1
    assert "other entries than the 6 of a signed checkpoint that is in it" in result.output


def test_a_checkpoint_of_the_lost_tree_stays_and_the_recovered_one_is_signed_at_its_next_size(
    restored: Flask, run: Run, ledger: Ledger, folder: Path
) -> None:
    lost = (folder / "consent.guard").read_text()
    visit(restored, "all")
    close(ledger)
    with closing(sqlite3.connect(folder / "consent.sqlite3")) as database, database:
        database.execute("INSERT INTO checkpoint (size, note) VALUES (6, ?)", (lost.encode(),))
    result = run("keys", "recover", "--yes")
    assert result.exit_code == 3
    assert "it is of the tree that was lost, stays there, and is passed over" in result.stderr
    assert ledger.size() == 6
    visit(restored, "none")
    result = run("checkpoint")
    assert result.exit_code == 0, result.output
    assert ledger.problems() == []


@pytest.mark.parametrize("ended", ["--finish", "--revoke"])
def test_a_database_from_before_a_change_of_keys_is_an_older_copy_and_recovered_as_one(
    app: Flask, run: Run, ledger: Ledger, folder: Path, ended: str
) -> None:
    visit(app, "all")
    ledger.sign()
    close(ledger)
    shutil.copy(folder / "consent.sqlite3", older := folder / "older.sqlite3")
    assert run("keys", "rotate").exit_code == 0
    assert run("keys", "rotate", ended, *(["--yes"] if ended == "--revoke" else [])).exit_code == 0
    visit(app, "none")
    ledger.sign()
    first, later = ledger.keys()
    guard = (folder / "consent.guard").read_text()
    assert not Note.parse(guard).signed_by([first.verifier])
    lost = Checkpoint.parse(Note.parse(guard).text)
    close(ledger)
    for file in folder.glob("consent.sqlite3*"):
        file.unlink()
    older.rename(folder / "consent.sqlite3")

    result = run("check")
    assert result.exit_code == 1
    assert "flask consent keys recover" in result.output
    result = run("verify")
    assert result.exit_code == 1
    assert f"truncated  guard: is of {lost.size} entries; there are 3" in result.output
    assert "tampered" not in result.output
    result = run("keys", "recover", "--yes")
    assert result.exit_code == 0, result.output
    assert f"signed last          {lost.size} entries" in result.stdout
    assert f"What was recorded of {later.verifier} is lost" in result.stderr
    assert "flask consent keys rotate" in result.stderr
    recovered = (newest(app).detail or {})["recovered"]
    assert isinstance(recovered, dict)
    assert recovered["signed"] == {"root": encoded(lost.root), "size": lost.size}
    assert run("keys", "rotate").exit_code == 0
    assert states(ledger) == [KeyState.CURRENT] * 2
    assert ledger.verifier_keys() == [first.verifier, later.verifier]
    assert ledger.problems() == []


def test_recover_signs_where_the_guard_is_gone(app: Flask, run: Run, ledger: Ledger, folder: Path) -> None:
    visit(app, "all")
    (folder / "consent.guard").unlink()
    result = run("keys", "recover", "--yes")
    assert result.exit_code == 0, result.output
    assert "signed last" in result.stdout
    assert "not known" in result.stdout
    assert ledger.problems() == []
