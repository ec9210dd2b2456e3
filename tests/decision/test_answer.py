"""The decision form is judged in its order, and grants what was shown and nothing else."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import Answer, Form, FormConflict, FormInvalid, judge_form
from consent.errors import ConsentError
from consent.policy import Policy, Service

from .samples import policy, service
from .strategies import policies

HASH = "ab" * 32
MAPS = service("maps", "functionality")
LETTERS = service("letters", "functionality")
STATISTICS = service("statistics", "performance")
HEALTH = service("health", "performance", special_category=True)
SITE = policy(service("session", "essential"), MAPS, LETTERS, STATISTICS, HEALTH)
OPTIONAL = frozenset({"maps", "letters", "statistics", "health"})


def changed(of: Service) -> Service:
    """The same service under other material terms."""
    return service(of.key, of.category, purposes=("advertising",), special_category=of.special_category)


def form(text: str, notice: str | None = HASH) -> Form:
    """The form with these fields, ``name=value`` parted by spaces, on *notice*."""
    pairs = [tuple(field.split("=", 1)) for field in text.split()]
    start = [("notice", notice)] if notice is not None else []
    return Form.read([*start, *((name, value) for name, value in pairs)])


def judged(text: str, *, current: Policy = SITE, shown: Policy | None = SITE) -> Answer:
    return judge_form(form(text), current=current, shown=shown)


def granted(text: str) -> set[str]:
    """What *text* grants on the current notice; whatever it doesn't grant, it refuses."""
    answer = judged(text)
    assert answer.granted | answer.refused == OPTIONAL
    assert not answer.withheld
    return set(answer.granted)


# -- the answers


@pytest.mark.requirement("CON-02")
@pytest.mark.requirement("CON-04")
@pytest.mark.requirement("CON-14")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("choice=none", set()),
        ("choice=all", {"maps", "letters", "statistics"}),
        ("choice=some", set()),
        ("choice=some category.functionality=no category.performance=no", set()),
        ("choice=some category.functionality=yes", {"maps", "letters"}),
        ("choice=some category.functionality=yes category.performance=no", {"maps", "letters"}),
        ("choice=some category.performance=yes", {"statistics"}),
        ("choice=some category.functionality=some service.maps=yes", {"maps"}),
        ("choice=some category.functionality=some", set()),
        ("choice=some category.performance=some service.health=yes", {"health"}),
        (
            "choice=some category.performance=some service.health=yes service.statistics=yes",
            {"health", "statistics"},
        ),
    ],
)
def test_an_answer_grants_what_it_says_and_refuses_the_rest(text: str, expected: set[str]) -> None:
    assert granted(text) == expected


@pytest.mark.requirement("CON-04")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("choice=all category.functionality=no category.performance=no", {"maps", "letters", "statistics"}),
        ("choice=none category.functionality=yes category.performance=some service.health=yes", set()),
        ("choice=all category.performance=some service.health=yes", {"maps", "letters", "statistics"}),
        ("choice=some service.maps=yes", set()),
        ("choice=some category.functionality=no service.maps=yes", set()),
        ("choice=some category.functionality=yes service.maps=yes", {"maps", "letters"}),
        ("choice=some category.performance=yes service.health=yes", {"statistics"}),
    ],
)
def test_the_button_wins_and_a_service_counts_only_under_choose(text: str, expected: set[str]) -> None:
    assert granted(text) == expected


@pytest.mark.requirement("UI-10")
@pytest.mark.parametrize("where", ["banner", "centre", "dialog", "mine"])
def test_saving_with_nothing_ticked_is_a_refusal(where: str) -> None:
    text = f"choice=some category.functionality=some category.performance=some from={where}"
    assert judged(text) == Answer(refused=OPTIONAL)


@pytest.mark.requirement("CON-04")
def test_every_combination_of_answers_grants_exactly_what_was_ticked() -> None:
    radios = ("", "no", "yes", "some")
    for functionality, performance in product(radios, radios):
        for ticked in product((False, True), repeat=4):
            ticks = {
                key for key, on in zip(("maps", "letters", "statistics", "health"), ticked, strict=True) if on
            }
            text = " ".join(
                [
                    "choice=some",
                    *([f"category.functionality={functionality}"] if functionality else []),
                    *([f"category.performance={performance}"] if performance else []),
                    *(f"service.{key}=yes" for key in ticks),
                ]
            )
            expected = {"yes": {"maps", "letters"}, "some": ticks & {"maps", "letters"}}.get(
                functionality, set()
            )
            expected |= {"yes": {"statistics"}, "some": ticks & {"statistics", "health"}}.get(
                performance, set()
            )
            assert granted(text) == expected, text


def test_the_order_of_the_fields_means_nothing() -> None:
    backwards = "service.maps=yes category.functionality=some from=dialog choice=some"
    assert granted(backwards) == {"maps"}


@pytest.mark.parametrize(
    "extra", ["utm=1", "csrf_token=x", "category=yes", "service=yes", "Choice=all", "_=1 _=2"]
)
def test_fields_the_form_never_has_are_left_alone(extra: str) -> None:
    assert granted(f"choice=some {extra}") == set()


