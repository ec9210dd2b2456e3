"""The model: look-ups, wording, the canonical form, and which changes are material."""

import json
from dataclasses import FrozenInstanceError, fields, replace
from datetime import date

import pytest

from consent.errors import PolicyError
from consent.policy import Controller, Cookie, Duration, Policy, Service, Stored, complete, parse
from consent.policy.model import BUILT_IN
from consent.policy.parts import matches

from .changes import CHANGES, PARTS, POLICY, service, terms
from .example import FULL, GERMAN, SMALL

EVERY_CHANGE = pytest.mark.parametrize("field", CHANGES)


def test_no_field_of_the_model_is_left_out_of_the_table_of_changes() -> None:
    assert set(CHANGES) == {f"{part.__name__}.{field.name}" for part in PARTS for field in fields(part)}


@EVERY_CHANGE
def test_every_change_changes_the_digest_and_survives_the_canonical_form(field: str) -> None:
    changed = CHANGES[field][0](POLICY)
    assert changed.digest != POLICY.digest
    assert changed != POLICY
    assert Policy.from_canonical(changed.canonical()) == changed


@pytest.mark.requirement("TTL-05")
@pytest.mark.requirement("INF-06")
@EVERY_CHANGE
def test_only_material_changes_change_the_terms(field: str) -> None:
    change, material = CHANGES[field]
    before = service(country=None)(POLICY) if field == "Provider.country" else POLICY
    assert (terms(change(before)) != terms(before)) is material


@pytest.mark.requirement("TTL-05")
@pytest.mark.parametrize(
    "change",
    [
        service(purposes=("testing", "measurement")),
        service(data=("device", "pages")),
        service(recipients=("A host", "An auditor")),
        service(storage=POLICY.service("statistics").storage[::-1]),
        service(cookies=POLICY.service("statistics").cookies[::-1]),
        service(origins=tuple((name, urls[::-1]) for name, urls in POLICY.service("statistics").origins)),
        service(retention=Duration(14, "month")),
    ],
)
def test_order_is_wording(change: object) -> None:
    assert callable(change)
    assert change(POLICY).terms == POLICY.terms


def test_a_duration_in_other_units_is_wording() -> None:
    year, months = (service(retention=Duration.parse(text))(POLICY) for text in ("1 year", "12 months"))
    assert year.terms == months.terms
    assert year.digest != months.digest


def test_the_terms_of_a_release_stay_those_of_the_next() -> None:
    policy = parse(SMALL)
    assert dict(policy.terms) == {"remember": "NTedQPfz2"}
    assert policy.material("remember") == {
        "key": "remember",
        "controller": "Clinic",
        "purposes": ["sign-in"],
        "cookies": [{"name": "remember_token", "lifetime": 2_592_000}],
    }


def test_the_canonical_form_is_golden() -> None:
    assert parse(SMALL).canonical() == (
        b'{"categories":[{"always_on":true,"key":"essential"},{"always_on":true,"key":"notice_acceptance"},'
        b'{"key":"functionality"},{"key":"performance"}],"controller":{"contact":"privacy@clinic.example",'
        b'"name":"Clinic","site":"https://clinic.example"},"effective":"2026-11-01","format":1,"language":"en",'
        b'"revision":1,"services":[{"category":"functionality","cookies":[{"lifetime":"30 days",'
        b'"name":"remember_token"}],"key":"remember","purposes":["sign-in"],'
        b'"text":"Remembers your sign-in name on this device."}],"wordings":{}}'
    )


def test_material_terms_name_the_parties_and_what_the_carrier_loads() -> None:
    material = POLICY.material("statistics")
    assert material["controller"] == "Clinic"
    assert material["provider"] == "Google LLC"
    assert material["via"] == {
        "provider": "Google LLC",
        "origins": {"script": ["https://www.googletagmanager.com"]},
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        POLICY.canonical() + b" ",
        POLICY.canonical().replace(b'"format":1', b'"format":2'),
        POLICY.canonical().replace(b'"14 months"', b'"14 moons"'),
        POLICY.canonical().replace(b'"always_on":true', b'"always_on":false'),
        POLICY.canonical().replace(b'"revision":3', b'"revision":3,"secret":1'),
        POLICY.canonical().replace(b'"wordings":{', b'"wordings":[{').replace(b"}}}", b"}}]}"),
        json.dumps(json.loads(POLICY.canonical())).encode(),
    ],
)
def test_other_bytes_are_no_policy(data: bytes) -> None:
    with pytest.raises(PolicyError, match="not the canonical form"):
        Policy.from_canonical(data)


