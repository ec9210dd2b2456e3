"""``log``, ``show`` and ``stats``: what was answered, for people and for programs."""

import json
import re
import uuid
from pathlib import Path

import pytest
from flask import Flask

from consent.audit.lookup import stand_in
from consent.audit.proof import HOLDS
from consent.audit.row import Reader
from consent.audit.search import Search, find
from consent.cli.log import listing
from consent.ledger import Kind, Ledger
from tests.audit.clinic import NEXT_POLICY, NOTICE, MakeApp, newest, record, site_of, visit
from tests.audit.tampering import alter, erase
from tests.audit.test_search import HOSTILE

from .conftest import Run, run_for

COMMANDS = [["log"], ["stats"], ["export"], ["show", str(uuid.uuid4())]]


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("REC-02")
def test_log_shows_each_act_with_the_exact_notice(app: Flask, run: Run) -> None:
    visitor = visit(app, "all")
    visitor.answer("none")
    result = run("log")
    assert result.exit_code == 0
    heading, withdrawn, given, *operated = result.stdout.splitlines()
    assert heading.split()[:3] == ["index", "time", "(UTC)"]
    assert " withdrawn " in withdrawn
    assert "-experiment -names -statistics -videos" in withdrawn
    assert " given " in given
    assert "+experiment +names +statistics +videos" in given
    assert len(operated) == 2
    hash = json.loads(run("log", "--json", "--limit", "1").stdout)["notice"]
    assert f" {hash[:12]} " in withdrawn
    stored = site_of(app).recorder.ledger.document(hash)
    assert stored
    shown = run("show", str(newest(app).id), "--notice", "-")
    assert shown.stdout_bytes == stored.body


@pytest.mark.parametrize("room", [None, 80, 300])
def test_no_answer_is_cut_and_what_was_granted_stands_first(ledger: Ledger, room: int | None) -> None:
    keys = [f"service-number-{number:02}" for number in range(12)]
    event = record(ledger, granted=(keys[11],), refused=tuple(keys[:11]))
    text = listing(find(Reader(ledger), Search(kinds=frozenset({Kind.GIVEN}))).rows, room)
    words = text.split()
    assert [word for word in words if "service-" in word] == [
        f"+{keys[11]}",
        *(f"-{key}" for key in keys[:11]),
    ]
    assert str(event.id) in words
    lines = text.splitlines()
    if room == 80:
        assert max(map(len, lines)) <= room
    else:
        assert len(lines) == (2 if room is None else 3)


@pytest.mark.requirement("LOG-07")
def test_log_shows_no_subject_and_no_account(ledger: Ledger, run: Run) -> None:
    event = record(ledger, account="e" * 64)
    for arguments in ([], ["--json"]):
        output = run("log", *arguments).stdout
        assert str(event.id) in output
        assert str(event.subject) not in output
        assert str(event.account) not in output


def test_log_json_is_one_object_a_line_and_nothing_else(app: Flask, run: Run) -> None:
    visit(app, "all")
    result = run("log", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["index"] for line in lines] == [2, 1, 0]
    assert result.stderr == ""


