"""``verify`` and ``export --bundle``: what was altered is named with its place, and what wasn't is found sound."""

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from consent.ledger import Kind, Ledger, Receipt
from consent.ledger.merkle import inclusion_proof
from consent.storage import OwnStorage
from tests.audit.clinic import record, visit
from tests.audit.tampering import alter, flip

from .conftest import Run
from .test_exporting import fill

MARCH = ("--since", "2026-03-01", "--until", "2026-03-31")


@pytest.fixture(scope="module")
def grown() -> dict[str, bytes]:
    """The files of a log that is large; empty until a test needs them, and made only once."""
    return {}


@pytest.fixture
def large(request: pytest.FixtureRequest, tmp_path: Path, grown: dict[str, bytes]) -> Ledger:
    """The same with 600 further events, so that its tree has full tiles."""
    instance = tmp_path / "instance"
    if grown:
        instance.mkdir()
        for name, data in grown.items():
            (instance / name).write_bytes(data)
            (instance / name).chmod(0o600)
        ledger: Ledger = request.getfixturevalue("ledger")
        return ledger
    answered: Ledger = request.getfixturevalue("answered")
    fill(tmp_path, answered, 600)
    answered.seal()
    answered.sign()
    assert isinstance(answered.storage, OwnStorage)
    answered.storage.close()
    grown.update({each.name: each.read_bytes() for each in instance.iterdir()})
    return answered


def receipt(ledger: Ledger, index: int) -> str:
    size = ledger.size()
    found = ledger.newest(index + 1, 1)[0]
    note = ledger.sign()
    proof = tuple(inclusion_proof(index, size, ledger.tree))
    return Receipt(
        index=index, proof=proof, note=note, leaf=found.leaf, salt=found.salt, opening=found.body
    ).to_text()


def found(run: Run, *arguments: str, code: int = 1) -> list[str]:
    """The verdicts and places that ``verify`` names."""
    result = run("verify", "--json", *arguments)
    assert result.exit_code == code, result.output
    return [f"{each['verdict']} {each['place']}" for each in json.loads(result.stdout)["findings"]]


def test_a_log_that_nobody_touched_is_sound_and_unanchored_until_something_from_outside_confirms_it(
    large: Ledger, run: Run, tmp_path: Path
) -> None:
    assert found(run, code=0) == ["unanchored head"]
    assert run("verify").stdout.endswith(
        "could have rewritten all of it. Give a checkpoint (--checkpoint) or a visitor's receipt (--receipt) that was "
        "kept elsewhere.\n"
    )
    (tmp_path / "kept.txt").write_text(large.sign())
    (tmp_path / "mine.tlog-proof").write_text(receipt(large, 3))
    result = run(
        "verify", "--checkpoint", str(tmp_path / "kept.txt"), "--receipt", str(tmp_path / "mine.tlog-proof")
    )
    assert result.exit_code == 0
    assert result.stdout.endswith("ok: Everything here is what was recorded and signed.\n")
    assert "Confirmed from outside: 605 entries." in result.stdout
    assert "Openings checked: 605." in result.stdout


