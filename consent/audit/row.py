"""One recorded event as an auditor reads it: what the log says of it, in plain members."""

import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from consent.errors import ConsentError, LedgerError
from consent.ledger import Event, Facets, Leaf, Ledger, Record, commitment, leaf_hash
from consent.ledger.event import Parts, parted
from consent.ledger.leaf import LeafParts, moment_of
from consent.ledger.leaf import parted as leaf_parted
from consent.ledger.tile import WIDTH
from consent.policy import Policy

#: Policies remembered while rows are read; a site rarely has more in force at a time.
MOST_POLICIES = 64
#: Of events that are alike one is remembered: so many at most.
MOST_LIKES = 4096
#: Seconds that one look-up spends at most on counting what an older release has left uncounted.
CATCHING_UP = 0.2
#: The members that each row has of its own; it has the others in common with those that are alike.
OWN: Final = ("index", "id", "time", "hour", "subject")
#: From the first moment of an hour to its last.
_HOUR = timedelta(hours=1) - timedelta.resolution


@dataclass(frozen=True, kw_only=True, eq=False)
class Like:
    """What an event says but for its place, id, time and subject: one object for all those that are alike."""

    kind: str | None
    """None only when not even the leaf can be read."""
    policy: str | None
    """Digest of the policy in force."""
    revision: int | None
    """Revision of that policy; None when the policy isn't on record."""
    event: Event | None
    """With any id, time and subject; None once the opening is erased, and when it can't be read."""
    problem: str | None = None
    """What is wrong with the stored record; None when leaf, opening and hash agree."""

    @cached_property
    def facets(self) -> Facets:
        """What it can be found by, as far as that is known."""
        return Facets.of(self.event) if self.event else Facets(kind=self.kind, policy=self.policy)

    def members(self, *, personal: bool) -> dict[str, object]:
        """As plain data for JSON; the account only if *personal*."""
        event = self.event
        return {
            **({"account": event and event.account} if personal else {}),
            "kind": self.kind,
            "policy": self.policy,
            "revision": self.revision,
            "notice": event and event.notice,
            "language": event and event.language,
            "profile": event and event.profile,
            "source": event and event.source,
            "signal": event and event.signal,
            "opted_out": event and event.opted_out,
            "granted": event and list(event.granted),
            "refused": event and list(event.refused),
            "before": event
            and {"granted": list(event.before_granted), "refused": list(event.before_refused)},
            "detail": event and event.detail and dict(event.detail),
            "key": event and event.key,
            "erased": event is None and self.problem is None,
            "problem": self.problem,
        }


