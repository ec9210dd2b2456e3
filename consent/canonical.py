"""One spelling for each value, so that equal values have equal hashes (a subset of RFC 8785)."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping

#: RFC 8785 numbers are IEEE doubles; beyond this, whole numbers are no longer told apart.
_LARGEST = 2**53 - 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def canonical(value: object) -> bytes:
    """The JSON of *value* in UTF-8: keys sorted, no spaces, nothing that two programs spell differently.

    Takes ``None``, booleans, whole numbers below 2^53, text in Unicode NFC, lists, tuples, and mappings
    with ASCII keys; floats and all else raise TypeError, out-of-range numbers and texts ValueError.
    """
    return _ENCODER.encode(_plain(value)).encode()


def digest(data: bytes) -> str:
    """The SHA-256 of *data*: 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _plain(value: object) -> object:
    # The commonest first: whether something is a mapping takes longest to say.
    match value:
        case str():
            return _text(value)
        case None | bool():
            return value
        case int():
            return _integer(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {_key(key): _plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no canonical form; use text, whole numbers, lists, mappings")


def _integer(value: int) -> int:
    if abs(value) > _LARGEST:
        raise ValueError(f"a whole number of {value.bit_length()} bits has no canonical form; 53 is the most")
    return value


def _text(value: str) -> str:
    if not value.isascii() and not unicodedata.is_normalized("NFC", value):
        raise ValueError("the text is not in Unicode NFC; normalise it before hashing")
    return value


def _key(key: object) -> str:
    # Only for ASCII do Python's order and RFC 8785's (UTF-16 units) agree.
    if not isinstance(key, str):
        raise TypeError(f"{type(key).__name__} cannot be a key; use text")
    if not key.isascii():
        raise ValueError("a key is not ASCII; only values may be")
    return key
