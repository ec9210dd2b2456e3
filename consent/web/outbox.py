"""The event that a cookie carries because the ledger couldn't take it: that cookie is the outbox, there is no other.

The event follows from the cookie's contents, so that the late one is the same. Only a policy or notice that never came
on record isn't named, since verification would find it missing; and so what is on record by then isn't written again.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from consent.decision import Decision, Pending, keys
from consent.ledger import Document, Event, Kind
from consent.policy import Policy
from consent.web.recorder import Recorder, moment

#: Of two events that become one, the kind that says what ended.
ENDING = (Kind.WITHDRAWN, Kind.OPTED_OUT, Kind.SIGNAL_OPT_OUT)


def record_late(
    recorder: Recorder, held: Decision, documents: Sequence[Document] = (), *, address: str | None
) -> None:
    """Record the event that the cookie's decision *held* carries, unless it is; LedgerError when it still can't be."""
    late = held.pending
    if late is None:
        return
    with recorder.turn():
        if recorder.ledger.get(late.id) is not None:
            return
    event = event_of(late, held, recorder.policy_of(late.policy) or recorder.policy)
    stored = {recorder.policy.digest, *(each.hash for each in documents)}

    def on_record(hash: str | None) -> str | None:
        return hash if hash and (hash in stored or recorder.document(hash)) else None

    event = replace(event, policy=on_record(event.policy), notice=on_record(event.notice))
    write(recorder, event, late.salt, documents, address=address)


def write(
    recorder: Recorder,
    event: Event,
    salt: bytes,
    documents: Sequence[Document] = (),
    *,
    address: str | None,
) -> UUID:
    """Record *event* and say under which id: an earlier one's, if it repeats that; LedgerError when it can't be now.

    What the signal ended, which others may have written with a time and salt of their own, is written once.
    """
    if event.kind is Kind.SIGNAL_OPT_OUT:
        return recorder.record_signal(event, salt, address=address).id
    return recorder.record(event, salt, documents, address=address).id


def answered(decision: Decision) -> list[str]:
    """The terms that *decision* answers, in the order of :attr:`Pending.before`."""
    return sorted(decision.granted | decision.refused)


def joined(late: Decision, newer: Pending, after: Decision) -> Pending:
    """One event for two answers that the ledger missed: from what stood before the first to what holds now."""
    missed = late.pending
    if missed is None:
        return newer
    first = dict(zip(answered(late), missed.before, strict=True))
    kinds = (Kind.WITHDRAWN if missed.kind == Kind.SIGNAL_OPT_OUT else missed.kind, newer.kind)
    return replace(
        newer,
        subject=newer.subject or (None if after.subject else missed.subject),
        account=missed.account or newer.account,
        kind=next((kind for kind in ENDING if kind in kinds), newer.kind),
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
        account=pending.account,
        detail={"confirmed": list(keys(policy, decision.confirmed))} if decision.confirmed else None,
    )
