"""The proof on an event's page: made from the tree, and checked down to the signature before it is said to hold."""

import re
import uuid
from pathlib import Path

import pytest
from flask import Flask

from consent.audit.proof import HOLDS, HOLDS_ERASED, NOT_YET, proof_of
from consent.ledger import Ledger

from .clinic import Auditor, newest, record, visit
from .tampering import alter, erase
from .test_pages import text_of


def test_the_page_of_an_event_checks_its_proof_and_says_of_what_it_holds(
    app: Flask, ledger: Ledger, auditor: Auditor
) -> None:
    visit(app, "all")
    event = newest(app)
    for _ in range(3):
        record(ledger)
    ledger.sign()
    size = ledger.size()
    words = text_of(auditor.look_up(event.id).text)
    assert HOLDS in words
    assert f"Index 2 Tree size {size} entries Hashes 3, which lead" in words
    assert f"Root {ledger.root(size).hex()}" in words
    assert f"Signed by {ledger.verifier_keys()[0]}" in words


def test_the_proof_of_an_erased_event_says_that_what_it_said_is_gone(ledger: Ledger, tmp_path: Path) -> None:
    event = record(ledger)
    erase(tmp_path, event.id)
    proof = proof_of(ledger, event.id)
    assert (proof.said, proof.holds) == (HOLDS_ERASED, True)


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE entry SET leaf = ? WHERE uid = ?", b"{}"),
        ("UPDATE entry SET leaf = ? WHERE uid = ?", b"[" * 50_000),
        ("UPDATE opening SET body = ? WHERE uid = ?", b"{}"),
    ],
)
def test_of_an_altered_event_no_proof_is_said_to_hold(
    ledger: Ledger, auditor: Auditor, tmp_path: Path, statement: str, value: bytes
) -> None:
    event = record(ledger)
    ledger.sign()
    alter(tmp_path, statement, value, event.id.hex)
    page = auditor.look_up(event.id)
    assert page.status_code == 200
    assert HOLDS not in page.text
    section = page.text[page.text.index("<h2>Proof</h2>") :]
    assert re.match(r'<h2>Proof</h2>\s*<p class="pc-problem" role="alert">', section)


def test_what_is_not_sealed_has_no_proof_yet(ledger: Ledger) -> None:
    record(ledger)
    proof = proof_of(ledger, uuid.uuid4())
    assert (proof.said, proof.holds) == (NOT_YET, None)


def test_without_the_logs_key_the_proof_is_said_to_be_out_of_reach_and_not_to_fail(
    ledger: Ledger, tmp_path: Path
) -> None:
    event = record(ledger)
    (key,) = (tmp_path / "instance").glob("*.key")
    key.unlink()
    proof = proof_of(ledger, event.id)
    assert proof.said.startswith("The proof can't be had now.")
    assert proof.holds is None
