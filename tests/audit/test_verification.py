"""The log checked on a page that grows meanwhile: what it ends with, what it takes, and who may have it done."""

import html
import re
import secrets
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from consent.audit import running
from consent.audit.page import visible
from consent.audit.plain import ONLY_BROUGHT, PLAIN, place_in_words
from consent.audit.running import BUSY, TOO_LONG, Check, Step, busy, followed
from consent.ledger import Ledger, Sealed, erasure
from consent.verify import FINE, VERDICTS

from .clinic import AUDIT, SAME, Auditor, newest, record, site_of, visit
from .tampering import alter
from .test_pages import PAGE_POLICY, directives, text_of

WHERE = f"{AUDIT}/verification"


def check(auditor: Auditor, headers: dict[str, str] = SAME, **fields: str) -> TestResponse:
    """Press the button of the page."""
    data = {"csrf_token": fields.get("csrf_token") or auditor.token(), **fields}
    return auditor.client.post(WHERE, data=data, headers=headers)


def begun(auditor: Auditor) -> TestResponse:
    """The page as it begins to come: nothing of it is read."""
    data = {"csrf_token": auditor.token()}
    return auditor.client.post(WHERE, data=data, headers=SAME, buffered=False)


def pieces_of(response: TestResponse) -> Iterator[str]:
    """The page piece by piece."""
    return (piece.decode() if isinstance(piece, bytes) else piece for piece in response.response)


def read_until(pieces: Iterator[str], text: str) -> str:
    """As much of the page as has come once *text* is there."""
    so_far = ""
    while text not in so_far:
        so_far += next(pieces)
    return so_far


@pytest.mark.requirement("REC-05")
def test_a_check_ends_with_its_verdict_and_what_was_checked(answered: Ledger, auditor: Auditor) -> None:
    page = check(auditor)
    assert page.status_code == 200
    words = text_of(page.text)
    assert "The verdict: unanchored" in words
    assert f"Entries {answered.size()}, the newest of 2026-11-18, between 11:00 and 11:59 UTC" in words
    assert f"Root {answered.root(answered.size()).hex()}" in words
    assert f"Openings {answered.size()} compared with their leaves" in words
    assert "Documents 2 policies, notices and the like" in words
    assert "Checkpoints 1 that are stored" in words
    assert "Duration 0." in words
    assert f"python verify.py log.zip --key '{answered.verifier_keys()[0]}'" in words
    assert "checks itself" in words


def test_nothing_is_checked_by_a_page_that_is_only_opened(answered: Ledger, auditor: Auditor) -> None:
    page = auditor.open("/verification", outside="x")
    assert page.status_code == 200
    words = text_of(page.text)
    assert f"The log has {answered.size()} entries." in words
    assert "verdict:" not in words
    assert directives(page.headers["Content-Security-Policy"]) == PAGE_POLICY


@pytest.mark.parametrize("column", ["leaf", "leaf_hash"])
def test_what_was_altered_is_named_with_its_index(
    answered: Ledger, auditor: Auditor, app: Flask, tmp_path: Path, column: str
) -> None:
    event = newest(app)
    alter(tmp_path, f"UPDATE entry SET {column} = ? WHERE uid = ?", b"{}", event.id.hex)
    page = check(auditor)
    words = text_of(page.text)
    assert page.status_code == 200
    assert "The verdict: tampered" in words
    assert f"tampered entry {answered.size() - 1} " in words
    assert 'class="pc-plain pc-problem" role="alert">Something is wrong: ' in page.text


def test_above_each_verdict_stands_what_it_means_to_who_answers_for_the_site() -> None:
    assert PLAIN.keys() == VERDICTS.keys()
    for verdict, said in PLAIN.items():
        assert said.startswith("No sign of tampering" if verdict in FINE else "Something is wrong: "), verdict


@pytest.mark.requirement("REC-05")
def test_the_result_is_said_in_plain_words_before_the_verdict(
    answered: Ledger, auditor: Auditor, app: Flask
) -> None:
    words = text_of(check(auditor).text)
    assert f"{PLAIN['unanchored']} The verdict: unanchored" in words
    words = text_of(check(auditor, outside=answered.sign()).text)
    assert f"{PLAIN['ok']} The verdict: ok" in words
    receipt = answered.receipt(newest(app).id)
    assert receipt
    other = receipt.to_text().replace(f"index {receipt.index}\n", f"index {receipt.index - 1}\n")
    assert ONLY_BROUGHT in text_of(check(auditor, outside=other).text)


def test_the_result_names_no_option_of_the_command_line_and_has_times_as_the_pages_write_them(
    answered: Ledger, auditor: Auditor
) -> None:
    record(answered, time=datetime(2031, 1, 1, tzinfo=UTC))
    words = text_of(check(auditor).text)
    result, _, elsewhere = words.partition("The result")[2].partition("What this doesn’t show")
    assert "--checkpoint" in elsewhere
    assert not re.search(r" --\w|T\d\d:\d\d", result)
    assert "paste it below" in result
    assert "The newest entry is dated 2031-01-01 00:00:00 UTC, which is yet to come." in result