@dataclass(kw_only=True)  # not frozen: an export makes one for each event, and that would take twice as long
class Row:
    """One event. What is None isn't known: erased with its opening, or never there."""

    index: int | None
    """Its place in the log; None while it waits to be sealed, which no event in a list does."""
    id: str
    hour: datetime | None
    """UTC, cut to the hour: all that is known of the time once the opening is erased."""
    time: str | None
    """RFC 3339 in UTC, to the millisecond."""
    subject: str | None
    like: Like

    @property
    def kind(self) -> str | None:
        """As ``Like.kind``."""
        return self.like.kind

    @property
    def policy(self) -> str | None:
        """As ``Like.policy``."""
        return self.like.policy

    @property
    def revision(self) -> int | None:
        """As ``Like.revision``."""
        return self.like.revision

    @property
    def problem(self) -> str | None:
        """As ``Like.problem``."""
        return self.like.problem

    @property
    def facets(self) -> Facets:
        """As ``Like.facets``."""
        return self.like.facets

    @cached_property
    def event(self) -> Event | None:
        """The event itself; None once the opening is erased, and when it can't be read."""
        if self.like.event is None or self.time is None:
            return None
        return replace(
            self.like.event,
            id=uuid.UUID(self.id),
            time=datetime.fromisoformat(self.time),
            subject=None if self.subject is None else uuid.UUID(self.subject),
        )

    @property
    def erased(self) -> bool:
        """Whether the opening is gone and the leaf is all there is."""
        return self.like.event is None and self.problem is None

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The first and the last moment at which it may have been; None when nothing is known of that."""
        if self.time is not None:
            moment = datetime.fromisoformat(self.time)
            return moment, moment
        return None if self.hour is None else (self.hour, self.hour + _HOUR)

    @property
    def key(self) -> bool:
        """Whether this is an entry in which the log names its key, as entry 0 does."""
        return self.like.event is not None and self.like.event.key is not None

    def members(self, *, personal: bool) -> dict[str, object]:
        """The row as plain data for JSON; what links it to a browser or account only if *personal*."""
        return {
            "index": self.index,
            "id": self.id,
            "time": self.time,
            "hour": self.hour and stamp(self.hour, "seconds"),
            **({"subject": self.subject} if personal else {}),
            **self.like.members(personal=personal),
        }


@dataclass(slots=True)
class Reader:
    """Reads a ledger's records as rows, and remembers the policies they point to."""

    ledger: Ledger
    known: dict[str, Policy | None] = field(default_factory=dict)
    likes: dict[tuple[bytes, bytes | None], Like] = field(default_factory=dict)
    """What was read, by what leaf and opening are like."""

    def catch_up(self) -> int:
        """How many entries are counted, once those of an older release are too, as far as that takes no time."""
        counted, deadline = self.ledger.counted(), time.monotonic() + CATCHING_UP
        try:
            while self.ledger.size() - counted >= WIDTH and time.monotonic() < deadline:
                before, _ = counted, self.ledger.count()
                if (counted := self.ledger.counted()) == before:
                    break
        except LedgerError:
            pass  # who only reads may not count; then what isn't counted is read
        return counted

    def rows(self, records: Iterable[Record]) -> Iterator[Row]:
        """Each of *records* as a row, in their order."""
        return map(self.row, records)

    def row(self, record: Record) -> Row:
        """*record* as a row. What can't be read, or isn't as it was recorded, is said in ``problem``."""
        try:
            leaf, body = parts(record)
            hour = moment_of(leaf.hour)
            like = self._like(leaf.like, body and body.like)
            problem = disagreement(record, leaf)
        except (LedgerError, ValueError) as error:
            return self._unreadable(record, str(error))
        return Row(
            index=record.index,
            id=str(record.id) if problem else leaf.id.decode(),
            hour=hour,
            time=body.time.decode() if body else None,
            subject=None if body is None or body.subject is None else body.subject.decode(),
            like=replace(like, problem=problem) if problem else like,
        )

    def policy(self, digest: str | None) -> Policy | None:
        """The policy with this digest; None when it isn't on record or can't be read any more."""
        if digest is None:
            return None
        if digest not in self.known:
            if len(self.known) >= MOST_POLICIES:
                self.known.clear()
            self.known[digest] = self._stored(digest)
        return self.known[digest]

    def _like(self, leaf: bytes, body: bytes | None) -> Like:
        if (like := self.likes.get((leaf, body))) is None:
            outline = Leaf.from_bytes(leaf)
            like = Like(
                kind=outline.kind,
                policy=outline.policy,
                revision=self._revision(outline.policy),
                event=None if body is None else Event.under(outline, body),
            )
            if len(self.likes) >= MOST_LIKES:
                self.likes.clear()
            self.likes[leaf, body] = like
        return like

    def _stored(self, digest: str) -> Policy | None:
        try:
            document = self.ledger.document(digest)
            return Policy.from_canonical(document.body) if document and document.kind == "policy" else None
        except ConsentError:
            return None

    def _revision(self, digest: str | None) -> int | None:
        policy = self.policy(digest)
        return policy.revision if policy else None

    def _unreadable(self, record: Record, problem: str) -> Row:
        try:
            outline = record.outline()
        except LedgerError:
            outline = None
        policy = outline.policy if outline else None
        return Row(
            index=record.index,
            id=str(record.id),
            hour=outline.hour if outline else None,
            time=None,
            subject=None,
            like=Like(
                kind=outline.kind if outline else None,
                policy=policy,
                revision=self._revision(policy),
                event=None,
                problem=problem,
            ),
        )


def parts(record: Record) -> tuple[LeafParts, Parts | None]:
    """The parts of the leaf and of the opening of *record*, None once that is erased; LedgerError if they are none."""
    leaf, body = leaf_parted(record.leaf), None if record.body is None else parted(record.body)
    if leaf and (body.time[:13] == leaf.hour[:13] if body else record.body is None):
        return leaf, body
    record.outline(), record.event()  # what is wrong is said there
    raise LedgerError(f"what is stored as a leaf isn't one: {record.leaf[:80]!r}")


def disagreement(record: Record, leaf: LeafParts) -> str | None:
    """How id, leaf, opening and hash of *record* contradict each other; None when they agree.

    *leaf* has the parts of its leaf. Who changes all of them consistently is found by a checkpoint only.
    """
    if leaf_hash(record.leaf) != record.leaf_hash:
        return "altered: the leaf has another hash than was recorded"
    if record.id.hex.encode() != leaf.id.replace(b"-", b""):
        return "altered: it is filed under another id than its leaf names"
    if record.body is None:
        return None
    try:
        same = record.salt is not None and commitment(record.salt, record.body) == leaf.commitment.decode()
    except ValueError:
        same = False
    return None if same else "altered: the opening is not the one that the leaf commits to"


def stamp(moment: datetime, precision: str) -> str:
    """*moment* as RFC 3339 in UTC, to the *precision* that ``datetime.isoformat`` takes."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec=precision).removesuffix("+00:00") + "Z"
