"""What one event answered, service by service: before it and after it (REC-03)."""

from dataclasses import dataclass
from typing import Literal

from consent.audit.row import Row
from consent.audit.titles import service_title
from consent.ledger import Event
from consent.policy import Policy

Said = Literal["granted", "refused", "unanswered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLine:
    """One service of an event."""

    service: str
    title: str
    """The service's own title in the policy's language; its key where it has none."""
    category: str | None
    """Key of its category; None when the policy isn't on record or has no such service."""
    before: Said
    after: Said

    @property
    def changed(self) -> bool:
        """Whether the event changed the answer."""
        return self.before != self.after


def answer_lines(row: Row, policy: Policy | None) -> tuple[AnswerLine, ...]:
    """The answers of *row*, in the order of *policy*, that of the day; services it doesn't have come last."""
    event = row.event
    if event is None:
        return ()
    named = {*event.granted, *event.refused, *event.before_granted, *event.before_refused}
    declared = [service.key for service in policy.services] if policy else []
    known = [key for key in declared if key in named]
    return tuple(_line(event, key, policy) for key in (*known, *sorted(named - set(known))))


def _line(event: Event, key: str, policy: Policy | None) -> AnswerLine:
    service = policy.service(key) if policy and key in policy.terms else None
    return AnswerLine(
        service=key,
        title=service_title(policy, key),
        category=service.category if service else None,
        before=_said(key, event.before_granted, event.before_refused),
        after=_said(key, event.granted, event.refused),
    )


def _said(key: str, granted: tuple[str, ...], refused: tuple[str, ...]) -> Said:
    if key in granted:
        return "granted"
    return "refused" if key in refused else "unanswered"
