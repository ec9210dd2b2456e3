"""One recorded event as an auditor reads it: what the log says of it, in plain members."""

import time
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

from consent.errors import ConsentError, LedgerError
from consent.ledger import Event, Facets, Leaf, Ledger, Record, commitment, leaf_hash
from consent.ledger.event import Parts, parted
from consent.ledger.leaf import LeafParts, is_day
from consent.ledger.leaf import parted as leaf_parted
from consent.ledger.tile import WIDTH
from consent.policy import Policy

#: Policies remembered while rows are read; a site rarely has more in force at a time.
MOST_POLICIES = 64
#: Examples of events remembered while they are written out.
MOST_EXAMPLES = 4096
#: Seconds that one look-up spends at most on counting what an older release has left uncounted.
CATCHING_UP = 0.2
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event. What is None isn't known: erased with its opening, or never there."""

    index: int | None
    """Its place in the log; None while it waits to be sealed, which no event in a list does."""
    id: str
    kind: str | None
    """None only when not even the leaf can be read."""
    hour: datetime | None
    """UTC, cut to the hour: all that is known of the time once the opening is erased."""
    policy: str | None
    """Digest of the policy in force."""
    revision: int | None
    """Revision of that policy; None when the policy isn't on record."""
    event: Event | None
    """None once the opening is erased, and when it can't be read."""
    problem: str | None
    """What is wrong with the stored record; None when leaf, opening and hash agree."""

    @property
    def erased(self) -> bool:
        """Whether the opening is gone and the leaf is all there is."""
        return self.event is None and self.problem is None

    @property
    def facets(self) -> Facets:
        """What it can be found by, as far as that is known."""
        return Facets.of(self.event) if self.event else Facets(kind=self.kind, policy=self.policy)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The first and the last moment at which it may have been; None when nothing is known of that."""
        if self.event is not None:
            return self.event.time, self.event.time
        return None if self.hour is None else (self.hour, self.hour + _HOUR - timedelta.resolution)

    @property
    def key(self) -> bool:
        """Whether this is an entry in which the log names its key, as entry 0 does."""
        return self.event is not None and self.event.key is not None

    def members(self, *, personal: bool) -> dict[str, object]:
        """The row as plain data for JSON; what links it to a browser or account only if *personal*."""
        return self.own(personal=personal) | self.common()

    def own(self, *, personal: bool) -> dict[str, object]:
        """Of ``members`` the first: what the row has of its own."""
        event = self.event
        members: dict[str, object] = {
            "index": self.index,
            "id": self.id,
            "time": event and stamp(event.time, "milliseconds"),
            "hour": self.hour and stamp(self.hour, "seconds"),
        }
        if personal:
            members["subject"] = event and event.subject and str(event.subject)
            members["account"] = event and event.account
        return members

    def common(self) -> dict[str, object]:
        """Of ``members`` the others: what many rows have in common."""
        event = self.event
        return {
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
            "erased": self.erased,
            "problem": self.problem,
        }

    @property
    def form(self) -> Hashable | None:
        """The same for rows that have the same in ``common``; None where that can be anything."""
        event = self.event
        if event is None or event.detail is not None:
            return None
        return self.policy, self.revision, self.problem, _FORM(event)


#: What of an event is in ``Row.common``.
_FORM: Final = attrgetter(
    *("kind", "notice", "language", "profile", "source", "signal", "opted_out", "key"),
    *("granted", "refused", "before_granted", "before_refused"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """One sound event, for whoever writes it out: as a row, its own members as text, and what it has in common once."""

    index: int | None
    id: str
    time: str
    hour: str
    subject: str | None
    like: Row
    """A row that has the rest in common with it."""
    form: Hashable | None
    """As ``Row.form``."""

    def own(self, *, personal: bool) -> dict[str, object]:
        """As ``Row.own``."""
        members: dict[str, object] = {
            "index": self.index,
            "id": self.id,
            "time": self.time,
            "hour": self.hour,
        }
        if personal:
            members["subject"] = self.subject
            members["account"] = self.like.event and self.like.event.account
        return members

    def common(self) -> dict[str, object]:
        """As ``Row.common``."""
        return self.like.common()

    @property
    def policy(self) -> str | None:
        """As ``Row.policy``."""
        return self.like.policy

    @property
    def facets(self) -> Facets:
        """As ``Row.facets``."""
        return self.like.facets

    @property
    def span(self) -> tuple[datetime, datetime]:
        """As ``Row.span``."""
        moment = datetime.fromisoformat(self.time)
        return moment, moment


@dataclass(slots=True)
class Reader:
    """Reads a ledger's records as rows, and remembers the policies they point to."""

    ledger: Ledger
    known: dict[str, Policy | None] = field(default_factory=dict)
    examples: dict[tuple[bytes, bytes], tuple[Row, Hashable | None] | None] = field(default_factory=dict)
    """Rows by what leaf and opening are like; None for those that can't be read."""

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
            outline = record.outline()
            event = None if record.body is None else Event.under(outline, record.body)
            problem = disagreement(record, outline.commitment)
        except LedgerError as error:
            return self._unreadable(record, str(error))
        except RecursionError:
            return self._unreadable(record, "altered: nested more deeply than anything that is recorded")
        return self._row(outline, event, index=record.index, id=str(record.id), problem=problem)

    def brief(self, record: Record) -> "Row | Brief":
        """*record* for whoever writes it out: as ``row``, and quicker where many others are like it."""
        leaf, body = leaf_parted(record.leaf), parted(record.body or b"")
        if leaf and body and leaf.hour[:13] == body.time[:13] and (example := self._example(leaf, body)):
            like, form = example
            if disagreement(record, leaf.commitment.decode()) is None:
                return Brief(
                    index=record.index,
                    id=str(record.id),
                    time=body.time.decode(),
                    hour=leaf.hour.decode(),
                    subject=None if body.subject is None else body.subject.decode(),
                    like=like,
                    form=form,
                )
        return self.row(record)

    def _example(self, leaf: LeafParts, body: Parts) -> tuple[Row, Hashable | None] | None:
        key = leaf.like, body.like
        if key not in self.examples:
            if len(self.examples) >= MOST_EXAMPLES:
                self.examples.clear()
            try:
                outline = Leaf.from_bytes(leaf.like)
                event = Event.under(outline, body.like)
            except LedgerError:
                self.examples[key] = None
            else:
                row = self._row(outline, event, index=None, id="", problem=None)
                self.examples[key] = row, row.form
        return self.examples[key] if is_day(leaf.hour) else None

    def policy(self, digest: str | None) -> Policy | None:
        """The policy with this digest; None when it isn't on record or can't be read any more."""
        if digest is None:
            return None
        if digest not in self.known:
            if len(self.known) >= MOST_POLICIES:
                self.known.clear()
            self.known[digest] = self._stored(digest)
        return self.known[digest]

    def _row(
        self, outline: Leaf, event: Event | None, *, index: int | None, id: str, problem: str | None
    ) -> Row:
        return Row(
            index=index,
            id=id,
            kind=outline.kind,
            hour=outline.hour,
            policy=outline.policy,
            revision=self._revision(outline.policy),
            event=event,
            problem=problem,
        )

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
        except (LedgerError, RecursionError):
            outline = None
        policy = outline.policy if outline else None
        return Row(
            index=record.index,
            id=str(record.id),
            kind=outline.kind if outline else None,
            hour=outline.hour if outline else None,
            policy=policy,
            revision=self._revision(policy),
            event=None,
            problem=problem,
        )


def disagreement(record: Record, committed: str) -> str | None:
    """How leaf, opening and hash of *record* contradict each other; None when they agree.

    *committed* is the leaf's commitment. Who changes all three consistently is found by a checkpoint only.
    """
    if leaf_hash(record.leaf) != record.leaf_hash:
        return "altered: the leaf has another hash than was recorded"
    if record.body is None:
        return None
    try:
        same = record.salt is not None and commitment(record.salt, record.body) == committed
    except ValueError:
        same = False
    return None if same else "altered: the opening is not the one that the leaf commits to"


def stamp(moment: datetime, precision: str) -> str:
    """*moment* as RFC 3339 in UTC, to the *precision* that ``datetime.isoformat`` takes."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec=precision).removesuffix("+00:00") + "Z"
