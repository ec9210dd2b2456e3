"""A visitor's decision: what was granted and refused, under which terms, when, by which control."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal, Self
from uuid import UUID

from consent.decision.answer import Answer
from consent.decision.pending import BASE64URL, NAME, TOO_LATE, Pending
from consent.policy import Policy
from consent.policy.terms import KEY_PART, TERMS_PART

#: Seconds.
DAY: Final = 86_400
#: After an opt-out nobody is asked to opt in again for so many seconds (TTL-06).
LEFT_ALONE: Final = 365 * DAY
#: The controls a decision can come from. The browser's signal is one: in a header, or where only scripts see it.
SOURCES: Final = ("banner", "centre", "dialog", "mine", "embed", "signal", "navigator")

_LENGTH: Final = KEY_PART + TERMS_PART

Given = Literal["granted", "refused", "changed"]
DecisionKind = Literal["given", "refused", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """For how many seconds answers hold; a refusal at least as long as a grant (TTL-01), else ValueError."""

    grant: int
    refusal: int

    def __post_init__(self) -> None:
        if not 0 < self.grant <= self.refusal:
            raise ValueError(f"grant {self.grant}, refusal {self.refusal}; expected 0 < grant <= refusal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a visitor answered. Services are named by ``Policy.terms`` values: the service *and* its terms.

    ValueError when the parts contradict each other: two answers about one service, a grant without a subject
    or a subject without a grant, a refusal that tells more than its day (rule 6), an unknown source.
    """

    granted: frozenset[str]
    refused: frozenset[str]
    at: int
    """When the oldest of its grants was given, epoch seconds UTC; without a grant, 00:00 UTC of that day."""
    profile: str
    source: str
    subject: UUID | None = None
    """The random id that links this browser's events; there is one exactly while there is a grant."""
    confirmed: frozenset[str] = frozenset()
    """Those of the granted that were confirmed in two steps against an opt-out."""
    opted_out_on: int | None = None
    """When sale and sharing were opted out of, the last time that was said: 00:00 UTC of that day, in epoch seconds;
    None where they weren't. An opt-out doesn't expire, nor does a missing signal end it (GPC-05)."""
    pending: Pending | None = None
    said: tuple[frozenset[str], frozenset[str], frozenset[str], bool] = field(
        init=False, repr=False, compare=False
    )
    """All that verdict and asking read of it besides :meth:`lapsed`: the same for like answers."""
    _by_service: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        said = self.granted, self.refused, self.confirmed, self.opted_out
        object.__setattr__(self, "said", said)
        object.__setattr__(self, "_by_service", _by_service(self.granted, self.refused, self.confirmed))
        if not 0 <= self.at < TOO_LATE or (self.at % DAY and not self.granted):
            raise ValueError(f"at {self.at}; expected epoch seconds, of a whole day where nothing is granted")
        if (self.subject is None) is bool(self.granted):
            raise ValueError(f"subject {self.subject}; expected one with a grant and none without")
        if not NAME.fullmatch(self.profile):
            raise ValueError(f"profile {self.profile!r}; expected up to 16 lower-case letters")
        if self.opted_out_on is not None and (
            not 0 <= self.opted_out_on < TOO_LATE or self.opted_out_on % DAY
        ):
            raise ValueError(f"opted_out_on {self.opted_out_on}; expected epoch seconds of a whole day")
        if self.source not in SOURCES:
            raise ValueError(f"source {self.source!r}; expected one of {', '.join(SOURCES)}")
        if self.pending and len(self.pending.before) != len(self._by_service):
            raise ValueError(
                f"{len(self.pending.before)} services in before; expected {len(self._by_service)}"
            )

    @property
    def opted_out(self) -> bool:
        """Whether sale and sharing are opted out of."""
        return self.opted_out_on is not None

    @property
    def left_alone_until(self) -> int:
        """Until when nobody asks for what sells or shares, in epoch seconds (TTL-06); 0 without an opt-out."""
        return 0 if self.opted_out_on is None else self.opted_out_on + DAY + LEFT_ALONE

    def answer_to(self, terms: str) -> Given | None:
        """The answer about the service of *terms*, a ``Policy.terms`` value; None when there is none.

        A grant under other terms is "changed": it covers nothing now. A refusal stands whatever the terms.
        """
        given = self._by_service.get(terms[:KEY_PART])
        if given is None:
            return None
        if given in self.refused:
            return "refused"
        return "granted" if given == terms else "changed"

    def lapses(self, lifetimes: Lifetimes) -> tuple[int, int]:
        """When its grants expire, and when its refusals do, in epoch seconds.

        A refusal's day counts from its end, so that leaving out the hour never makes us ask earlier.
        """
        answered = self.at if self.granted else self.at + DAY
        return self.at + lifetimes.grant, answered + lifetimes.refusal

    def lapsed(self, lifetimes: Lifetimes, *, now: int) -> tuple[bool, bool]:
        """Whether at *now* (epoch seconds) its grants have expired, and whether its refusals have."""
        grants, refusals = self.lapses(lifetimes)
        return now >= grants, now >= refusals

    def seconds_left(self, lifetimes: Lifetimes, *, now: int) -> int:
        """For how many seconds from *now* (epoch seconds) it has to be remembered: as long as any of it counts.

        After a refusal as after a grant (TTL-01), and never longer than right after the answer, whose hour isn't known.
        """
        end, longest = self.lapses(lifetimes)[1], lifetimes.refusal
        if self.opted_out:
            end, longest = max(end, self.left_alone_until), max(longest, LEFT_ALONE)
        return max(0, min(end - now, longest))

    def refusing(self, terms: frozenset[str]) -> Self:
        """It, with those of the granted *terms* refused; with its last grant go the subject and the hour."""
        ended = terms & self.granted
        granted = self.granted - ended
        return replace(
            self,
            granted=granted,
            refused=self.refused | ended,
            at=self.at if granted else _midnight(self.at),
            subject=self.subject if granted else None,
            confirmed=self.confirmed & granted,
        )

    def standing(self, lifetimes: Lifetimes, *, now: int) -> Self | None:
        """What of it still holds at *now* (epoch seconds); None when nothing does.

        Expired grants go, and the subject with them; expired refusals go; an opt-out stays.
        """
        grants_lapsed, refusals_lapsed = self.lapsed(lifetimes, now=now)
        granted = frozenset[str]() if grants_lapsed else self.granted
        refused = frozenset[str]() if refusals_lapsed else self.refused
        if (granted, refused) == (self.granted, self.refused):
            return self
        if not (granted or refused or self.opted_out):
            return None
        return replace(
            self,
            granted=granted,
            refused=refused,
            at=self.at if granted else _midnight(self.at),
            subject=self.subject if granted else None,
            confirmed=self.confirmed & granted,
            pending=None,
        )


