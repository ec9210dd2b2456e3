"""``prune``: what is old enough goes, whole tiles at a time, and whatever reads the log says so plainly."""

import hashlib
import json
import re
import secrets
import shlex
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from flask import Flask

from consent import verify
from consent.ledger import Event, Kind, Ledger, Sealed
from consent.ledger.leaf import derived_id
from consent.ledger.note import encoded
from consent.storage import OwnStorage
from tests.audit.clinic import SAME, Auditor, Clock, MakeApp, new_event, record, site_of, visit
from tests.audit.tampering import alter

from .conftest import Run

#: When the visitors of old answered; what the site knows of long before it may be pruned: a year and a day for the
#: cookie, 1096 days for retention.
OLD = datetime(2021, 3, 1, 9, 30, tzinfo=UTC)
KEPT = timedelta(days=365 + 1 + 1096)


def old(ledger: Ledger, count: int, **fields: object) -> list[Event]:
    """So many refusals of long ago."""
    usual = {"subject": None, "kind": Kind.REFUSED, "granted": (), "time": OLD}
    made = [new_event(**(usual | fields)) for _ in range(count)]
    for first in range(0, count, 100):
        ledger.record_all([(event, secrets.token_bytes(32)) for event in made[first : first + 100]])
    return made


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The site, with somebody who reads the log."""
    return make_app(CONSENT_AUDITOR=lambda: "auditor")


@pytest.fixture
def loyal(app: Flask, ledger: Ledger, clock: Clock) -> Event:
    """The old answer of somebody who comes to this day, among 600 of others; the log has 605 entries."""
    today, clock.now = clock.now, OLD.timestamp()
    visit(app, "none")  # before it the site says what it runs under, as entry 1
    old(ledger, 300)
    (first,) = old(ledger, 1, subject=uuid.uuid4(), kind=Kind.GIVEN, granted=("statistics",))
    old(ledger, 300)
    clock.now = today
    record(ledger, subject=first.subject, time=datetime.fromtimestamp(today, UTC))
    return first


def indexes(ledger: Ledger) -> list[int]:
    """Of which entries there are leaves."""
    return [each.index for each in ledger.records()]


def closed(app: Flask) -> None:
    """Close the site's database, so that its file holds everything and can be exchanged."""
    storage = site_of(app).recorder.ledger.storage
    assert isinstance(storage, OwnStorage)
    storage.close()


