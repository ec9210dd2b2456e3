"""What changed between two revisions, what of it is material, and who is asked again."""

from dataclasses import replace

import pytest

from consent.policy import Cookie, Duration, Policy, Service, compare, complete, parse

from .changes import CHANGES, POLICY, both, controller, cookie, head, service
from .example import FULL, SMALL, spoilt

#: What these change is no term of the statistics service, but what visitors agree to or may rely on.
MATERIAL_BESIDES = {"Policy.services", "Category.always_on"}
ASKS_NOBODY = {"Policy.services", "Category.always_on", "Service.key"}


def added(key: str, category: str = "performance") -> Service:
    return Service(key=key, category=category, purposes=("testing",), text="New.")


def with_services(*services: Service) -> Policy:
    return replace(POLICY, services=(*POLICY.services, *services))


@pytest.mark.requirement("TTL-05")
@pytest.mark.parametrize("field", CHANGES)
def test_every_change_is_listed_and_called_material_when_it_is(field: str) -> None:
    change, material = CHANGES[field]
    old = service(country=None)(POLICY) if field == "Provider.country" else POLICY
    difference = compare(old, change(old))
    assert difference.changes
    assert difference.material is (material or field in MATERIAL_BESIDES)
    asked = [key for key, _ in difference.asked_again]
    assert ("statistics" in asked) is (material and field not in ASKS_NOBODY)
    assert (difference.problem is not None) is difference.material


@pytest.mark.parametrize("field", CHANGES)
def test_a_policy_does_not_differ_from_itself(field: str) -> None:
    policy = CHANGES[field][0](POLICY)
    difference = compare(policy, policy)
    assert difference.changes == ()
    assert difference.asked_again == ()
    assert difference.problem is None
    assert str(difference) == "Nothing differs."


def test_the_order_of_things_is_a_change_but_not_a_material_one() -> None:
    turned = replace(POLICY, services=POLICY.services[::-1])
    (change,) = compare(POLICY, turned).changes
    assert change.place == 'services."(order)"'
    assert change.before == "remember, statistics, payment, adverts"
    assert not change.material


def test_a_material_change_beside_wording_is_told_apart() -> None:
    change = both(cookie(lifetime=Duration(1, "day")), both(service(text="Counts."), head(change="Shorter.")))
    assert {one.place: one.material for one in compare(POLICY, change(POLICY)).changes} == {
        "change": False,
        "services.statistics.text": False,
        "services.statistics.cookies._ga.lifetime": True,
    }


def test_lists_that_read_alike_differ_all_the_same() -> None:
    one, two = service(recipients=("A, B",))(POLICY), service(recipients=("A", "B"))(POLICY)
    (change,) = compare(one, two).changes
    assert change.material
    assert change.before == change.after == "A, B"


def test_another_provider_of_the_same_name_in_another_country_is_material() -> None:
    old = service(country=None)(POLICY)
    branch = replace(POLICY.provider("google"), key="google_de", country="DE")
    new = service(country=None, provider="google_de")(replace(old, providers=(*old.providers, branch)))
    assert [change.place for change in compare(old, new).changes if change.material] == [
        "services.statistics.provider",
        "providers.google_de.country",
    ]


def test_a_change_of_the_controller_concerns_every_service() -> None:
    difference = compare(POLICY, controller(name="Other")(POLICY))
    assert [key for key, _ in difference.asked_again] == ["remember", "statistics", "adverts"]
    assert difference.asked_again[0][1] == "visitors who had granted it: changed controller"


# -- who is asked again


@pytest.mark.requirement("INF-06")
def test_a_new_service_is_asked_about_where_its_category_had_been_granted_in_full() -> None:
    difference = compare(POLICY, with_services(added("heatmap")))
    assert difference.asked_again == (
        ("heatmap", 'it is new: visitors who had granted everything in "performance"'),
    )
    assert difference.changes[0].place == "services.heatmap"
    assert difference.changes[0].before is None
    assert difference.changes[0].after == "performance, for testing, by Clinic: New."
    assert difference.material


def test_nobody_had_granted_everything_in_a_category_that_had_no_services() -> None:
    old = parse(SMALL)
    new = replace(old, services=(*old.services, added("heatmap")))
    assert compare(old, new).asked_again == ()


def test_a_service_that_stops_being_always_on_is_new_to_visitors() -> None:
    always = replace(POLICY, services=(*POLICY.services, added("x", "essential")))
    optional = replace(POLICY, services=(*POLICY.services, added("x")))
    assert [key for key, _ in compare(always, optional).asked_again] == ["x"]
    assert [change.place for change in compare(optional, always).changes if change.material] == [
        "services.x.category"
    ]
    assert compare(optional, always).asked_again == ()


def test_a_service_that_is_gone_is_asked_about_by_nobody() -> None:
    difference = compare(with_services(added("heatmap")), POLICY)
    assert difference.asked_again == ()
    assert [(change.place, change.after) for change in difference.changes] == [("services.heatmap", None)]


def test_what_is_always_on_is_asked_about_by_nobody() -> None:
    text = spoilt('retention = "7 years"', 'retention = "8 years"', FULL)
    difference = compare(parse(FULL), parse(text))
    assert difference.material
    assert difference.asked_again == ()


# -- the revision


@pytest.mark.requirement("INF-06")
@pytest.mark.parametrize("revision", [1, 2, 3])
def test_material_changes_need_a_higher_revision(revision: int) -> None:
    changed = both(service(retention=None), head(revision=revision))(POLICY)
    problem = compare(POLICY, changed).problem
    assert str(problem) == (
        f"revision: material terms differ from those of revision 3, and this is revision {revision}: "
        "services.statistics.retention. Write revision = 4, and in `change` what visitors should know."
    )


def test_under_a_higher_revision_all_is_well() -> None:
    assert compare(POLICY, both(service(retention=None), head(revision=4))(POLICY)).problem is None


def test_settings_are_no_reason_for_a_new_revision() -> None:
    def completed(cookie: str, days: int) -> Policy:
        lifetime = Duration(days, "day")
        return complete(POLICY, session_cookie=cookie, choice_cookie="consent", choice_lifetime=lifetime)

    difference = compare(completed("session", 365), completed("sid", 180))
    assert len(difference.changes) == 3
    assert not difference.material
    assert difference.problem is None
    assert not compare(POLICY, completed("session", 365)).material


def test_people_can_read_it() -> None:
    new = both(
        service(cookies=(Cookie(name="_ga", lifetime=None),), agreement=None, sells_or_shares=True),
        head(revision=4, change="Less."),
    )(POLICY)
    assert (
        str(compare(POLICY, new))
        == """\
revision (not material)
    before: 3
    after:  4
change (not material)
    before: We added an appointment video.
    after:  Less.
services.statistics.agreement (material)
    before: Processing agreement of 2026
    after:  (nothing)
services.statistics.cookies._ga.lifetime (material)
    before: 13 months
    after:  session
services.statistics.cookies."_ga_*".lifetime (material)
    before: session
    after:  (nothing)
services.statistics.sells_or_shares (material)
    before: (nothing)
    after:  true

Asked again:
  statistics: visitors who had granted it: changed agreement, cookies, sells or shares"""
    )
