"""Signed notes, as C2SP publishes them (signed-note).

A note is text that ends in a newline, an empty line, and a line per signature::

    clinic.example/privacy-choices
    1
    mF0lNx8WvvMBOdGkKQoGuz5DOZ/9PyiyUmY8RXPNuEg=

    — clinic.example/privacy-choices Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeO…

Lines signed by keys that a reader doesn't know are for others, and are ignored.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.errors import LedgerError, ProofError

#: Bytes. Sixteen signatures of 5 kB, which every reader has to take, fit in.
LONGEST_NOTE = 131_072
MOST_SIGNATURES = 64
_ED25519 = b"\x01"
_BREAK = "\n\n"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
#: A name has neither Unicode spaces nor plus signs.
_NAME = re.compile(r"[^\s+]+")
_LINE = re.compile(rf"— ({_NAME.pattern}) ([A-Za-z0-9+/]+={{0,2}})")


class Signature(NamedTuple):
    """One line below a note: who signed, and what came of it."""

    name: str
    key_id: bytes
    """The four bytes that, with the name, point to the key."""
    value: bytes

    def to_line(self) -> str:
        """The line, with its newline."""
        return f"— {self.name} {encoded(self.key_id + self.value)}\n"

    @classmethod
    def from_line(cls, line: str) -> "Signature":
        """The signature on *line*, which may end in a newline; ProofError if it is none."""
        try:
            found = _LINE.fullmatch(line.removesuffix("\n"))
            if found is None or len(mark := decoded(found[2])) <= 4:
                raise ValueError("another form")
        except ValueError as error:
            raise ProofError("This is not the signature line of a note.") from error
        return cls(found[1], mark[:4], mark[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures below it, not verified yet."""

    text: str
    """Ends in a newline."""
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, written: str) -> "Note":
        """The note *written*; ProofError for anything else, and for what is longer than a note may be."""
        try:
            if len(written.encode()) > LONGEST_NOTE or _CONTROL.search(written):
                raise ValueError("too long, or not plain text")
            text, lines = written.rsplit(_BREAK, 1)
            note = cls(f"{text}\n", tuple(map(Signature.from_line, lines.splitlines())))
            if note.to_text() != written or not 0 < len(note.signatures) <= MOST_SIGNATURES:
                raise ValueError("not as it would be written, or signed by none or too many")
        except (ValueError, ProofError) as error:
            raise ProofError("This is not a signed note.") from error
        return note

    def to_text(self) -> str:
        """Text, empty line and signature lines."""
        return f"{self.text}\n{''.join(signature.to_line() for signature in self.signatures)}"

    def signed_by(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of the verifier keys *keys* that signed it: maybe none.

        ProofError if a signature that names one of them isn't its; ValueError if one of them is no verifier key.
        """
        known = {(key.name, key.key_id): key for key in map(_Key.parse, keys)}
        signers = [(known.get((name, key_id)), value) for name, key_id, value in self.signatures]
        try:
            return frozenset(key.verified(value, self.text) for key, value in signers if key is not None)
        except InvalidSignature as error:
            raise ProofError("The note isn't what was signed by this key.") from error


class Opened(NamedTuple):
    """What a note says, and which of the known keys say so."""

    text: str
    keys: frozenset[str]


def open_note(written: str, keys: Iterable[str]) -> Opened:
    """The text of the note *written*, if at least one of the verifier keys *keys* signed it; else ProofError.

    Signatures of other keys are ignored; one of these keys that fails is not. ValueError if one of *keys* is none.
    """
    note = Note.parse(written)
    if signers := note.signed_by(keys):
        return Opened(note.text, signers)
    raise ProofError("The note isn't signed by a known key.")


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs: one in memory, or one that stays where it is (a KMS, a token, another process)."""

    key: str
    """Its verifier key."""
    sign: Callable[[bytes], bytes]
    """Gives the Ed25519 signature, 64 bytes, of what it gets. What it raises is passed on."""

    @classmethod
    def of(cls, name: str, private: Ed25519PrivateKey) -> "Signer":
        """*private* as the signer called *name*."""
        return cls(verifier_key(name, private.public_key()), private.sign)

    def signature(self, text: str) -> Signature:
        """Its signature of *text*: the same every time. LedgerError if it is not the one of ``key``."""
        key = _Key.parse(self.key)
        signature = Signature(key.name, key.key_id, self.sign(text.encode()))
        try:
            key.verified(signature.value, text)
        except InvalidSignature as error:
            raise LedgerError(f"the signer doesn't sign with the key it names, {self.key}") from error
        return signature


def sign(text: str, *signers: Signer) -> str:
    """*text*, which ends in a newline, as a note with the signature of each of *signers*, at least one."""
    if not text.endswith("\n") or _BREAK in text or _CONTROL.search(text) or not signers:
        raise ValueError(
            "a note is signed, and its text is plain lines with a newline each, none of them empty"
        )
    return Note(text, tuple(signer.signature(text) for signer in signers)).to_text()


def verifier_key(name: str, public: Ed25519PublicKey) -> str:
    """The text by which others know the key: ``<name>+<key id, 8 hex digits>+<base64 of 0x01 ‖ public key>``."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't name a key; expected a text without spaces and without +")
    raw = public.public_bytes_raw()
    return f"{name}+{_key_id(name, raw).hex()}+{encoded(_ED25519 + raw)}"


def require_verifier_key(written: str) -> str:
    """*written*, if it is the verifier key of an Ed25519 key; else ValueError."""
    return _Key.parse(written).written


def encoded(data: bytes) -> str:
    """*data* in the base64 of RFC 4648 §4, padded, which all these formats use."""
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    """What *text* is the base64 of; ValueError unless ``encoded`` would write it just so."""
    data = base64.b64decode(text, validate=True)
    if encoded(data) != text:
        raise ValueError("another spelling of the same base64")
    return data


class _Key(NamedTuple):
    """A verifier key, read."""

    written: str
    name: str
    key_id: bytes
    public: Ed25519PublicKey

    @classmethod
    def parse(cls, written: str) -> "_Key":
        try:
            name, _, code = written.split("+", 2)
            raw = decoded(code)[1:]
            public = Ed25519PublicKey.from_public_bytes(raw)
            if verifier_key(name, public) != written:
                raise ValueError("another algorithm, or the key id of another key")
        except ValueError as error:
            raise ValueError(f"{written[:200]!r} is no verifier key of an Ed25519 key: {error}") from error
        return cls(written, name, _key_id(name, raw), public)

    def verified(self, value: bytes, text: str) -> str:
        """The key as it is written, if *value* is its signature of *text*; else InvalidSignature."""
        self.public.verify(value, text.encode())
        return self.written


def _key_id(name: str, raw: bytes) -> bytes:
    """The four bytes that point to the key in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]
