"""docs/format.md says what is written: every example on it, computed again.

Once with nothing but the standard library, as an outsider would, and once by the package.
"""

import base64
import hashlib
import hmac
import json
import re
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.ledger import Document, Event, Leaf, commitment, leaf_hash
from consent.ledger.event import Kind, opened, operated
from consent.ledger.note import checkpoint, open_note, sign, verifier_key

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
#: The fenced examples of the page, by the name after the language.
EXAMPLES = dict(re.findall(r"```\w+ (\S+)\n(.*?)\n```", PAGE, re.DOTALL))
ORIGIN = "clinic.example/privacy-choices"
SALT = bytes.fromhex(EXAMPLES["salt"])
SALT_0 = bytes(range(32, 64))


def test_the_commitment_follows_from_salt_and_opening() -> None:
    message = b"consent/opening/v1\x00" + EXAMPLES["opening"].encode()
    code = hmac.new(SALT, message, hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(code).decode().rstrip("=") == EXAMPLES["commitment"]


def test_the_leaf_holds_the_commitment_and_its_hash_is_rfc_6962s() -> None:
    leaf = EXAMPLES["leaf"].encode()
    assert json.loads(leaf)["commitment"] == EXAMPLES["commitment"]
    assert hashlib.sha256(b"\x00" + leaf).hexdigest() == EXAMPLES["leaf-hash"]


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("REC-03")
@pytest.mark.requirement("REC-04")
def test_the_package_reads_and_writes_the_example_event() -> None:
    event = Event.from_bytes(EXAMPLES["leaf"].encode(), EXAMPLES["opening"].encode())
    assert (event.kind, event.granted, event.refused) == (Kind.GIVEN, ("statistics",), ("videos",))
    assert event.time.isoformat() == "2026-11-21T18:04:05.123000+00:00"
    assert event.body().decode() == EXAMPLES["opening"]
    assert event.leaf(ORIGIN, SALT).decode() == EXAMPLES["leaf"]
    assert commitment(SALT, event.body()) == EXAMPLES["commitment"]
    assert leaf_hash(event.leaf(ORIGIN, SALT)).hex() == EXAMPLES["leaf-hash"]


@pytest.mark.requirement("LOG-06")
def test_the_leaf_says_nothing_of_a_person_and_no_time_finer_than_the_hour() -> None:
    leaf = json.loads(EXAMPLES["leaf"])
    assert leaf.keys() == {"commitment", "format", "hour", "id", "kind", "origin", "policy"}
    assert leaf["hour"] == "2026-11-21T18:00:00Z"


def test_a_document_is_named_by_the_hash_of_its_bytes() -> None:
    body = EXAMPLES["document"].encode()
    assert Document.of("notice", body).hash == EXAMPLES["document-hash"] == hashlib.sha256(body).hexdigest()


def test_entry_0_names_the_log_and_the_key_and_its_id_follows_from_both() -> None:
    private = Ed25519PrivateKey.from_private_bytes(SALT)
    key = verifier_key(ORIGIN, private.public_key())
    leaf = Leaf.from_bytes(EXAMPLES["entry-0"].encode())
    event = opened(key, origin=ORIGIN, time=leaf.hour)
    assert leaf.key == key
    assert event.body().decode() == EXAMPLES["opening-0"]
    assert event.leaf(ORIGIN, SALT_0).decode() == EXAMPLES["entry-0"]
    assert str(leaf.id) == str(derived("opened", ORIGIN, key))


def test_the_id_of_an_operated_event_follows_from_log_and_fingerprint() -> None:
    time = Leaf.from_bytes(EXAMPLES["leaf"].encode()).hour
    event = operated({"templates": "1c" * 32, "policy": "9f" * 32}, origin=ORIGIN, time=time)
    fingerprint = f'{{"policy":"{"9f" * 32}","templates":"{"1c" * 32}"}}'
    assert event.id == derived("operated", ORIGIN, hashlib.sha256(fingerprint.encode()).hexdigest())
    assert json.loads(event.body())["detail"] == {"fingerprint": json.loads(fingerprint)}


def test_the_guard_is_the_signed_checkpoint_of_a_log_with_entry_0_alone() -> None:
    private = Ed25519PrivateKey.from_private_bytes(SALT)
    leaf = EXAMPLES["entry-0"].encode()
    root = hashlib.sha256(b"\x00" + leaf).digest()
    text = f"{ORIGIN}\n1\n{base64.b64encode(root).decode()}\n"
    assert checkpoint(ORIGIN, 1, root) == text
    assert sign(text, ORIGIN, private) == EXAMPLES["guard"] + "\n"
    assert open_note(EXAMPLES["guard"] + "\n", json.loads(leaf)["key"]) == text


def test_the_page_lists_every_kind_and_every_member() -> None:
    for kind in Kind:
        assert f"`{kind}`" in PAGE
    for member in [*json.loads(EXAMPLES["leaf"]), *json.loads(EXAMPLES["opening"])]:
        assert f"`{member}`" in PAGE


def derived(*parts: str) -> uuid.UUID:
    """The id by the words of the page."""
    listed = ",".join(f'"{part}"' for part in ("consent/id/v1", *parts))
    number = int.from_bytes(hashlib.sha256(f"[{listed}]".encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76
    return uuid.UUID(int=number & ~(0x3 << 62) | 2 << 62)