def test_a_policy_cannot_be_changed_and_can_be_a_key() -> None:
    with pytest.raises(FrozenInstanceError):
        POLICY.revision = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        POLICY.wordings["de"]["change"] = "x"  # type: ignore[index]
    assert {POLICY: 1}[parse(FULL, {"de": GERMAN})] == 1


# -- look-ups


def test_the_built_in_categories_come_first_then_the_sites_own() -> None:
    keys = [category.key for category in POLICY.categories]
    assert keys == ["essential", "notice_acceptance", "functionality", "performance", "advertising"]
    assert [category.always_on for category in POLICY.categories] == [True, True, False, False, False]


def test_visitors_are_asked_about_categories_with_services_that_are_not_always_on() -> None:
    assert [each.key for each in POLICY.optional_categories] == [
        "functionality",
        "performance",
        "advertising",
    ]
    assert [each.key for each in POLICY.optional_services] == ["remember", "statistics", "adverts"]
    assert [each.key for each in POLICY.services_in("essential")] == ["payment"]
    assert POLICY.services_in("notice_acceptance") == ()
    assert POLICY.always_on("payment")
    assert not POLICY.always_on("remember")


def test_the_controller_is_the_provider_self() -> None:
    assert (POLICY.provider("self").name, POLICY.provider("self").country) == ("Clinic", "US")


@pytest.mark.parametrize(
    ("look_up", "key", "message"),
    [
        (
            POLICY.category,
            "perfomance",
            'no category "perfomance" in the policy. Did you mean "performance"?',
        ),
        (POLICY.service, "statistic", 'no service "statistic" in the policy. Did you mean "statistics"?'),
        (POLICY.carrier, "gmt", 'no carrier "gmt" in the policy. Did you mean "gtm"?'),
        (POLICY.provider, "gogle", 'no provider "gogle" in the policy. Did you mean "google"?'),
        (
            POLICY.always_on,
            "zzz",
            'no service "zzz" in the policy. There are: adverts, payment, remember, statistics.',
        ),
        (
            POLICY.material,
            "",
            'no service "" in the policy. There are: adverts, payment, remember, statistics.',
        ),
    ],
)
def test_an_unknown_key_is_a_lookup_error_that_names_the_nearest_or_all(
    look_up: object, key: str, message: str
) -> None:
    assert callable(look_up)
    with pytest.raises(LookupError) as caught:
        look_up(key)
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("_ga", "_ga", True),
        ("_ga", "_GA", False),
        ("_ga", "_ga_1", False),
        ("_ga_*", "_ga_", True),
        ("_ga_*", "_ga_X1", True),
        ("_ga_*", "x_ga_X1", False),
        ("*_id", "a_id", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "axxbxxc", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("ab*b*ba", "abba", False),
        ("a**b", "ab", True),
        ("a.c", "abc", False),
        ("[a]*", "a", False),
    ],
)
def test_a_star_stands_for_any_text(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected
    assert Cookie(name=pattern, lifetime=None).matches(name) is expected
    assert Stored(name=pattern, kind="local").matches(name) is expected


def test_matching_a_hostile_pattern_takes_no_time() -> None:
    assert not matches("a*" * 200 + "b", "a" * 100_000)


def test_pages_limit_a_service_to_their_endpoints() -> None:
    payment, remember = POLICY.service("payment"), POLICY.service("remember")
    assert payment.covers("billing.pay")
    assert not payment.covers("shop")
    assert not payment.covers(None)
    assert remember.covers("shop")
    assert remember.covers(None)


# -- durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1 minute", 60),
        ("30 minutes", 1_800),
        ("2 hours", 7_200),
        ("400 days", 34_560_000),
        ("1 week", 604_800),
        ("13 months", 34_187_400),
        ("1 year", 31_557_600),
        ("12 months", 31_557_600),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert Duration.parse(text).seconds == seconds
    assert str(Duration.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "0 days", "-1 day", "1.5 days", "13months", "13  months", "a year", "1 month "]
)
def test_other_texts_are_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        Duration.parse(text)