ANOTHER = "lower(hex(randomblob(16))), leaf, leaf_hash FROM entry WHERE leaf_index = 300"
#: A text that is no UTF-8.
NO_TEXT = "CAST(x'ff00fe' AS TEXT)"
ONE_BIT = "CAST(substr(body, 1, 40) || '~' || substr(body, 42) AS BLOB)"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE entry SET leaf = replace(leaf, 'withdrawn', 'given') WHERE leaf_index = 3", "entry 3"),
        ("UPDATE entry SET leaf = replace(leaf, 'given', 'refused') WHERE leaf_index = 300", "entry 300"),
        ("UPDATE entry SET leaf = zeroblob(9) WHERE leaf_index = 0", "entry 0"),
        ("UPDATE entry SET leaf_hash = zeroblob(32) WHERE leaf_index = 300", "entry 300"),
        ("UPDATE entry SET leaf_hash = zeroblob(32) WHERE leaf_index = 600", "entry 600"),
        ("UPDATE entry SET uid = '00000000000040008000000000000000' WHERE leaf_index = 300", "entry 300"),
        ("UPDATE entry SET uid = 'none' WHERE leaf_index = 300", "entry 300"),
        ("DELETE FROM entry WHERE leaf_index = 300", "entry 300"),
        ("UPDATE entry SET leaf_index = 900 WHERE leaf_index = 604", "entry 604"),
        (f"INSERT INTO entry SELECT 1000000, {ANOTHER}", "entry 1000000"),
        (f"INSERT INTO entry SELECT -5, {ANOTHER}", "entry -5"),
        (
            f"UPDATE opening SET body = {ONE_BIT} WHERE uid = (SELECT uid FROM entry WHERE leaf_index = 3)",
            "entry 3",
        ),
        (
            "UPDATE opening SET salt = zeroblob(32) WHERE uid = (SELECT uid FROM entry WHERE leaf_index = 300)",
            "entry 300",
        ),
        (
            "UPDATE opening SET subject = NULL WHERE uid = (SELECT uid FROM entry WHERE leaf_index = 300)",
            "entry 300",
        ),
        ("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND n = 1", "tile/0/001"),
        ("UPDATE tile SET hashes = x'' WHERE level = 0 AND n = 1", "tile/0/001"),
        ("UPDATE tile SET n = 0.5 WHERE level = 0 AND n = 1", "tile/0/001"),
        ("UPDATE tile SET root = zeroblob(32) WHERE level = 0 AND n = 1", "tile/1/000.p/2"),
        ("DELETE FROM tile WHERE level = 0 AND n = 1", "tile/1/000.p/2"),
        ("UPDATE head SET root = zeroblob(32)", "head"),
        ("UPDATE head SET frontier = zeroblob(length(frontier))", "head"),
        ("UPDATE head SET size = 700", "tile/0/002.p/188"),
        (
            "UPDATE checkpoint SET note = replace(note, '605', '604') WHERE size = 605",
            "checkpoint of 605 entries",
        ),
        ("UPDATE checkpoint SET size = 6 WHERE size = 605", "checkpoint of 6 entries"),
        ("UPDATE document SET body = replace(body, 'Clinic', 'Klinik') WHERE kind = 'policy'", "documents/"),
        ("DELETE FROM document WHERE kind = 'policy'", "documents/"),
        ("DELETE FROM document WHERE kind = 'notice'", "documents/"),
        (f"UPDATE entry SET uid = {NO_TEXT} WHERE leaf_index = 300", "entry 300"),
        (f"UPDATE entry SET leaf_hash = {NO_TEXT} WHERE leaf_index = 300", "entry 300"),
        (
            f"UPDATE opening SET salt = {NO_TEXT} WHERE uid = (SELECT uid FROM entry WHERE leaf_index = 300)",
            "entry 300",
        ),
        (f"INSERT INTO account VALUES ('someone', {NO_TEXT})", "account"),
        (f"UPDATE document SET hash = {NO_TEXT} WHERE kind = 'notice'", "documents/"),
        ("UPDATE document SET hash = CAST(hash AS BLOB) WHERE kind = 'notice'", "documents/"),
        (f"UPDATE tile SET hashes = {NO_TEXT} WHERE level = 0 AND n = 1", "tile/0/001"),
    ],
)
def test_whatever_is_altered_in_the_database_is_found_and_named(
    large: Ledger, run: Run, tmp_path: Path, statement: str, expected: str
) -> None:
    assert found(run, code=0) == ["unanchored head"]
    alter(tmp_path, statement)
    assert any(each.startswith(f"tampered {expected}") for each in found(run)), found(run)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("'notice'", {"policy": "is stored as a notice, and entry 1 names it as its policy"}),
        ("'policy'", {"notice": "is stored as a policy, and entry 2 names it as its notice"}),
        (
            "iif(kind = 'policy', 'notice', 'policy')",
            {
                "policy": "is stored as a notice, and entry 1 names it as its policy",
                "notice": "is stored as a policy, and entry 2 names it as its notice",
            },
        ),
        (
            "'key'",
            {
                "policy": "is stored as a key, and entry 1 names it as its policy",
                "notice": "is stored as a key, and entry 2 names it as its notice",
            },
        ),
    ],
)
def test_a_document_that_stands_under_another_kind_than_events_name_it_by_is_named(
    large: Ledger, run: Run, tmp_path: Path, kind: str, said: dict[str, str]
) -> None:
    hashes = {each: next(large.documents(each)).hash for each in ("policy", "notice")}
    alter(tmp_path, f"UPDATE document SET kind = {kind}")
    findings = json.loads(run("verify", "--json").stdout)["findings"]
    assert {each["place"]: each["said"] for each in findings if each["verdict"] == "tampered"} == {
        f"documents/{hashes[each]}": words for each, words in said.items()
    }


