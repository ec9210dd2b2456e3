"""Retention: the end of a grant goes on record when it has lapsed, and what was kept long enough is erased (LOG-04).

The log is looked through in steps, from its beginning to where nothing can be due; then it rests for a day. All of a
subject's events are kept for as long as the newest: a history is erased whole.
"""

import logging
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from consent.decision import Lifetimes
from consent.errors import LedgerError
from consent.ledger import KEPT, Event, Kind, Ledger, Record, Sealed, derived_id, erasure
from consent.ledger.pruning import Span
from consent.web.recorder import Recorder, moment

log = logging.getLogger("consent")

#: Records looked at in one step.
STEP = 500
#: Seconds between two steps of a process, between two times through the log, and after a failure.
PAUSE, REST, LATER = 60.0, 86_400.0, 3600.0
_DAY = timedelta(days=1)
#: How far ahead of this clock another one may be.
_AHEAD = timedelta(hours=1)


@dataclass(slots=True)
class Passed:
    """What became of the records that were looked at."""

    expired: int = 0
    """Grants whose end was put on record."""
    erased: int = 0
    """Events whose openings were erased."""
    whole: bool = False
    """Whether there is nothing further to look at."""


@dataclass(slots=True, kw_only=True)
class Retention:
    """One app's retention, and how far this process has come."""

    recorder: Recorder
    lifetimes: Mapping[str, Lifetimes]
    """How long answers hold under each profile."""
    kept: timedelta
    """How long what was recorded is kept once its cookie can no longer live."""
    after: int = 0
    """The index that was looked at last. Entry 0 is the log's own."""
    due: float | None = None
    """When this process takes its next step (seconds of the steady clock); None before anybody asked."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def in_passing(self) -> None:
        """Take a step if one is due; what goes wrong is told the log only, and tried again later."""
        now = self.recorder.steady()
        if self.due is None:
            self.due = now + PAUSE
        if now < self.due or not self.lock.acquire(blocking=False):
            return
        try:
            with self.recorder.turn():
                passed = self.step()
            self.due = now + (REST if passed.whole else PAUSE)
        except LedgerError as error:
            self.due = now + LATER
            log.warning("retention could not run: %s Run: flask consent forget --expired", error)
        finally:
            self.lock.release()

    def run(self) -> Passed:
        """Look through the whole log; what became of it in all."""
        self.after, total = 0, Passed()
        while not total.whole:
            passed = self.step()
            total.expired, total.erased = total.expired + passed.expired, total.erased + passed.erased
            total.whole = passed.whole
        return total

    def step(self) -> Passed:
        """Look at the next records and do what is due; LedgerError when that can't be done now."""
        ledger, now = self.recorder.ledger, moment(self.recorder.clock())
        records = list(islice(ledger.records(self.after), STEP))
        young = now - timedelta(seconds=min(each.grant for each in self.lifetimes.values()))
        passed, due = Passed(whole=len(records) < STEP), set[UUID]()
        for record in records:
            self.after = record.index
            event = readable(record)
            if event is None:
                continue
            if event.time > now + _AHEAD:
                continue  # by a clock that was wrong; what follows is not as young
            if event.time > young:
                passed.whole = True  # one recorded late may stand behind it, and is found another time
                break
            due |= self.look(ledger, record, event, now, passed)
        if due:
            said = erasure(
                "retention",
                id=derived_id(Kind.ERASED, ledger.origin, "retention", f"{now:%Y-%m-%d}"),
                time=now,
                policy=self.recorder.named_policy(),
            )
            # Not listed: after a restore this erases it again.
            salt = secrets.token_bytes(32)
            passed.erased = ledger.erase(said, salt=salt, ids=due, listed=False)
            if passed.erased:
                ledger.record_once(said, salt=salt)  # it is, unless somebody else has taken the day's id
        if passed.whole:
            self.after = 0
        return passed

    def look(self, ledger: Ledger, record: Sealed, event: Event, now: datetime, passed: Passed) -> set[UUID]:
        """The events that are to be erased because of *record*; a grant that has lapsed goes on record."""
        if event.kind in KEPT:
            return set()
        if event.subject is None:
            return {record.id} if self.over(ledger, [event], now) else set()
        linked = ledger.of_subject(event.subject)
        events = [each for each in map(readable, linked) if each is not None]
        if not linked or linked[-1].id != record.id or len(events) != len(linked):
            return set()  # not the newest; or damaged, and that is for verification to find first
        if self.over(ledger, events, now):
            return {each.id for each in linked}
        lapsed = event.time + timedelta(seconds=self.of(event).grant)
        if event.granted and lapsed <= now:
            ledger.record_once(expired(event, lapsed), salt=secrets.token_bytes(32))
            passed.expired += 1
        return set()

    def ended(self, record: Record, now: datetime) -> bool:
        """Whether what *record* said is erased, or due to be: with all other events of its subject."""
        event, ledger = readable(record), self.recorder.ledger
        if event is None:
            return record.body is None
        if event.kind in KEPT:
            return False
        linked = [record] if event.subject is None else ledger.of_subject(event.subject)
        events = [each for each in map(readable, linked) if each is not None]
        return len(events) == len(linked) and self.over(ledger, events, now)

    def horizon(self, now: datetime) -> datetime:
        """What was answered before this is in no cookie that lives, and was kept for long enough since."""
        return now - self.kept - self.longest

    def over(self, ledger: Ledger, events: Sequence[Event], now: datetime) -> bool:
        """Whether no cookie of *events* can live any more and they have been kept for long enough since.

        An account's opt-out that still holds is kept.
        """
        # Reckoned back from now: a leaf can name the last day of the calendar, and none comes after that.
        if any(event.time > now - self.kept - self.lives(event) for event in events):
            return False
        links = {event.account for event in events if event.account and event.opted_out}
        return not any(ledger.opted_out(link) for link in links)

    def lives(self, event: Event) -> timedelta:
        """How long a cookie with the answer of *event* may live, at most."""
        return timedelta(0) if event.kind is Kind.EXPIRED else self.longest

    @property
    def span(self) -> Span:
        """``horizon`` in whole days."""
        return Span(cookies=self.longest.days, retention=self.kept.days)

    @property
    def longest(self) -> timedelta:
        """How long a cookie may live, at most."""
        seconds = max(each.refusal for each in self.lifetimes.values())
        return timedelta(seconds=seconds) + _DAY  # a refusal counts from the end of its day

    def of(self, event: Event) -> Lifetimes:
        """How long the answer of *event* holds."""
        return self.lifetimes.get(event.profile or "default") or self.lifetimes["default"]


def readable(record: Record) -> Event | None:
    """The event of *record*; None once it is erased, and when it can't be read."""
    try:
        return record.event()
    except LedgerError:
        return None


def expired(event: Event, time: datetime) -> Event:
    """The end, at *time*, of the grants that *event* left in force; its id follows from the subject."""
    return Event(
        id=derived_id(Kind.EXPIRED, str(event.subject)),
        kind=Kind.EXPIRED,
        time=time,
        policy=event.policy,
        subject=event.subject,
        refused=event.refused,
        before_granted=event.granted,
        before_refused=event.refused,
        profile=event.profile,
        opted_out=event.opted_out,
    )
