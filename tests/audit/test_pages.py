"""The auditor's pages: the list, one event in full, and the notice in its sandbox."""

import html
import json
import re
import uuid
from pathlib import Path

import pytest
from flask import Flask

from consent.audit.sample import SAID, mark
from consent.ledger import Ledger
from consent.ledger.tile import WIDTH
from tests.cli.conftest import run_for

from .clinic import AUDIT, NEXT_POLICY, Auditor, MakeApp, auditor_of, newest, record, site_of, visit
from .tampering import alter, erase
from .test_search import HOSTILE

PAGE_POLICY = {
    "default-src": ["'none'"],
    "style-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-src": ["'self'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
}


def directives(policy: str) -> dict[str, list[str]]:
    """A Content-Security-Policy by directive."""
    parts = (part.split() for part in policy.split(";"))
    return {name: values for name, *values in parts}


def text_of(page: str) -> str:
    """The words of *page*, as they are read."""
    within = re.sub('<span class="pc-whole">([^<]*)</span>', r"\1", page)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", within)).split())


@pytest.mark.requirement("LOG-07")
def test_the_list_shows_what_was_answered_and_no_subject(app: Flask, auditor: Auditor) -> None:
    visit(app, category_performance="yes", category_media="no", category_functionality="no")
    event = newest(app)
    page = auditor.open()
    assert page.status_code == 200
    words = text_of(page.text)
    assert "Consent given" in words
    assert "New features , Visit statistics" in words
    assert "Sign-in name , Films" in words
    assert '<span title="videos">Films</span>' in page.text
    assert '<span title="banner">the banner</span>' in page.text
    assert "2026-11-18 11:06:40" in words
    assert event.notice
    assert event.notice[:12] in words
    assert str(event.subject) not in page.text


def test_older_events_are_a_link_away_and_each_is_listed_once(ledger: Ledger, auditor: Auditor) -> None:
    for _ in range(60):
        record(ledger)
    first = auditor.open()
    older = re.search(rf'href="({AUDIT}/\?before=[0-9]+)"', first.text)
    assert older
    second = auditor.client.get(older[1])
    listed = [re.findall(r'name="event" value="([^"]+)"', page.text) for page in (first, second)]
    assert [len(ids) for ids in listed] == [50, 11]
    assert len({*listed[0], *listed[1]}) == 61
    assert "?before=" not in second.text


def test_the_way_to_an_event_is_the_first_in_its_line(app: Flask, ledger: Ledger, auditor: Auditor) -> None:
    visit(app, "opt_out")
    for path in ("/", "/opt-outs"):
        lines = auditor.open(path).text.partition("<tbody>")[2].split("<tr>")[1:]
        assert lines
        assert all(
            re.match(r'\s*<td><button [^>]*aria-label="Show event \d+">Show</button></td>', line)
            for line in lines
        )


def test_a_hostile_place_in_the_list_is_answered_with_a_sentence_and_the_newest(auditor: Auditor) -> None:
    for text in set(HOSTILE) - {"1"}:
        page = auditor.open(before=text.encode("utf-8", "surrogatepass"))
        assert page.status_code == 400, text
        assert 'role="alert"' in page.text
        assert "Log opened" in page.text
        assert "<script" not in page.text
        assert "\x1b" not in page.text


def test_a_hostile_id_is_answered_with_a_sentence_on_the_list(auditor: Auditor) -> None:
    token = auditor.token()
    for text in HOSTILE:
        page = auditor.look_up(text.encode("utf-8", "replace").decode(), csrf_token=token)
        assert page.status_code == (413 if len(text) > 10_000 else 400), text
        assert 'role="alert"' in page.text
        assert "Log opened" in page.text
        assert "<script" not in page.text
        assert "\x1b" not in page.text


def test_an_id_that_is_not_recorded_is_said_to_be_so(auditor: Auditor) -> None:
    wanted = uuid.uuid4()
    page = auditor.look_up(wanted)
    assert page.status_code == 404
    assert f"No event {wanted} is recorded here" in page.text


def test_a_form_that_is_no_form_is_answered_with_a_sentence(auditor: Auditor) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    page = auditor.client.post(f"{AUDIT}/event", data=b"event=" + b"x" * 100_000, headers=headers)
    assert page.status_code == 413
    assert "The form couldn" in page.text
    page = auditor.client.post(f"{AUDIT}/event", data=b"\xff\x00=\xfe", headers=headers)
    assert page.status_code == 400


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("REC-03")
@pytest.mark.requirement("REC-04")
def test_the_page_of_an_event_says_every_field_of_it(app: Flask, auditor: Auditor) -> None:
    visitor = visit(app, "all")
    visitor.answer("some", category_performance="yes", category_media="no", category_functionality="yes")
    event = newest(app)
    page = auditor.look_up(event.id)
    assert page.status_code == 200
    words = text_of(page.text)
    for said in (
        "Consent withdrawn",
        str(event.id),
        str(event.subject),
        str(event.notice),
        str(event.policy),
        "2026-11-18 11:06:40.000 UTC",
        "revision 1, in force from 2026-11-01",
        "banner (the banner)",
        "default",
        "no privacy signal was sent",
        "as it was written",
        "Films videos media granted refused (changed)",
        "Visit statistics statistics performance granted granted",
    ):
        assert said in words, said


def test_no_id_ever_stands_in_an_address(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    event = newest(app)
    for page in (auditor.open(), auditor.look_up(event.id)):
        addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page.text)
        assert addresses
        for address in addresses:
            assert str(event.id) not in address
            assert str(event.subject) not in address


def test_the_address_of_an_events_page_leads_back_to_the_list(auditor: Auditor) -> None:
    response = auditor.open("/event")
    assert (response.status_code, response.headers["Location"]) == (303, f"{AUDIT}/")


@pytest.mark.requirement("POL-03")
def test_an_event_of_an_earlier_revision_shows_the_policy_of_its_day(
    make_app: MakeApp,
) -> None:
    visit(old := make_app(), "all")
    event = newest(old)
    app = make_app(NEXT_POLICY)
    visit(app, "all")
    page = auditor_of(app).look_up(event.id).text
    words = text_of(page)
    assert f'<a href="{AUDIT}/policies">What changed' in page
    assert "Revision 1, in force from 2026-11-01" in words
    assert "Revision 2" not in words
    assert event.policy == site_of(old).policy.digest != site_of(app).policy.digest


def test_an_erased_event_says_what_remains(ledger: Ledger, auditor: Auditor, tmp_path: Path) -> None:
    event = record(ledger)
    erase(tmp_path, event.id)
    assert "(erased)" in auditor.open().text
    page = auditor.look_up(event.id)
    assert "has been erased" in page.text
    assert "Which notice that was is erased" in page.text
    assert "between 09:00 and 09:59 UTC" in page.text
    assert str(event.subject) not in page.text


@pytest.mark.parametrize("column", ["leaf", "leaf_hash"])
def test_an_altered_record_is_shown_as_altered(
    ledger: Ledger, auditor: Auditor, tmp_path: Path, column: str
) -> None:
    event = record(ledger)
    alter(tmp_path, f"UPDATE entry SET {column} = ? WHERE uid = ?", b"{}", event.id.hex)
    assert "altered" in auditor.open().text
    page = auditor.look_up(event.id)
    assert page.status_code == 200
    assert "not as it was written" in page.text


@pytest.mark.parametrize(
    ("table", "column"),
    [("entry", "leaf"), ("entry", "leaf_hash"), ("entry", "uid"), ("opening", "salt"), ("opening", "body")],
)
@pytest.mark.parametrize("value", [5, 0.5, "x", b"a text that is no UTF-8: \xff"])
def test_a_value_of_another_type_is_shown_as_altered_and_found_by_verification(
    app: Flask, ledger: Ledger, auditor: Auditor, tmp_path: Path, table: str, column: str, value: object
) -> None:
    event = record(ledger)
    new = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
    alter(tmp_path, f"UPDATE {table} SET {column} = {new} WHERE uid = ?", value, event.id.hex)
    page = auditor.open()
    assert page.status_code == 200
    assert "altered" in page.text
    run = run_for(app)
    assert any(json.loads(line)["problem"] for line in run("log", "--json").stdout.splitlines())
    assert (run("log").exit_code, run("export").exit_code) == (0, 0)
    assert "tampered" in run("verify").stdout


@pytest.mark.parametrize("altered", ["events = -5", "events = 'many'", "erased = events + 1", "events = 0.5"])
def test_counts_that_can_be_none_are_said_to_be_altered_and_counted_anew(
    app: Flask, ledger: Ledger, auditor: Auditor, tmp_path: Path, altered: str
) -> None:
    while ledger.size() < WIDTH:
        record(ledger)
    alter(tmp_path, f"UPDATE tally SET {altered}")
    run = run_for(app)
    counts, check = run("stats"), run("stats", "--check")
    assert (counts.exit_code, check.exit_code) == (
        3,
        1,
    )  # there is no answer, and there is one: they are wrong
    for said in (counts.stderr, check.stdout):
        assert "Somebody altered the counts" in said
        assert "stats --rebuild" in said
    for address in ("overview", "policies"):
        assert auditor.client.get(f"{AUDIT}/{address}").status_code in {200, 503}  # a text adds up to nothing
    assert run("stats", "--rebuild").exit_code == 0
    assert run("stats", "--check").exit_code == 0
    assert "Problem" not in auditor.client.get(f"{AUDIT}/overview").text


def test_a_subject_that_is_no_id_keeps_nobody_from_reading(
    app: Flask, ledger: Ledger, auditor: Auditor, tmp_path: Path
) -> None:
    event = record(ledger)
    alter(tmp_path, "UPDATE opening SET subject = 5 WHERE uid = ?", event.id.hex)
    assert auditor.open().status_code == auditor.look_up(event.id).status_code == 200
    assert run_for(app)("verify").exit_code == 1


def test_recorded_text_never_becomes_markup(ledger: Ledger, auditor: Auditor) -> None:
    evil = '"><script>alert(1)</script>'
    event = record(ledger, language=evil, source=evil, profile=evil, granted=(evil,), detail={"x": evil})
    for page in (auditor.open(), auditor.look_up(event.id)):
        assert "<script" not in page.text
        assert "alert(1)" in page.text


def test_recorded_text_never_hides_or_turns_round_what_is_read(ledger: Ledger, auditor: Auditor) -> None:
    evil = "AB\u202eCD\x1b[31mEF\u2067GH\x9b"
    event = record(ledger, language=evil, source=evil, profile=evil, granted=(evil,), detail={"x": evil})
    for page in (auditor.open(), auditor.look_up(event.id)):
        assert "AB\\u202eCD\\x1b[31mEF\\u2067GH\\x9b" in page.text
        assert not {*page.text} & {*"\u202e\x1b\u2067\x9b"}


# --- headers and the notice


def test_the_pages_are_kept_by_nobody_and_load_nothing_but_their_style(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    for page in (auditor.open(), auditor.look_up(newest(app).id), auditor.look_up("rubbish")):
        assert page.headers["Cache-Control"] == "no-store"
        assert "noindex" in page.headers["X-Robots-Tag"]
        assert page.headers["X-Frame-Options"] == "DENY"
        assert directives(page.headers["Content-Security-Policy"]) == PAGE_POLICY
        assert "<script" not in page.text
        assert " style=" not in page.text
        assert set(re.findall(r'<link rel="stylesheet" href="([^"?]+)', page.text)) == {
            "/privacy-choices/static/choices.css",
            "/privacy-choices/static/audit.css",
        }


@pytest.mark.requirement("REC-02")
def test_an_event_frames_the_very_notice_it_was_given_under(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    event = newest(app)
    frame = re.search(r"<iframe[^>]*>", auditor.look_up(event.id).text)
    assert frame
    assert re.search(r"\ssandbox(?:\s|=\"\")", frame[0])
    source = re.search(r'src="([^"]+)"', frame[0])
    assert source
    assert source[1] == f"{AUDIT}/notices/{event.notice}"
    page = auditor.client.get(source[1])
    assert event.notice
    stored = site_of(app).recorder.ledger.document(event.notice)
    assert stored
    assert stored.body in page.data
    policy = directives(page.headers["Content-Security-Policy"])
    assert policy["sandbox"] == []
    assert policy["default-src"] == ["'none'"]
    assert policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'self'"]
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("hash", ["0" * 64, "x", "..", "%00", "A" * 64, "0" * 5000])
def test_a_notice_that_is_not_there_is_a_sentence(auditor: Auditor, hash: str) -> None:
    page = auditor.client.get(f"{AUDIT}/notices/{hash}")
    assert page.status_code == 404
    assert hash == ".." or "No notice of this hash" in page.text


def test_a_policy_is_not_shown_as_a_notice(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    assert auditor.open(f"/notices/{site_of(app).policy.digest}").status_code == 404


def test_an_altered_notice_is_not_shown(app: Flask, auditor: Auditor, tmp_path: Path) -> None:
    visit(app, "all")
    notice = newest(app).notice
    alter(tmp_path, "UPDATE document SET body = ? WHERE hash = ?", b"<p>Something else", notice)
    page = auditor.open(f"/notices/{notice}")
    assert page.status_code == 503
    assert "Something else" not in page.text
    assert "altered" in page.text


def test_while_the_ledger_cannot_be_read_the_pages_say_so_and_the_servers_log_alone_says_why(
    app: Flask, auditor: Auditor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    visit(app, "all")
    id, token = newest(app).id, auditor.token()
    storage = site_of(app).recorder.ledger.storage
    storage.close()  # type: ignore[attr-defined]
    database = tmp_path / "instance" / "consent.sqlite3"
    for beside in ("-wal", "-shm"):
        Path(f"{database}{beside}").unlink(missing_ok=True)
    database.write_bytes(b"not a database at all " * 400)
    paths = ("", "/overview", "/opt-outs", "/policies", "/verification", f"/notices/{'0' * 64}")
    for page in (*map(auditor.open, paths), auditor.look_up(id, csrf_token=token)):
        assert page.status_code == 503
        assert "can&#39;t be read now. The server&#39;s log says why." in page.text
        assert "Traceback" not in page.text
        assert str(tmp_path) not in page.text
    assert caplog.text.count(str(database)) == len(paths) + 1


def test_a_made_up_log_is_said_to_be_one_on_every_page(app: Flask, ledger: Ledger, auditor: Auditor) -> None:
    event = record(ledger)
    assert SAID not in auditor.open().text
    ledger.record_once(mark(ledger.origin, event.time, "ab" * 32), salt=bytes(32))
    assert SAID in auditor.open().text
    assert SAID in auditor.look_up(event.id).text
