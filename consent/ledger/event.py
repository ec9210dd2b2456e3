"""A recorded act, and the two byte strings it is stored as: its leaf and its opening."""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from consent.canonical import canonical
from consent.errors import LedgerError
from consent.ledger.leaf import Leaf, commitment, derived_id

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
#: How an opening ends, with what each has of its own: subject, time. Of many the rest is the same.
_ENDING = re.compile(
    rb'"subject":(?:null|"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"),'
    rb'"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z)"\}\Z'
)
_ENDING_LENGTH = 83
_ANY_ENDING = b'"subject":null,"time":"1970-01-01T00:00:00.000Z"}'
#: Members of an opening that are texts, or null.
_TEXTS = ("account", "language", "notice", "profile", "source")
_ANY_TIME, _ANY_ID = datetime(1970, 1, 1, tzinfo=UTC), uuid.UUID(int=0)


class Kind(StrEnum):
    """What happened. The list is closed: a reader may rely on knowing every kind."""

    GIVEN = "given"
    GIVEN_ONCE = "given_once"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    OPTED_OUT = "opted_out"
    SIGNAL_OPT_OUT = "signal_opt_out"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    IMPORTED = "imported"
    ERASED = "erased"
    ACCESSED = "accessed"
    OPERATED = "operated"
    PRUNED = "pruned"


