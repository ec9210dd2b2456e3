"""Signed notes and checkpoints, as C2SP publishes them (signed-note, tlog-checkpoint).

A note is text that ends in a newline, an empty line, and a line per signature::

    clinic.example/privacy-choices
    1
    mF0lNx8WvvMBOdGkKQoGuz5DOZ/9PyiyUmY8RXPNuEg=

    — clinic.example/privacy-choices Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeO…

Lines signed by keys that a reader doesn't know are for others, and are ignored.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.errors import ProofError

_ED25519 = b"\x01"
_BREAK = "\n\n"
_SIGNATURE = "— "


def verifier_key(name: str, public: Ed25519PublicKey) -> str:
    """The text by which others know the key: ``<name>+<key id, 8 hex digits>+<base64 of 0x01 ‖ public key>``."""
    if not name or "+" in name or any(character.isspace() for character in name):
        raise ValueError(f"{name!r} can't name a key; expected a text without spaces and without +")
    raw = public.public_bytes_raw()
    return f"{name}+{key_id(name, raw).hex()}+{base64.b64encode(_ED25519 + raw).decode()}"


def key_id(name: str, raw: bytes) -> bytes:
    """The four bytes that point to the key in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]


def checkpoint(origin: str, size: int, root: bytes) -> str:
    """The text that says: the log *origin* of *size* entries has this *root* (32 bytes)."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def sign(text: str, name: str, private: Ed25519PrivateKey) -> str:
    """*text*, which ends in a newline, as a note signed by *private* under *name*. The same bytes every time."""
    if not text.endswith("\n") or _BREAK in text:
        raise ValueError("a note's text ends in a newline and has no empty line, so that its end is plain")
    mark = key_id(name, private.public_key().public_bytes_raw()) + private.sign(text.encode())
    return f"{text}\n{_SIGNATURE}{name} {base64.b64encode(mark).decode()}\n"


def open_note(note: str, key: str) -> str:
    """The text of *note*, if the verifier key *key* signed it; ProofError for anything else."""
    try:
        name, mark, encoded = key.split("+", 2)
        algorithm_and_raw = base64.b64decode(encoded, validate=True)
        text, signatures = note.rsplit(_BREAK, 1)
        if algorithm_and_raw[:1] != _ED25519 or key_id(name, algorithm_and_raw[1:]).hex() != mark:
            raise ValueError("not an Ed25519 verifier key")
        public = Ed25519PublicKey.from_public_bytes(algorithm_and_raw[1:])
        for line in signatures.splitlines():
            if line.startswith(f"{_SIGNATURE}{name} "):
                signed = base64.b64decode(line.rsplit(" ", 1)[1], validate=True)
                if signed[:4].hex() == mark:
                    public.verify(signed[4:], f"{text}\n".encode())
                    return f"{text}\n"
    except (ValueError, binascii.Error, InvalidSignature) as error:
        raise ProofError("the note isn't signed by this key") from error
    raise ProofError("the note isn't signed by this key")
