"""Receipts: what a visitor keeps says by itself whether it is what the log signed."""

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import LedgerError, ProofError
from consent.ledger import Checkpoint, Event, Kind, Outcome, Receipt, check_receipt, leaf_hash
from consent.ledger.merkle import Coordinate, inclusion_proof
from consent.ledger.note import Note, Signer, sign

from .naive import NaiveTree
from .strategies import UNHURRIED

ORIGIN, OTHER = "clinic.example/privacy-choices", "shop.example/privacy-choices"
OLD, NEW = (
    Signer.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)) for number in (0, 1)
)
SALT = bytes(range(32))
EVENT = Event(
    id=uuid.UUID(int=4),
    kind=Kind.GIVEN,
    time=datetime(2026, 11, 21, 18, 4, 5, 123000, UTC),
    policy="9f" * 32,
    subject=uuid.UUID("c1a5e0de-0000-4000-8000-00000000abcd"),
    granted=("statistics",),
)
LEAF = EVENT.leaf(ORIGIN, SALT)
INDEX, SIZE = 4, 7


class Reader:
    """The tree of seven entries with *leaf* as the fifth."""

    def __init__(self, leaf: bytes) -> None:
        hashes = [leaf_hash(b"entry %d" % number) for number in range(SIZE)]
        hashes[INDEX] = leaf_hash(leaf)
        self.tree = NaiveTree(hashes)

    def hashes(self, coordinates: Sequence[Coordinate]) -> list[bytes]:
        return [self.tree.mth(index << level, index + 1 << level) for level, index in coordinates]


def receipt(leaf: bytes = LEAF, origin: str = ORIGIN, signers: Sequence[Signer] = (OLD,)) -> Receipt:
    reader = Reader(leaf)
    return Receipt(
        index=INDEX,
        proof=tuple(inclusion_proof(INDEX, SIZE, reader)),
        note=sign(Checkpoint(origin, SIZE, reader.tree.mth(0, SIZE)).to_text(), *signers),
        leaf=leaf,
        salt=SALT,
        opening=EVENT.body(),
    )


RECEIPT = receipt()
ERASED = replace(RECEIPT, salt=None, opening=None)


def outcome(found: Receipt, keys: Sequence[str] = (OLD.key,)) -> Outcome:
    """The outcome, of the receipt as it is handed over."""
    return check_receipt(Receipt.parse(found.to_text()), keys, ORIGIN)


def test_a_receipt_holds_for_whoever_knows_the_log_s_key_and_says_what_was_answered() -> None:
    found = Receipt.parse(RECEIPT.to_text())
    assert found == RECEIPT
    assert check_receipt(found, [OLD.key], ORIGIN) is Outcome.VALID
    assert found.event() == EVENT
    assert found.outline().origin == ORIGIN
    assert found.checkpoint == Checkpoint(ORIGIN, SIZE, Reader(LEAF).tree.mth(0, SIZE))


def test_a_receipt_is_the_published_form_line_by_line() -> None:
    lines = RECEIPT.to_text().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    extra = json.loads(base64.b64decode(lines[1].removeprefix("extra ")))
    assert {name: base64.b64decode(value) for name, value in extra.items()} == {
        "leaf": LEAF,
        "opening": EVENT.body(),
        "salt": SALT,
    }
    assert lines[2] == "index 4"
    assert [base64.b64decode(line) for line in lines[3:6]] == Reader(LEAF).tree.path(INDEX, 0, SIZE)
    assert lines[6] == ""
    assert "\n".join(lines[7:]) == RECEIPT.note


def test_a_receipt_whose_opening_is_erased_still_shows_that_there_was_an_event() -> None:
    assert outcome(ERASED) is Outcome.VALID
    assert ERASED.event() is None
    assert ERASED.outline().kind == "given"


def test_a_receipt_outlives_a_change_of_keys() -> None:
    both = receipt(signers=(OLD, NEW))
    for keys in ([OLD.key], [NEW.key], [NEW.key, OLD.key]):
        assert outcome(both, keys) is Outcome.VALID
    assert outcome(RECEIPT, [NEW.key, OLD.key]) is Outcome.VALID
    assert outcome(RECEIPT, [NEW.key]) is Outcome.UNKNOWN_SIGNATURE
    assert outcome(RECEIPT, []) is Outcome.UNKNOWN_SIGNATURE


