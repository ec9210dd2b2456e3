"""Signed notes as others publish them, and what is refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.errors import ProofError
from consent.ledger.note import checkpoint, open_note, sign, verifier_key

# The example of the Go package that the format comes from (golang.org/x/mod/sumdb/note).
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNATURE = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)
NOTE = f"{TEXT}\n{SIGNATURE}\n"

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
OWN = verifier_key("log.example", PRIVATE.public_key())


def test_a_published_note_opens_with_its_published_key() -> None:
    assert open_note(NOTE, KEY) == TEXT


def test_what_is_signed_opens_and_signing_again_gives_the_same_bytes() -> None:
    text = checkpoint("log.example", 7, bytes(32))
    note = sign(text, "log.example", PRIVATE)
    assert open_note(note, OWN) == text
    assert sign(text, "log.example", PRIVATE) == note


def test_signatures_of_unknown_keys_are_ignored() -> None:
    signed = sign(TEXT, "log.example", PRIVATE).rsplit("\n\n", 1)[1]
    both = f"{TEXT}\n{signed}{SIGNATURE}\n"
    assert open_note(both, KEY) == open_note(both, OWN) == TEXT


@pytest.mark.parametrize(
    ("note", "key"),
    [
        (NOTE, OWN),
        (NOTE, ""),
        (NOTE, "PeterNeumann+c74f20a3"),
        (NOTE, KEY.replace("c74f20a3", "c74f20a4")),
        (NOTE, KEY.replace("ARpc", "BRpc")),
        (NOTE, KEY.replace("ARpc", "ARpd")),
        (NOTE, KEY.replace("ARpc", "A")),
        (NOTE.replace("problem is", "problem was"), KEY),
        (NOTE.replace("PeterNeumann", "PeteNeumann"), KEY),
        (NOTE.replace("x08go/Z", "x08go/Y"), KEY),
        (NOTE.replace("x08go", "x09go"), KEY),
        (NOTE.replace("JnAM=", ""), KEY),
        (TEXT, KEY),
        ("", KEY),
    ],
)
def test_anything_else_is_refused_without_detail(note: str, key: str) -> None:
    with pytest.raises(ProofError, match="isn't signed by this key"):
        open_note(note, key)


@pytest.mark.parametrize("text", ["no newline", "an\n\nempty line\n"])
def test_a_text_that_no_note_can_hold_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="newline"):
        sign(text, "log.example", PRIVATE)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb"])
def test_a_name_that_no_key_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't name a key"):
        verifier_key(name, PRIVATE.public_key())
