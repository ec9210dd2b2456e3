"""Signed notes as others publish them, and what is refused."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import LedgerError, ProofError
from consent.ledger.note import Note, Opened, Signature, Signer, open_note, sign, verifier_key

from .strategies import UNHURRIED

# The example of the Go package that the format comes from (golang.org/x/mod/sumdb/note).
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNATURE = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)
NOTE = f"{TEXT}\n{SIGNATURE}\n"

# The example of C2SP signed-note, which comes without its key.
POEM = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
POET = "quasimodo.example/salvatore"
POEM_NOTE = (
    f"{POEM}\n— {POET} "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)

OLD_KEY, NEW_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (0, 1))
OLD, NEW = (Signer.of("log.example", private) for private in (OLD_KEY, NEW_KEY))


def test_a_published_note_opens_with_its_published_key() -> None:
    assert open_note(NOTE, [KEY]) == Opened(TEXT, frozenset({KEY}))


def test_the_example_of_the_specification_is_read_and_written_as_it_is() -> None:
    note = Note.parse(POEM_NOTE)
    assert note.text == POEM
    (signature,) = note.signatures
    assert (signature.name, signature.key_id.hex(), len(signature.value)) == (POET, "367ba04b", 64)
    assert note.to_text() == POEM_NOTE


def test_what_is_signed_opens_and_signing_again_gives_the_same_bytes() -> None:
    note = sign(TEXT, OLD)
    assert open_note(note, [OLD.key]) == Opened(TEXT, frozenset({OLD.key}))
    assert sign(TEXT, OLD) == note


def test_while_keys_change_a_note_is_signed_with_both_and_opens_with_either() -> None:
    note = sign(TEXT, OLD, NEW)
    assert note.count("— log.example ") == 2
    assert open_note(note, [OLD.key]).keys == {OLD.key}
    assert open_note(note, [NEW.key, KEY]).keys == {NEW.key}
    assert open_note(note, [OLD.key, NEW.key]).keys == {OLD.key, NEW.key}


def test_the_line_of_a_witness_is_read_from_its_text() -> None:
    signature = Signature.from_line(f"{SIGNATURE}\n")
    assert Note(TEXT, (OLD.signature(TEXT), signature)).to_text().endswith(f"\n{SIGNATURE}\n")
    for line in ("", SIGNATURE[2:], f"{SIGNATURE}\n\n", SIGNATURE.replace("JnAM=", "JnAN="), "— a AAAAAA=="):
        with pytest.raises(ProofError):
            Signature.from_line(line)


def test_signatures_of_unknown_keys_are_ignored_also_under_a_known_name() -> None:
    both = NOTE + OLD.signature(TEXT).to_line()
    assert open_note(both, [KEY]).text == open_note(both, [OLD.key]).text == TEXT
    namesake = NOTE + "— PeterNeumann AAAAAAAAAAA=\n"
    assert open_note(namesake, [KEY]).keys == {KEY}


def test_a_known_key_whose_signature_fails_spoils_the_note_also_beside_one_that_holds() -> None:
    stale = OLD.signature("other\n")
    note = NOTE + stale.to_line()
    assert open_note(note, [KEY]).keys == {KEY}
    with pytest.raises(ProofError, match="isn't what was signed"):
        open_note(note, [KEY, OLD.key])


def test_a_key_that_stays_elsewhere_signs_by_a_call() -> None:
    asked = list[bytes]()

    def elsewhere(data: bytes) -> bytes:
        asked.append(data)
        return OLD_KEY.sign(data)

    assert sign(TEXT, Signer(OLD.key, elsewhere)) == sign(TEXT, OLD)
    assert asked == [TEXT.encode()]


@pytest.mark.parametrize("elsewhere", [NEW_KEY.sign, lambda data: b"", lambda data: bytes(64)])
def test_a_signer_with_another_key_than_it_names_signs_nothing(elsewhere: Callable[[bytes], bytes]) -> None:
    with pytest.raises(LedgerError, match="doesn't sign with the key it names"):
        sign(TEXT, Signer(OLD.key, elsewhere))


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("problem is", "problem was"),
        NOTE.replace("PeterNeumann", "PeteNeumann"),
        NOTE.replace("x08go/Z", "x08go/Y"),
        NOTE.replace("x08go", "x09go"),
        NOTE.replace("JnAM=", ""),
        NOTE.replace("JnAM=", "JnAN="),
        NOTE.removesuffix("\n"),
        f"{NOTE}\n",
        f"{NOTE}more\n",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("— ", "- "),
        NOTE.replace("If", "\tIf"),
        NOTE.replace("If", "\ud800"),
        f"{TEXT}\n",
        TEXT,
        "",
        NOTE + f"{SIGNATURE}\n" * 64,
    ],
)
def test_anything_else_is_refused(note: str) -> None:
    with pytest.raises(ProofError):
        open_note(note, [KEY])


def test_a_note_longer_than_any_reader_has_to_take_is_refused() -> None:
    assert open_note(sign("x" * 100_000 + "\n", OLD), [OLD.key])
    with pytest.raises(ProofError, match="not a signed note"):
        open_note(sign("x" * 131_072 + "\n", OLD), [OLD.key])


def test_a_note_without_a_known_signature_is_refused() -> None:
    for keys in ([], [OLD.key]):
        with pytest.raises(ProofError, match="isn't signed by a known key"):
            open_note(NOTE, keys)


def test_sixteen_signatures_of_five_thousand_bytes_are_taken() -> None:
    many = [Signature(f"witness{number}.example", b"\1\2\3\4", bytes(5000)) for number in range(16)]
    note = Note(TEXT, (*many, *Note.parse(NOTE).signatures)).to_text()
    assert open_note(note, [KEY]).keys == {KEY}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "PeterNeumann+c74f20a3",
        KEY.replace("c74f20a3", "c74f20a4"),
        KEY.replace("c74f20a3", "C74F20A3"),
        KEY.replace("ARpc", "BRpc"),
        KEY.replace("ARpc", "ARpd"),
        KEY.replace("ARpc", "A"),
        f"{KEY}\n",
    ],
)
def test_what_is_no_verifier_key_is_the_caller_s_mistake(key: str) -> None:
    with pytest.raises(ValueError, match="no verifier key"):
        open_note(NOTE, [key])


@pytest.mark.parametrize("text", ["no newline", "an\n\nempty line\n", "a\ttab\n"])
def test_a_text_that_no_note_of_ours_can_hold_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="newline"):
        sign(text, OLD)
    with pytest.raises(ValueError, match="a note is signed"):
        sign(TEXT)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb", "a\u2003b"])
def test_a_name_that_no_key_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't name a key"):
        verifier_key(name, OLD_KEY.public_key())


pieces = st.text(st.characters(), max_size=30) | st.sampled_from(
    [*NOTE.split("\n"), "\n\n", "\n", "— ", "AAAA", "=", "\x85"]
)


@UNHURRIED
@given(st.lists(pieces, max_size=8).map("".join))
def test_any_text_is_a_note_or_refused(text: str) -> None:
    for parse in (Note.parse, Signature.from_line):
        try:
            parse(text)
        except ProofError:
            continue
        assert text.startswith("— ") or "\n\n— " in text