def test_texts_that_are_in_no_order_are_named_and_nothing_hangs(
    large: Ledger, run: Run, tmp_path: Path
) -> None:
    for number in range(50):
        text = f"CAST(x'{'f0908080' if number % 2 else 'ff'}{number:02x}' AS TEXT)"
        alter(tmp_path, f"INSERT INTO document VALUES ({text}, 'notice', x'00')")
        alter(tmp_path, f"INSERT INTO account VALUES ({text}, '{uuid.uuid4().hex}')")
    places = found(run)
    assert sum(place.startswith("tampered documents/") for place in places) >= 20
    assert run("export", "--bundle", str(tmp_path / "log.zip")).exit_code == 0


@pytest.mark.parametrize(
    "statement",
    [
        "size = -1",
        "size = 'many'",
        f"size = {NO_TEXT}",
        "sealed_at = 'now'",
        *(f"sealed_at = {number}" for number in (2**62, 2**63 - 1, -(2**63), -1)),
    ],
)
def test_a_head_that_is_none_is_named_and_nothing_hangs(
    large: Ledger, run: Run, tmp_path: Path, statement: str
) -> None:
    alter(tmp_path, f"UPDATE head SET {statement}")
    for command in ("verify", "check", "health"):
        result = run(command)
        assert result.exit_code
        assert "Somebody altered the tree's head" in " ".join((result.stdout + result.stderr).split())


#: So that a table takes what it never takes.
UNCHECKED = "SET sql = replace(replace(sql, 'NOT NULL', ''), 'CHECK (one = 1)', '') WHERE type = 'table'"


def relaxed(folder: Path, *statements: str) -> None:
    """Run *statements* on the database, whose tables take any value and any number of rows meanwhile."""
    with closing(sqlite3.connect(folder / "instance" / "consent.sqlite3")) as connection, connection:
        triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"UPDATE sqlite_schema {UNCHECKED}")
    with closing(sqlite3.connect(folder / "instance" / "consent.sqlite3")) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount


def test_a_second_head_is_named_by_all_who_look(large: Ledger, run: Run, tmp_path: Path) -> None:
    relaxed(tmp_path, "INSERT INTO head SELECT 2, size, root, frontier, sealed_at FROM head")
    for command in ("verify", "check", "health", "checkpoint", "doctor"):
        result = run(command)
        assert result.exit_code
        assert "tree's head: there are 2" in " ".join((result.stdout + result.stderr).split())


@pytest.mark.parametrize(
    "value", ["'many'", "9e999", str(-(2**63)), "-256", "CAST('256' AS BLOB)", NO_TEXT, "7", "1.5"]
)
def test_a_bound_that_is_none_is_named_by_all_who_look_and_hides_nothing_else(
    large: Ledger, run: Run, tmp_path: Path, value: str
) -> None:
    alter(tmp_path, f"INSERT INTO bound VALUES (1, {value}, '{uuid.uuid4().hex}')")
    alter(tmp_path, "UPDATE entry SET leaf_hash = zeroblob(32) WHERE leaf_index = 300")
    assert found(run) == ["unanchored head", "tampered bound", "tampered entry 300"]
    for command in ("check", "health", "export --bundle log.zip"):
        result = run(*command.split())
        assert result.exit_code
        assert "Somebody altered the bound" in " ".join((result.stdout + result.stderr).split())


def test_an_entry_without_an_id_is_named(large: Ledger, run: Run, tmp_path: Path) -> None:
    relaxed(tmp_path, "UPDATE entry SET uid = NULL WHERE leaf_index = 300")
    assert "tampered entry 300" in found(run)


