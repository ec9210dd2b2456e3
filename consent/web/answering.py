"""One accepted answer: the decision it leads to, the event that records it, and what holds if it can't be recorded.

Rule 9: a grant takes effect only once it is durable; a refusal or withdrawal takes effect at once, and
if it couldn't be recorded, the signed cookie carries the event until a later request records it under
the same id (``consent.web.outbox``).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from consent.decision import (
    Answer,
    Decision,
    Lifetimes,
    Pending,
    decide,
    earlier,
    end_by_signal,
    keys,
    kind_of,
    selling,
    settled,
)
from consent.errors import LedgerError
from consent.ledger import ANSWERS, Document, Event, Kind, derived_id
from consent.policy import Policy
from consent.web.outbox import event_of, joined, record_late, write
from consent.web.recorder import Recorder, moment, new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Under what an answer was given."""

    source: str
    """The control: ``banner``, ``centre``, ``dialog`` or ``mine``; the signal: ``signal`` or ``navigator``."""
    notice: str | None
    """Hash of the notice; None when it isn't known (a refusal is taken all the same)."""
    language: str
    profile: str
    signal: bool
    address: str | None
    """For the limits only; never stored."""
    account: str | None = None
    """The link of the account that the visitor is signed in to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an answer."""

    before: Decision | None
    after: Decision | None
    """The decision that holds now and has to be set; None: everything stays as it was."""
    event: UUID | None
    """The event that it is recorded as, or that waits in the cookie; None when nothing of it is put on record."""
    failure: LedgerError | None = None
    """Why a grant was not taken, or why the event waits in the cookie."""

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


def take(
    recorder: Recorder,
    answer: Answer,
    asked: Asked,
    *,
    held: Decision | None,
    now: float,
    lifetimes: Lifetimes,
    documents: Sequence[Document],
    minor: bool = False,
) -> Outcome:
    """Record *answer* and say what holds now. *now* is in epoch seconds; *held* what the cookie held until now.

    Of a *minor* only the end of a grant is recorded, which is on record as such; any other No just holds (CH-01).
    """
    policy = recorder.policy
    before = held.standing(lifetimes, now=int(now)) if held else None
    follow = partial(
        decide,
        policy,
        before=before,
        now=int(now),
        profile=asked.profile,
        source=asked.source,
        new_subject=new_id(),
        signal=asked.signal,
    )
    after = follow(answer)
    pending = pending_event(policy, before, after, asked, now, answer)
    late = held if held and held.pending else None
    if minor and not late and not (before and before.granted):
        return Outcome(before=before, after=after, event=None)
    try:
        if late:
            record_late(recorder, late, documents, address=asked.address)
            late = None
        recorded = write(
            recorder, event_of(pending, after, policy), pending.salt, documents, address=asked.address
        )
    except LedgerError as failure:
        noes = Answer(refused=answer.refused, opts_out=answer.opts_out)
        refused = follow(noes)
        if refused == after:
            lost = late is not None and of_two_accounts(late, pending)
            return kept(before, after, pending, late=late, failure=failure if lost else None)
        pending = pending_event(policy, before, refused, asked, now, noes)
        if noes == Answer() or answers_alike(before, refused):
            return Outcome(before=before, after=None, event=None, failure=failure)
        return kept(before, refused, pending, late=late, failure=failure)
    return Outcome(before=before, after=after, event=recorded)


def take_signal(
    recorder: Recorder,
    asked: Asked,
    *,
    held: Decision,
    now: float,
    lifetimes: Lifetimes,
    patient: bool = True,
) -> Outcome | None:
    """Record what the browser's signal ends of *held* and say what holds now; None when it ends nothing.

    The event's id follows from the answer that ended, so that requests at the same time write it once. What can't
    be recorded now, or isn't tried because the caller isn't *patient*, holds all the same.
    """
    policy = recorder.policy
    before = held.standing(lifetimes, now=int(now))
    after = end_by_signal(policy, before, now=int(now), source=asked.source) if before else None
    if before is None or after is None:
        return None
    if after.granted and patient:
        after = after.refusing(withdrawn(recorder, after))
    kind, ended = Kind.SIGNAL_OPT_OUT, sorted(after.refused & before.granted & selling(policy))
    pending = replace(
        pending_event(policy, before, after, asked, now, Answer(opts_out=True)),
        id=derived_id(kind, str(before.subject), str(before.at), *ended),
        kind=kind,
    )
    late = held if held.pending else None
    failure: LedgerError | None = None
    if patient:
        try:
            if late:
                record_late(recorder, late, address=asked.address)
                late = None
            recorded = write(recorder, event_of(pending, after, policy), pending.salt, address=asked.address)
            return Outcome(before=before, after=after, event=recorded)
        except LedgerError as error:
            failure = error
    if late:  # two acts become one event, which no other request can write
        pending = replace(pending, id=new_id())
    return kept(before, after, pending, late=late, failure=failure)