def test_places_that_are_names_of_files_and_parts_say_what_they_are(
    answered: Ledger, auditor: Auditor, app: Flask
) -> None:
    event = newest(app)
    act = erasure("visitor", id=uuid.uuid4(), time=event.time, policy=event.policy)
    assert answered.erase(act, salt=secrets.token_bytes(32), ids=[event.id]) == 1
    words = text_of(check(auditor).text)
    assert "unanchored the log as it stands (head) nothing that was kept outside confirms it" in words
    assert "erased the list of what was erased (erased.jsonl) 1 opening was erased" in words
    assert "Tombstones 1, each of which stands where something was erased" in words
    assert place_in_words("openings.jsonl, line 3") == "what the events say (openings.jsonl, line 3)"
    assert place_in_words("entry 3") == "entry 3"


def test_the_page_of_a_check_is_marked_among_the_pages(answered: Ledger, auditor: Auditor) -> None:
    for page in (auditor.open("/verification"), check(auditor)):
        assert re.findall(r'aria-current="page">([^<]+)<', page.text) == ["Verification"]


def test_without_a_readable_first_entry_the_check_is_made_all_the_same(
    answered: Ledger, auditor: Auditor, tmp_path: Path
) -> None:
    alter(tmp_path, "UPDATE entry SET leaf = ? WHERE leaf_index = 0", b"{}")
    words = text_of(check(auditor).text)
    assert "The verdict: tampered" in words
    assert "tampered entry 0 " in words


def test_a_checkpoint_that_was_kept_elsewhere_is_compared(
    answered: Ledger, auditor: Auditor, app: Flask
) -> None:
    kept = answered.sign()
    visit(app, "all")
    words = text_of(check(auditor, outside=f"\r\n{kept.strip()}".replace("\n", "\r\n")).text)
    assert "The verdict: ok" in words
    assert f"Confirmed {answered.size() - 1} entries, by what was kept elsewhere" in words


@pytest.mark.parametrize(
    "text", ["rubbish", "<script>alert(1)</script>", "c2sp.org/tlog-proof@v1\n", "\x00\x1b[2J"]
)
def test_what_is_neither_checkpoint_nor_receipt_is_no_verdict_on_the_log(
    answered: Ledger, auditor: Auditor, text: str
) -> None:
    page = check(auditor, outside=text)
    words = text_of(page.text)
    assert page.status_code == 400
    assert "What you pasted is neither a receipt nor a signed checkpoint" in words
    assert "The verdict" not in words
    assert page.text.partition("</textarea>")[0].endswith(visible(html.escape(text)))
    assert "<script" not in page.text
    assert "\x1b" not in html.unescape(page.text).split("<textarea")[0]


def test_the_page_comes_while_the_check_runs(answered: Ledger, auditor: Auditor) -> None:
    with closing(begun(auditor)) as response:
        assert response.headers["X-Accel-Buffering"] == "no"
        assert "Content-Length" not in response.headers
        pieces = pieces_of(response)
        first = read_until(pieces, "Reading the policies")
        assert not busy()
        rest = "".join(pieces)
        assert "The verdict" in rest
        assert "The verdict" not in first
    assert not busy()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at how far a check is as often as it can."""
    monkeypatch.setattr(running, "LOOK", 0.0)


def test_how_far_it_is_is_told_in_a_bounded_number_of_steps() -> None:
    far = iter([None, *(Step(entries, 10_000, False) for entries in range(10_001)), Step(7, 10_000, True)])
    left = iter(range(10_003, 0, -1))
    steps = list(followed(lambda: next(far), lambda: next(left) == 1))
    assert [step and step.entries for step in steps] == [*range(0, 10_001, 200), 7]


def test_a_long_silence_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SILENCE", -1.0)
    left = iter([3, 2, 1])
    assert list(followed(lambda: None, lambda: next(left) == 1)) == [None] * 3


@pytest.mark.usefixtures("watched")
def test_a_check_says_in_the_end_that_all_was_read(answered: Ledger) -> None:
    check = Check(answered)
    steps = [step for step in check.steps() if step]
    assert steps[-1] == Step(answered.size(), answered.size(), again=False)
    assert check.report
    assert check.report.right


@pytest.mark.usefixtures("watched")
def test_a_second_look_is_told_as_one(answered: Ledger, app: Flask, tmp_path: Path) -> None:
    alter(tmp_path, "UPDATE entry SET leaf_hash = ? WHERE uid = ?", bytes(32), newest(app).id.hex)
    check = Check(answered)
    assert any(step.again for step in check.steps() if step)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Keeps a check from going on after its first entry, until it is set or nobody waits for the check any more."""
    go = threading.Event()

    class Held(Check):
        def _passing(self, records: Iterator[Sealed], total: int) -> Iterator[Sealed]:
            for each in Check._passing(self, records, total):
                while not (self._stopped or go.wait(0.01)):
                    pass
                yield each

    monkeypatch.setattr("consent.audit.verification.Check", Held)
    return go


