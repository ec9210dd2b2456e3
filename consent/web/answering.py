"""One accepted answer: the decision it leads to, the event that records it, and what holds if it can't be recorded.

Rule 9: a grant takes effect only once it is durable; a refusal or withdrawal takes effect at once, and
if it couldn't be recorded, the signed cookie carries the event until a later request records it under
the same id. The event always follows from the cookie's contents alone, so that the late one is the same.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from consent.decision import Answer, Decision, Lifetimes, Pending, decide, earlier, keys, kind_of
from consent.decision.decision import DAY
from consent.errors import LedgerError
from consent.ledger import Document, Event, Kind
from consent.policy import Policy
from consent.web.recorder import Recorder, moment, new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Under what an answer was given."""

    source: str
    """The control: ``banner``, ``centre``, ``dialog`` or ``mine``."""
    notice: str | None
    """Hash of the notice; None when it isn't known (a refusal is taken all the same)."""
    language: str
    profile: str
    signal: bool
    address: str | None
    """For the limits only; never stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an answer."""

    before: Decision | None
    after: Decision | None
    """The decision that holds now and has to be set; None: everything stays as it was."""
    event: UUID
    failure: LedgerError | None = None
    """Why a grant was not taken."""

    @property
    def granted(self) -> frozenset[str]:
        """Terms that this answer turned on."""
        return self._now - self._was

    @property
    def withdrawn(self) -> frozenset[str]:
        """Terms that this answer turned off."""
        return self._was - self._now

    @property
    def _was(self) -> frozenset[str]:
        return self.before.granted if self.before else frozenset()

    @property
    def _now(self) -> frozenset[str]:
        return self.after.granted if self.after else self._was


def ungranted(decision: Decision, granted: frozenset[str]) -> Decision:
    """*decision* with only *granted* of its grants; without any, no subject and whole days."""
    return replace(
        decision,
        granted=granted,
        confirmed=decision.confirmed & granted,
        subject=decision.subject if granted else None,
        at=decision.at if granted else decision.at // DAY * DAY,
        pending=None,
    )


def take(
    recorder: Recorder,
    answer: Answer,
    asked: Asked,
    *,
    held: Decision | None,
    now: float,
    lifetimes: Lifetimes,
    documents: Sequence[Document],
) -> Outcome:
    """Record *answer* and say what holds now. *now* is in epoch seconds; *held* what the cookie held until now."""
    policy = recorder.policy
    before = held.standing(lifetimes, now=int(now)) if held else None
    after = decide(
        policy,
        answer,
        before=before,
        now=int(now),
        profile=asked.profile,
        source=asked.source,
        new_subject=new_id(),
    )
    pending = pending_event(policy, before, after, asked, now)
    late = held if held and held.pending else None
    try:
        if late:
            record_late(recorder, late, address=asked.address)
            late = None
        recorder.record(event_of(pending, after, policy), pending.salt, documents, address=asked.address)
    except LedgerError as failure:
        return unrecorded(policy, before, after, pending, asked, now, late=late, failure=failure)
    return Outcome(before=before, after=after, event=pending.id)


def record_late(recorder: Recorder, held: Decision, *, address: str | None) -> None:
    """Record the event that the cookie's decision *held* carries; LedgerError when it still can't be."""
    late = held.pending
    if late is not None:
        policy = recorder.policy_of(late.policy) or recorder.policy
        recorder.record(event_of(late, held, policy), late.salt, address=address)


def unrecorded(
    policy: Policy,
    before: Decision | None,
    after: Decision,
    pending: Pending,
    asked: Asked,
    now: float,
    *,
    late: Decision | None,
    failure: LedgerError,
) -> Outcome:
    """What holds of *after* when it couldn't be recorded: its refusals, and none of its new grants."""
    stood = before.granted if before else frozenset()
    lost = bool(after.granted - stood)
    held = ungranted(after, after.granted & stood)
    refused_before = before.refused if before else frozenset()
    if lost:
        pending = pending_event(policy, before, held, asked, now)
    changes = held.granted != stood or not held.refused <= refused_before
    if lost and not changes:
        return Outcome(before=before, after=None, event=pending.id, failure=failure)
    if late and not changes:
        return Outcome(before=before, after=late, event=pending.id)
    if late:
        pending = joined(late, pending, held)
    return Outcome(
        before=before,
        after=replace(held, pending=pending),
        event=pending.id,
        failure=failure if lost else None,
    )


def pending_event(
    policy: Policy, before: Decision | None, after: Decision, asked: Asked, now: float
) -> Pending:
    """The event of the step from *before* to *after*, with a fresh id and salt."""
    return Pending(
        id=new_id(),
        salt=secrets.token_bytes(32),
        time_ms=round(now * 1000),
        subject=before.subject if before and not after.subject else None,
        kind=kind_of(policy, before, after),
        policy=policy.digest,
        notice=asked.notice,
        language=asked.language,
        signal=asked.signal,
        before=earlier(before, after),
    )


def answered(decision: Decision) -> list[str]:
    """The terms that *decision* answers, in the order of :attr:`Pending.before`."""
    return sorted(decision.granted | decision.refused)


def joined(late: Decision, newer: Pending, after: Decision) -> Pending:
    """One event for two answers that the ledger missed: from what stood before the first to what holds now."""
    missed = late.pending
    if missed is None:
        return newer
    first = dict(zip(answered(late), missed.before, strict=True))
    return replace(
        newer,
        subject=newer.subject or (None if after.subject else missed.subject),
        kind=missed.kind if missed.kind == Kind.WITHDRAWN else newer.kind,
        before=tuple(
            first.get(terms, rank) for terms, rank in zip(answered(after), newer.before, strict=True)
        ),
    )


def event_of(pending: Pending, decision: Decision, policy: Policy) -> Event:
    """The event that *pending* stands for in the cookie that holds *decision*; *policy* is the one of its digest."""
    ranks = dict(zip(answered(decision), pending.before, strict=True))
    return Event(
        id=pending.id,
        kind=Kind(pending.kind),
        time=moment(pending.time_ms / 1000),
        policy=pending.policy,
        subject=pending.subject or decision.subject,
        granted=keys(policy, decision.granted),
        refused=keys(policy, decision.refused),
        before_granted=keys(policy, {terms for terms, rank in ranks.items() if rank == 2}),
        before_refused=keys(policy, {terms for terms, rank in ranks.items() if rank == 1}),
        notice=pending.notice,
        language=pending.language,
        profile=decision.profile,
        signal=pending.signal,
        source=decision.source,
        opted_out=decision.opted_out,
    )
