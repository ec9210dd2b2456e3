"""The verdict says of every combination what ``verdict_table`` says."""

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import Circumstances, Decision, Mark, Reason, Verdict, asking, judge
from consent.policy import Carrier, Policy

from .samples import DAY, LIFETIMES, MIDNIGHT, NEW, NOW, decision, numbered, policy, service
from .strategies import policies, worldly_decisions
from .verdict_table import ANSWERS, KINDS, ROWS, TELLING, Row, expected

YES = {"always", "granted"}


def site(kind: str) -> Policy:
    """A policy with the service "it", of that *kind* of the table, and others that must not matter."""
    about = KINDS[kind]
    return policy(
        service("before", "performance"),
        service(
            "it",
            "essential" if about.always else "performance",
            provider="self" if about.first_party else "vendor",
            agreement="Agreement of 2026" if about.agreement else None,
            sells_or_shares=about.sells_or_shares,
            pages=("billing.*",) if about.limited else (),
        ),
        service("after", "functionality", provider="vendor"),
    )


def given_answer(answer: str, terms: str) -> Decision | None:
    """The decision in which the service of *terms* was answered like that; NOW is when it counts."""
    other = terms[:4] + ("xxxxx" if terms[4:] != "xxxxx" else "yyyyy")
    return {
        "none": None,
        "granted": decision({terms}),
        "refused": decision(None, {terms}),
        "changed": decision({other}),
        "expired": decision({terms}, at=NOW - LIFETIMES.grant),
        "confirmed": decision({terms}, confirmed=frozenset({terms})),
    }[answer]


def circumstances(row: Row) -> Circumstances:
    return Circumstances(
        signal=row.signal,
        opted_out=row.account,
        mark=Mark(row.mark) if row.mark else None,
        endpoint=row.endpoint,
        minor=row.minor,
    )


def verdict_on(row: Row) -> Verdict:
    there = site(row.kind)
    return judge(
        there, given_answer(row.answer, there.terms["it"]), circumstances(row), now=NOW, lifetimes=LIFETIMES
    )


@pytest.mark.requirement("CON-15")
@pytest.mark.parametrize(("row", "allowed", "reason"), TELLING, ids=str)
def test_a_telling_row_is_judged_as_written(row: Row, allowed: bool, reason: str) -> None:
    verdict = verdict_on(row)
    assert (verdict.allows("it"), verdict.reason("it")) == (allowed, reason)
    assert expected(row) == (allowed, reason)


@pytest.mark.requirement("CON-01")
@pytest.mark.requirement("GPC-04")
@pytest.mark.requirement("CH-01")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_row_of_the_table_is_judged_by_the_formula(kind: str, answer: str) -> None:
    there = site(kind)
    given = given_answer(answer, there.terms["it"])
    rows = [row for row in ROWS if (row.kind, row.answer) == (kind, answer)]
    assert len(rows) == 72
    for row in rows:
        verdict = judge(there, given, circumstances(row), now=NOW, lifetimes=LIFETIMES)
        assert (verdict.allows("it"), verdict.reason("it")) == expected(row), row
        assert ("it" in verdict.allowed) is verdict.allows("it")


def test_every_no_of_the_table_has_its_reason_and_every_yes_one_of_two() -> None:
    for row in ROWS:
        allowed, reason = expected(row)
        assert allowed == (reason in YES), row
    assert {expected(row)[1] for row in ROWS} == {str(reason) for reason in Reason} - {"empty"}


@pytest.mark.requirement("GPC-05")
@pytest.mark.parametrize("row", [row for row in ROWS if row.answer != "none"][::7], ids=str)
def test_an_opt_out_in_the_decision_counts_as_the_signal_does(row: Row) -> None:
    there = site(row.kind)
    given = given_answer(row.answer, there.terms["it"])
    assert given is not None
    inside = replace(given, opted_out_on=MIDNIGHT if row.signal else None)
    verdict = judge(there, inside, circumstances(replace(row, signal=False)), now=NOW, lifetimes=LIFETIMES)
    assert (verdict.allows("it"), verdict.reason("it")) == expected(row)


all_circumstances = st.builds(
    Circumstances,
    signal=st.booleans(),
    opted_out=st.booleans(),
    mark=st.none() | st.sampled_from(Mark),
    endpoint=st.none() | st.sampled_from(["home", "billing.pay"]),
    minor=st.booleans(),
)


@given(policies(), st.none() | worldly_decisions(), all_circumstances)
def test_no_circumstance_turns_a_no_into_a_yes(
    there: Policy, given: Decision | None, here: Circumstances
) -> None:
    plain = judge(there, given, Circumstances(), now=NOW, lifetimes=LIFETIMES)
    assert judge(there, given, here, now=NOW, lifetimes=LIFETIMES).allowed <= plain.allowed
    for narrower in (
        here._replace(signal=True),
        here._replace(opted_out=True),
        here._replace(minor=True),
        *(here._replace(mark=mark) for mark in Mark if here.mark is None),
        here._replace(endpoint=None),
    ):
        wider = judge(there, given, here, now=NOW, lifetimes=LIFETIMES)
        assert judge(there, given, narrower, now=NOW, lifetimes=LIFETIMES).allowed <= wider.allowed


@given(policies(), st.none() | worldly_decisions(), st.integers(0, 800 * DAY))
def test_time_alone_turns_no_no_into_a_yes(there: Policy, given: Decision | None, later: int) -> None:
    now = judge(there, given, Circumstances(), now=NOW, lifetimes=LIFETIMES)
    then = judge(there, given, Circumstances(), now=NOW + later, lifetimes=LIFETIMES)
    assert then.allowed <= now.allowed


