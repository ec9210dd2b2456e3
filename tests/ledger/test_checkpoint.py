"""Checkpoints: one spelling, and another log's is not ours."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import ProofError
from consent.ledger import Checkpoint, open_checkpoint
from consent.ledger.note import Note, Signer, sign

from .strategies import UNHURRIED

ORIGIN = "clinic.example/privacy-choices"
ROOT = bytes(range(32))
CODE = base64.b64encode(ROOT).decode()
TEXT = f"{ORIGIN}\n7\n{CODE}\n"
SIGNER = Signer.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))

# The example of C2SP tlog-checkpoint.
PUBLISHED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def test_the_example_of_the_specification_is_read() -> None:
    found = Checkpoint.parse(Note.parse(PUBLISHED).text)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert found.root.hex().startswith("0ac5186a91863e8e")
    assert found.extensions == ()


def test_a_checkpoint_is_three_lines_and_reads_back() -> None:
    found = Checkpoint(ORIGIN, 7, ROOT)
    assert found.to_text() == TEXT
    assert Checkpoint.parse(TEXT) == found
    assert Checkpoint.parse(TEXT.replace("\n7\n", "\n0\n")).size == 0
    assert Checkpoint.parse(TEXT.replace("\n7\n", f"\n{2**63 - 1}\n")).size == 2**63 - 1


def test_further_lines_are_kept_as_they_are_and_mean_nothing() -> None:
    found = Checkpoint.parse(f"{TEXT}extension one\n{CODE}\n")
    assert (found.origin, found.size, found.root) == (ORIGIN, 7, ROOT)
    assert found.extensions == ("extension one", CODE)
    assert found.to_text() == f"{TEXT}extension one\n{CODE}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        ORIGIN,
        f"{ORIGIN}\n7\n",
        TEXT.removesuffix("\n"),
        f"{TEXT}\n",
        f"{TEXT}\nlater\n",
        f"\n7\n{CODE}\n",
        TEXT.replace("\n7\n", "\n07\n"),
        TEXT.replace("\n7\n", "\n+7\n"),
        TEXT.replace("\n7\n", "\n-7\n"),
        TEXT.replace("\n7\n", "\n7 \n"),
        TEXT.replace("\n7\n", "\n\u0667\n"),
        TEXT.replace("\n7\n", "\n1_0\n"),
        TEXT.replace("\n7\n", f"\n{2**63}\n"),
        TEXT.replace("\n7\n", f"\n{'9' * 5000}\n"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(CODE, CODE.removesuffix("=")),
        TEXT.replace(CODE, CODE.replace("8=", "9=")),
        TEXT.replace(CODE, base64.b64encode(ROOT[:31]).decode()),
        TEXT.replace(CODE, f" {CODE}"),
        TEXT.replace(ORIGIN, "clinic\t.example"),
    ],
)
def test_what_would_not_be_written_so_is_no_checkpoint(text: str) -> None:
    with pytest.raises(ProofError, match="not a checkpoint"):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, ROOT), ("a\nb", 1, ROOT), (ORIGIN, -1, ROOT), (ORIGIN, 2**63, ROOT), (ORIGIN, 1, b"")],
)
def test_what_no_log_can_have_is_not_signed(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(ValueError, match=r"no line|no log"):
        Checkpoint(origin, size, root)


def test_a_signed_checkpoint_opens_for_its_own_log_only() -> None:
    note = sign(TEXT, SIGNER)
    assert open_checkpoint(note, [SIGNER.key], ORIGIN) == Checkpoint(ORIGIN, 7, ROOT)
    with pytest.raises(ProofError, match="another log's"):
        open_checkpoint(note, [SIGNER.key], "shop.example/privacy-choices")
    with pytest.raises(ProofError, match="known key"):
        open_checkpoint(note, [], ORIGIN)
    with pytest.raises(ProofError):
        open_checkpoint(note.replace("\n7\n", "\n8\n"), [SIGNER.key], ORIGIN)


pieces = st.text(st.characters(), max_size=12) | st.sampled_from([*TEXT.splitlines(), "\n", "0", "\x85"])


@UNHURRIED
@given(st.lists(pieces, max_size=8).map("".join))
def test_any_text_reads_back_as_it_is_or_is_refused(text: str) -> None:
    try:
        assert Checkpoint.parse(text).to_text() == text
    except ProofError:
        assert text != TEXT