def withdrawn(recorder: Recorder, held: Decision) -> frozenset[str]:
    """The grants of *held* that its visitor's newest answer on record has no more: another tab took them back.

    Empty while the ledger can't say. No act of the visitor leads to what the signal sets, so it brings back nothing.
    """
    if held.subject is None:
        return frozenset()
    try:
        events = [each.event() for each in recorder.of_subject(held.subject)]
    except LedgerError:
        return frozenset()
    answers = [{*event.granted} for event in events if event is not None and event.kind in ANSWERS]
    if not answers:
        return frozenset()
    return frozenset(
        each for each in held.granted if not answers[-1].issuperset(keys(recorder.policy, {each}))
    )


def take_account(recorder: Recorder, asked: Asked, *, now: float) -> None:
    """Record, once, that the signal opts out the account of *asked*; LedgerError when that can't be done now."""
    event = Event(
        id=new_id(),
        kind=Kind.SIGNAL_OPT_OUT,
        time=moment(now),
        policy=recorder.policy.digest,
        language=asked.language,
        profile=asked.profile,
        signal=True,
        source=asked.source,
        opted_out=True,
        account=asked.account,
    )
    recorder.record_account(event, secrets.token_bytes(32), address=asked.address)


def kept(
    before: Decision | None,
    after: Decision,
    pending: Pending,
    *,
    late: Decision | None,
    failure: LedgerError | None = None,
) -> Outcome:
    """What holds though it couldn't be recorded: *after*, which grants nothing new, with its event in the cookie."""
    waiting = late.pending if late else None
    brings_account = pending.account is not None and waiting is not None and waiting.account is None
    if waiting and answers_alike(before, after) and not brings_account:
        return Outcome(before=before, after=late, event=waiting.id, failure=failure)
    if late:
        pending = joined(late, pending, after)
    return Outcome(before=before, after=replace(after, pending=pending), event=pending.id, failure=failure)


def of_two_accounts(late: Decision, newer: Pending) -> bool:
    """Whether the event that *late* carries and the *newer* one are about two accounts: one event can't tell both.

    The first stays, whose owner was told so; whoever says the second is told to say it again.
    """
    return bool(late.pending and late.pending.account and newer.account not in (None, late.pending.account))


def answers_alike(before: Decision | None, after: Decision) -> bool:
    """Whether *after* says nothing that *before* didn't say."""
    said = (before.granted, before.refused, before.opted_out) if before else (frozenset(), frozenset(), False)
    return (after.granted, after.refused, after.opted_out) == said


def pending_event(
    policy: Policy,
    before: Decision | None,
    after: Decision,
    asked: Asked,
    now: float,
    answer: Answer,
) -> Pending:
    """The event of the step from *before* to *after*, which *answer* led to, with a fresh id and salt."""
    return Pending(
        id=new_id(),
        salt=secrets.token_bytes(32),
        time_ms=round(now * 1000),
        subject=before.subject if before and not after.subject else None,
        kind=Kind.OPTED_OUT if answer.opts_out else kind_of(policy, before, after),
        policy=policy.digest,
        notice=asked.notice,
        language=asked.language,
        signal=asked.signal,
        before=earlier(before, after),
        account=asked.account if about_account(policy, answer, after, signal=asked.signal) else None,
    )


def about_account(policy: Policy, answer: Answer, after: Decision, *, signal: bool) -> bool:
    """Whether *answer*, which led to *after*, begins or ends an account's opt-out too."""
    if after.opted_out:
        return answer.opts_out or signal
    return bool(answer.confirmed) and settled(policy, after)
