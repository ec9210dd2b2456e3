"""Opting out of sale and sharing, by the browser's signal or in so many words, and in again in two steps."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import (
    Answer,
    Circumstances,
    Decision,
    Form,
    FormConflict,
    FormInvalid,
    Lifetimes,
    Reason,
    asking,
    decide,
    end_by_signal,
    if_granted,
    judge,
    judge_form,
    selling,
)
from consent.policy import Policy, Service

from .samples import DAY, LIFETIMES, MIDNIGHT, NEW, NOW, SUBJECT, policy, service
from .strategies import decisions

ADS = service("ads", "performance", provider="adtech", sells_or_shares=True)
VIDEOS = service("videos", "media", provider="tube", sells_or_shares=True)
HEALTH = service("health", "media", provider="tube", sells_or_shares=True, special_category=True)
MAPS = service("maps", "functionality")
SITE = policy(MAPS, ADS, VIDEOS, HEALTH)
SOLD = frozenset({"ads", "videos", "health"})
EVERYTHING = SOLD | {"maps"}
HASH = "ab" * 32


def changed(of: Service) -> Service:
    """The same service under other material terms."""
    return replace(of, purposes=("advertising",))


def judged(text: str, *, shown: Policy | None = SITE, current: Policy = SITE) -> Answer:
    """What counts of the form with these fields, ``name=value`` parted by spaces."""
    pairs = (field.split("=", 1) for field in f"notice={HASH} {text}".split())
    return judge_form(Form.read([(name, value) for name, value in pairs]), current=current, shown=shown)


def answered(answer: Answer, before: Decision | None = None, *, signal: bool = False) -> Decision:
    """What follows from *answer* now."""
    return decide(
        SITE, answer, before=before, now=NOW, profile="us_ca", source="centre", new_subject=NEW, signal=signal
    )


def says(decided: Decision | None, key: str, *, signal: bool = False) -> Reason:
    """Why *key* may run or may not."""
    here = Circumstances(signal=signal)
    return judge(SITE, decided, here, now=NOW, lifetimes=LIFETIMES).reasons[key]


def terms(*keys: str) -> frozenset[str]:
    return frozenset(SITE.terms[key] for key in keys)


YES = Answer(granted=EVERYTHING)


# -- opting out


@pytest.mark.requirement("CA-02")
@pytest.mark.parametrize(
    "text",
    [
        "choice=opt_out",
        "choice=opt_out choice=all",
        "choice=all choice=opt_out",
        "choice=opt_in choice=opt_out service.ads=yes confirm=yes",
        "choice=opt_out service.ads=yes service.nonsense=yes category.media=maybe",
    ],
)
@pytest.mark.parametrize("shown", [SITE, None, policy(changed(ADS))])
def test_an_opt_out_is_taken_whatever_the_rest_says(text: str, shown: Policy | None) -> None:
    assert judged(text, shown=shown) == Answer(refused=SOLD, opts_out=True)


def test_a_refusal_of_everything_may_say_so_too() -> None:
    assert judged("choice=none choice=opt_out") == Answer(refused=EVERYTHING, opts_out=True)


def test_an_opt_out_refuses_what_sells_or_shares_and_leaves_the_other_answers() -> None:
    after = answered(judged("choice=opt_out"), answered(YES))
    assert (after.granted, after.refused) == (terms("maps"), terms(*SOLD))
    assert (after.opted_out_on, after.subject) == (MIDNIGHT, NEW)


def test_an_opt_out_without_any_other_grant_identifies_nobody() -> None:
    after = answered(judged("choice=opt_out"), answered(Answer(granted=SOLD)))
    assert (after.granted, after.subject, after.at) == (frozenset(), None, MIDNIGHT)


@pytest.mark.requirement("GPC-05")
def test_an_opt_out_stays_through_later_answers() -> None:
    after = answered(YES, answered(Answer(opts_out=True)))
    assert after.opted_out
    assert says(after, "ads") is Reason.OPTED_OUT
    assert says(after, "maps") is Reason.GRANTED


@pytest.mark.requirement("TTL-06")
@pytest.mark.parametrize("days", [0, 175, 360])
@pytest.mark.parametrize("by_signal", [False, True])
def test_for_a_year_after_an_opt_out_nobody_asks_for_what_it_ended_however_old_the_other_answers(
    days: int, by_signal: bool
) -> None:
    before, out = answered(YES), NOW + days * DAY
    lasting = Lifetimes(grant=365 * DAY, refusal=365 * DAY)
    after = (
        end_by_signal(SITE, before, now=out)
        if by_signal
        else decide(
            SITE,
            judged("choice=opt_out"),
            before=before,
            now=out,
            profile="us_ca",
            source="centre",
            new_subject=NEW,
        )
    )
    assert after is not None
    assert after.at == NOW, "what was kept is as old as it is"
    for later in (out, out + 200 * DAY, out + 365 * DAY - 1):
        assert after.seconds_left(lasting, now=later) > 0
        asked = asking(SITE, after.standing(lasting, now=later), now=later, lifetimes=lasting)
        assert SOLD.isdisjoint(asked.services)
    year = out + 366 * DAY
    assert after.seconds_left(lasting, now=year) == 0
    assert {*asking(SITE, after, now=year, lifetimes=lasting).services} >= SOLD


@pytest.mark.requirement("TTL-06")
def test_a_year_is_counted_from_the_last_opt_out() -> None:
    first = answered(Answer(opts_out=True))
    again = replace(first, opted_out_on=MIDNIGHT - 300 * DAY)
    assert answered(Answer(opts_out=True), again).opted_out_on == MIDNIGHT
    assert answered(Answer(granted=frozenset({"maps"})), again).opted_out_on == MIDNIGHT - 300 * DAY


# -- the signal


@pytest.mark.requirement("GPC-06")
def test_the_signal_ends_the_grants_of_what_sells_or_shares_and_keeps_the_time() -> None:
    before = answered(YES)
    after = end_by_signal(SITE, replace(before, at=NOW - 500), now=NOW)
    assert after is not None
    assert (after.granted, after.refused) == (terms("maps"), terms(*SOLD))
    assert (after.at, after.subject, after.source) == (NOW - 500, NEW, "signal")
    assert after.opted_out_on == MIDNIGHT


def test_with_its_last_grant_the_signal_ends_the_subject_and_the_hour() -> None:
    before = answered(Answer(granted=frozenset({"ads"}), refused=frozenset({"maps"})))
    after = end_by_signal(SITE, before, now=NOW)
    assert after is not None
    assert (after.granted, after.refused) == (frozenset(), terms("ads", "maps"))
    assert (after.at, after.subject) == (MIDNIGHT, None)


@pytest.mark.parametrize(
    "before",
    [
        answered(Answer(granted=frozenset({"maps"}))),
        answered(Answer(refused=EVERYTHING)),
        answered(YES, signal=True),
        answered(YES, answered(Answer(opts_out=True))),
        answered(Answer(granted=SOLD, confirmed=SOLD)),
        decide(
            policy(changed(ADS)),
            Answer(granted=frozenset({"ads"})),
            before=None,
            now=NOW,
            profile="eu",
            source="banner",
            new_subject=SUBJECT,
        ),
    ],
    ids=["maps only", "all refused", "given under it", "opted out before", "confirmed", "other terms"],
)
def test_the_signal_ends_nothing_where_no_grant_is_in_force_against_it(before: Decision) -> None:
    assert end_by_signal(SITE, before, now=NOW) is None


@pytest.mark.requirement("GPC-05")
def test_what_is_granted_under_the_signal_stays_off_without_it_too() -> None:
    after = answered(YES, signal=True)
    assert after.opted_out
    assert says(after, "ads", signal=True) is says(after, "ads") is Reason.OPTED_OUT


def test_where_nothing_is_sold_the_signal_leaves_no_trace() -> None:
    plain = policy(MAPS)
    after = decide(
        plain,
        Answer(refused=frozenset({"maps"})),
        before=None,
        now=NOW,
        profile="eu",
        source="banner",
        new_subject=NEW,
        signal=True,
    )
    assert not after.opted_out


@given(decisions(st.sampled_from(sorted(SITE.terms.values())), most=len(EVERYTHING)))
def test_a_signal_only_narrows_and_what_it_leaves_it_leaves_again(before: Decision) -> None:
    after = end_by_signal(SITE, before, now=NOW)
    if after is None:
        return
    assert after.granted < before.granted
    assert before.granted - after.granted <= selling(SITE)
    assert after.granted | after.refused == before.granted | before.refused
    assert after.at <= before.at
    assert (after.subject is None) is not bool(after.granted)
    assert end_by_signal(SITE, after, now=NOW) is None


# -- opting in again, in two steps


@pytest.mark.requirement("TTL-08")
@pytest.mark.parametrize("confirm", ["", "confirm=no"])
def test_the_first_step_grants_nothing(confirm: str) -> None:
    answer = judged(f"choice=opt_in service.ads=yes {confirm}")
    assert answer == Answer(withheld=frozenset({"ads"}))
    before = answered(YES, signal=True)
    after = answered(answer, before)
    assert (after.granted, after.refused, after.confirmed) == (before.granted, before.refused, frozenset())


@pytest.mark.requirement("TTL-08")
@pytest.mark.requirement("GPC-06")
def test_the_second_step_grants_exactly_what_it_names_against_the_opt_out() -> None:
    answer = judged("choice=opt_in service.ads=yes confirm=yes")
    assert answer == Answer(granted=frozenset({"ads"}), confirmed=frozenset({"ads"}))
    after = answered(answer, answered(Answer(refused=EVERYTHING, opts_out=True)), signal=True)
    assert (after.granted, after.confirmed) == (terms("ads"), terms("ads"))
    assert after.refused == terms("maps", "videos", "health")
    assert says(after, "ads", signal=True) is Reason.GRANTED
    assert after.opted_out, "the others are still opted out of"


def test_the_opt_out_ends_when_all_that_sells_or_shares_is_confirmed() -> None:
    fields = " ".join(f"service.{key}=yes" for key in sorted(SOLD))
    after = answered(judged(f"choice=opt_in {fields} confirm=yes"), answered(Answer(opts_out=True)))
    assert not after.opted_out
    assert after.confirmed == terms(*SOLD)


def test_a_later_opt_out_ends_what_was_confirmed() -> None:
    confirmed = answered(Answer(granted=SOLD, confirmed=SOLD))
    after = answered(judged("choice=opt_out"), confirmed)
    assert (after.granted, after.confirmed, after.opted_out) == (frozenset(), frozenset(), True)


def test_a_special_category_may_be_opted_into_by_its_own_name() -> None:
    assert judged("choice=opt_in service.health=yes confirm=yes").granted == {"health"}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", ["service"]),
        ("confirm=yes", ["service"]),
        ("category.media=yes confirm=yes", ["service"]),
        ("service.maps=yes", ["service.maps"]),
        ("service.ads=yes service.maps=yes confirm=yes", ["service.maps"]),
        ("service.nonsense=yes", ["service.nonsense"]),
        ("service.ads=no", ["service.ads"]),
        ("service.ads=yes service.ads=yes", ["service.ads"]),
        ("service.ads=yes confirm=maybe", ["confirm"]),
        ("service.ads=yes confirm=", ["confirm"]),
        ("service.ads=yes confirm=no confirm=yes", ["confirm"]),
        ("service.ads=yes confirm=yes choice=opt_in", ["choice"]),
        ("service.ads=yes category.media=maybe", ["category.media"]),
    ],
)
def test_an_opt_in_about_anything_else_is_not_ours(text: str, places: list[str]) -> None:
    with pytest.raises(FormInvalid) as invalid:
        judged(f"choice=opt_in {text}")
    assert [fault.place for fault in invalid.value.faults] == places


@pytest.mark.parametrize("confirm", ["", "confirm=yes"])
def test_an_opt_in_needs_a_known_notice_and_the_terms_it_showed(confirm: str) -> None:
    for shown, why in ((None, "notice"), (policy(changed(ADS), VIDEOS), "terms")):
        with pytest.raises(FormConflict) as conflict:
            judged(f"choice=opt_in service.ads=yes {confirm}", shown=shown)
        assert conflict.value.why == why
        assert not conflict.value.refused
    answer = judged(
        "choice=opt_in service.ads=yes service.videos=yes confirm=yes", shown=policy(changed(ADS), VIDEOS)
    )
    assert answer.granted == answer.confirmed == {"videos"}


def test_a_stray_confirmation_means_nothing_to_the_other_choices() -> None:
    assert judged("choice=some confirm=maybe") == Answer(refused=EVERYTHING)
    assert judged("choice=all confirm=yes").confirmed == frozenset()


@given(
    before=st.none() | decisions(st.sampled_from([*SITE.terms.values()])),
    signal=st.booleans(),
    stored=st.booleans(),
)
def test_what_a_yes_would_lead_to_is_known_before_it_is_given(
    before: Decision | None, signal: bool, stored: bool
) -> None:
    here = Circumstances(signal=signal, opted_out=stored)
    for key in EVERYTHING:
        after = decide(
            SITE,
            Answer(granted=frozenset({key})),
            before=before,
            now=NOW,
            profile="default",
            source="embed",
            new_subject=NEW,
        )
        reasons = judge(SITE, after, here, now=NOW, lifetimes=Lifetimes(10**10, 10**10)).reasons
        assert if_granted(SITE, key, before, here) is reasons[key]