def test_log_filters_by_kind_and_span_and_says_when_there_are_older_ones(app: Flask, run: Run) -> None:
    visit(app, "all").answer("none")
    visit(app, "none")
    found = [
        json.loads(line)
        for line in run("log", "--json", "--kind", "given", "--kind", "refused").stdout.splitlines()
    ]
    assert [line["kind"] for line in found] == ["refused", "given"]
    assert run("log", "--since", "2026-11-19").stdout == ""
    assert "No such event" in run("log", "--since", "2026-11-19").stderr
    assert len(run("log", "--until", "2026-11-18").stdout.splitlines()) == 6
    assert run("log", "--until", "2026-11-18T11:06").stdout == ""
    limited = run("log", "--limit", "2")
    assert len(limited.stdout.splitlines()) == 3
    assert "older" in limited.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kind", "everything"],
        ["--since", "yesterday"],
        ["--limit", "0"],
        ["--since", "2026-11-02", "--until", "2026-10-01"],
    ],
)
def test_log_used_wrongly_ends_with_2(run: Run, arguments: list[str]) -> None:
    result = run("log", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", ["log", "stats", "export"])
def test_a_name_that_no_event_on_record_has_is_said_and_which_ones_there_are(
    app: Flask, run: Run, command: str
) -> None:
    visit(app, "all")
    result = run(
        command, "--category", "statistcs", "--language", "en", "--language", "eo", "--revision", "7+"
    )
    assert result.exit_code == 0
    said = result.stderr.replace("\n", " ")
    assert (
        'No event on record has category or service "statistcs". Did you mean "statistics"? On record: '
        in said
    )
    assert 'No event on record has language "eo". On record: en.' in said
    assert 'No event on record has revision "7+". On record: 1.' in said
    assert "has profile" not in said
    assert "No event on record has" not in run(command, "--category", "statistics", "--revision", "1+").stderr


@pytest.mark.parametrize("name", ["category", "language", "profile"])
@pytest.mark.parametrize("text", ["\udcff", "\x1b[2J", "\u202een", "x" * 201])
def test_what_can_be_no_name_is_no_filter_and_leaves_the_terminal_alone(
    app: Flask, ledger: Ledger, run: Run, name: str, text: str
) -> None:
    size = ledger.size()
    for command in ("log", "stats", "export"):
        result = run(command, f"--{name}", text)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"is no {name}" in result.stderr
        assert result.stderr.replace("\n", "").isprintable()
    assert ledger.size() == size


@pytest.mark.parametrize("arguments", COMMANDS)
def test_reading_makes_no_database_and_says_that_there_is_none(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "there is no database" in result.stderr
    assert not (tmp_path / "instance").exists()


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_database_that_cannot_be_read_ends_with_3_and_a_sentence(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "consent.sqlite3").write_bytes(b"no database at all " * 400)
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", COMMANDS)
def test_an_app_without_the_component_ends_with_3_and_says_what_is_missing(arguments: list[str]) -> None:
    result = run_for(Flask("bare"))(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "consent.init_app(app)" in result.stderr


# --- show


@pytest.mark.requirement("REC-03")
@pytest.mark.requirement("REC-04")
def test_show_says_every_field_and_each_answer_before_and_after(app: Flask, run: Run) -> None:
    visit(app, "all").answer(
        "some", category_performance="yes", category_media="no", category_functionality="yes"
    )
    event = newest(app)
    result = run("show", str(event.id))
    assert result.exit_code == 0
    words = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert words[0] == "Consent withdrawn"
    for line in (
        f"id {event.id}",
        "kind withdrawn",
        "time 2026-11-18 11:06:40.000 UTC",
        "policy revision 1, in force from 2026-11-01",
        f"policy digest {event.policy}",
        f"notice {event.notice}",
        "language en",
        "profile default",
        "source banner (the banner)",
        "signal no privacy signal was sent",
        f"subject {event.subject}",
        "record as it was written",
        "videos granted refused changed",
        "statistics granted granted",
    ):
        assert line in words, line
    assert json.loads(run("show", str(event.id), "--json").stdout)["subject"] == str(event.subject)


def test_show_says_what_the_site_ran_under_member_by_member(app: Flask, run: Run) -> None:
    visit(app, "all")
    (record,) = [one for one in site_of(app).recorder.ledger.records() if one.index == 1]
    result = run("show", str(record.id))
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"fingerprint: policy {site_of(app).policy.digest}" in lines
    assert any(line.startswith("fingerprint: version ") for line in lines)
    assert "{" not in result.stdout


@pytest.mark.requirement("REC-02")
def test_show_writes_the_notice_to_a_file_byte_for_byte(app: Flask, run: Run, tmp_path: Path) -> None:
    visit(app, "all")
    notice = site_of(app).notices.by_hash[newest(app).notice or ""]
    result = run("show", str(newest(app).id), "--notice", str(tmp_path / "notice.html"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "notice.html").read_bytes() == notice.body
    assert not NOTICE.search(notice.body.decode())


def test_show_of_an_event_without_a_notice_writes_no_file(ledger: Ledger, run: Run, tmp_path: Path) -> None:
    for event in (record(ledger, notice=None), record(ledger)):
        result = run("show", str(event.id), "--notice", str(tmp_path / "notice.html"))
        assert result.exit_code == 3
        assert not (tmp_path / "notice.html").exists()


@pytest.mark.requirement("POL-03")
def test_show_names_the_revision_of_its_day(make_app: MakeApp) -> None:
    visit(old := make_app(), "all")
    result = run_for(make_app(NEXT_POLICY))("show", str(newest(old).id))
    assert re.search(r"^policy +revision 1, in force from 2026-11-01$", result.stdout, re.MULTILINE)


@pytest.mark.requirement("POL-03")
def test_show_says_to_programs_what_it_says_to_people_of_today_and_of_who_looked(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.audit.lookup.MOST", 1)
    visit(old := make_app(), "all")
    run, id = run_for(make_app(NEXT_POLICY)), str(newest(old).id)
    for name in ("ward-3", "ward-4"):
        monkeypatch.setenv("SUDO_USER", name)
        people = run("show", id).stdout
    programs = json.loads(run("show", id, "--json").stdout)
    assert "It was looked up once more before." in people
    assert (len(programs["look_ups"]), programs["further_look_ups"]) == (1, 1)
    today, since = programs["notice_today"], programs["policy_since"]
    assert today["same"] is False
    assert f"The notice: {today['said']}" in people
    assert all(each["then"] in people and each["now"] in people for each in today["lines"])
    assert (since["times"], since["materially"]) == (1, 1)
    assert f"The policy: {since['said']}" in people
    (change,) = (each for each in since["difference"]["changes"] if each["material"])
    assert change["place"] in people


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\0" not in text])
def test_show_of_what_is_no_id_ends_with_2_and_leaves_the_terminal_alone(run: Run, text: str) -> None:
    result = run("show", "--", text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr


def test_show_of_an_id_that_is_not_recorded_ends_with_3(app: Flask, run: Run) -> None:
    visit(app, "all")
    result = run("show", str(uuid.uuid4()))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "is recorded here" in result.stderr


def test_show_of_an_erased_event_says_what_remains(ledger: Ledger, run: Run, tmp_path: Path) -> None:
    event = record(ledger)
    erase(tmp_path, event.id)
    result = run("show", str(event.id))
    assert result.exit_code == 0
    assert "between 09:00 and 09:59 UTC" in result.stdout
    assert "its personal part is erased" in result.stdout
    assert str(event.subject) not in result.stdout


def test_show_of_an_altered_record_ends_with_1(ledger: Ledger, run: Run, tmp_path: Path) -> None:
    event = record(ledger)
    alter(tmp_path, "UPDATE opening SET salt = ? WHERE uid = ?", bytes(32), event.id.hex)
    result = run("show", str(event.id))
    assert result.exit_code == 1
    assert "altered: the opening is not the one that the leaf commits to" in result.stdout
    assert HOLDS not in result.stdout
    assert "altered" in run("log").stdout


def test_show_checks_the_proof_and_says_of_what_it_holds(ledger: Ledger, run: Run) -> None:
    event = record(ledger)
    people, programs = run("show", str(event.id)), json.loads(run("show", str(event.id), "--json").stdout)
    assert people.exit_code == 0
    proof = programs["proof"]
    assert (proof["said"], proof["holds"], proof["index"]) == (HOLDS, True, "1")
    words = [" ".join(line.split()) for line in people.stdout.splitlines()]
    assert HOLDS in words
    assert f"signed by {ledger.verifier_keys()[0]}" in words
    assert proof["root"] == ledger.root(int(proof["tree_size"].split()[0])).hex()


def test_show_of_a_leaf_that_its_proof_contradicts_ends_with_1(
    ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    event, other = record(ledger), record(ledger)
    ledger.sign()
    alter(tmp_path, "UPDATE entry SET leaf_hash = zeroblob(32) WHERE uid = ?", other.id.hex)
    result = run("show", str(event.id))
    assert (result.exit_code, HOLDS in result.stdout) == (1, False), result.stdout


# --- stats, and what all share


def test_stats_counts_answers_for_people_and_programs(app: Flask, run: Run) -> None:
    visit(app, "all").answer("none")
    visit(app, category_performance="some", service_statistics="yes")
    result = run("stats")
    assert result.exit_code == 0
    words = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in (
        "given 2",
        "withdrawn 1",
        "category yes some no",
        "performance 1 1 1",
        "media 1 0 2",
        "statistics 2 1",
        "revision events",
        "en 3",
    ):
        assert line in words, line
    found = json.loads(run("stats", "--json", "--kind", "withdrawn").stdout)
    assert found["kinds"] == {"withdrawn": 1}
    assert found["categories"]["performance"] == {"yes": 0, "some": 0, "no": 1}


def test_the_same_filters_choose_what_is_listed_counted_and_exported(app: Flask, run: Run) -> None:
    visit(app, "all")
    visit(app, "none")
    visit(app, category_performance="some", service_statistics="yes")
    for arguments, expected in {
        ("--category", "performance", "--answer", "no"): 1,
        ("--category", "statistics", "--answer", "yes"): 2,
        ("--category", "performance", "--revision", "1+"): 3,
        ("--category", "performance", "--revision", "2"): 0,
        ("--category", "performance", "--language", "en", "--profile", "default", "--no-signal"): 3,
        ("--category", "performance", "--signal"): 0,
    }.items():
        assert len(run("log", "--json", *arguments).stdout.splitlines()) == expected, arguments
        assert json.loads(run("stats", "--json", *arguments).stdout)["answers"] == expected, arguments
        assert len(run("export", *arguments).stdout.splitlines()) == expected, arguments


@pytest.mark.parametrize(
    "arguments",
    [
        ["--answer", "no"],
        ["--revision", "x"],
        ["--category", "a", "--answer", "maybe"],
        ["--check", "--rebuild"],
    ],
)
def test_stats_used_wrongly_ends_with_2(app: Flask, run: Run, arguments: list[str]) -> None:
    visit(app, "all")
    result = run("stats", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_stats_state_rates_with_their_intervals_once_there_are_enough_answers(
    ledger: Ledger, run: Run
) -> None:
    for number in range(40):
        record(ledger, language="en" if number < 30 else "de", granted=("statistics",) if number % 4 else ())
    found = json.loads(run("stats", "--json", "--by", "language").stdout)
    assert found["rates"]["statistics"]["yes"] == {"count": 30, "share": 1.0, "interval": [0.886, 1.0]}
    assert found["days"] == {"2026-11-18": {"yes": 0, "some": 30, "no": 10}}
    assert "day yes some no" in " ".join(run("stats").stdout.split())


def test_stats_by_revision_tell_before_from_after(make_app: MakeApp, run: Run) -> None:
    visit(make_app(), "all")
    app = make_app(NEXT_POLICY)
    visit(app, "none")
    visit(app, "none")
    words = [" ".join(line.split()) for line in run("stats").stdout.splitlines()]
    assert words.index("1 1 1 0 0") < words.index("2 2 0 0 2")
    assert "performance, by revision:" in words


def test_stats_are_checked_against_the_events_and_counted_anew(
    ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    while ledger.size() < 256:
        record(ledger)
    assert (
        run("stats", "--check").stdout
        == "The counts of 256 entries, and the index of searches, are those of the events.\n"
    )
    alter(tmp_path, "UPDATE tally SET events = events + 1 WHERE day = 20775")
    result = run("stats", "--check")
    assert result.exit_code == 1
    assert result.stdout.startswith("2026-11-18: ")
    assert run("stats", "--rebuild").stdout.startswith("Counted 256 entries anew")
    assert run("stats", "--check").exit_code == 0


def test_upgrading_counts_what_an_older_release_recorded(ledger: Ledger, run: Run) -> None:
    while ledger.size() < 256:
        record(ledger)
    ledger.recount()
    assert ledger.counted() == 0
    assert run("db", "upgrade").exit_code == 0
    assert ledger.counted() == 256


def test_stats_of_a_span_counts_that_span_only(ledger: Ledger, run: Run) -> None:
    record(ledger)
    assert (
        json.loads(run("stats", "--json", "--since", "2026-11-18", "--until", "2026-11-18").stdout)["answers"]
        == 1
    )
    assert json.loads(run("stats", "--json", "--until", "2026-11-17").stdout)["events"] == 0


def test_recorded_text_cannot_take_over_the_terminal(ledger: Ledger, run: Run) -> None:
    evil = "e\x1b]0;owned\x07\x9b2J\r\n\u202egnp"
    event = record(ledger, language=evil, source=evil, profile=evil, granted=(evil,), detail={"x": evil})
    for arguments in (
        ["log"],
        ["show", str(event.id)],
        ["stats"],
        ["log", "--json"],
        ["stats", "--json"],
        ["export"],
    ):
        output = run(*arguments).stdout
        assert output
        for mark in "\x1b\x07\x9b\r\u202e":
            assert mark not in output, arguments
    assert "\\x1b]0;owned" in run("log").stdout


# --- who has looked something up


@pytest.mark.requirement("LOG-07")
def test_show_is_on_record_by_what_stands_for_the_account_and_says_who_looked_before(
    app: Flask, ledger: Ledger, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = record(ledger)
    for name in ("ward-3", "ward-4", "ward-3"):
        monkeypatch.setenv("SUDO_USER", name)
        shown = run("show", str(event.id))
        assert shown.exit_code == 0
    three, four = (stand_in(site_of(app).recorder, f"os:{name}") for name in ("ward-3", "ward-4"))
    assert shown.stdout.split().count("os:ward-3") == 2
    assert shown.stdout.split().count(four) == 1
    assert "os:ward-4" in run("show", str(event.id), "--auditor", "os:ward-4").stdout
    listed = json.loads(run("show", str(event.id), "--json").stdout)["look_ups"]
    assert {(each["who"], each["how"], each["index"]) for each in listed} == {
        (three, "show", 1),
        (four, "show", 1),
    }
    (trace,) = ledger.newest(limit=1)
    assert trace.body
    assert b"ward" not in trace.body + trace.leaf


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize("arguments", [[], ["--json"], ["--notice", "-"]])
def test_show_says_nothing_while_that_cannot_be_recorded(
    app: Flask, ledger: Ledger, run: Run, arguments: list[str]
) -> None:
    visit(app, "all")
    event = newest(app)
    (Path(app.instance_path) / "consent.key").unlink()
    result = run("show", str(event.id), *arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "can't be put on record" in result.stderr


def test_an_id_that_show_does_not_find_is_looked_up_too(ledger: Ledger, run: Run) -> None:
    record(ledger)
    wanted = str(uuid.uuid4())
    assert run("show", wanted).exit_code == 3
    (trace,) = ledger.newest(limit=1)
    assert trace.body
    assert b'"found":"nothing"' in trace.body
    assert wanted.encode() not in trace.body + trace.leaf


def test_a_log_with_look_ups_verifies(app: Flask, ledger: Ledger, run: Run) -> None:
    visit(app, "all")
    run("show", str(newest(app).id))
    ledger.sign()
    assert run("verify").exit_code == 0


def test_on_a_server_a_look_up_is_recorded_once_a_minute_and_listed_before_it_is_sealed(
    waiting: Flask,
) -> None:
    ledger = site_of(waiting).recorder.ledger
    event, run = record(ledger), run_for(waiting)
    for _ in range(2):
        assert run("show", str(event.id)).exit_code == 0
    (listed,) = json.loads(run("show", str(event.id), "--json").stdout)["look_ups"]
    assert (listed["how"], listed["index"]) == ("show", None)
    assert ledger.seal() == 2


@pytest.mark.requirement("REC-01")
def test_show_finds_the_event_of_a_receipt(app: Flask, run: Run, tmp_path: Path) -> None:
    visit(app, "all")
    event = newest(app)
    ledger = site_of(app).recorder.ledger
    receipt = ledger.receipt(event.id)
    assert receipt
    file = tmp_path / "mine.tlog-proof"
    file.write_bytes(receipt.to_text().replace("\n", "\r\n").encode())  # as an editor may leave it
    words = run("show", "--receipt", str(file)).stdout
    assert words.startswith("Consent given")
    assert str(event.id) in words
    shown = run("show", "--receipt", str(file), "--notice", "-")
    stored = ledger.document(event.notice or "")
    assert stored
    assert shown.stdout_bytes == stored.body


@pytest.mark.parametrize(
    "body", [b"hello", b"", b"\xff\xfe", b"c2sp.org/tlog-proof@v1\nextra e30=\nindex 1\n\nx\n"]
)
def test_what_is_no_receipt_is_refused_and_nothing_is_looked_up(
    app: Flask, run: Run, tmp_path: Path, body: bytes
) -> None:
    visit(app, "all")
    size = site_of(app).recorder.ledger.size()
    file = tmp_path / "mine.tlog-proof"
    file.write_bytes(body)
    result = run("show", "--receipt", str(file))
    assert result.exit_code == 2
    assert "--receipt" in result.stderr
    assert "not a receipt" in result.stderr or "no text" in result.stderr
    for arguments in ([], [str(newest(app).id), "--receipt", str(file)]):
        assert "Name one event" in run("show", *arguments).stderr
    assert site_of(app).recorder.ledger.size() == size


@pytest.mark.parametrize("command", ["log", "stats", "export"])
def test_it_is_said_where_erased_events_cannot_be_told_to_be_meant(
    app: Flask, run: Run, command: str
) -> None:
    visit(app, "all")
    said = "Erased events don’t say enough to be found by this."
    assert said in run(command, "--category", "performance", "--answer", "yes").stderr
    assert said not in run(command, "--kind", "given").stderr