def test_a_first_entry_whose_key_is_none_is_named_and_what_needs_the_keys_ends_with_a_sentence(
    large: Ledger, run: Run, tmp_path: Path
) -> None:
    another = """CAST(replace(leaf, '"key":"clinic', '"key":"klinik') AS BLOB)"""
    alter(tmp_path, f"UPDATE entry SET leaf = {another} WHERE leaf_index = 0")
    assert "tampered entry 0" in found(run)
    for command in (("export", "--bundle", str(tmp_path / "log.zip")), ("checkpoint",), ("keys", "show")):
        result = run(*command)
        assert result.exit_code == 3
        assert "Entry 0 of the log names no key" in " ".join(result.stderr.split()), (command, result.output)


@pytest.mark.parametrize("tree", ["ix_opening_subject", "opening"])
def test_an_index_that_contradicts_its_table_is_named(
    ledger: Ledger, run: Run, tmp_path: Path, tree: str
) -> None:
    event = record(ledger, subject=uuid.uuid4())
    assert isinstance(ledger.storage, OwnStorage)
    assert event.subject is not None
    ledger.storage.close()
    flip(tmp_path, tree, event.id.hex if tree == "opening" else event.subject.hex)
    assert "tampered database" in found(run)
    said = run("verify").stdout
    assert "its tables and indexes contradict each other" in said
    assert "missing from index" in said


def test_check_and_health_name_an_entry_outside_the_tree(large: Ledger, run: Run, tmp_path: Path) -> None:
    alter(tmp_path, f"INSERT INTO entry SELECT 1000000, {ANOTHER}")
    for command in ("check", "health"):
        result = run(command)
        assert result.exit_code
        assert "index 1000000" in " ".join((result.stdout + result.stderr).split())


@pytest.mark.parametrize("bundle", ["out/bundle", "out/bundle.zip"])
def test_a_document_that_is_called_like_a_place_on_the_disk_is_never_written_there_and_named_by_all_who_look(
    large: Ledger, run: Run, tmp_path: Path, bundle: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "home" / "keys").write_text("the operator's own")
    for name in ("keys", "new"):
        row = f"('../../../home/{name}', 'notice', CAST('evil' AS BLOB))"
        alter(tmp_path, f"INSERT INTO document VALUES {row}")
    export(run, tmp_path / bundle)
    assert {file.name: file.read_text() for file in (tmp_path / "home").iterdir()} == {
        "keys": "the operator's own"
    }
    misnamed = f"documents/misnamed-{hashlib.sha256(b'evil').hexdigest()}"
    assert found(run, str(tmp_path / bundle))[:1] == [f"tampered {misnamed}"]
    assert found(run)[:2] == [f"tampered documents/../../../home/{name}" for name in ("keys", "new")]
    for command in ("check", "health"):
        result = run(command)
        assert result.exit_code == 1
        assert "A document is called '../../../home/keys'" in " ".join(result.stdout.split())


def test_a_leaf_that_is_longer_than_any_is_named_and_no_bundle_is_made(
    large: Ledger, run: Run, tmp_path: Path
) -> None:
    alter(tmp_path, "UPDATE entry SET leaf = zeroblob(65536) WHERE leaf_index = 300")
    result = run("export", "--bundle", str(tmp_path / "log.zip"))
    assert (result.exit_code, (tmp_path / "log.zip").exists()) == (3, False)
    assert "The leaf of entry 300 has 65,536 bytes" in result.stderr
    assert "entry 300: its leaf has 65,536 bytes, and none has more than 65,535" in run("verify").stdout


def test_rows_that_change_places_are_both_named(large: Ledger, run: Run, tmp_path: Path) -> None:
    alter(
        tmp_path,
        "UPDATE entry SET leaf_index = CASE leaf_index WHEN 2 THEN 9002 WHEN 3 THEN 9003 ELSE leaf_index END",
    )
    alter(
        tmp_path,
        "UPDATE entry SET leaf_index = CASE leaf_index WHEN 9002 THEN 3 WHEN 9003 THEN 2 ELSE leaf_index END",
    )
    assert found(run) == ["tampered entry 2", "tampered entry 3", "unanchored head"]


