"""The verdict: what may run for one request, with the reason for each service."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from consent.decision.decision import Decision, Given, Lifetimes
from consent.errors import did_you_mean
from consent.policy import Policy, Service


class Reason(StrEnum):
    """Why something may run (the first two) or may not.

    Where several things stop a service, the reason is the first of them in this order: so it names what is
    to be settled first, and PAGE or MARKED only comes when the page alone is what stops it.
    """

    ALWAYS = "always"
    """Always on."""
    GRANTED = "granted"

    MINOR = "minor"
    """The visitor is a minor, so no answer of theirs would count."""
    UNDECIDED = "undecided"
    """Not answered."""
    EXPIRED = "expired"
    """Answered, but too long ago."""
    REFUSED = "refused"
    CHANGED = "changed"
    """Granted, but under other material terms than today's."""
    OPTED_OUT = "opted_out"
    """It sells or shares, and the visitor opted out of that, by a signal or here."""
    PAGE = "page"
    """It is limited to other pages."""
    MARKED = "marked"
    """The page is marked, and this is a third party's without an agreement."""
    EMPTY = "empty"
    """A category or carrier that no service uses."""


class Mark(StrEnum):
    """What a view is marked as. Both keep third parties without an agreement off the page."""

    SENSITIVE = "sensitive"
    FIRST_PARTY = "first_party"


class Circumstances(NamedTuple):
    """What besides the answer decides, for one request. Each can only narrow what runs."""

    signal: bool = False
    """The browser sends Global Privacy Control."""
    opted_out: bool = False
    """The account that is signed in is opted out, or nobody can say whether it is. No confirmation overrides that:
    whose browser it was given in says nothing of whose account it is (GPC-09)."""
    mark: Mark | None = None
    endpoint: str | None = None
    """None: no view; then nothing that is limited to certain pages runs."""
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may run, as :func:`judge` found it."""

    reasons: Mapping[str, Reason]
    """The reason for every service of the policy, by key."""
    groups: Mapping[str, Reason]
    """The reason for every category and carrier, by key."""
    allowed: frozenset[str]
    """The keys of the services that may run."""
    running: frozenset[str]
    """Those, and the keys of the categories and carriers that may."""
    elsewhere: frozenset[str]
    """The keys of the services that may run, if not on this page then on those they belong to."""

    def allows(self, key: str) -> bool:
        """Whether the service, category or carrier *key* may run; LookupError when the policy has none such.

        A category may when it has services and each may; a carrier when a service that it carries may.
        """
        return key in self.running or self.reason(key) in _YES

    def reason(self, key: str) -> Reason:
        """Why *key* may run or may not; LookupError, naming the nearest key or all, when the policy has none such.

        For a category, the reason of its first service that may not, else of its first; for a carrier, of the
        first service it carries that may, else of its first. Both in the policy's order.
        """
        found = self.reasons.get(key) or self.groups.get(key)
        if found is None:
            known = [*self.reasons, *self.groups]
            hint = did_you_mean(key, known) or f"There are: {', '.join(sorted(known))}."
            raise LookupError(f'The policy has no service, category or carrier "{key}". {hint}')
        return found


_YES: Final = frozenset({Reason.ALWAYS, Reason.GRANTED})
#: What stops a service on this page only.
_YES_ELSEWHERE: Final = _YES | {Reason.PAGE, Reason.MARKED}


def judge(
    policy: Policy, decision: Decision | None, circumstances: Circumstances, *, now: int, lifetimes: Lifetimes
) -> Verdict:
    """What may run at *now* (epoch seconds)::

        allows(service) = page_allows and (always or (granted and current and not expired
                                                      and not (sells_or_shares and opted_out) and not minor))

    The browser's signal and its own opt-out stop no service whose conflict with them the visitor settled in two
    steps; an account's opt-out stops it all the same, until it ends for that account. On a marked page a
    first party's service may run, and a third party's under an agreement; one's own service that a third
    party carries counts as that third party's.
    """
    return _found(policy, _answers(policy, decision, now=now, lifetimes=lifetimes), decision, circumstances)


def widest(policy: Policy, circumstances: Circumstances) -> Verdict:
    """What may run for whoever has said Yes to everything: the most that a page allows, whoever asks for it."""
    granted = {service.key: Reason.GRANTED for service in policy.optional_services}
    return _found(policy, granted, None, circumstances)


def _found(
    policy: Policy,
    answers: Mapping[str, Reason],
    decision: Decision | None,
    circumstances: Circumstances,
) -> Verdict:
    reasons = dict[str, Reason]()
    for service in policy.services:
        reason = Reason.ALWAYS
        if service.key in answers:
            reason = _overlaid(policy, service, answers[service.key], decision, circumstances)
        if reason in _YES:
            reason = _stopped_by_page(policy, service, circumstances) or reason
        reasons[service.key] = reason
    allowed = frozenset(key for key, reason in reasons.items() if reason in _YES)
    groups = _groups(policy, reasons)
    return Verdict(
        reasons,
        groups,
        allowed,
        running=allowed.union(key for key in groups if groups[key] in _YES),
        elsewhere=frozenset(key for key, reason in reasons.items() if reason in _YES_ELSEWHERE),
    )


def if_granted(policy: Policy, key: str, decision: Decision | None, circumstances: Circumstances) -> Reason:
    """What would hold for the service *key* had the visitor just said Yes to it, beside *decision*.

    GRANTED (ALWAYS for what needs no Yes), or what would stop it all the same. LookupError for an unknown key.
    """
    service = policy.service(key)
    reason = Reason.ALWAYS
    if not policy.always_on(key):
        reason = _overlaid(policy, service, Reason.GRANTED, decision, circumstances)
    return (_stopped_by_page(policy, service, circumstances) or reason) if reason in _YES else reason


def _groups(policy: Policy, reasons: Mapping[str, Reason]) -> dict[str, Reason]:
    carried: dict[str, list[Reason]] = {carrier.key: [] for carrier in policy.carriers}
    grouped: dict[str, list[Reason]] = {category.key: [] for category in policy.categories}
    for service in policy.services:
        grouped[service.category].append(reasons[service.key])
        if service.via is not None:
            carried[service.via].append(reasons[service.key])
    carriers = {key: _first(found, wanted=True) for key, found in carried.items()}
    return carriers | {key: _first(found, wanted=False) for key, found in grouped.items()}


def _first(reasons: Sequence[Reason], *, wanted: bool) -> Reason:
    """The first of *reasons* that is a Yes, or a No, as *wanted*; without such, the first."""
    return next((reason for reason in reasons if (reason in _YES) is wanted), [*reasons, Reason.EMPTY][0])


_REASON_OF: Final[Mapping[Given | None, Reason]] = {
    None: Reason.UNDECIDED,
    "granted": Reason.GRANTED,
    "refused": Reason.REFUSED,
    "changed": Reason.CHANGED,
}


def _answers(
    policy: Policy, decision: Decision | None, *, now: int, lifetimes: Lifetimes
) -> dict[str, Reason]:
    """For each optional service, the reason that follows from the answer alone."""
    if decision is None:
        return {service.key: Reason.UNDECIDED for service in policy.optional_services}
    grants_lapsed, refusals_lapsed = decision.lapsed(lifetimes, now=now)
    found = dict[str, Reason]()
    for service in policy.optional_services:
        given = decision.answer_to(policy.terms[service.key])
        lapsed = refusals_lapsed if given == "refused" else grants_lapsed
        found[service.key] = Reason.EXPIRED if given and lapsed else _REASON_OF[given]
    return found


def _overlaid(
    policy: Policy, service: Service, reason: Reason, decision: Decision | None, circumstances: Circumstances
) -> Reason:
    if circumstances.minor:
        return Reason.MINOR
    if reason is not Reason.GRANTED or not service.sells_or_shares:
        return reason
    if circumstances.opted_out:
        return Reason.OPTED_OUT
    opted_out = circumstances.signal or (decision is not None and decision.opted_out)
    if opted_out and (decision is None or policy.terms[service.key] not in decision.confirmed):
        return Reason.OPTED_OUT
    return reason


def _stopped_by_page(policy: Policy, service: Service, circumstances: Circumstances) -> Reason | None:
    if not service.covers(circumstances.endpoint):
        return Reason.PAGE
    if circumstances.mark is None or service.agreement or _is_first_party(policy, service):
        return None
    return Reason.MARKED


def _is_first_party(policy: Policy, service: Service) -> bool:
    carried_by = "self" if service.via is None else policy.carrier(service.via).provider
    return service.provider == carried_by == "self"


@dataclass(frozen=True, slots=True)
class Asking:
    """Whether to ask the visitor unbidden, and about what."""

    why: Literal["first", "expired", "changed"] | None
    """None: don't ask. "changed": the policy has, since the answer."""
    services: tuple[str, ...] = ()
    """Keys of the services that await an answer, in the policy's order."""