#: The kinds in which a visitor answered; of these a second, equal one adds nothing.
ANSWERS = frozenset({Kind.GIVEN, Kind.REFUSED, Kind.WITHDRAWN, Kind.OPTED_OUT})
#: The kinds that are kept for ever: they say what the log itself and the site went through, and nothing of anybody.
KEPT = frozenset({Kind.OPERATED, Kind.PRUNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One act. Answers are service keys; what they were before and are after it is stated in full (REC-03).

    ValueError for what no record may say: a time without zone, a service both granted and refused, a digest
    that isn't one.
    """

    id: uuid.UUID
    """Made by the server once per accepted act; recording the same id again is harmless."""
    kind: Kind
    time: datetime
    """Kept in UTC, cut to the millisecond."""
    policy: str | None
    """Digest of the policy in force, 64 hex digits."""
    subject: uuid.UUID | None = None
    """Random id that links one browser's events while a grant remains; None without one (LOG-01).

    Of an ``accessed`` event what stands for the one that was looked up (``leaf.seen``), None where many were.
    """
    granted: tuple[str, ...] = ()
    """Kept sorted and once each, as the other answers are."""
    refused: tuple[str, ...] = ()
    before_granted: tuple[str, ...] = ()
    before_refused: tuple[str, ...] = ()
    notice: str | None = None
    """Hash of the notice that was shown, 64 hex digits (REC-02)."""
    language: str | None = None
    profile: str | None = None
    signal: bool = False
    """Whether the browser sent a privacy signal with it."""
    source: str | None = None
    """The control it came from, such as ``banner``."""
    opted_out: bool = False
    account: str | None = None
    """The link (``ledger.link``) of the account whose opt-out it begins or ends, never the account (LOG-01, GPC-09)."""
    detail: Mapping[str, object] | None = field(default=None, hash=False)
    key: str | None = None
    """The verifier key this event announces; stands in the leaf, and only in ``operated`` events."""
    min_index: int | None = None
    """The index below which leaves were pruned; stands in the leaf, and in all ``pruned`` events and no others."""

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError(f"the event's time {self.time} has no zone; expected UTC")
        utc = self.time.astimezone(UTC)
        object.__setattr__(self, "time", utc.replace(microsecond=utc.microsecond // 1000 * 1000))
        object.__setattr__(self, "kind", Kind(self.kind))
        for name in ("granted", "refused", "before_granted", "before_refused"):
            if (answers := getattr(self, name)) != ():
                object.__setattr__(self, name, tuple(sorted(set(answers))))
        self._check()

    def _check(self) -> None:
        if both := {*self.granted}.intersection(self.refused) | {*self.before_granted}.intersection(
            self.before_refused
        ):
            raise ValueError(f"{', '.join(sorted(both))}: both granted and refused; expected one answer each")
        for name, value in (("policy", self.policy), ("notice", self.notice)):
            if value is not None and not _DIGEST.fullmatch(value):
                raise ValueError(f"{name} is {value!r}; expected 64 lower-case hex digits")
        if self.key is not None and self.kind is not Kind.OPERATED:
            raise ValueError(f"a key in an event of kind {self.kind}; only {Kind.OPERATED} announces one")
        if (self.min_index is not None) != (self.kind is Kind.PRUNED):
            raise ValueError(
                f"an event of kind {self.kind} with min_index {self.min_index}; {Kind.PRUNED} has one"
            )

    @property
    def hour(self) -> datetime:
        """UTC, cut to the hour: all that the leaf says of the time."""
        return self.time.replace(minute=0, second=0, microsecond=0)

    def body(self) -> bytes:
        """The opening: canonical JSON of everything that isn't in the leaf, each member always there."""
        # As its members stand in order, what comes before subject and time can be written once for many.
        beginning = (_written_once if self.detail is None else _written)(
            self.account,
            self.before_granted,
            self.before_refused,
            self.detail,
            self.granted,
            self.language,
            self.notice,
            self.opted_out,
            self.profile,
            self.refused,
            self.signal,
            self.source,
        )
        subject = "null" if self.subject is None else f'"{self.subject}"'
        time = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return beginning + f'"subject":{subject},"time":"{time}"}}'.encode()

    def leaf(self, origin: str, salt: bytes) -> bytes:
        """The leaf in the log named *origin*, committing to ``body()`` under *salt* (32 random bytes)."""
        return self.leaf_over(commitment(salt, self.body()), origin)

    def leaf_over(self, committed: str, origin: str) -> bytes:
        """The leaf with a commitment that was computed already."""
        return Leaf(
            origin=origin,
            id=self.id,
            kind=self.kind,
            hour=self.hour,
            policy=self.policy,
            commitment=committed,
            key=self.key,
            min_index=self.min_index,
        ).to_bytes()

    @classmethod
    def from_bytes(cls, leaf: bytes, body: bytes) -> "Event":
        """The event stored as *leaf* and opening *body*; LedgerError unless it would be written as these.

        That the leaf commits to this very body is for ``commitment`` to say, with the salt.
        """
        return cls.under(Leaf.from_bytes(leaf), body)

    @classmethod
    def under(cls, outline: Leaf, body: bytes) -> "Event":
        """The event whose leaf says *outline* and whose opening is *body*; as ``from_bytes``."""
        if parts := parted(body):
            try:
                like = _read_once(outline.kind, outline.policy, outline.key, outline.min_index, parts.like)
                if parts.like == body and outline.id == _ANY_ID:
                    return like
                event = replace(
                    like,
                    id=outline.id,
                    time=datetime.fromisoformat(parts.time.decode()),
                    subject=None if parts.subject is None else uuid.UUID(parts.subject.decode()),
                )
                if event.hour == outline.hour:
                    return event
            except (LedgerError, ValueError):
                pass  # said of all of it below
        return _read(outline, body)

    def repeats(self, earlier: "Event", within: int) -> bool:
        """Whether this says what *earlier* said: same subject, answers and policy, *within* seconds.

        Or whether both are the same look-up.
        """
        return (
            self.subject is not None
            and self.answer() == earlier.answer()
            and ({self.kind, earlier.kind} <= ANSWERS or self.kind is earlier.kind is Kind.ACCESSED)
            and abs((self.time - earlier.time).total_seconds()) <= within
        )

    def tells(self, other: "Event") -> bool:
        """Whether this says what *other* was to put on record under the same id, be it at another time."""
        return self._told() == other._told()

    def _told(self) -> tuple[object, ...]:
        return self.kind, self.subject, self.opted_out, self.key, self.detail

    def aside(self, salt: bytes) -> "Event":
        """This under an id that nobody can take beforehand, as it follows from *salt* (32 random bytes), too."""
        return replace(self, id=derived_id("aside", str(self.id), salt.hex()))

    def answer(self) -> tuple[object, ...]:
        """Who answered what to which policy: equal for two events that say the same."""
        return self.subject, self.granted, self.refused, self.opted_out, self.policy, self.detail


class Parts(NamedTuple):
    """An opening in parts, none of which was looked at more than to tell them apart."""

    subject: bytes | None
    time: bytes
    like: bytes
    """An opening with the same beginning, and always the same in place of the two: so many are alike."""


def parted(body: bytes) -> Parts | None:
    """The parts of the opening *body*; None if it doesn't end as openings do."""
    try:
        ends = _ENDING.search(body, max(0, len(body) - _ENDING_LENGTH))
    except TypeError:  # what was altered in SQLite can be of any type
        return None
    return None if ends is None else Parts(ends[1], ends[2], body[: ends.start()] + _ANY_ENDING)


def _read(outline: Leaf, body: bytes) -> Event:
    try:
        event = _made(outline, json.loads(body))
        if event.body() != body or event.hour != outline.hour:
            raise ValueError("not in canonical form, or of another hour than its leaf")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"the opening of event {outline.id} can't be read ({error}): {body[:80]!r}"
        raise LedgerError(message) from error
    return event


@lru_cache(1024, typed=True)
def _read_once(kind: str, policy: str | None, key: str | None, min_index: int | None, body: bytes) -> Event:
    outline = Leaf(
        origin="",
        id=_ANY_ID,
        kind=kind,
        hour=_ANY_TIME,
        policy=policy,
        commitment="",
        key=key,
        min_index=min_index,
    )
    return _read(outline, body)


def _written(
    account: str | None,
    before_granted: Sequence[str],
    before_refused: Sequence[str],
    detail: Mapping[str, object] | None,
    granted: Sequence[str],
    language: str | None,
    notice: str | None,
    opted_out: bool,
    profile: str | None,
    refused: Sequence[str],
    signal: bool,
    source: str | None,
) -> bytes:
    """How an opening begins that says this."""
    members = {
        "account": account,
        "before": {"granted": before_granted, "refused": before_refused},
        "detail": None if detail is None else dict(detail),
        "granted": granted,
        "language": language,
        "notice": notice,
        "opted_out": opted_out,
        "profile": profile,
        "refused": refused,
        "signal": signal,
        "source": source,
    }
    return canonical(members).removesuffix(b"}") + b","


_written_once = lru_cache(1024, typed=True)(_written)


def _made(outline: Leaf, members: dict[str, Any]) -> Event:
    time, subject, before = members.pop("time"), members.pop("subject"), members.pop("before")
    if not isinstance(time, str) or not _TIME.fullmatch(time) or not isinstance(before, dict):
        raise ValueError("no time to the millisecond, or no answers before it")
    if not all(isinstance(members[name], str | None) for name in _TEXTS):
        raise ValueError(f"no text where one is expected: {', '.join(_TEXTS)}")
    if not all(isinstance(members[name], bool) for name in ("opted_out", "signal")):
        raise ValueError("neither true nor false: opted_out, signal")
    answers = (members["granted"], members["refused"], before["granted"], before["refused"])
    if not all(isinstance(key, str) for keys in answers for key in keys):
        raise ValueError("an answer to what is no key of a service")
    return Event(
        id=outline.id,
        kind=Kind(outline.kind),
        policy=outline.policy,
        key=outline.key,
        min_index=outline.min_index,
        time=datetime.fromisoformat(time),
        subject=None if subject is None else uuid.UUID(str(subject)),
        before_granted=tuple(before["granted"]),
        before_refused=tuple(before["refused"]),
        **members,  # what isn't as written fails the comparison of the bytes
    )