def test_an_opening_that_is_gone_is_missing_unless_a_tombstone_says_that_it_was_erased(
    large: Ledger, run: Run, tmp_path: Path
) -> None:
    uid = "(SELECT uid FROM entry WHERE leaf_index = 300)"
    alter(tmp_path, f"DELETE FROM opening WHERE uid = {uid}")
    assert found(run) == ["missing-opening entry 300", "unanchored head"]
    alter(tmp_path, f"INSERT INTO erased (uid) VALUES ({uid})")
    assert found(run, code=0) == ["erased erased.jsonl", "unanchored head"]


def restored(folder: Path, before: Path) -> None:
    """Put the database *before* in the place of the newest one, as somebody with a backup would."""
    for file in (folder / "instance").glob("consent.sqlite3*"):
        file.unlink()
    shutil.copy(before, folder / "instance" / "consent.sqlite3")


def test_a_database_that_is_restored_is_older_than_the_guard_beside_the_key(
    app: Flask, answered: Ledger, run: Run, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "instance" / "consent.sqlite3")) as now:
        now.execute(f"VACUUM INTO '{tmp_path / 'backup'}'")
    visit(app, "all")
    kept = tmp_path / "kept.txt"
    kept.write_text(answered.sign())
    assert isinstance(answered.storage, OwnStorage)
    answered.storage.close()
    restored(tmp_path, tmp_path / "backup")
    assert found(run, "--checkpoint", str(kept)) == [
        "truncated guard",
        f"truncated {kept}",
        "unanchored head",
    ]
    visit(app, "none")
    assert found(run, "--checkpoint", str(kept)) == ["forked guard", f"forked {kept}", "unanchored head"]


def test_a_stored_checkpoint_that_the_guard_has_and_the_database_lacks_is_told_and_put_back(
    app: Flask, answered: Ledger, run: Run, tmp_path: Path
) -> None:
    def told() -> bool:
        return any(
            "the database lacks" in remark for remark in json.loads(run("verify", "--json").stdout)["remarks"]
        )

    answered.sign()
    assert not told()
    alter(tmp_path, "DELETE FROM checkpoint")
    assert told()
    visit(app, "all")
    answered.sign()
    assert not told()