@pytest.mark.usefixtures("watched")
def test_who_stops_reading_keeps_nobody_waiting_once_the_log_is_read(
    answered: Ledger, auditor: Auditor, held: threading.Event
) -> None:
    with closing(begun(auditor)) as response:
        read_until(pieces_of(response), "<progress")
        assert busy()
        held.set()
        until = time.monotonic() + 10
        while busy() and time.monotonic() < until:
            time.sleep(0.01)
        assert "The verdict" in check(auditor).text


def test_a_check_that_takes_too_long_is_given_up_and_says_so(
    answered: Ledger, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "OFTEN", 1)
    monkeypatch.setattr(running, "LONGEST", -1.0)
    page = check(auditor)
    assert TOO_LONG in page.text
    assert "The verdict" not in page.text
    assert not busy()


@pytest.mark.usefixtures("watched")
def test_there_is_one_check_at_a_time_and_who_leaves_ends_it(
    answered: Ledger, auditor: Auditor, held: threading.Event
) -> None:
    with closing(begun(auditor)) as response:
        read_until(pieces_of(response), "<progress")
        assert busy()
        page = check(auditor, outside="kept")
        assert page.status_code == 409
        assert BUSY in page.text
        assert ">kept</textarea>" in page.text
        second = Check(answered)
        assert list(second.steps()) == []
        assert second.problem == BUSY
    assert not busy()
    held.set()
    assert "The verdict" in check(auditor).text


def test_a_check_needs_the_token_of_the_page(answered: Ledger, auditor: Auditor) -> None:
    page = check(auditor, csrf_token="wrong")
    assert page.status_code == 400
    assert "Nothing was checked" in page.text
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, SAME | {"Sec-Fetch-Dest": "iframe"}):
        page = check(auditor, headers=headers)
        assert page.status_code == 403
        assert "verdict:" not in page.text
    assert check(auditor, outside="x" * 300_000).status_code == 413


def unreadable(app: Flask, folder: Path) -> None:
    """Make the database of *app* one that nobody can read."""
    storage = site_of(app).recorder.ledger.storage
    storage.close()  # type: ignore[attr-defined]  # as OwnStorage has it, which this one is
    database = folder / "instance" / "consent.sqlite3"
    for beside in ("-wal", "-shm"):
        Path(f"{database}{beside}").unlink(missing_ok=True)
    database.write_bytes(b"not a database at all " * 400)


def test_while_the_ledger_cannot_be_read_nothing_is_said_of_it(
    answered: Ledger, auditor: Auditor, app: Flask, tmp_path: Path
) -> None:
    token = auditor.token()
    unreadable(app, tmp_path)
    for page in (auditor.open("/verification"), check(auditor, csrf_token=token)):
        assert page.status_code == 503
        assert "can&#39;t be read now" in page.text
        assert "verdict:" not in page.text


def test_a_ledger_that_fails_meanwhile_leaves_no_verdict(
    answered: Ledger, auditor: Auditor, app: Flask, tmp_path: Path
) -> None:
    with closing(begun(auditor)) as response:
        pieces = pieces_of(response)
        read_until(pieces, "Reading the policies")
        unreadable(app, tmp_path)
        rest = "".join(pieces)
    assert "nothing is said of the log" in rest
    assert "The verdict" not in rest
    assert not busy()


def test_to_a_stranger_there_is_no_such_page(app: Flask) -> None:
    client = app.test_client()
    nothing = client.post("/nothing/here", headers=SAME)
    answer = client.post(WHERE, headers=SAME)
    assert (answer.status_code, answer.data) == (nothing.status_code, nothing.data)
    assert client.get(WHERE).status_code == 404


def test_from_a_receipt_that_was_confirmed_a_button_leads_to_its_event(
    answered: Ledger, auditor: Auditor, app: Flask
) -> None:
    visit(app, "all")
    event = newest(app)
    receipt = answered.receipt(event.id)
    assert receipt
    page = check(auditor, outside=receipt.to_text())
    assert "The log has the event of the receipt." in page.text
    button = re.search(r'name="event" value="([^"]+)"', page.text)
    assert button
    assert "Consent given" in auditor.look_up(button[1]).text
    altered = check(
        auditor, outside=receipt.to_text().replace(f"index {receipt.index}\n", f"index {receipt.index - 1}\n")
    )
    assert "The log has the event" not in altered.text
    assert "All that is wrong is in what you pasted. The log without it is" in altered.text
    assert "what you pasted. The log" not in page.text
    assert "The log has the event" not in check(auditor, outside=receipt.note).text