def lines(text: str) -> str:
    """*text* without what a terminal's width does to it."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.requirement("LOG-09")
def test_what_is_old_and_erased_goes_and_everything_else_still_verifies(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    receipt = ledger.receipt(next(each.id for each in ledger.records(100)))
    assert receipt is not None
    (tmp_path / "old.tlog-proof").write_text(receipt.to_text())
    (tmp_path / "kept.txt").write_text(ledger.checkpoint() or "")
    result = run("prune", "--yes")
    assert (result.exit_code, result.stdout) == (0, "Pruned 509 events below index 512.\n")
    assert indexes(ledger)[:4] == [0, 1, 303, 512]
    found = ledger.get(loyal.id)
    assert found is not None
    assert found.event() == loyal
    said = next(each for each in ledger.newest(limit=9) if each.outline().kind == Kind.PRUNED).event()
    assert said is not None
    assert said.detail is not None
    assert len(said.detail["signed"]) == 1  # type: ignore[arg-type]  # JSON
    assert {name: value for name, value in said.detail.items() if name != "signed"} == {
        "days": {"cookies": 366, "retention": 1096},
        "stay": {
            "always": 2,
            "indexes": hashlib.sha256(bytes(8) + (1).to_bytes(8, "big")).hexdigest(),
            "open": 1,
        },
        "root": encoded(ledger.root(512)),
        "until": "2021-03-01T09:00:00Z",
    }
    checked = run(
        *("verify", "--checkpoint", str(tmp_path / "kept.txt"), "--receipt", str(tmp_path / "old.tlog-proof"))
    )
    assert checked.exit_code == 0, checked.stdout
    assert (
        "pruned  entries 0 to 511: their leaves are not here, but for 3 that the log needs" in checked.stdout
    )
    assert checked.stdout.splitlines()[-1].startswith("pruned: ")


def test_after_a_change_of_keys_the_command_that_the_export_says_knows_who_signed_the_pruning(
    loyal: Event, run: Run, tmp_path: Path
) -> None:
    assert run("prune", "--yes").exit_code == 0
    assert run("keys", "rotate").exit_code == 0
    assert run("keys", "rotate", "--finish").exit_code == 0
    said = run("export", "--bundle", str(tmp_path / "log")).stderr
    (command,) = re.findall("^    python (.*)", said, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, *shlex.split(command)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "bad-signature" not in done.stdout


@pytest.mark.requirement("LOG-09")
def test_a_bundle_of_what_is_left_verifies_by_itself(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    note = ledger.checkpoint()
    run("prune", "--yes")
    result = run("export", "--bundle", str(tmp_path / "log"))
    assert result.exit_code == 0, result.stderr
    (tmp_path / "kept.txt").write_text(note or "")
    keys = [verify.Key.parse(key) for key in ledger.verifier_keys()]
    report = verify.verify(tmp_path / "log", keys, now=datetime.now(UTC), checkpoints=[tmp_path / "kept.txt"])
    openings = sum(each.body is not None for each in ledger.records()) - 1  # the export is on record since
    assert (report.verdict, report.facts["openings"]) == ("pruned", openings)


@pytest.mark.requirement("LOG-09")
def test_a_dry_run_says_how_many_and_how_much_and_does_nothing(
    loyal: Event, ledger: Ledger, run: Run
) -> None:
    before = ledger.head()
    result = run("prune", "--dry-run")
    assert result.exit_code == 0
    assert re.fullmatch(
        r"509 events below index 512 can be pruned, the latest of 2021-03-01 09h: [0-9]{3},[0-9]{3} bytes\. "
        r"3 below it stay\.\n",
        result.stdout,
    )
    data = json.loads(run("prune", "--dry-run", "--json").stdout)
    assert (data["events"], data["min_index"], data["stay"]) == (509, 512, 3)
    assert ledger.head() == before


@pytest.mark.requirement("LOG-09")
def test_it_asks_and_a_no_changes_nothing(loyal: Event, ledger: Ledger, run: Run) -> None:
    before = ledger.head()
    result = run("prune", input="n\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Prune 509 events for good?" in result.stderr
    assert ledger.head() == before


@pytest.mark.requirement("LOG-09")
def test_what_is_off_a_boundary_too_young_or_not_there_is_refused(
    loyal: Event, ledger: Ledger, run: Run
) -> None:
    for options, said in (
        (("--below", "300"), "the next boundary is 512"),
        (("--below", "0"), "is no index"),
        (("--below", "768"), "Not all below 768 can be pruned: entry 604 is of 2026-11-18"),
        (("--keep", "1y"), "may still be in a cookie that lives"),
        (("--before", "2026-11-01"), "Name no later date"),
        (("--keep", "soon"), "is no span of time"),
        (("--keep", "5y", "--below", "256"), "Name one of"),
    ):
        result = run("prune", "--yes", *options)
        assert result.exit_code == 2, options
        assert said in lines(result.stderr), options
    assert ledger.pruned() == 0


@pytest.mark.requirement("LOG-09")
def test_less_can_be_asked_for_and_the_rest_pruned_later(loyal: Event, ledger: Ledger, run: Run) -> None:
    assert "Nothing can be pruned now" in run("prune", "--yes", "--before", "2021-03-01").stderr
    assert "Nothing can be pruned now" in run("prune", "--yes", "--keep", "99999y").stderr
    assert json.loads(run("prune", "--yes", "--json", "--below", "256").stdout) == {
        "min_index": 256,
        "pruned": 254,
    }
    assert json.loads(run("prune", "--yes", "--json", "--keep", "4y").stdout) == {
        "min_index": 512,
        "pruned": 255,
    }
    assert json.loads(run("prune", "--yes", "--json").stdout) == {"min_index": 512, "pruned": 0}
    assert run("verify").exit_code == 0


@pytest.mark.requirement("LOG-09")
def test_what_stayed_goes_once_nobody_needs_it_any_more(
    loyal: Event, ledger: Ledger, run: Run, clock: Clock
) -> None:
    run("prune", "--yes")
    clock.now += KEPT.total_seconds() + 86_400
    run("prune", "--yes")
    assert indexes(ledger)[:3] == [0, 1, 512]
    assert run("verify").exit_code == 0


def opened(folder: Path) -> closing[sqlite3.Connection]:
    """The database of the site in *folder*, as somebody with the file opens it."""
    return closing(sqlite3.connect(folder / "instance" / "consent.sqlite3", isolation_level=None))


@pytest.mark.requirement("LOG-09")
def test_a_leaf_that_was_altered_is_not_pruned_away(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    with opened(tmp_path) as database:
        database.execute("DROP TRIGGER entry_stays")
        database.execute("UPDATE entry SET leaf = replace(leaf, 'refused', 'given') WHERE leaf_index = 99")
    result = run("prune", "--yes")
    assert (result.exit_code, ledger.pruned()) == (3, 0)
    assert "The leaf of entry 99 is not the one that was sealed" in result.stderr


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("hashes = x''", "is stored with 0 bytes where 8,192 belong: somebody altered it"),
        ("n = 0.5", "isn't stored: fewer entries are sealed, or somebody took it away"),
    ],
)
def test_leaves_whose_hashes_are_not_stored_are_not_pruned_away(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path, how: str, said: str
) -> None:
    with opened(tmp_path) as database:
        database.execute("DROP TRIGGER tile_stays")
        database.execute(f"UPDATE tile SET {how} WHERE level = 0 AND n = 0")
    for arguments in (("--dry-run",), ("--yes",)):
        result = run("prune", *arguments)
        assert (result.exit_code, ledger.pruned()) == (3, 0)
        assert f"The tile of entries 0 to 255 {said}" in result.stderr
    assert indexes(ledger) == [*range(ledger.size())]
    for command in ("check", "health"):
        assert "1 whole tiles of its tree where 2 belong" in lines(run(command).stdout)


@pytest.mark.requirement("LOG-09")
def test_an_opening_that_went_without_a_tombstone_is_not_pruned_away(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    run("forget", "--expired")
    with opened(tmp_path) as database:
        database.execute("DROP TRIGGER erased_remains")
        database.execute("DELETE FROM erased WHERE uid = (SELECT uid FROM entry WHERE leaf_index = 99)")
    result = run("prune", "--yes")
    assert (result.exit_code, ledger.pruned()) == (3, 0)
    assert "What entry 99 said is gone, and nothing says that it was erased" in result.stderr
    assert "missing-opening  entry 99" in run("verify").stdout


@pytest.mark.requirement("LOG-09")
def test_an_event_that_was_pruned_is_said_to_be_wherever_it_is_looked_for(
    loyal: Event, ledger: Ledger, run: Run, app: Flask
) -> None:
    pruned = next(each for each in ledger.records(100))
    receipt = ledger.receipt(pruned.id)
    assert receipt is not None
    visitor = app.test_client()
    worth = {"receipt": receipt.to_text()}
    headers = {**SAME, "Accept": "application/json"}
    said = visitor.post("/privacy-choices/mine", json=worth, headers=headers).json
    assert said is not None
    assert (said["outcome"], said["kept"]) == ("valid", True)
    run("prune", "--yes")
    for options, expected in (((), "was pruned"), (("--json",), '"pruned":true')):
        shown = run("show", str(pruned.id), *options)
        assert (shown.exit_code, expected in shown.stdout) == (0, True)
    assert "was pruned" in run("forget", str(pruned.id), "--yes").stderr
    assert "Entries below index 512 were pruned" in run("log", "--limit", "1000").stderr
    assert "Entries below index 512 were pruned" not in run("log", "--limit", "5").stderr
    assert "Entries below index 512 were pruned" in run("export").stderr
    assert "Entries below index 512 were pruned" in run("stats").stdout
    assert json.loads(run("stats", "--json").stdout)["pruned"] == 0
    assert run("stats", "--check").exit_code == 0
    assert run("stats", "--rebuild").exit_code == 0
    assert "509 were pruned before they were counted" in run("stats").stdout
    assert json.loads(run("stats", "--json").stdout)["pruned"] == 509
    said = visitor.post("/privacy-choices/mine", json=worth, headers=headers).json
    assert said is not None
    assert (said["outcome"], said["kept"]) == ("valid", False)
    page = visitor.post("/privacy-choices/mine", data=worth, headers=SAME).text
    assert "The log no longer keeps this event." in page
    auditor = Auditor(app.test_client())
    looked = auditor.look_up(pruned.id)
    assert (looked.status_code, "was pruned" in looked.text) == (410, True)
    assert "Entries below index 512 were pruned" in auditor.open(before=512).text
    assert "were pruned" not in auditor.open().text
    assert run("show", str(uuid.uuid4())).exit_code == 3


@pytest.mark.requirement("LOG-09")
def test_exports_that_may_hold_what_was_pruned_are_named(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    run("export", "--output", str(tmp_path / "all.jsonl"))
    run("export", "--since", "2025-01-01", "--output", str(tmp_path / "new.jsonl"))
    run("prune", "--yes")
    named = json.loads(run("forget", "--exports", "--json").stdout)
    assert [each["since"] for each in named] == [None]


@pytest.mark.requirement("LOG-09")
def test_a_leaf_that_is_missing_above_the_bound_is_tampered_and_so_is_a_bound_that_nothing_names(
    loyal: Event, app: Flask, run: Run, tmp_path: Path
) -> None:
    run("prune", "--yes", "--below", "256")
    closed(app)
    file = tmp_path / "instance" / "consent.sqlite3"
    good = file.read_bytes()
    for changes, place in (
        (("DELETE FROM entry WHERE leaf_index = 300",), "entry 300"),
        (("DELETE FROM entry WHERE leaf_index BETWEEN 256 AND 511",), "entries 256 to 511"),
        (
            ("UPDATE bound SET min_index = 512", "DELETE FROM entry WHERE leaf_index BETWEEN 256 AND 511"),
            "bound",
        ),
        (("UPDATE bound SET min_index = 100",), "bound"),
        (("DELETE FROM bound",), "entry 2"),
        (("DELETE FROM entry WHERE leaf_index = 0",), "entry 0"),
        (("UPDATE entry SET leaf = replace(leaf, 'operated', 'accessed') WHERE leaf_index = 1",), "entry 1"),
    ):
        for change in changes:
            alter(tmp_path, change)
        result = run("verify", "--json")
        closed(app)
        report = json.loads(result.stdout)
        tampered = [each["place"] for each in report["findings"] if each["verdict"] == "tampered"]
        assert (result.exit_code, place in tampered) == (1, True), (changes, report["findings"])
        file.write_bytes(good)


@pytest.mark.requirement("LOG-09")
def test_what_is_taken_away_below_the_bound_is_tampered_as_far_as_anything_tells(
    loyal: Event, app: Flask, run: Run, tmp_path: Path
) -> None:
    run("prune", "--yes")
    closed(app)
    file = tmp_path / "instance" / "consent.sqlite3"
    good = file.read_bytes()
    leaf, opening = (
        "DELETE FROM entry WHERE leaf_index = 303",
        f"DELETE FROM opening WHERE uid = '{loyal.id.hex}'",
    )
    for changes, place, verdict in (
        ((leaf,), f"opening of {loyal.id}", "tampered"),
        ((opening, leaf), "entries 0 to 511", "tampered"),
        (("DELETE FROM entry WHERE leaf_index = 1",), "entries 0 to 511", "tampered"),
        (("INSERT INTO account VALUES ('link', '5e' || hex(randomblob(15)))",), "opt-out by ", "tampered"),
        ((f"INSERT INTO erased VALUES ('{loyal.id.hex}')", opening, leaf), "entries 0 to 511", "pruned"),
    ):
        for change in changes:
            alter(tmp_path, change)
        report = json.loads(run("verify", "--json").stdout)
        closed(app)
        found = [each["place"] for each in report["findings"] if each["verdict"] == verdict]
        assert any(each.startswith(place) for each in found), (changes, report["findings"])
        assert report["ok"] is (verdict == "pruned"), changes
        file.write_bytes(good)


def with_some_ahead(ledger: Ledger, clock: Clock, before: int, ahead: int) -> list[Event]:
    """Record *before* old events, *ahead* that a wrong clock dates to 2031, and 300 old ones; those ahead."""
    today, clock.now = clock.now, OLD.timestamp()
    old(ledger, before)
    found = old(ledger, ahead, time=OLD.replace(year=2031))
    old(ledger, 300)
    clock.now = today
    return found


@pytest.mark.requirement("LOG-09")
def test_an_entry_that_is_dated_ahead_stays_and_holds_up_nothing(
    make_app: MakeApp, run: Run, ledger: Ledger, clock: Clock
) -> None:
    with_some_ahead(ledger, clock, 99, 1)
    result = run("prune", "--dry-run")
    assert "254 events below index 256" in result.stdout
    assert "One of these is entry 100, which is dated 2031-03-01 09h, yet to come" in lines(result.stdout)
    assert json.loads(run("prune", "--dry-run", "--json").stdout)["ahead"] == {
        "hour": "2031-03-01T09:00:00Z",
        "index": 100,
    }
    assert run("prune", "--yes").stdout == "Pruned 254 events below index 256.\n"
    assert indexes(ledger)[:3] == [0, 100, 256]
    assert run("verify").exit_code == 0
    assert "Nothing can be pruned now" in run("prune", "--yes").stderr


@pytest.mark.requirement("LOG-09")
def test_an_entry_that_is_dated_ahead_and_erased_is_named_as_what_stands_in_the_way(
    make_app: MakeApp, run: Run, ledger: Ledger, clock: Clock
) -> None:
    (event,) = with_some_ahead(ledger, clock, 299, 1)
    run("forget", str(event.id), "--yes")
    why = "entry 300 is dated 2031-03-01 09h, which is yet to come, so a clock was wrong when it was recorded"
    assert why in lines(run("prune", "--yes", "--below", "512").stderr)
    assert run("prune", "--yes").stdout == "Pruned 255 events below index 256.\n"
    result = run("prune", "--yes")
    assert (result.exit_code, why in lines(result.stderr)) == (0, True)
    assert "It ends at index 256" in lines(result.stderr)


@pytest.mark.full
@pytest.mark.requirement("LOG-09")
def test_a_tile_of_nothing_but_what_is_dated_ahead_is_not_taken_for_old(
    make_app: MakeApp, run: Run, ledger: Ledger, clock: Clock
) -> None:
    with_some_ahead(ledger, clock, 255, 256)
    assert run("prune", "--yes").stdout == "Pruned 255 events below index 256.\n"
    assert "entry 256 is dated 2031-03-01 09h" in lines(run("prune", "--yes").stderr)
    assert ledger.pruned() == 256


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize("after", [pytest.param(300, marks=pytest.mark.full), 900])
def test_a_bundle_that_entries_are_pruned_from_meanwhile_is_begun_again(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    passed = 0

    def pruning(records: Iterator[Sealed], total: int, what: str) -> Iterator[Sealed]:
        nonlocal passed
        for each in records:
            passed += 1
            if passed == after:
                assert run("prune", "--yes").exit_code == 0
            yield each

    monkeypatch.setattr(import_module("consent.cli.export"), "with_progress", pruning)
    result = run("export", "--bundle", str(tmp_path / "log"))
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("Entries were pruned while they were read. The bundle is begun again.") == 1
    keys = [verify.Key.parse(key) for key in ledger.verifier_keys()]
    report = verify.verify(tmp_path / "log", keys, now=datetime.now(UTC))
    assert {each.verdict for each in report.findings} == {"pruned", "erased", "unanchored"}


@pytest.mark.requirement("LOG-09")
def test_a_backup_from_before_brings_the_leaves_back_until_it_is_pruned_again(
    loyal: Event, app: Flask, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "instance" / "consent.sqlite3"
    closed(app)
    backup = file.read_bytes()
    run("prune", "--yes")
    closed(app)
    file.write_bytes(backup)
    assert (ledger.pruned(), len(indexes(ledger))) == (0, 605)
    assert "truncated  guard" in run("verify").stdout  # as of any older backup
    refused = run("prune", "--yes")
    assert refused.exit_code == 3
    assert "keys recover" in lines(refused.stderr)
    assert ledger.pruned() == 0
    assert run("keys", "recover", "--yes").exit_code == 0
    assert run("prune", "--yes").stdout == "Pruned 509 events below index 512.\n"
    checked = run("verify")
    assert (checked.exit_code, "pruned  entries 0 to 511" in checked.stdout) == (0, True)


@pytest.mark.requirement("LOG-09")
def test_who_has_the_database_and_not_the_key_can_have_nothing_pruned(
    loyal: Event, app: Flask, ledger: Ledger, run: Run, clock: Clock, tmp_path: Path
) -> None:
    forged = Event(
        id=derived_id("pruned", ledger.origin, "512"),
        kind=Kind.PRUNED,
        time=datetime.fromtimestamp(clock.now, UTC),
        policy=None,
        min_index=512,
        detail={
            "days": {"cookies": 366, "retention": 1096},
            "stay": {
                "always": 2,
                "indexes": hashlib.sha256(bytes(8) + (1).to_bytes(8, "big")).hexdigest(),
                "open": 0,
            },
            "until": "2021-03-01T09:00:00Z",
        },
    )
    ledger.record(forged, salt=secrets.token_bytes(32))  # takes no key
    assert run("checkpoint").exit_code == 0  # the site itself signs the tree that has it
    (tmp_path / "kept.txt").write_text(ledger.checkpoint() or "")
    result = run("prune", "--yes")
    assert (result.exit_code, ledger.pruned()) == (3, 0)
    assert "no key of this log has signed" in lines(result.stderr)
    below = "SELECT uid FROM entry WHERE leaf_index BETWEEN 2 AND 511"
    for change in (
        f"INSERT INTO bound VALUES (1, 512, '{forged.id.hex}')",
        f"INSERT OR IGNORE INTO erased {below}",
        f"DELETE FROM opening WHERE uid IN ({below})",
        "DELETE FROM entry WHERE leaf_index BETWEEN 2 AND 511",
    ):
        alter(tmp_path, change)
    checked = run("verify", "--checkpoint", str(tmp_path / "kept.txt"), "--json")
    tampered = [
        each["place"] for each in json.loads(checked.stdout)["findings"] if each["verdict"] == "tampered"
    ]
    assert (checked.exit_code, tampered) == (1, ["entry 605"])
    exported = run("export", "--bundle", str(tmp_path / "log"))
    assert exported.exit_code == 0, exported.stderr
    keys = [verify.Key.parse(key) for key in ledger.verifier_keys()]
    report = verify.verify(tmp_path / "log", keys, now=datetime.now(UTC), checkpoints=[tmp_path / "kept.txt"])
    assert [each.place for each in report.findings if each.verdict == "tampered"] == ["entry 605"]


def test_an_opening_under_the_id_of_a_pruning_is_named_and_keeps_nothing_from_being_pruned(
    loyal: Event, ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    taken = derived_id("pruned", ledger.origin, "512")
    with closing(
        sqlite3.connect(tmp_path / "instance" / "consent.sqlite3", isolation_level=None)
    ) as connection:
        connection.execute("INSERT INTO opening (uid, salt, body) VALUES (?, x'', x'')", (taken.hex,))
    result = run("prune", "--yes")
    assert (result.exit_code, result.stdout) == (0, "Pruned 509 events below index 512.\n")
    assert "Nothing can be pruned now" in run("prune", "--yes").stderr
    findings = json.loads(run("verify", "--json").stdout)["findings"]
    assert [each["place"] for each in findings if each["verdict"] == "tampered"] == [f"opening of {taken}"]