def test_the_receipt_of_another_log_is_named_so() -> None:
    other = Signer.of(OTHER, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    assert outcome(receipt(EVENT.leaf(OTHER, SALT), OTHER, [other])) is Outcome.OTHER_LOG
    assert outcome(receipt(LEAF, OTHER, [OLD])) is Outcome.OTHER_LOG
    assert outcome(receipt(EVENT.leaf(OTHER, SALT), ORIGIN)) is Outcome.OTHER_LOG


def test_whatever_is_altered_is_noticed() -> None:
    body = EVENT.body()
    later = Reader(LEAF).tree.mth(0, 6)
    for altered in (
        replace(RECEIPT, leaf=LEAF.replace(b'"given"', b'"refused"')),
        replace(RECEIPT, opening=body.replace(b'"statistics"', b'"statistics","videos"')),
        replace(RECEIPT, salt=bytes(32)),
        replace(RECEIPT, salt=SALT[:31]),
        replace(RECEIPT, index=3),
        replace(RECEIPT, proof=RECEIPT.proof[:-1]),
        replace(RECEIPT, proof=RECEIPT.proof[::-1]),
        replace(RECEIPT, note=RECEIPT.note.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n")),
        replace(
            RECEIPT,
            note=Note(Checkpoint(ORIGIN, 6, later).to_text(), Note.parse(RECEIPT.note).signatures).to_text(),
        ),
        replace(ERASED, leaf=LEAF.replace(b'"given"', b'"refused"')),
    ):
        assert outcome(altered) is Outcome.ALTERED, altered


def test_a_leaf_of_no_known_form_is_called_neither_valid_nor_altered() -> None:
    for leaf in (LEAF.replace(b'"format":1', b'"format":2'), b"nothing", b"[" * 50_000):
        with pytest.raises(ProofError, match="known form"):
            Receipt.parse(receipt(leaf).to_text())
        with pytest.raises(LedgerError):
            check_receipt(receipt(leaf), [OLD.key], ORIGIN)


def test_one_letter_changed_anywhere_leaves_nothing_valid() -> None:
    text = RECEIPT.to_text()
    for place in range(0, len(text), 3):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        try:
            assert check_receipt(Receipt.parse(changed), [OLD.key], ORIGIN) is not Outcome.VALID, place
        except ProofError:
            continue


def test_a_key_that_is_none_is_the_caller_s_mistake_and_not_the_receipt_s() -> None:
    with pytest.raises(ValueError, match="no verifier key"):
        check_receipt(RECEIPT, ["key"], ORIGIN)


def test_half_an_opening_and_half_a_hash_make_no_receipt() -> None:
    for changes in ({"salt": None}, {"opening": None}, {"proof": (bytes(31),)}):
        with pytest.raises(ValueError, match="expected"):
            replace(RECEIPT, **changes)


TEXT = RECEIPT.to_text()


def with_extra(extra: bytes) -> str:
    lines = TEXT.split("\n")
    return "\n".join([lines[0], f"extra {base64.b64encode(extra).decode()}", *lines[2:]])


EXTRA = base64.b64decode(TEXT.split("\n")[1].removeprefix("extra "))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        TEXT.removesuffix("\n"),
        f"{TEXT}\n",
        f" {TEXT}",
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("@v1", "@v2"),
        TEXT.replace("extra ", "Extra "),
        "\n".join(line for line in TEXT.split("\n") if not line.startswith("extra")),
        TEXT.replace("index 4", "index 04"),
        TEXT.replace("index 4", "index -4"),
        TEXT.replace("index 4", "index 7"),
        TEXT.replace("index 4", f"index {'9' * 5000}"),
        TEXT.replace("index 4\n", "index 4\nAAAA\n"),
        TEXT.replace("index 4\n", "index 4\n\n"),
        TEXT.replace("=\n\nclinic", "\n\nclinic"),
        TEXT.replace("privacy-choices\n7\n", "privacy-choices\n07\n"),
        TEXT.split("\n\n")[0] + "\n\n" + ORIGIN,
        TEXT.rsplit("\n\n", 1)[0] + "\n\n",
        with_extra(b""),
        with_extra(b"null"),
        with_extra(b"[]"),
        with_extra(b"{}"),
        with_extra(b"\xff"),
        with_extra(b"[" * 100_000),
        with_extra(EXTRA + b" "),
        with_extra(EXTRA.replace(b'"salt"', b'"index"')),
        with_extra(EXTRA.replace(b"}", b',"z":null}')),
        with_extra(EXTRA.replace(b'"leaf":"', b'"leaf":" ')),
        with_extra(b'{"leaf":null,"opening":null,"salt":null}'),
        with_extra(b'{"leaf":7,"opening":null,"salt":null}'),
        with_extra(b'{"leaf":"AAAA","opening":"AAAA","salt":null}'),
        replace(RECEIPT, opening=b"x" * 500_000).to_text(),
    ],
)
def test_what_is_no_receipt_is_refused_in_one_plain_sentence(text: str) -> None:
    with pytest.raises(
        ProofError, match=r"^This is not a receipt, or not one of a known form, or not the whole of it\.$"
    ):
        Receipt.parse(text)


pieces = st.text(st.characters(), max_size=30) | st.sampled_from(
    [*TEXT.split("\n"), "\n", "\n\n", "extra ", "index 0", "="]
)


@UNHURRIED
@given(st.lists(pieces, max_size=14).map("\n".join))
def test_any_text_is_a_receipt_or_refused(text: str) -> None:
    try:
        assert Receipt.parse(text).to_text() == text
    except ProofError:
        assert text != TEXT