@given(policies(), worldly_decisions(), worldly_decisions(), all_circumstances)
def test_those_who_said_the_same_at_much_the_same_time_get_the_same_verdict(
    there: Policy, given: Decision, other: Decision, here: Circumstances
) -> None:
    """What a cache of verdicts may go by: neither subject nor exact time, profile or control matter."""
    at = given.at + 1 if given.granted else given.at
    alike = replace(given, at=at, profile=other.profile, source=other.source, subject=given.subject and NEW)
    assert alike.said == given.said
    if alike.lapsed(LIFETIMES, now=NOW) == given.lapsed(LIFETIMES, now=NOW):
        first, second = (judge(there, each, here, now=NOW, lifetimes=LIFETIMES) for each in (given, alike))
        assert first == second
        asked = (asking(there, each, now=NOW, lifetimes=LIFETIMES) for each in (given, alike))
        assert next(asked) == next(asked)


@pytest.mark.requirement("TTL-09")
def test_a_grant_holds_to_the_last_second_of_its_lifetime_and_no_longer() -> None:
    there = policy(service("it"))
    given = decision({there.terms["it"]})
    ends = NOW + LIFETIMES.grant
    assert judge(there, given, Circumstances(), now=ends - 1, lifetimes=LIFETIMES).allows("it")
    assert judge(there, given, Circumstances(), now=ends, lifetimes=LIFETIMES).reason("it") == "expired"


def test_a_refusal_that_expired_is_no_longer_called_refused() -> None:
    there = policy(service("it"))
    given = decision(None, {there.terms["it"]})
    ends = given.at + LIFETIMES.refusal + DAY
    assert judge(there, given, Circumstances(), now=ends - 1, lifetimes=LIFETIMES).reason("it") == "refused"
    assert judge(there, given, Circumstances(), now=ends, lifetimes=LIFETIMES).reason("it") == "expired"


def test_a_category_may_run_when_it_has_services_and_each_may() -> None:
    there = policy(service("a"), service("b"), service("c", "functionality"), service("d", "essential"))
    given = decision({there.terms["a"], there.terms["c"]}, {there.terms["b"]})
    verdict = judge(there, given, Circumstances(), now=NOW, lifetimes=LIFETIMES)
    assert verdict.allowed == {"a", "c", "d"}
    said = {key: (verdict.allows(key), verdict.reason(key)) for key in verdict.groups}
    assert said == {
        "essential": (True, "always"),
        "notice_acceptance": (False, "empty"),
        "functionality": (True, "granted"),
        "performance": (False, "refused"),
    }


def test_a_carrier_may_load_when_a_service_it_carries_may() -> None:
    there = policy(
        service("a", via="gtm"),
        service("b", via="gtm"),
        carriers=(Carrier(key="gtm", provider="vendor"), Carrier(key="idle", provider="vendor")),
    )
    given = decision({there.terms["b"]}, {there.terms["a"]})
    verdict = judge(there, given, Circumstances(), now=NOW, lifetimes=LIFETIMES)
    assert (verdict.allows("gtm"), verdict.reason("gtm")) == (True, "granted")
    assert (verdict.allows("idle"), verdict.reason("idle")) == (False, "empty")
    nothing = judge(there, None, Circumstances(), now=NOW, lifetimes=LIFETIMES)
    assert (nothing.allows("gtm"), nothing.reason("gtm")) == (False, "undecided")


@pytest.mark.parametrize("mark", Mark)
def test_on_a_marked_page_ones_own_service_is_stopped_if_a_third_party_would_carry_it(mark: Mark) -> None:
    there = policy(
        service("own", via="own_manager"),
        service("carried", via="gtm"),
        service("agreed", via="gtm", agreement="Agreement of 2026"),
        carriers=(Carrier(key="gtm", provider="vendor"), Carrier(key="own_manager")),
    )
    given = decision(set(there.terms.values()))
    marked = judge(there, given, Circumstances(mark=mark), now=NOW, lifetimes=LIFETIMES)
    assert marked.reasons == {"own": "granted", "carried": "marked", "agreed": "granted"}


def test_an_unknown_key_is_a_lookup_error_that_names_the_nearest() -> None:
    there = policy(service("statistics"))
    verdict = judge(there, None, Circumstances(), now=NOW, lifetimes=LIFETIMES)
    for ask in (verdict.allows, verdict.reason):
        with pytest.raises(LookupError, match=r'"statistic".*Did you mean "statistics"'):
            ask("statistic")
        with pytest.raises(LookupError, match='Did you mean "performance"'):
            ask("performnce")
        with pytest.raises(LookupError, match=r'"x"\. There are: essential, .*, statistics'):
            ask("x")


def test_judging_takes_a_time_that_grows_with_the_services_alone() -> None:
    """Counted in calls, not in seconds: ten times the services, about ten times the calls."""
    assert calls_to_judge(numbered(100)) < 12 * calls_to_judge(numbered(10))


def calls_to_judge(there: Policy) -> int:
    given = decision(set(there.terms.values()))
    judge(there, given, Circumstances(), now=NOW, lifetimes=LIFETIMES)  # what the policy works out once
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1

    earlier = sys.getprofile()
    sys.setprofile(count)
    try:
        judge(there, given, Circumstances(), now=NOW, lifetimes=LIFETIMES)
    finally:
        sys.setprofile(earlier)
    return counted