# -- (1) "none" is taken whatever the rest says


@pytest.mark.requirement("WD-02")
@pytest.mark.parametrize(
    "rest",
    [
        "",
        "choice=all",
        "choice=none",
        "category.nonsense=yes",
        "category.functionality=maybe",
        "service.session=yes",
        "from=nowhere from=nowhere",
        "notice=another",
    ],
)
@pytest.mark.parametrize("shown", [SITE, policy(MAPS), policy(), None])
def test_none_refuses_everything_of_today_whatever_the_rest_says(rest: str, shown: Policy | None) -> None:
    for text in (f"choice=none {rest}", f"{rest} choice=none"):
        assert judged(text, shown=shown) == Answer(refused=OPTIONAL)
        assert form(text).refuses_all
    assert judge_form(form("choice=none", notice=None), current=SITE, shown=None).refused == OPTIONAL


# -- (2) without a known notice, 409


@pytest.mark.parametrize(
    "text",
    ["choice=all", "choice=some", "", "choice=nonsense", "choice=all choice=all", "category.nonsense=yes"],
)
def test_without_a_known_notice_nothing_but_a_refusal_of_all_is_taken(text: str) -> None:
    with pytest.raises(FormConflict) as conflict:
        judged(text, shown=None)
    assert conflict.value.why == "notice"
    assert not conflict.value.refused | conflict.value.withheld


# -- (3) keys and values are judged by the notice's policy, 400


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", ["choice"]),
        ("category.functionality=yes", ["choice"]),
        ("choice=", ["choice"]),
        ("choice=ALL", ["choice"]),
        ("choice=once", ["service"]),
        ("choice=always service.maps=yes service.nothing=yes", ["service", "service.nothing"]),
        ("choice=twice service.maps=yes", ["choice"]),
        ("choice=opt_in service.maps=yes confirm=yes", ["service.maps"]),
        ("choice=all choice=all", ["choice"]),
        ("choice=all choice=some", ["choice"]),
        ("choice=some notice=another", ["notice"]),
        (f"choice=some notice={HASH}", ["notice"]),
        ("choice=some next=/a next=/a", ["next"]),
        ("choice=some from=popup", ["from"]),
        ("choice=some from=banner from=centre", ["from"]),
        ("choice=some category.functionality=on", ["category.functionality"]),
        ("choice=some category.functionality=Yes", ["category.functionality"]),
        ("choice=some category.functionality=", ["category.functionality"]),
        ("choice=some category.functionality=no category.functionality=no", ["category.functionality"]),
        ("choice=some category.advertising=no", ["category.advertising"]),
        ("choice=some category.essential=yes", ["category.essential"]),
        ("choice=some category.notice_acceptance=no", ["category.notice_acceptance"]),
        ("choice=some category.maps=yes", ["category.maps"]),
        ("choice=some category.=yes", ["category."]),
        ("choice=some service.session=yes", ["service.session"]),
        ("choice=some service.functionality=yes", ["service.functionality"]),
        ("choice=some service.maps=no", ["service.maps"]),
        ("choice=some service.maps=on", ["service.maps"]),
        ("choice=some service.maps=yes service.maps=yes", ["service.maps"]),
        ("choice=some service.Maps=yes", ["service.Maps"]),
        ("choice=all service.nonsense=yes", ["service.nonsense"]),
        ("choice=all category.functionality=maybe", ["category.functionality"]),
        (
            "choice=nonsense from=x category.x=yes service.y=yes",
            ["choice", "from", "category.x", "service.y"],
        ),
    ],
)
def test_a_form_that_is_not_ours_counts_for_nothing_and_every_fault_is_named(
    text: str, places: list[str]
) -> None:
    asked = form(text)
    with pytest.raises(FormInvalid) as invalid:
        judge_form(asked, current=SITE, shown=SITE)
    assert [fault.place for fault in invalid.value.faults] == places
    assert invalid.value.form is asked
    assert isinstance(invalid.value, ConsentError)
    assert all(place in str(invalid.value) for place in places)


def test_a_fault_tells_of_a_long_field_in_short() -> None:
    with pytest.raises(FormInvalid) as invalid:
        judged(f"choice=some service.{'x' * 5000}=yes category.functionality={'y' * 5000}")
    assert len(str(invalid.value)) < 500


def test_an_answer_is_judged_by_what_its_notice_asked() -> None:
    shown = policy(MAPS, service("chat", "support"))
    answer = judged("choice=some category.support=yes category.functionality=yes", shown=shown)
    assert answer == Answer(granted=frozenset({"maps"}))
    with pytest.raises(FormInvalid):
        judged("choice=some category.functionality=yes category.performance=yes", shown=shown)


# -- (4) every No is taken, (5) each Yes on unchanged terms counts, 409 if none does


