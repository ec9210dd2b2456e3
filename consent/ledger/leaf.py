"""The bytes of an entry: what is hashed into the log, once, and stored as it was hashed.

A leaf is canonical JSON (RFC 8785) of a few plain members and one commitment; everything personal is in the
opening, under the commitment. ``docs/format.md`` draws both with worked bytes.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from consent.canonical import canonical
from consent.errors import LedgerError

FORMAT = 1
#: C2SP tlog-tiles states the length of an entry in two bytes.
LONGEST_LEAF = 65_535
SALT_BYTES = 32
_LABEL = b"consent/opening/v1"
_ACCOUNT = b"consent/account/v1"
_AUDITOR = b"consent/auditor/v1"
_SEEN = b"consent/seen/v1"
_IPAD, _OPAD = (bytes(value ^ pad for value in range(256)) for pad in (0x36, 0x5C))
#: The key, 32 bytes of salt, is filled up to a block of 64.
_INNER, _OUTER = b"\x36" * SALT_BYTES + _LABEL + b"\0", b"\x5c" * SALT_BYTES
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z")
#: How a leaf begins, with what each has of its own: commitment, hour, id. Of many the rest is the same.
_BEGINNING = re.compile(
    rb'\{"commitment":"([A-Za-z0-9_-]{43})","format":1,"hour":"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):00:00Z)",'
    rb'"id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",'
)
_ANY_BEGINNING = (
    b'{"commitment":"*******************************************","format":1,"hour":"1970-01-01T00:00:00Z",'
    b'"id":"00000000-0000-0000-0000-000000000000",'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What an entry says for ever, also once its opening is erased: that somebody did this in that hour."""

    origin: str
    """The log's name, such as ``clinic.example/privacy-choices``."""
    id: uuid.UUID
    kind: str
    hour: datetime
    """UTC, cut to the hour."""
    policy: str | None
    """SHA-256 of the policy's canonical form, 64 hex digits; None where none is known."""
    commitment: str
    """Over the opening: 43 characters of base64url (see ``commitment``)."""
    key: str | None = None
    """The verifier key that the entry announces: in entry 0 always, in the leaf only where there is one."""
    min_index: int | None = None
    """The index below which leaves were pruned; in the leaf only of an event that says so."""

    def to_bytes(self) -> bytes:
        """The canonical bytes; ValueError when they are longer than an entry may be."""
        # As its members stand in order, what follows the id can be written once for many.
        hour = self.hour.isoformat(timespec="seconds").replace("+00:00", "Z")
        data = b'{"commitment":%s,"format":%d,"hour":"%s","id":"%s",%s' % (
            canonical(self.commitment),
            FORMAT,
            hour.encode(),
            str(self.id).encode(),
            _written(self.kind, self.origin, self.policy, self.key, self.min_index),
        )
        if len(data) > LONGEST_LEAF:
            raise ValueError(f"a leaf of {len(data)} bytes is too long: expected {LONGEST_LEAF} at most")
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "Leaf":
        """The leaf in *data*; LedgerError unless these are the very bytes it would be written as."""
        if parts := parted(data):
            try:
                like = _read_once(parts.like)
                return cls(
                    origin=like.origin,
                    id=uuid.UUID(parts.id.decode()),
                    kind=like.kind,
                    hour=moment_of(parts.hour),
                    policy=like.policy,
                    commitment=parts.commitment.decode(),
                    key=like.key,
                    min_index=like.min_index,
                )
            except (LedgerError, ValueError):
                pass  # said of all of it below
        return _read(data)


class LeafParts(NamedTuple):
    """A leaf in parts, none of which was looked at more than to tell them apart."""

    commitment: bytes
    hour: bytes
    id: bytes
    like: bytes
    """A leaf with the same rest, and always the same in place of the three: so many are alike."""


def parted(data: bytes) -> LeafParts | None:
    """The parts of the leaf *data*; None if it doesn't begin as leaves do."""
    try:
        begins = _BEGINNING.match(data)
    except TypeError:  # what was altered in SQLite can be of any type
        return None
    return (
        None
        if begins is None
        else LeafParts(begins[1], begins[2], begins[3], _ANY_BEGINNING + data[begins.end() :])
    )