@lru_cache(2048)
def _by_service(
    granted: frozenset[str], refused: frozenset[str], confirmed: frozenset[str]
) -> Mapping[str, str]:
    """The terms of *granted* and *refused* by the part that names their service; ValueError unless they are sound.

    Remembered, because visitors are many and their answers few.
    """
    terms = granted | refused
    if {*map(len, terms)} - {_LENGTH} or not BASE64URL.fullmatch("".join(terms)):
        raise ValueError(f"terms {sorted(terms)}; expected 9 characters of base64url each")
    found = {each[:KEY_PART]: each for each in terms}
    if len(found) != len(granted) + len(refused):
        raise ValueError("two answers about one service; expected one each")
    if not confirmed <= granted:
        raise ValueError("a confirmation of what isn't granted; expected confirmed to be some of granted")
    return found


def decide(
    policy: Policy,
    answer: Answer,
    *,
    before: Decision | None,
    now: int,
    profile: str,
    source: str,
    new_subject: UUID,
    signal: bool = False,
) -> Decision:
    """The decision that follows from *answer*, given at *now* (epoch seconds), after *before*.

    *before* is what :meth:`Decision.standing` left of the earlier decision. Of it are kept the answers about
    services that *answer* doesn't mention: refusals, and grants under the terms of now. A kept grant keeps
    its time, since only an answer about it renews it, and so makes the whole decision as old. The earlier
    subject goes on while there is a grant; a first grant takes *new_subject*, a random id. A pending event
    isn't kept.

    An opt-out is stored, with its day, when the answer says so, or comes with the browser's *signal*, and stays through
    all later answers, with the signal or without it (GPC-05). It ends when every service that sells or shares is
    confirmed.
    """
    granted, refused, kept = set[str](), set[str](), set[str]()
    for service in policy.optional_services:
        terms = policy.terms[service.key]
        said = before.answer_to(terms) if before else None
        if service.key in answer.refused:
            refused.add(terms)
        elif service.key in answer.granted:
            granted.add(terms)
        elif said == "refused":
            refused.add(terms)
        elif said == "granted":
            kept.add(terms)
    granted |= kept
    at = min(now, before.at) if before and kept else now
    sold = selling(policy)
    sure = {policy.terms[key] for key in answer.confirmed if key in policy.terms}
    confirmed = granted & (sure | before.confirmed if before else sure)
    opted_out_on = before.opted_out_on if before else None
    if answer.opts_out or (signal and sold):
        opted_out_on = _midnight(now)
    if answer.confirmed and sold and sold <= confirmed:
        opted_out_on = None
    return Decision(
        granted=frozenset(granted),
        refused=frozenset(refused),
        at=at if granted else _midnight(at),
        profile=profile,
        source=source,
        subject=((before and before.subject) or new_subject) if granted else None,
        confirmed=frozenset(confirmed),
        opted_out_on=opted_out_on,
    )


