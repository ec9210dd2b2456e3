"""A decision holds together, and follows from answers and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import Answer, Decision, Lifetimes, Pending, decide, earlier, keys, kind_of
from consent.policy import Policy

from .samples import DAY, LIFETIMES, MIDNIGHT, NEW, NOW, SUBJECT, decision, policy, service
from .strategies import answers, policies, worldly_decisions

A, A_CHANGED, B, C = "AAAAaaaaa", "AAAAxxxxx", "BBBBbbbbb", "CCCCccccc"


def pending(**parts: Any) -> Pending:
    usual: dict[str, Any] = {
        "id": NEW,
        "salt": bytes(32),
        "time_ms": NOW * 1000,
        "subject": SUBJECT,
        "kind": "withdrawn",
        "policy": "0" * 64,
        "notice": None,
        "language": "en",
        "signal": False,
        "before": (),
    }
    return Pending(**(usual | parts))


CONTRADICTIONS: dict[str, Callable[[], object]] = {
    "granted and refused": lambda: decision({A}, {A}),
    "granted, and refused under other terms": lambda: decision({A}, {A_CHANGED}),
    "granted under two terms": lambda: decision({A, A_CHANGED}),
    "refused under two terms": lambda: decision(None, {A, A_CHANGED}),
    "terms too short": lambda: decision({A[:8]}),
    "terms too long": lambda: decision(None, {A + "a"}),
    "terms with a dot": lambda: decision({"AAAA.aaaa"}),
    "terms that add up": lambda: decision({"AAAAaaaa"}, {"BBBBbbbbbb"}),
    "a grant without a subject": lambda: decision({A}, subject=None),
    "a subject without a grant": lambda: decision(None, {A}, subject=SUBJECT),
    "a refusal with its hour": lambda: decision(None, {A}, at=NOW),
    "a time before 1970": lambda: decision({A}, at=-1),
    "a time of too many digits": lambda: decision({A}, at=10**11),
    "a confirmation of nothing": lambda: decision(None, {A}, confirmed=frozenset({A})),
    "a profile that is no name": lambda: decision(profile="EU"),
    "a profile of 17 letters": lambda: decision(profile="a" * 17),
    "no profile": lambda: decision(profile=""),
    "an unknown source": lambda: decision(source="popup"),
    "no source": lambda: decision(source=""),
    "a pending event about fewer services": lambda: decision(None, {A, B}, pending=pending(before=(0,))),
    "a short salt": lambda: pending(salt=bytes(31)),
    "a negative event time": lambda: pending(time_ms=-1),
    "a late event time": lambda: pending(time_ms=10**14),
    "a kind that is no name": lambda: pending(kind="With.drawn"),
    "a language that is no tag": lambda: pending(language="en.US"),
    "no language": lambda: pending(language=""),
    "a short digest": lambda: pending(policy="0" * 63),
    "a digest in capitals": lambda: pending(notice="A" * 64),
    "an answer before that isn't one": lambda: pending(before=(3,)),
    "a refusal that holds shorter than a grant": lambda: Lifetimes(grant=2, refusal=1),
    "a grant that never holds": lambda: Lifetimes(grant=0, refusal=1),
    "a service with two answers": lambda: Answer(frozenset({"a"}), frozenset({"a"})),
    "an answer that confirms what it doesn't grant": lambda: Answer(confirmed=frozenset({"a"})),
    "a Yes both counted and withheld": lambda: Answer(frozenset({"a"}), withheld=frozenset({"a"})),
}


@pytest.mark.parametrize("build", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_parts_that_contradict_each_other_are_a_value_error(build: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        build()


def test_the_parts_above_hold_together_when_they_are_put_right() -> None:
    assert decision(None, {A, B}, pending=pending(before=(0, 2), notice="a" * 64)).pending
    assert decision({A}, {B}, confirmed=frozenset({A})).confirmed == {A}
    assert decision().granted == frozenset()


@pytest.mark.requirement("TTL-05")
def test_an_answer_is_about_a_service_and_a_grant_about_its_terms_too() -> None:
    given = decision({A}, {B})
    assert given.answer_to(A) == "granted"
    assert given.answer_to(A_CHANGED) == "changed"
    assert given.answer_to(B) == "refused"
    assert given.answer_to("BBBBxxxxx") == "refused"
    assert given.answer_to(C) is None


@pytest.mark.requirement("TTL-09")
@pytest.mark.parametrize(
    ("granted", "age", "lapsed"),
    [
        ({A}, 182 * DAY - 1, (False, False)),
        ({A}, 182 * DAY, (True, False)),
        ({A}, 365 * DAY - 1, (True, False)),
        ({A}, 365 * DAY, (True, True)),
        (set(), 182 * DAY, (True, False)),
        (set(), 366 * DAY - 1, (True, False)),
        (set(), 366 * DAY, (True, True)),
    ],
)
def test_an_answer_lapses_at_the_end_of_its_lifetime(
    granted: set[str], age: int, lapsed: tuple[bool, bool]
) -> None:
    given = decision(granted, {B})
    assert given.lapsed(LIFETIMES, now=given.at + age) == lapsed


@pytest.mark.requirement("TTL-06")
def test_leaving_out_the_hour_of_a_refusal_never_ends_it_earlier() -> None:
    last_second = MIDNIGHT + DAY - 1
    refusal = decide(
        policy(service("maps")),
        Answer(refused=frozenset({"maps"})),
        before=None,
        now=last_second,
        profile="us_ca",
        source="centre",
        new_subject=NEW,
    )
    assert refusal.at == MIDNIGHT
    last = last_second + LIFETIMES.refusal - 1
    assert refusal.standing(LIFETIMES, now=last) is refusal
    assert refusal.seconds_left(LIFETIMES, now=last) >= 1


@pytest.mark.requirement("TTL-01")
@pytest.mark.requirement("CK-03")
@pytest.mark.parametrize(("granted", "refused"), [({A}, {B}), (set(), {A, B})])
def test_a_refusal_is_remembered_as_long_as_a_grant_and_neither_longer_than_was_said(
    granted: set[str], refused: set[str]
) -> None:
    given = decision(granted, refused)
    assert given.seconds_left(LIFETIMES, now=NOW) == LIFETIMES.refusal
    assert given.seconds_left(LIFETIMES, now=NOW + 10 * DAY) <= LIFETIMES.refusal - 9 * DAY
    end = given.lapses(LIFETIMES)[1]
    assert [given.seconds_left(LIFETIMES, now=end - left) for left in (1, 0, -DAY)] == [1, 0, 0]


def test_what_stands_after_the_grants_lapse_is_the_refusals_without_subject_or_hour() -> None:
    given = decision({A}, {B}, confirmed=frozenset({A}))
    assert given.standing(LIFETIMES, now=NOW) is given
    assert given.standing(LIFETIMES, now=NOW + 182 * DAY) == decision(None, {B})
    assert given.standing(LIFETIMES, now=NOW + 366 * DAY) is None
    assert decision({A}).standing(LIFETIMES, now=NOW + 182 * DAY) is None


@pytest.mark.requirement("GPC-05")
def test_an_opt_out_outlives_every_answer() -> None:
    given = decision({A}, {B}, opted_out_on=MIDNIGHT)
    assert given.standing(LIFETIMES, now=NOW + 5000 * DAY) == decision(opted_out_on=MIDNIGHT)


def after(policy: Policy, answer: Answer, before: Decision | None = None, now: int = NOW) -> Decision:
    return decide(policy, answer, before=before, now=now, profile="eu", source="banner", new_subject=NEW)


SITE = policy(service("session", "essential"), service("maps"), service("statistics"), service("videos"))
EVERYTHING = frozenset({"maps", "statistics", "videos"})


@pytest.mark.requirement("CON-04")
def test_a_mixed_answer_is_kept_exactly() -> None:
    mixed = after(SITE, Answer(frozenset({"maps"}), frozenset({"statistics"})))
    assert keys(SITE, mixed.granted) == ("maps",)
    assert keys(SITE, mixed.refused) == ("statistics",)
    assert mixed.answer_to(SITE.terms["videos"]) is None


@pytest.mark.requirement("LOG-01")
def test_a_first_grant_takes_the_new_subject_and_later_ones_keep_it() -> None:
    first = after(SITE, Answer(frozenset({"maps"})))
    second = after(SITE, Answer(frozenset({"videos"}), frozenset({"maps"})), replace(first, subject=SUBJECT))
    assert first.subject == NEW
    assert second.subject == SUBJECT


def test_a_subject_ends_with_its_last_grant() -> None:
    granting = decision({SITE.terms["maps"]})
    assert after(SITE, Answer(refused=EVERYTHING), granting).subject is None
    assert after(SITE, Answer(frozenset({"videos"})), None).subject == NEW


@pytest.mark.requirement("REC-06")
def test_two_who_refuse_on_the_same_day_have_the_same_decision() -> None:
    morning, evening = MIDNIGHT + 1, MIDNIGHT + DAY - 1
    had_grants = decision({SITE.terms["maps"]})
    first = after(SITE, Answer(refused=EVERYTHING), now=morning)
    second = after(SITE, Answer(refused=EVERYTHING), had_grants, now=evening)
    assert first == second


def test_a_grant_that_is_kept_is_not_renewed() -> None:
    granting = decision({SITE.terms["maps"]}, at=NOW - 100 * DAY)
    kept = after(SITE, Answer(refused=frozenset({"videos"})), granting)
    renewed = after(SITE, Answer(frozenset({"maps"}), frozenset({"videos"})), granting)
    assert (kept.granted, kept.at, kept.subject) == (granting.granted, granting.at, SUBJECT)
    assert (renewed.granted, renewed.at, renewed.subject) == (granting.granted, NOW, SUBJECT)


def test_a_confirmation_stands_while_its_grant_does() -> None:
    maps = SITE.terms["maps"]
    confirmed = decision({maps}, confirmed=frozenset({maps}), opted_out_on=MIDNIGHT)
    assert after(SITE, Answer(frozenset({"maps"})), confirmed).confirmed == {maps}
    withdrawn = after(SITE, Answer(refused=EVERYTHING), confirmed)
    assert (withdrawn.confirmed, withdrawn.opted_out) == (frozenset(), True)
    assert after(SITE, Answer(frozenset({"maps"})), withdrawn).confirmed == frozenset()


def test_answers_about_services_the_policy_lacks_are_dropped() -> None:
    before = decision({A}, {B})
    assert after(SITE, Answer(frozenset({"maps", "unknown", "session"})), before).granted == {
        SITE.terms["maps"]
    }


def test_a_clock_that_was_set_back_dates_no_grant_into_the_future() -> None:
    granting = decision({SITE.terms["maps"]}, at=NOW + 200)
    assert after(SITE, Answer(refused=frozenset({"videos"})), granting).at == NOW


@given(policies(), answers(), st.none() | worldly_decisions())
def test_a_service_is_granted_only_by_an_answer_about_it_under_todays_terms(
    site: Policy, answer: Answer, before: Decision | None
) -> None:
    now = after(site, answer, before)
    for each in site.optional_services:
        mentioned = each.key in answer.granted | answer.refused
        kept = None if mentioned or before is None else before.answer_to(site.terms[each.key])
        granted = each.key in answer.granted or kept == "granted"
        refused = each.key in answer.refused or kept == "refused"
        expected = "granted" if granted else "refused" if refused else None
        assert now.answer_to(site.terms[each.key]) == expected
    assert now.granted | now.refused <= set(site.terms.values())


@given(policies(), answers(), st.none() | worldly_decisions())
def test_what_follows_from_an_answer_is_never_wider_or_younger_than_what_was_said(
    site: Policy, answer: Answer, before: Decision | None
) -> None:
    now = after(site, answer, before)
    newly = {site.terms[key] for key in answer.granted if key in site.terms}
    kept = now.granted - newly
    assert kept <= (before.granted if before else frozenset())
    assert now.at <= NOW
    assert not kept or (before is not None and now.at <= before.at)
    confirmed = {site.terms[key] for key in answer.confirmed if key in site.terms}
    assert now.confirmed <= (before.confirmed if before else frozenset()) | confirmed
    assert now.opted_out == (answer.opts_out or (before is not None and before.opted_out))
    assert now.subject == (((before and before.subject) or NEW) if now.granted else None)


@given(policies(), st.none() | worldly_decisions())
def test_refusing_everything_leaves_no_grant_no_subject_and_no_hour(
    site: Policy, before: Decision | None
) -> None:
    everything = frozenset(each.key for each in site.optional_services)
    now = after(site, Answer(refused=everything), before)
    assert (now.granted, now.subject, now.at) == (frozenset(), None, MIDNIGHT)


@given(policies(), st.none() | worldly_decisions(), worldly_decisions())
def test_every_pair_of_decisions_is_an_event_of_one_kind(
    site: Policy, before: Decision | None, now: Decision
) -> None:
    kind = kind_of(site, before, now)
    lost = before is not None and any(
        before.answer_to(terms) == "granted" and now.answer_to(terms) != "granted"
        for terms in site.terms.values()
    )
    assert kind in ("given", "refused", "withdrawn")
    had_grants = before is not None and bool(before.granted)
    assert kind == "withdrawn" or not lost
    assert had_grants or kind == ("given" if now.granted else "refused")
    assert now.granted or kind == ("withdrawn" if had_grants else "refused")


MAPS, VIDEOS = SITE.terms["maps"], SITE.terms["videos"]
OLD_MAPS = MAPS[:4] + "xxxxx"
KINDS = {
    "a first grant": (None, decision({MAPS}), "given"),
    "a first refusal": (None, decision(None, {MAPS}), "refused"),
    "nothing answered": (None, decision(), "refused"),
    "a grant after a refusal": (decision(None, {MAPS}), decision({MAPS}), "given"),
    "a refusal again": (decision(None, {MAPS}), decision(None, {MAPS}), "refused"),
    "one of two grants gone": (decision({MAPS, VIDEOS}), decision({MAPS}, {VIDEOS}), "withdrawn"),
    "one of two grants no longer answered": (decision({MAPS, VIDEOS}), decision({MAPS}), "withdrawn"),
    "one grant for another": (decision({MAPS}), decision({VIDEOS}, {MAPS}), "withdrawn"),
    "the only grant gone": (decision({MAPS}), decision(None, {MAPS}), "withdrawn"),
    "a changed grant refused": (decision({OLD_MAPS, VIDEOS}), decision({VIDEOS}, {MAPS}), "withdrawn"),
    "a changed grant renewed": (decision({OLD_MAPS}), decision({MAPS}), "given"),
    "a refusal beside a grant that is kept": (decision({MAPS}), decision({MAPS}, {VIDEOS}), "refused"),
    "the same again": (decision({MAPS}, {VIDEOS}), decision({MAPS}, {VIDEOS}), "given"),
    "a grant renewed with a refusal": (
        decision({MAPS}, at=NOW - DAY),
        decision({MAPS}, {VIDEOS}),
        "given",
    ),
    "a changed grant unanswered": (decision({OLD_MAPS, VIDEOS}), decision({VIDEOS}), "given"),
    "a service that left the policy": (decision({A, MAPS}), decision({MAPS}), "given"),
    "the last grant left the policy": (decision({A}), decision(None, {MAPS}), "withdrawn"),
}


@pytest.mark.requirement("REC-01")
@pytest.mark.parametrize(("before", "now", "kind"), KINDS.values(), ids=KINDS)
def test_an_event_is_a_withdrawal_before_a_grant_and_a_grant_before_a_refusal(
    before: Decision | None, now: Decision, kind: str
) -> None:
    assert kind_of(SITE, before, now) == kind


def test_keys_names_services_under_whatever_terms_in_order() -> None:
    assert keys(SITE, {VIDEOS, OLD_MAPS, A}) == ("maps", "videos")
    assert keys(SITE, ()) == ()


@pytest.mark.requirement("REC-03")
def test_earlier_tells_what_held_for_each_of_the_new_answers() -> None:
    given = decision({"BBBBbbbbb"}, {"AAAAaaaaa", "CCCCccccc", "DDDDddddd"})
    before = decision({"AAAAxxxxx", "BBBBbbbbb"}, {"CCCCccccc"})
    assert earlier(before, given) == (2, 2, 1, 0)
    assert earlier(None, given) == (0, 0, 0, 0)
    assert decision({"BBBBbbbbb"}, pending=pending(before=earlier(None, decision({"BBBBbbbbb"})))).pending
