"""What a log says of keys that ended is held against what was signed of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from consent.ledger import Document, Kind
from consent.ledger.keys import announcement, ending, farewell, known_keys, voucher
from consent.ledger.note import Signer, sign
from consent.verify import Report
from tests.ledger.memory import ORIGIN, START, MemoryLog, signer_of

from .bundles import checked, folder, places

FIRST, SECOND, THIRD = signer_of(), signer_of(bytes(range(1, 33))), signer_of(bytes(range(2, 34)))
RETIRED = farewell(FIRST.key, ORIGIN, [FIRST, SECOND], revoked=False)
REVOKED = farewell(FIRST.key, ORIGIN, [FIRST, SECOND], revoked=True)
ENDING = 3


def ended(said: Document, *, key: Signer = FIRST, revoked: bool = False, **members: Any) -> MemoryLog:
    """A log of 5 entries: 2 announces the second key, and 3 says that *key* ended, of which *said* is the note."""
    log = MemoryLog(FIRST).grow(2)
    vouched = voucher(SECOND.key, ORIGIN, [FIRST, SECOND])
    log.append(announcement(SECOND.key, vouched, origin=ORIGIN, time=START))
    event = ending(key.key, said, revoked=revoked, origin=ORIGIN, time=START)
    acts: dict[str, object] = {"id": event.id, "kind": Kind.OPERATED, "detail": event.detail}
    log.append(log.event(ENDING, **(acts | members)))
    log.documents |= {each.hash: each.body for each in (vouched, said)}
    return log.grow(5)


def report_of(path: Path, log: MemoryLog, keys: Sequence[Signer] = (FIRST, SECOND), **options: Any) -> Report:
    kept = log.checkpoint(5, SECOND)
    files = log.files(kept)
    path.mkdir(exist_ok=True)
    return checked(folder(path / "b", files), keys=tuple(key.key for key in keys), outside=(kept,), **options)


def counted(log: MemoryLog) -> list[str]:
    """The states of the keys as the component itself sees them."""
    documents = [Document(kind="key", hash=hash, body=body) for hash, body in log.documents.items()]
    places = {record.id: (record.index, record.leaf) for record in log.records}
    return [str(key.state) for key in known_keys(FIRST.key, documents, places.get, ORIGIN)]


def test_a_key_that_ended_as_it_has_to_is_no_fault(tmp_path: Path) -> None:
    log = ended(RETIRED)
    report = report_of(tmp_path, log)
    assert (report.verdict, counted(log)) == ("ok", ["old", "current"])
    assert not any("retired" in remark for remark in report.remarks)


def test_who_gave_a_key_that_was_revoked_hears_of_it(tmp_path: Path) -> None:
    log = ended(REVOKED, revoked=True)
    report = report_of(tmp_path, log)
    assert (report.verdict, counted(log)) == ("ok", ["revoked", "current"])
    assert any("a key was revoked" in remark and FIRST.key in remark for remark in report.remarks)
    again = report_of(tmp_path / "again", log, revoked=[FIRST.key])
    assert again.verdict == "ok"
    assert not any("a key was revoked" in remark for remark in again.remarks)


def test_of_a_key_that_was_not_given_it_is_said_that_its_end_was_not_checked(tmp_path: Path) -> None:
    report = report_of(tmp_path, ended(RETIRED), keys=[SECOND])
    assert report.verdict == "ok"
    assert any("whether that was signed is not checked" in remark for remark in report.remarks)


@pytest.mark.parametrize(
    ("said", "key", "revoked", "verdict"),
    [
        (farewell(FIRST.key, ORIGIN, [FIRST], revoked=False), FIRST, False, "bad-signature"),
        (farewell(FIRST.key, ORIGIN, [FIRST, THIRD], revoked=True), FIRST, True, "bad-signature"),
        (farewell(FIRST.key, ORIGIN, [SECOND], revoked=True), FIRST, True, "tampered"),
        (farewell(SECOND.key, ORIGIN, [FIRST, SECOND], revoked=True), SECOND, True, "tampered"),
        (farewell(SECOND.key, ORIGIN, [FIRST], revoked=False), SECOND, False, "tampered"),
        # It says something else than the entry does; or is signed for nothing of the kind.
        (RETIRED, FIRST, True, "tampered"),
        (
            Document.of("key", sign(f"{ORIGIN}\n2\n{FIRST.key}\n", FIRST, SECOND).encode()),
            FIRST,
            False,
            "tampered",
        ),
        (Document.of("key", b"x"), FIRST, False, "tampered"),
    ],
)
def test_an_end_that_nobody_signed_who_may_ends_no_key_and_is_found(
    tmp_path: Path, said: Document, key: Signer, revoked: bool, verdict: str
) -> None:
    log = ended(said, key=key, revoked=revoked)
    report = report_of(tmp_path, log)
    assert (report.verdict, places(report, verdict)) == (verdict, [f"entry {ENDING}"])
    assert counted(log) in (["current", "current"], ["old", "current"])
    assert (counted(log)[0] == "old") is (said is RETIRED)


@pytest.mark.parametrize(
    "members",
    [
        {"id": MemoryLog().event(9).id},
        {"detail": {"key": {"revoked": FIRST.key}}},
        {"detail": {"key": {"lost": FIRST.key, "note": RETIRED.hash}}},
        {"detail": {"key": {"note": RETIRED.hash, "retired": "no key"}}},
        {"detail": {"key": {"note": 1, "retired": FIRST.key}}},
    ],
)
def test_an_entry_that_says_so_in_another_way_is_found(tmp_path: Path, members: dict[str, Any]) -> None:
    assert places(report_of(tmp_path, ended(RETIRED, **members))) == [f"entry {ENDING}"]


def test_a_note_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    log = ended(REVOKED, revoked=True)
    del log.documents[REVOKED.hash]
    assert counted(log) == ["current", "current"]
    report = report_of(tmp_path, log)
    assert places(report) == [f"entry {ENDING}"]
    assert f"documents/{REVOKED.hash} is missing" in report.findings[0].said


def test_a_key_that_ended_ends_no_other(tmp_path: Path) -> None:
    log = ended(RETIRED)
    third = voucher(THIRD.key, ORIGIN, [SECOND, THIRD])
    log.append(announcement(THIRD.key, third, origin=ORIGIN, time=START))
    over = farewell(SECOND.key, ORIGIN, [SECOND, THIRD], revoked=False)
    late = farewell(FIRST.key, ORIGIN, [FIRST, SECOND], revoked=True)
    for key, said, revoked in ((SECOND, over, False), (FIRST, late, True)):
        log.append(ending(key.key, said, revoked=revoked, origin=ORIGIN, time=START))
    log.documents |= {each.hash: each.body for each in (third, over, late)}
    kept = log.checkpoint(8, THIRD)
    keys = FIRST.key, SECOND.key, THIRD.key
    report = checked(folder(tmp_path / "b", log.files(kept)), keys=keys, outside=(kept,))
    assert places(report) == ["entry 7"]
    assert counted(log) == ["old", "old", "current"]
