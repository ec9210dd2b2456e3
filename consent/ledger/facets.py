"""What of an event is searched and counted: its facets, which name nobody.

Many events have the same. So each combination is stored once, under an id that follows from what it says.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from consent.canonical import canonical
from consent.errors import LedgerError
from consent.ledger.event import Event, parted
from consent.ledger.leaf import parted as leaf_parted

#: A place is the hour, shifted by so many bits, and the index: newest first is by hour, and within it by index.
BITS: Final = 40
#: No place is higher.
LAST: Final = 2**63 - 1

#: Between these two, each of them once in an opening as it is written, stand the members that facets are read from.
#: What names somebody is before or behind them. A server cuts the same part out, and shows no more (``consent.shown``).
_FROM, _TO = b',"granted":[', b',"subject":'
#: Lists and objects in them that are read at most, so that how deep a call stands makes no difference.
_MOST_NESTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What may be asked of an event. All but kind and policy are of its opening: None when that is erased."""

    kind: str | None
    """None only when not even the leaf can be read."""
    policy: str | None
    """Digest of the policy in force."""
    language: str | None = None
    profile: str | None = None
    source: str | None = None
    signal: bool | None = None
    granted: tuple[str, ...] | None = None
    refused: tuple[str, ...] | None = None

    @property
    def known(self) -> bool:
        """Whether the opening was there, and could be read."""
        return self.granted is not None

    @property
    def bare(self) -> "Facets":
        """What the leaf alone says: all that is left once the opening is erased."""
        return Facets(kind=self.kind, policy=self.policy)

    @property
    def id(self) -> int:
        """63 bits of the SHA-256 of ``to_bytes()``: the same wherever it is computed."""
        return _id(self)

    def to_bytes(self) -> bytes:
        """Canonical JSON of all of it."""
        return canonical({name: _plain(getattr(self, name)) for name in self.__slots__})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Facets":
        """The facets in *data*; LedgerError for anything that ``to_bytes`` doesn't write."""
        return _parsed(data)

    @classmethod
    def of(cls, event: Event) -> "Facets":
        """The facets of *event*."""
        return cls(
            kind=event.kind,
            policy=event.policy,
            language=event.language,
            profile=event.profile,
            source=event.source,
            signal=event.signal,
            granted=event.granted,
            refused=event.refused,
        )

    @classmethod
    def read(cls, leaf: bytes, said: bytes | None) -> tuple[int, "Facets", int]:
        """Hour, facets and their id, of the event stored as *leaf* and as *said*: its opening, or ``part`` of that.

        The hour counts from 1970, UTC; 0 when the leaf can't be read, or says one that no place can have. Nothing is
        checked: what was altered is for verification to find, and what can't be read has fewer facets.
        """
        of_leaf, of_body = leaf_parted(leaf), parted(said or b"")
        # Of many events all but the hour is the same, and looked at once.
        hour, facets, id = _alike(of_leaf.like if of_leaf else leaf, of_body.like if of_body else said)
        return _hour(of_leaf.hour.decode()) if of_leaf and hour is not None else hour or 0, facets, id


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted of some days, of the first *size* entries."""

    size: int
    missing: int
    """Entries among them that had been pruned before they were counted."""
    rows: Sequence[tuple[int, int, int, int]]
    """Day from 1970 on (UTC), or the first of several, id of the facets, events, and how many of these are erased."""


def part(said: bytes) -> bytes:
    """What of the opening *said* facets are read from; of such a part all of it, and of anything else nothing."""
    first = said.find(_FROM)
    end = said.find(_TO, first)
    return said[first : end + len(_TO)] if 0 <= first < end else b""


def place(hour: int, index: int) -> int:
    """Where the event at *index* in the log stands among those that are searched."""
    return hour << BITS | index


def hour_of(moment: datetime) -> int:
    """The hour of *moment*, counted from 1970, UTC."""
    return int(moment.timestamp()) // 3600


@lru_cache(8192)
def _id(facets: Facets) -> int:
    return int.from_bytes(hashlib.sha256(facets.to_bytes()).digest()[:8], "big") >> 1


@lru_cache(8192)
def _parsed(data: bytes) -> Facets:
    try:
        members = json.loads(data)
        for name in ("granted", "refused"):
            members[name] = _words(members[name])
        facets = Facets(**members)
        texts = facets.kind, facets.policy, facets.language, facets.profile, facets.source
        if not all(each is None or isinstance(each, str) for each in texts):
            raise TypeError("what has to be text is none")
        if not (facets.signal is None or isinstance(facets.signal, bool)):
            raise TypeError("a signal that is neither true nor false")
        if facets.to_bytes() != data:
            raise ValueError("not in canonical form")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LedgerError(
            f"what is stored as facets aren't any ({error}). Run: flask consent stats --rebuild"
        ) from error
    return facets


@lru_cache(8192)
def _alike(leaf: bytes, said: bytes | None) -> tuple[int | None, Facets, int]:
    """Hour (None if *leaf* can't be read), facets and their id of the events that are alike in *leaf* and *said*."""
    hour, kind, policy = _outline(leaf)
    facets = _facets(kind, policy, said)
    return hour, facets, facets.id


@lru_cache(1024)
def _outline(leaf: bytes) -> tuple[int | None, str | None, str | None]:
    """Hour, kind and policy; no hour if *leaf* can't be read."""
    outline = _members(leaf)
    return (
        _hour(outline.get("hour")) if outline else None,
        _text(outline.get("kind")),
        _text(outline.get("policy")),
    )


def _facets(kind: str | None, policy: str | None, said: bytes | None) -> Facets:
    """The facets of such an event."""
    members = _members_said(said)
    language, profile, source = (_text(members.get(name)) for name in ("language", "profile", "source"))
    granted, refused = _words(members.get("granted")), _words(members.get("refused"))
    signal = members.get("signal")
    if granted is None or refused is None or not isinstance(signal, bool):
        return Facets(kind=kind, policy=policy)
    return Facets(
        kind=kind,
        policy=policy,
        language=language,
        profile=profile,
        source=source,
        signal=signal,
        granted=granted,
        refused=refused,
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and (value.isascii() or _spelt(value)) else None


@lru_cache(1024)
def _spelt(text: str) -> bool:
    """Whether *text* has a canonical form: what was recorded has."""
    try:
        return bool(canonical(text))
    except ValueError:
        return False


def _words(value: object) -> tuple[str, ...] | None:
    """*value* as services' keys; None if it is no list of them."""
    if isinstance(value, list) and all([_text(word) is not None for word in value]):
        return tuple(value)
    return None


def _members_said(said: object) -> Mapping[str, object]:
    # What was altered in SQLite can be of any type.
    found = part(said if isinstance(said, bytes) else str(said or "").encode(errors="replace"))
    if found.count(b"[") + found.count(b"{") > _MOST_NESTED:
        return {}
    return _members(b"{%b}" % found[1 : -len(_TO)])


def _members(data: bytes | None) -> Mapping[str, object]:
    try:
        found = json.loads(data) if data else None
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _hour(value: object) -> int:
    return _hour_in(value) if isinstance(value, str) else 0


@lru_cache(64)
def _hour_in(text: str) -> int:
    try:
        hour = hour_of(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        return 0
    return hour if 0 <= hour <= LAST >> BITS else 0