@lru_cache(64)
def moment_of(hour: bytes) -> datetime:
    """The moment of the *hour* of a leaf, UTC; ValueError if there is no such day."""
    return datetime.fromisoformat(hour.decode()).astimezone(UTC)


def _read(data: bytes) -> Leaf:
    try:
        members = json.loads(data)
        if members.pop("format") != FORMAT or not _HOUR.fullmatch(members["hour"]):
            raise ValueError("another format or not an hour")
        hour = datetime.fromisoformat(members.pop("hour")).astimezone(UTC)
        leaf = Leaf(id=uuid.UUID(members.pop("id")), hour=hour, **members)
        if leaf.min_index is not None and type(leaf.min_index) is not int:
            raise ValueError("min_index is no whole number")
        if leaf.to_bytes() != data:
            raise ValueError("not in canonical form")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"what is stored as a leaf isn't one of format {FORMAT} ({error}): {data[:80]!r}"
        raise LedgerError(message) from error
    return leaf


_read_once = lru_cache(256)(_read)


@lru_cache(256, typed=True)
def _written(kind: str, origin: str, policy: str | None, key: str | None, min_index: int | None) -> bytes:
    members: dict[str, object] = {"kind": kind, "origin": origin, "policy": policy}
    if key is not None:
        members["key"] = key
    if min_index is not None:
        members["min_index"] = min_index
    return canonical(members).removeprefix(b"{")


def commitment(salt: bytes, body: bytes) -> str:
    """The commitment to *body*: base64url without padding of HMAC-SHA256(salt, label ‖ 0 ‖ body).

    *salt* is 32 random bytes of this event's own. Without it nobody can find out *body* by trying (LOG-06).
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt of {len(salt)} bytes; expected {SALT_BYTES} random ones")
    # As RFC 2104 §2 has it, written out: that takes half the time of the library's, and an export needs one an event.
    inner = hashlib.sha256(salt.translate(_IPAD) + _INNER + body).digest()
    code = hashlib.sha256(salt.translate(_OPAD) + _OUTER + inner).digest()
    return binascii.b2a_base64(code, newline=False).translate(_URL_SAFE, b"=").decode()


def link(key: bytes, account: str) -> str:
    """What stands for the site's *account* in the log: 16 bytes of HMAC-SHA256(key, label ‖ 0 ‖ account), base64url.

    Without *key* (32 bytes) nobody can find out *account* by trying (LOG-01).
    """
    return _stands_for(key, _ACCOUNT, account)


def auditor_link(key: bytes, auditor: str) -> str:
    """What stands in the log for *auditor*, who reads or erases: as ``link``, and yet another than for an account."""
    return _stands_for(key, _AUDITOR, auditor)


def seen(key: bytes, id: uuid.UUID) -> uuid.UUID:
    """What stands for the event *id* where it is recorded that somebody looked it up: a UUIDv8.

    Its first 16 bytes are of HMAC-SHA256(key, label ‖ 0 ‖ id). *key* is the event's own salt: once that is erased,
    nobody can find out which event it was.
    """
    return _uuid8(hmac.digest(key, _SEEN + b"\0" + str(id).encode(), "sha256"))


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf), 32 bytes (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\0" + leaf).digest()


def derived_id(*parts: str) -> uuid.UUID:
    """The same id for the same *parts* wherever it is computed, so that writing the event twice is harmless.

    A UUIDv8 (RFC 9562 §5.8): the first 16 bytes of SHA-256 over the canonical JSON list of
    ``"consent/id/v1"`` and *parts*, with version and variant set.
    """
    return _uuid8(hashlib.sha256(canonical(["consent/id/v1", *parts])).digest())


def _stands_for(key: bytes, label: bytes, name: str) -> str:
    code = hmac.digest(key, label + b"\0" + name.encode(), "sha256")
    return base64.urlsafe_b64encode(code[:16]).rstrip(b"=").decode()


def _uuid8(code: bytes) -> uuid.UUID:
    start = bytearray(code[:16])
    start[6] = start[6] & 0x0F | 0x80
    start[8] = start[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(start))