def asking(policy: Policy, decision: Decision | None, *, now: int, lifetimes: Lifetimes) -> Asking:
    """Whether to ask at *now* (epoch seconds). Whoever asks leaves out minors (CH-01).

    * "first": there is no answer to any of the policy's optional services. All are asked about.
    * "expired": some answer has. Asked about is whatever has no answer that still stands.
    * "changed": asked about are services that were granted under other terms than today's, and services
      without an answer in a category granted in full, that is one with a grant and without a refusal. There
      a refusal of a special-category service doesn't count beside others, because Accept all refuses it.

    After an opt-out of sale and sharing nothing asks for what sells or shares for a year, as if all of it were refused
    (TTL-06). Nothing else asks again: refusals stand until they expire, and a service without an answer beside a
    refused one waits with them, whether it is new or its Yes came too late for its terms.
    """
    answers = _answers(policy, decision, now=now, lifetimes=lifetimes)
    if decision is not None and now < decision.left_alone_until:
        sold = (service.key for service in policy.optional_services if service.sells_or_shares)
        answers |= dict.fromkeys(sold, Reason.REFUSED)
    found = set(answers.values())
    if found <= _SETTLED:
        return Asking(None)
    if found == {Reason.UNDECIDED}:
        return Asking("first", tuple(answers))
    if Reason.EXPIRED in found:
        return Asking("expired", tuple(key for key, reason in answers.items() if reason not in _SETTLED))
    new = set(_new(policy, answers))
    again = tuple(key for key, reason in answers.items() if reason is Reason.CHANGED or key in new)
    return Asking("changed", again) if again else Asking(None)


_SETTLED: Final = frozenset({Reason.GRANTED, Reason.REFUSED})


def _new(policy: Policy, answers: Mapping[str, Reason]) -> Iterator[str]:
    """The services without an answer in categories granted in full."""
    for category in policy.optional_categories:
        services = policy.services_in(category.key)
        ordinary = {answers[service.key] for service in services if not service.special_category}
        special = {answers[service.key] for service in services if service.special_category}
        counting = ordinary - {Reason.UNDECIDED} or special
        if counting & {Reason.GRANTED, Reason.CHANGED} and Reason.REFUSED not in counting:
            yield from (service.key for service in services if answers[service.key] is Reason.UNDECIDED)
