"""A receipt that is checked alone, without a bundle."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import consent.verify
from consent.ledger import Receipt, commitment, leaf_hash
from consent.web.checking import receipt_in
from tests.ledger.memory import ORIGIN, MemoryLog, signer_of

from .bundles import KEY, checked, folder


@pytest.fixture
def log() -> MemoryLog:
    """A log with answers in it."""
    return MemoryLog().grow(20)


def kept(tmp_path: Path, text: str) -> Path:
    """The file that a visitor saved."""
    path = tmp_path / "consent.tlog-proof"
    path.write_bytes(text.encode())
    return path


def test_what_the_log_signed_is_right_and_what_it_says_is_told(log: MemoryLog, tmp_path: Path) -> None:
    receipt = log.receipt(7, 12)
    event = receipt.event()
    assert event is not None
    for text in (receipt.to_text(), receipt.to_text().replace("\n", "\r\n")):
        report = checked(kept(tmp_path, text))
        assert (report.verdict, report.findings) == ("ok", [])
        said = "\n".join(report.remarks)
        assert "Entry 7 of the log clinic.example/privacy-choices, signed when that had 12 entries" in said
        for answer in (event.granted, event.refused):
            assert ", ".join(answer) in said
        assert "for a bundle to show" in said


@pytest.mark.parametrize(
    "body",
    [
        b'{"granted":[],"refused":[],"time":[1]}',
        b'{"granted":[],"refused":[],"time":{"a":1}}',
        b'{"granted":[],"refused":[],"time":null}',
        b'{"granted":[1],"refused":[],"time":"x"}',
        b'{"granted":[["a"]],"refused":1,"time":"x"}',
        b'["granted"]',
        b'"time"',
        b"7",
        b"\xff",
        b"[" * 50_000,
    ],
)
def test_whatever_else_was_signed_is_right_and_said_to_be_of_no_known_form(
    tmp_path: Path, body: bytes
) -> None:
    log, salt = MemoryLog().grow(7), bytes(32)
    leaf = log.event(7).leaf_over(commitment(salt, body), ORIGIN)
    like = log.grow(8).records[7]
    log.records[7] = replace(like, leaf=leaf, leaf_hash=leaf_hash(leaf), salt=salt, body=body)
    log.tiles.entries[7] = leaf_hash(leaf)
    report = checked(kept(tmp_path, log.grow(12).receipt(7, 12).to_text()))
    assert (report.verdict, report.findings) == ("ok", [])
    assert report.remarks[-1] == "What it says is of no known form."


AS_SAVED: dict[str, Callable[[str], str]] = {
    "with a line more": lambda text: f"{text}\n",
    "without its last line end": lambda text: text.removesuffix("\n"),
    "with a line before": lambda text: f"\n{text}",
    "with a space before": lambda text: f" {text}",
    "with spaces after": lambda text: f"{text.removesuffix(chr(10))} \t\n",
    "with line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "with line ends of old Macs": lambda text: text.replace("\n", "\r"),
    "with a line in its middle": lambda text: text.replace("\n\n", "\n\n\n"),
    "with a space in its middle": lambda text: text.replace("\nindex", " \nindex"),
    "without its middle line": lambda text: text.replace("\n\n", "\n"),
    "empty": lambda text: "",
}


@pytest.mark.parametrize("how", AS_SAVED)
def test_a_receipt_as_systems_save_it_is_right_here_if_it_is_on_the_site(
    log: MemoryLog, tmp_path: Path, how: str
) -> None:
    receipt = log.receipt(7, 12)
    text = AS_SAVED[how](receipt.to_text())
    on_site = receipt_in(text) == receipt
    assert on_site == (how not in {"empty", *(each for each in AS_SAVED if "middle" in each)})
    (tmp_path / "bundle").mkdir()
    beside = checked(tmp_path / "bundle", receipts=(text,))
    assert (beside.unusable == []) == on_site
    if how != "empty":
        assert (checked(kept(tmp_path, text)).verdict == "ok") == on_site


def test_a_checkpoint_as_systems_save_it_is_compared(log: MemoryLog, tmp_path: Path) -> None:
    bundle = folder(tmp_path / "bundle", log.files())
    for text in (f"\n {log.checkpoint()}\n\n", log.checkpoint().removesuffix("\n")):
        assert checked(bundle, outside=(text,)).verdict == "ok"


def test_once_erased_it_shows_that_it_happened(log: MemoryLog, tmp_path: Path) -> None:
    receipt = log.receipt(7, 12)
    text = Receipt(
        index=7, proof=receipt.proof, note=receipt.note, leaf=receipt.leaf, salt=None, opening=None
    ).to_text()
    report = checked(kept(tmp_path, text))
    assert (report.verdict, report.right) == ("erased", True)


def test_every_line_that_is_changed_is_found(log: MemoryLog, tmp_path: Path) -> None:
    lines = log.receipt(7, 12).to_text().split("\n")
    for number, line in enumerate(lines[1:], 1):
        if not line:
            continue
        lines[number] = line[:-3] + chr(ord(line[-3]) ^ 1) + line[-2:] if len(line) > 2 else "9"
        report = checked(kept(tmp_path, "\n".join(lines)))
        assert report.verdict in ("tampered", "bad-signature"), line
        assert not report.right
        lines[number] = line


def test_it_has_to_be_signed_by_a_key_that_was_given(log: MemoryLog, tmp_path: Path) -> None:
    path = kept(tmp_path, log.receipt(7, 12).to_text())
    assert checked(path, keys=(signer_of(bytes(32)).key,)).verdict == "bad-signature"
    assert checked(path, revoked=[KEY]).verdict == "bad-signature"


def test_the_program_says_it_in_words_and_in_json(
    log: MemoryLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(kept(tmp_path, log.receipt(7, 12).to_text()))
    assert consent.verify.main([path, "--key", KEY]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("ok: ")
    assert consent.verify.main([path, "--key", KEY, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["index"], answer["entries"]) == ("ok", 7, 12)