def test_what_is_found_only_once_is_no_fault_but_what_others_wrote_meanwhile(
    large: Ledger, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, looks = type(large.storage).erased, []

    def racing(storage: object) -> object:
        looks.append(storage)
        if len(looks) == 1:  # between reading tombstones and reading openings
            rest = list(before(storage))  # type: ignore[arg-type]  # the class is the storage's own
            uid = "(SELECT uid FROM entry WHERE leaf_index = 590)"
            alter(tmp_path, f"INSERT INTO erased (uid) VALUES ({uid})")
            alter(tmp_path, f"DELETE FROM opening WHERE uid = {uid}")
            return iter(rest)
        return before(storage)  # type: ignore[arg-type]  # the class is the storage's own

    monkeypatch.setattr(type(large.storage), "erased", racing)
    assert found(run, code=0) == ["unanchored head"]
    assert len(looks) == 2


def test_more_than_the_head_is_over_is_not_taken_for_checked(large: Ledger, run: Run, tmp_path: Path) -> None:
    fill(tmp_path, large, 3)
    result = run("verify", "--json")
    assert json.loads(result.stdout)["entries"] == 605
    assert "3 entries are not under the tree yet, and not checked." in json.loads(result.stdout)["remarks"]


# --- bundles


def export(run: Run, target: Path, *arguments: str) -> str:
    """Export a bundle to *target*; what was said."""
    result = run("export", "--bundle", str(target), *arguments)
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    return result.stderr


@pytest.mark.parametrize("name", ["log.zip", "log"])
def test_a_bundle_is_checked_by_the_command_that_the_export_says(
    large: Ledger, run: Run, tmp_path: Path, name: str
) -> None:
    there = tmp_path / "elsewhere"
    there.mkdir()
    said = export(run, there / name)
    assert f"605 entries written to {there / name}, with personal data." in said
    commands = [line.strip() for line in said.splitlines() if line.startswith("    ")]
    assert large.verifier_keys()[0] in commands[-1]
    python = f"{sys.executable} -I"
    script = " && ".join(commands).replace("unzip", "python -m zipfile -e").replace(" verify.py &&", " . &&")
    done = subprocess.run(
        ["sh", "-ec", script.replace("python ", f"{python} ")],
        cwd=there,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert "Openings checked: 605." in done.stdout
    assert done.stdout.splitlines()[-1].startswith("unanchored: ")


@pytest.mark.parametrize("name", ["log.zip", "log"])
def test_verify_checks_a_bundle_with_the_keys_of_this_site_and_says_so(
    large: Ledger, run: Run, tmp_path: Path, name: str
) -> None:
    export(run, tmp_path / name, "--without-openings")
    result = run("verify", str(tmp_path / name))
    assert result.exit_code == 0
    assert "There are no openings here" in result.stdout
    assert "keys are those that this site knows" in result.stderr
    kept = tmp_path / "mine.tlog-proof"
    kept.write_text(receipt(large, 4))
    key = large.verifier_keys()[0]
    result = run("verify", str(tmp_path / name), "--key", key, "--receipt", str(kept), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["verdict"] == "ok"
    other = key.replace("clinic", "clinics")
    assert run("verify", str(tmp_path / name), "--key", other).exit_code == 2


def test_a_bundle_of_an_altered_log_says_so(large: Ledger, run: Run, tmp_path: Path) -> None:
    alter(tmp_path, "UPDATE entry SET leaf = replace(leaf, 'given', 'refused') WHERE leaf_index = 300")
    alter(tmp_path, "UPDATE document SET body = replace(body, 'Clinic', 'Klinik') WHERE kind = 'policy'")
    export(run, tmp_path / "log.zip")
    document, entry = found(run, str(tmp_path / "log.zip"))[:2]
    assert document.startswith("tampered documents/")
    assert entry == "tampered entry 300"


def test_a_bundle_has_the_tree_as_it_is_when_it_is_made_where_the_key_is(
    app: Flask, answered: Ledger, run: Run, tmp_path: Path
) -> None:
    visit(app, "all")
    size = answered.size()
    export(run, tmp_path / "log")
    assert f"\n{size}\n" in (tmp_path / "log" / "checkpoint").read_text()
    shutil.move(tmp_path / "instance" / "consent.key", tmp_path / "taken")
    visit(app, "none")
    result = run("export", "--bundle", str(tmp_path / "second"))
    assert (result.exit_code, (tmp_path / "second").exists()) == (3, False)


def test_a_bundle_with_openings_is_on_record_for_forget_to_name_and_one_without_holds_nobody(
    app: Flask, answered: Ledger, run: Run, tmp_path: Path
) -> None:
    size = answered.size()
    export(run, tmp_path / "without", "--without-openings")
    assert answered.size() == size
    export(run, tmp_path / "log.zip")
    assert run("forget", str(newest_given(answered)), "--yes").exit_code == 0
    assert f"bundle, events below {size}" in run("forget", "--exports").stdout


def test_a_bundle_of_some_days_has_what_the_events_of_these_said_and_is_on_record_as_such(
    answered: Ledger, run: Run, tmp_path: Path
) -> None:
    november = newest_given(answered)
    events = [record(answered, time=datetime(2026, 3, day, 23, 59, tzinfo=UTC)) for day in (1, 14, 31)]
    before, size = answered.size() - 3, answered.size()
    said = export(run, tmp_path / "march", *MARCH)
    assert f"{size} entries written" in said
    assert "with personal data of 2026-03-01 to 2026-03-31 only." in said
    told = json.loads(run("verify", str(tmp_path / "march"), "--json").stdout)
    own = sum(b'"kind":"operated"' in each.leaf for each in answered.records())
    assert (told["verdict"], told["openings"], told["left_out"]) == ("unanchored", own + 3, before - own)
    assert run("forget", str(november), "--yes").exit_code == 0
    assert run("forget", "--exports").stdout == ""
    assert run("forget", str(events[2].id), "--yes").exit_code == 0
    on_record = f"bundle, events below {size}, all kinds, since 2026-03-01 00:00, until 2026-04-01 00:00"
    assert on_record in run("forget", "--exports").stdout


def test_an_opening_of_march_that_was_taken_out_of_its_bundle_is_found(
    answered: Ledger, run: Run, tmp_path: Path
) -> None:
    record(answered, time=datetime(2026, 3, 14, tzinfo=UTC))
    index = answered.size() - 1
    export(run, tmp_path / "march", "--since", "2026-03-14", "--until", "2026-03-14")
    openings = tmp_path / "march" / "openings.jsonl"
    lines = openings.read_bytes().splitlines(keepends=True)
    openings.write_bytes(b"".join(line for line in lines if json.loads(line)["index"] != index))
    said = run("verify", str(tmp_path / "march")).stdout
    assert said.splitlines()[-1].startswith("missing-opening: ")
    assert f"entry {index}: has neither opening nor tombstone" in said


def newest_given(ledger: Ledger) -> uuid.UUID:
    return next(each.id for each in ledger.newest(limit=9) if b'"kind":"given"' in each.leaf)


@pytest.mark.parametrize("name", ["log.zip", "log"])
def test_a_bundle_that_cannot_be_made_leaves_nothing(
    large: Ledger, run: Run, tmp_path: Path, name: str
) -> None:
    alter(tmp_path, "DELETE FROM entry WHERE leaf_index = 300")
    before = os.listdir(tmp_path)
    result = run("export", "--bundle", str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "no bundle can be made" in result.stderr
    assert os.listdir(tmp_path) == before


def test_an_event_that_is_erased_while_it_is_exported_is_in_one_file_only(
    large: Ledger, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = type(large.storage).erased

    def racing(storage: object) -> object:
        uid = "(SELECT uid FROM entry WHERE leaf_index = 300)"
        alter(tmp_path, f"INSERT OR IGNORE INTO erased (uid) VALUES ({uid})")
        return before(storage)  # type: ignore[arg-type]  # the class is the storage's own

    monkeypatch.setattr(type(large.storage), "erased", racing)
    export(run, tmp_path / "log.zip")
    assert found(run, str(tmp_path / "log.zip"), code=0) == ["unanchored checkpoint"]


def test_a_bundle_is_its_owners_alone_and_replaces_nothing_that_is_needed(
    large: Ledger, run: Run, tmp_path: Path
) -> None:
    export(run, tmp_path / "log.zip")
    assert stat.S_IMODE((tmp_path / "log.zip").stat().st_mode) == 0o600
    for name in ("instance", "instance/consent.sqlite3", "consent.toml"):
        kept = (tmp_path / name).stat()
        assert run("export", "--bundle", str(tmp_path / name)).exit_code in (2, 3)
        assert (tmp_path / name).stat().st_ino == kept.st_ino


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "--bundle", "log.zip", "--kind", "given"),
        ("export", "--bundle", "log.zip", "--format", "csv"),
        ("export", "--bundle", "log.zip", "--since", "2026-03-01"),
        ("export", "--bundle", "log.zip", "--since", "2026-03-01T10:30", "--until", "2026-03-31"),
        ("export", "--bundle", "log.zip", *MARCH, "--kind", "given"),
        ("export", "--bundle", "log.zip", *MARCH, "--without-openings"),
        ("export", "--without-openings"),
        ("verify", "no-such-bundle.zip"),
        ("verify", "--max-age", "soon"),
        ("verify", "--key", "key"),
        ("verify", "--receipt", "no-such-file"),
    ],
)
def test_what_is_used_wrongly_ends_with_2(answered: Ledger, run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_what_is_no_bundle_ends_with_3(answered: Ledger, run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no zip")
    result = run("verify", str(tmp_path / "notes.txt"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"{tmp_path / 'notes.txt'} is neither a folder nor a zip" in result.stderr


def test_a_log_whose_newest_entry_is_too_old_is_stale(ledger: Ledger, run: Run) -> None:
    record(ledger)  # of 18 November 2026
    assert "stale head" in found(run, "--max-age", "1h")


def test_an_opt_out_that_was_deleted_from_the_database_is_named_and_never_its_account(
    answered: Ledger, run: Run, tmp_path: Path
) -> None:
    link = "a" * 22
    event = record(answered, kind=Kind.OPTED_OUT, granted=(), account=link, opted_out=True)
    assert "tampered" not in str(found(run, code=0))
    alter(tmp_path, "DELETE FROM account WHERE link = ?", link)
    sealed = answered.get(event.id)
    assert sealed is not None
    assert f"tampered entry {sealed.index}" in found(run)
    assert link not in run("verify").output