def end_by_signal(policy: Policy, before: Decision, *, now: int, source: str = "signal") -> Decision | None:
    """What the browser's signal leaves at *now* (epoch seconds) of *before*, what stood of it; None if it ends nothing.

    It ends the grants of services that sell or share (GPC-06), unless they were given in spite of it: confirmed in two
    steps, or under an opt-out stored already, by which they aren't in force. These are refused from now on,
    and the opt-out is stored. All else stays, the time too.
    """
    ended = selling(policy) & before.granted - before.confirmed
    if before.opted_out or not ended:
        return None
    return replace(before.refusing(ended), source=source, opted_out_on=_midnight(now), pending=None)


def settled(policy: Policy, decision: Decision | None) -> bool:
    """Whether *decision* confirms, against an opt-out, every service of *policy* that sells or shares (GPC-06)."""
    return decision is not None and selling(policy) <= decision.confirmed


def selling(policy: Policy) -> frozenset[str]:
    """The terms of the optional services of *policy* that sell or share."""
    return frozenset(policy.terms[each.key] for each in policy.optional_services if each.sells_or_shares)


def kind_of(policy: Policy, before: Decision | None, after: Decision) -> DecisionKind:
    """The kind of event that leads from *before* (what stood of it) to *after*.

    "withdrawn" when a grant was removed: a service that was granted, under whatever terms, is refused, or was
    granted under today's terms and isn't any more, or no grant is left. A grant that fell away because its
    service changed or left the policy, while others stay, was not withdrawn. Else "given" if there is a
    grant, but "refused" if all that is new are refusals beside grants that were merely kept.
    """
    if before and before.granted:
        refused_now = set(keys(policy, before.granted)) & set(keys(policy, after.refused))
        current = before.granted & set(policy.terms.values())
        if refused_now or current - after.granted or not after.granted:
            return "withdrawn"
        kept = after.granted <= before.granted and after.at == before.at
        if kept and not after.refused <= before.refused:
            return "refused"
    return "given" if after.granted else "refused"


def keys(policy: Policy, terms: Iterable[str]) -> tuple[str, ...]:
    """The sorted keys of those services of *policy* that *terms* are about, under whatever revision."""
    parts = {each[:KEY_PART] for each in terms}
    return tuple(sorted(key for key, current in policy.terms.items() if current[:KEY_PART] in parts))


def earlier(before: Decision | None, after: Decision) -> tuple[int, ...]:
    """What *before* said of each of *after*'s terms in sorted order, as :attr:`Pending.before` counts it."""
    rank = {None: 0, "refused": 1, "changed": 2, "granted": 2}
    terms = sorted(after.granted | after.refused)
    return tuple(rank[before.answer_to(each) if before else None] for each in terms)


def _midnight(time: int) -> int:
    return time - time % DAY
