"""When visitors are asked again, and about what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import Answer, Circumstances, Decision, asking, decide, judge
from consent.policy import Policy

from .samples import DAY, LIFETIMES, MIDNIGHT, NEW, NOW, decision, policy, service
from .strategies import policies, worldly_decisions

# maps and letters are one category, statistics and testing the other; health is special within the second.
SITE = policy(
    service("session", "essential"),
    service("maps", "functionality"),
    service("letters", "functionality"),
    service("statistics", "performance"),
    service("testing", "performance"),
    service("health", "performance", special_category=True),
)
ALL = ("maps", "letters", "statistics", "testing", "health")


def answered(granted: str = "", refused: str = "", changed: str = "", age: int = 0) -> Decision:
    """A decision on these services of SITE, its keys parted by spaces, of *age* seconds."""
    terms = SITE.terms
    grants = {terms[key] for key in granted.split()} | {terms[key][:4] + "xxxxx" for key in changed.split()}
    at = NOW - age
    return decision(grants, {terms[key] for key in refused.split()}, at=at if grants else at - at % DAY)


ORDINARY = "maps letters statistics testing"
GRANT, REFUSAL = LIFETIMES.grant, LIFETIMES.refusal
CASES = {
    "no answer": (None, "first", ALL),
    "an answer about nothing we have": (decision({"AAAAaaaaa"}), "first", ALL),
    "an opt-out and nothing else": (decision(opted_out_on=MIDNIGHT), "first", ALL),
    "everything granted": (answered(" ".join(ALL)), None, ()),
    "everything refused": (answered(refused=" ".join(ALL)), None, ()),
    "accept all, which refuses the special": (answered(ORDINARY, "health"), None, ()),
    "a mixture": (answered("maps statistics", "letters testing health"), None, ()),
    "a mixture, its last second": (answered("maps", "letters testing health", age=GRANT - 1), None, ()),
    "grants expired, refusals not": (
        answered("maps statistics", "letters testing health", age=GRANT),
        "expired",
        ("maps", "statistics"),
    ),
    "grants expired, one of a changed service, one unanswered": (
        answered("maps", "letters health", changed="statistics", age=GRANT),
        "expired",
        ("maps", "statistics", "testing"),
    ),
    "everything expired": (answered("maps", "letters", age=REFUSAL), "expired", ALL),
    "refusals, their last second": (answered(refused=" ".join(ALL), age=REFUSAL - 1), None, ()),
    "refusals expired": (answered(refused=" ".join(ALL), age=REFUSAL + DAY), "expired", ALL),
    "a granted service changed": (
        answered("letters statistics testing", "health", changed="maps"),
        "changed",
        ("maps",),
    ),
    "a refused service changed": (
        decision({SITE.terms["maps"], SITE.terms["letters"]}, {SITE.terms[k][:4] + "xxxxx" for k in ALL[2:]}),
        None,
        (),
    ),
    "new in a category granted in full": (
        answered("maps", "statistics testing health"),
        "changed",
        ("letters",),
    ),
    "new in a category partly refused": (answered("maps letters statistics", "testing"), None, ()),
    "new in a category refused": (answered("statistics testing health", "maps"), None, ()),
    "new beside refusals only": (answered(refused="maps statistics"), None, ()),
    "new beside a special refusal that Accept all made": (
        answered("maps letters statistics", "health"),
        "changed",
        ("testing",),
    ),
    "special and new in a category granted in full": (
        answered("maps letters statistics testing"),
        "changed",
        ("health",),
    ),
    "ordinary and new beside a special grant": (
        answered("maps letters health"),
        "changed",
        ("statistics", "testing"),
    ),
    "new beside a special refusal alone": (answered("maps letters", "health"), None, ()),
    "new, and the category's only grant changed": (
        answered("statistics testing", "health", changed="maps"),
        "changed",
        ("maps", "letters"),
    ),
    "unanswered beside a refusal, its Yes too late": (
        answered("statistics", "maps testing"),
        None,
        (),
    ),
}


@pytest.mark.requirement("TTL-02")
@pytest.mark.requirement("UI-07")
@pytest.mark.parametrize(("given", "why", "services"), CASES.values(), ids=CASES)
def test_the_visitor_is_asked_only_what_needs_an_answer(
    given: Decision | None, why: str | None, services: tuple[str, ...]
) -> None:
    asked = asking(SITE, given, now=NOW, lifetimes=LIFETIMES)
    assert (asked.why, asked.services) == (why, services)


def test_where_nothing_is_optional_nobody_is_asked() -> None:
    strict = policy(service("session", "essential"))
    assert asking(strict, None, now=NOW, lifetimes=LIFETIMES).why is None
    assert asking(policy(), answered("maps", age=GRANT), now=NOW, lifetimes=LIFETIMES).why is None


@pytest.mark.requirement("TTL-05")
def test_mending_the_wording_asks_nobody_again() -> None:
    before, mended = (policy(service("maps", text=text)) for text in ("Shows a mpa.", "Shows a map."))
    given = decision({before.terms["maps"]})
    assert asking(mended, given, now=NOW, lifetimes=LIFETIMES).why is None
    moved = policy(service("maps", text="Shows a map.", purposes=("advertising",)))
    assert asking(moved, given, now=NOW, lifetimes=LIFETIMES).why == "changed"


@given(policies(), st.none() | worldly_decisions())
def test_nobody_is_asked_about_what_they_granted_or_refused_and_still_holds(
    site: Policy, given: Decision | None
) -> None:
    asked = asking(site, given, now=NOW, lifetimes=LIFETIMES)
    reasons = judge(site, given, Circumstances(), now=NOW, lifetimes=LIFETIMES).reasons
    assert all(reasons[key] in ("undecided", "expired", "changed") for key in asked.services)
    assert (asked.why is None) == (not asked.services)


@pytest.mark.requirement("UI-07")
@given(policies(), st.none() | worldly_decisions(), st.data())
def test_who_has_just_answered_everything_is_not_asked(
    site: Policy, before: Decision | None, data: st.DataObject
) -> None:
    everything = {each.key for each in site.optional_services}
    granted = frozenset(key for key in sorted(everything) if data.draw(st.booleans()))
    now = decide(
        site,
        Answer(granted, frozenset(everything - granted)),
        before=before,
        now=NOW,
        profile="eu",
        source="banner",
        new_subject=NEW,
    )
    assert asking(site, now, now=NOW, lifetimes=LIFETIMES).why is None
