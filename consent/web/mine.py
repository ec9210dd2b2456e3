"""My consent: what this browser's visitor has answered, now and before."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from flask import url_for
from markupsafe import Markup

from consent.decision import Decision, Reason
from consent.errors import LedgerError
from consent.ledger import Event, Leaf, Receipt
from consent.policy import Policy
from consent.web.declaration import ServiceView, declared, title_of
from consent.web.language import Catalogue
from consent.web.page import page, status
from consent.web.request import ConsentRequest

Words = str | Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One service and what holds for it now."""

    title: Words
    on: bool
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One category with its services."""

    title: Words
    always_on: bool
    services: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One recorded act, in words."""

    id: UUID
    iso: str
    """RFC 3339, UTC, for ``<time datetime>``."""
    time: str
    kind: str
    source: str | None = None
    granted: tuple[str, ...] = ()
    """Keys of services, as the next one."""
    refused: tuple[str, ...] = ()
    on: Words = ""
    off: Words = ""
    notice: str | None = None
    """Address of what was shown then."""
    revision: int | None = None
    receipt: str
    """Address of its receipt, for whom it is about."""
    erased: bool = False
    """Whether only that it happened is known, and in which hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a pasted receipt is worth."""

    worth: str
    """``valid``, ``not_ours`` or ``altered``; ``unable`` when that can't be told now."""
    pasted: str
    """What the form shows again."""
    says: Entry | None = None
    """Of a valid one, what it is about."""
    kept: bool = True
    """Whether the log itself holds the event; not if it was pruned, or lost."""


def mine_page(visitor: ConsentRequest, checked: Checked | None = None) -> str:
    """The page's HTML. A ledger that can't be read now costs the visitor the history, not the page."""
    words = visitor.words
    decision = visitor.decision
    history: list[Entry] | None
    try:
        history = list(reversed(list(entries(visitor, words))))
    except LedgerError:
        history = None
    return page(
        visitor,
        "link.mine",
        "mine.html",
        decided=words.date(datetime.fromtimestamp(decision.at, UTC)) if decision else None,
        until=words.date(datetime.fromtimestamp(ends(visitor, decision), UTC)) if decision else None,
        asking=asked_now(visitor, words),
        state=groups(visitor, words),
        subject=visitor.subject is not None,
        unreadable=history is None,
        history=history,
        checked=checked,
        status=status(visitor),
    )


def asked_now(visitor: ConsentRequest, words: Catalogue) -> Markup | None:
    """The services that the visitor is asked about again now; None when nothing is asked."""
    asking = visitor.asking
    if visitor.decision is None or not asking.services:
        return None
    policy = visitor.site.policy
    names = [title_of(policy, policy.service(key), words) for key in asking.services]
    return words.gettext("list.comma").join(names)


def ends(visitor: ConsentRequest, decision: Decision) -> int:
    """The last second before the visitor is asked again (epoch seconds)."""
    grants, refusals = decision.lapses(visitor.lifetimes)
    return (grants if decision.granted else refusals) - 1


def groups(visitor: ConsentRequest, words: Catalogue) -> list[Group]:
    """The categories with their services and what holds for each."""
    return [
        Group(
            title=category.title,
            always_on=category.always_on,
            services=tuple(line(visitor, service) for service in category.services),
        )
        for category in declared(visitor.site.policy, words)
    ]


def line(visitor: ConsentRequest, service: ServiceView) -> Line:
    """*service* and what holds for it on the pages it belongs to."""
    reason = visitor.reason(service.key)
    on = service.key in visitor.elsewhere
    if on and reason not in (Reason.ALWAYS, Reason.GRANTED):
        reason = Reason.ALWAYS if visitor.site.policy.always_on(service.key) else Reason.GRANTED
    decision = visitor.decision
    if reason is Reason.REFUSED and service.sells_or_shares and decision and decision.opted_out:
        reason = Reason.OPTED_OUT
    return Line(title=service.title, on=on, reason=reason)


def entries(visitor: ConsentRequest, words: Catalogue) -> Iterable[Entry]:
    """The recorded acts linked to this browser, oldest first; none without a subject."""
    if visitor.subject is None:
        return
    recorder = visitor.site.recorder
    for record in recorder.of_subject(visitor.subject):
        event = record.event()
        if event is not None:
            yield entry(event, recorder.policy_of(event.policy) if event.policy else None, words)


def said(visitor: ConsentRequest, receipt: Receipt) -> Entry:
    """What *receipt*, which was found to be valid, says; services keep their keys while no policy can be read.

    Of one whose opening is no event, as whoever can write into the database can have one signed, what its leaf says.
    """
    try:
        event = receipt.event()
    except LedgerError:
        return replace(outlined(receipt.outline(), visitor.words), erased=False)
    if event is None:
        return outlined(receipt.outline(), visitor.words)
    try:
        policy = visitor.site.recorder.policy_of(event.policy) if event.policy else None
    except LedgerError:
        policy = None
    return entry(event, policy, visitor.words)


def outlined(leaf: Leaf, words: Catalogue) -> Entry:
    """All that is known of an act whose details were erased."""
    return Entry(
        id=leaf.id,
        iso=in_iso(leaf.hour),
        time=words.datetime(leaf.hour),
        kind=leaf.kind,
        receipt=url_for("consent.receipt", id=leaf.id),
        erased=True,
    )


def stopped(event: Event, policy: Policy | None) -> frozenset[str]:
    """Services, by their keys, that *event* grants and that the signal or the opt-out of then kept off (GPC-06)."""
    if policy is None or not (event.signal or event.opted_out):
        return frozenset()
    confirmed = (event.detail or {}).get("confirmed")
    sure = [*confirmed] if isinstance(confirmed, (list, tuple)) else []
    sellers = frozenset(service.key for service in policy.services if service.sells_or_shares)
    return sellers.intersection(event.granted).difference(key for key in sure if isinstance(key, str))


def entry(event: Event, policy: Policy | None, words: Catalogue) -> Entry:
    """*event* in words, services in the order of its policy; those of one that isn't on record keep their keys."""

    def titles(keys: Collection[str]) -> Iterable[Words]:
        if policy is None:
            return keys
        return (title_of(policy, service, words) for service in policy.services if service.key in keys)

    kept_off = stopped(event, policy)
    comma = words.gettext("list.comma")
    return Entry(
        id=event.id,
        iso=in_iso(event.time),
        time=words.datetime(event.time),
        kind=event.kind,
        source=event.source,
        granted=event.granted,
        refused=event.refused,
        on=comma.join(titles({*event.granted} - kept_off)),
        off=comma.join(titles({*event.refused} | kept_off)),
        notice=url_for("consent.shown", hash=event.notice) if event.notice else None,
        revision=policy.revision if policy else None,
        receipt=url_for("consent.receipt", id=event.id),
    )


def in_iso(moment: datetime) -> str:
    """*moment*, which is in UTC, as RFC 3339 has it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