# -- languages


@pytest.mark.requirement("INF-07")
def test_a_language_is_offered_when_all_texts_exist_in_it() -> None:
    assert POLICY.languages == ("en", "de")
    assert POLICY.missing("de") == ()
    half = parse(FULL, {"de": GERMAN, "fr": 'services.payment.text = "Prend les paiements."'})
    assert half.languages == ("en", "de")
    assert set(half.missing("fr")) == set(POLICY.wordings["de"]) - {"services.payment.text"}
    assert "categories.performance.text" not in half.missing("fr"), "built-in wording is not the policy's own"


def test_a_text_is_in_exactly_the_language_asked_for() -> None:
    assert POLICY.text("change", "de") == "Wir haben ein Video ergänzt."
    assert POLICY.text("categories.performance.title", "en") == "How we do"
    assert POLICY.text("categories.performance.text", "en") is None
    assert POLICY.text("services.payment.outlives_session", "de") == "Erkennt Betrug über Besuche hinweg."
    assert POLICY.text("services.payment.text", "fr") is None
    assert POLICY.text("services.nothing.text", "en") is None


# -- what is declared by itself

YEAR = Duration(365, "day")


def completed(policy: Policy, session: str = "session", choices: str = "consent") -> Policy:
    return complete(policy, session_cookie=session, choice_cookie=choices, choice_lifetime=YEAR)


def session_service(key: str, cookie: str) -> str:
    """A table that declares the session by hand."""
    return (
        f'[services.{key}]\ncategory = "essential"\npurposes = ["session"]\ntext = "x"\n'
        f'cookies = {{ "{cookie}" = "session" }}\n'
    )


@pytest.mark.requirement("CK-05")
def test_the_session_and_the_choices_are_declared_by_themselves() -> None:
    whole = completed(POLICY)
    assert [each.key for each in whole.services][:2] == ["session", "choices"]
    session, choices = whole.service("session"), whole.service("choices")
    assert (session.category, session.purposes) == ("essential", ("session",))
    assert session.cookies == (Cookie(name="session", lifetime=None),)
    assert (choices.category, choices.cookies) == (
        "notice_acceptance",
        (Cookie(name="consent", lifetime=YEAR),),
    )
    assert session.declared_by_itself
    assert whole.always_on("session")
    assert whole.always_on("choices")
    assert whole.languages == POLICY.languages, "their wording is the catalogue's"
    assert Policy.from_canonical(whole.canonical()) == whole
    assert {key: whole.terms[key] for key in POLICY.terms} == POLICY.terms


def test_a_cookie_the_site_declares_is_not_declared_twice() -> None:
    assert "session" not in completed(parse(SMALL + session_service("mine", "sess*"))).terms
    again = completed(completed(POLICY))
    assert again == completed(POLICY)


def test_the_key_session_without_its_cookie_is_a_fault() -> None:
    with pytest.raises(PolicyError, match=r'services.session.cookies: .*"session".* Add "session" here'):
        completed(parse(SMALL + session_service("session", "sid")))


@pytest.mark.requirement("UI-07")
def test_the_memory_of_choices_cannot_be_something_to_refuse() -> None:
    text = SMALL.replace("remember_token", '"cons*"')
    with pytest.raises(PolicyError, match=r"services.remember.cookies: .*something of its own"):
        completed(parse(text))


def test_a_policy_may_be_built_by_hand() -> None:
    made = Policy(
        revision=1,
        effective=date(2026, 11, 1),
        language="en",
        controller=Controller(name="Clinic", site="https://clinic.example", contact="privacy@clinic.example"),
        services=(
            Service(
                key="remember",
                category="functionality",
                purposes=("sign-in",),
                text="Remembers your sign-in name on this device.",
                cookies=(Cookie(name="remember_token", lifetime=Duration(30, "day")),),
            ),
        ),
    )
    assert made == parse(SMALL)
    assert made.categories == BUILT_IN
    assert replace(made, revision=2).digest != made.digest