@pytest.mark.requirement("INF-06")
def test_a_grant_covers_what_was_shown_and_nothing_that_came_since() -> None:
    assert judged("choice=all", shown=policy(MAPS)) == Answer(granted=frozenset({"maps"}))
    answer = judged("choice=all", shown=policy(changed(MAPS), STATISTICS))
    assert answer == Answer(granted=frozenset({"statistics"}), withheld=frozenset({"maps"}))


def test_a_no_is_taken_on_terms_that_changed_too() -> None:
    answer = judged("choice=some category.performance=yes", shown=policy(changed(MAPS), STATISTICS))
    assert answer == Answer(granted=frozenset({"statistics"}), refused=frozenset({"maps"}))
    assert judged("choice=some", shown=policy(changed(MAPS))) == Answer(refused=frozenset({"maps"}))


def test_when_no_yes_counts_it_is_a_conflict_that_carries_every_no() -> None:
    shown = policy(changed(MAPS), LETTERS, changed(STATISTICS))
    with pytest.raises(FormConflict) as conflict:
        judged(
            "choice=some category.functionality=some service.maps=yes category.performance=no", shown=shown
        )
    assert conflict.value.why == "terms"
    assert conflict.value.refused == {"letters", "statistics"}
    assert conflict.value.withheld == {"maps"}


def test_a_yes_to_a_service_that_is_gone_or_now_always_on_is_no_grant() -> None:
    for current in (policy(LETTERS), policy(LETTERS, service("maps", "essential"))):
        with pytest.raises(FormConflict) as conflict:
            judged("choice=some category.functionality=some service.maps=yes", current=current)
        assert conflict.value.refused == {"letters"}
        assert not conflict.value.withheld


def test_accepting_all_where_only_special_services_are_asked_about_is_a_refusal() -> None:
    special = policy(HEALTH)
    assert judged("choice=all", current=special, shown=special) == Answer(refused=frozenset({"health"}))


def test_a_service_that_became_special_since_is_not_granted_by_a_yes_from_before() -> None:
    current = policy(service("maps", "functionality", special_category=True), LETTERS)
    answer = judged("choice=all", current=current, shown=policy(MAPS, LETTERS))
    assert answer == Answer(granted=frozenset({"letters"}), withheld=frozenset({"maps"}))


# -- the form itself


def test_a_form_tells_where_it_stood_and_keeps_what_it_said() -> None:
    asked = form(
        "choice=some from=dialog next=/topics category.functionality=no category.functionality=yes x=1"
    )
    assert (asked.notice, asked.source, asked.next) == (HASH, "dialog", "/topics")
    assert asked.value("category.functionality") == "no"
    assert asked.value("category.performance") is None
    assert asked.pairs[-1] == ("x", "1")
    assert not asked.refuses_all


@pytest.mark.parametrize("text", ["choice=none", "choice=none from=", "choice=none from=popup"])
def test_a_form_that_does_not_say_where_it_stood_is_the_centres(text: str) -> None:
    assert form(text).source == "centre"


def test_an_empty_notice_is_none() -> None:
    assert form("choice=all", notice="").notice is None
    assert form("choice=all", notice=None).notice is None


ANYTHING = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=20)
NAMES = (
    st.sampled_from(["notice", "choice", "from", "next", "category.performance", "service.maps"]) | ANYTHING
)
VALUES = st.sampled_from(["none", "all", "some", "yes", "no", "banner"]) | ANYTHING


@pytest.mark.requirement("CON-15")
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), policies(), st.none() | policies())
def test_no_form_whatever_grants_more_than_its_notice_showed(
    pairs: list[tuple[str, str]], current: Policy, shown: Policy | None
) -> None:
    try:
        answer = judge_form(Form.read(pairs), current=current, shown=shown)
    except (FormConflict, FormInvalid):
        return
    optional = {each.key for each in current.optional_services}
    unchanged = {key for key in optional if shown and shown.terms.get(key) == current.terms[key]}
    assert answer.granted <= unchanged
    assert answer.granted | answer.refused | answer.withheld <= optional
    assert not answer.granted or ("choice", "all") in pairs or ("choice", "some") in pairs


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), policies(), st.none() | policies())
def test_a_refusal_of_everything_always_holds(
    pairs: list[tuple[str, str]], current: Policy, shown: Policy | None
) -> None:
    everything = frozenset(each.key for each in current.optional_services)
    refusal = Form.read([*pairs, ("choice", "none")])
    assert judge_form(refusal, current=current, shown=shown) == Answer(refused=everything)


@pytest.mark.parametrize("choice", ["once", "always"])
@pytest.mark.parametrize("key", ["maps", "health"])
def test_a_yes_in_an_embeds_place_is_about_that_service_only(choice: str, key: str) -> None:
    assert judged(f"choice={choice} service.{key}=yes from=embed") == Answer(granted=frozenset({key}))
    assert judged(f"choice={choice} service.{key}=yes category.functionality=no") == Answer(
        granted=frozenset({key})
    )


@pytest.mark.parametrize("choice", ["once", "always"])
def test_a_refusal_beside_it_is_the_last_word(choice: str) -> None:
    assert judged(f"choice={choice} service.maps=yes choice=none") == Answer(refused=OPTIONAL)
