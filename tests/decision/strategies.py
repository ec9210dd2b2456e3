"""Any policy, decision and answer, for property tests."""

from dataclasses import replace
from string import ascii_letters, ascii_lowercase, digits

from hypothesis import strategies as st

from consent.decision import SOURCES, Answer, Decision, Pending
from consent.policy import Policy, Service

from .samples import DAY, NOW, policy, service

_BASE64URL = f"{ascii_letters}{digits}-_"
_TERMS = st.text(_BASE64URL, min_size=9, max_size=9)
_NAMES = st.text(f"{ascii_lowercase}_", min_size=1, max_size=16)
_LANGUAGES = st.text(_BASE64URL, min_size=1, max_size=35)
_SHA256 = st.binary(min_size=32, max_size=32).map(bytes.hex)
_TIMES = st.integers(0, 10**11 - 1)


@st.composite
def pendings(draw: st.DrawFn, services: int) -> Pending:
    """A pending event beside a decision on so many *services*."""
    return Pending(
        id=draw(st.uuids()),
        salt=draw(st.binary(min_size=32, max_size=32)),
        time_ms=draw(st.integers(0, 10**14 - 1)),
        subject=draw(st.none() | st.uuids()),
        kind=draw(_NAMES),
        policy=draw(_SHA256),
        notice=draw(st.none() | _SHA256),
        language=draw(_LANGUAGES),
        signal=draw(st.booleans()),
        before=tuple(draw(st.lists(st.integers(0, 2), min_size=services, max_size=services))),
        account=draw(st.none() | st.text(_BASE64URL, min_size=22, max_size=22)),
    )


@st.composite
def decisions(
    draw: st.DrawFn, terms: st.SearchStrategy[str] = _TERMS, most: int = 30, events: bool = True
) -> Decision:
    """A decision on up to *most* services whose *terms* are drawn so; with *events*, it may carry one."""
    answered = draw(st.lists(terms, max_size=most, unique_by=lambda each: each[:4]))
    granted = {each for each in answered if draw(st.booleans())}
    confirmed = {each for each in granted if draw(st.booleans())}
    at = draw(_TIMES)
    return Decision(
        granted=frozenset(granted),
        refused=frozenset(answered) - granted,
        at=at if granted else at - at % DAY,
        profile=draw(_NAMES),
        source=draw(st.sampled_from(SOURCES)),
        subject=draw(st.uuids()) if granted else None,
        confirmed=frozenset(confirmed),
        opted_out_on=draw(st.none() | _TIMES.map(lambda time: time - time % DAY)),
        pending=draw(st.none() | pendings(len(answered))) if events else None,
    )


# A small world, so that policies, decisions and answers meet: six services, two versions of each.
_KEYS = ("letters", "maps", "remember", "statistics", "testing", "videos")
_PURPOSES = ("measurement", "advertising")


def _version(key: str, purpose: str, *, special: bool = False, sells: bool = False) -> Service:
    category = "functionality" if key in _KEYS[:3] else "performance"
    return service(key, category, purposes=(purpose,), special_category=special, sells_or_shares=sells)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy with some of the small world's services, each in one of its versions."""
    chosen = draw(st.sets(st.sampled_from(_KEYS)))
    special = draw(st.sets(st.sampled_from(_KEYS), max_size=2))
    versions = {key: draw(st.sampled_from(_PURPOSES)) for key in sorted(chosen)}
    return policy(
        service("session", "essential"),
        *(_version(key, purpose, special=key in special) for key, purpose in versions.items()),
    )


def worldly_decisions() -> st.SearchStrategy[Decision]:
    """A decision on some of the small world's services, in either version, by now or before."""
    versions = [
        policy(_version(key, purpose)).terms[key]
        for key in _KEYS
        for purpose in ("measurement", "advertising")
    ]
    return decisions(st.sampled_from(versions), most=len(_KEYS)).map(_of_now)


def _of_now(decision: Decision) -> Decision:
    at = NOW - decision.at % (400 * DAY)
    out = decision.opted_out_on
    return replace(
        decision,
        at=at if decision.granted else at - at % DAY,
        opted_out_on=None if out is None else (NOW - out % (400 * DAY)) // DAY * DAY,
    )


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """An answer about some of the small world's services."""
    said = {key: draw(st.sampled_from(("granted", "refused", "withheld", ""))) for key in _KEYS}
    by_answer = {
        name: frozenset(key for key, answer in said.items() if answer == name)
        for name in ("granted", "refused", "withheld")
    }
    confirmed = frozenset(key for key in sorted(by_answer["granted"]) if draw(st.booleans()))
    return Answer(
        by_answer["granted"],
        by_answer["refused"],
        by_answer["withheld"],
        confirmed=confirmed,
        opts_out=draw(st.booleans()),
    )
