"""Each rule of the policy file, broken once: exactly one fault, with its place, problem and fix."""

from collections.abc import Iterator

import pytest

from consent.policy.codes import FOR_ADVERTISING
from consent.policy.model import BUILT_IN
from consent.policy.shape import Table
from consent.policy.synonyms import FORMS, WORDS
from consent.policy.terms import key_part

from .example import FULL, GERMAN, SMALL, faults, only_fault, spoilt

THIRD_PARTY = """\
[providers.google]
name = "Google LLC"

[services.map]
category = "functionality"
purposes = ["maps"]
provider = "google"
text = "Shows a map."
data = ["address"]
retention = "30 days"
sells_or_shares = false
"""
ALWAYS_ON = """\
[services.basket]
category = "essential"
purposes = ["preferences"]
text = "Remembers your basket."
cookies = { basket = "session" }
"""
COOKIES = "services.remember.cookies"
CARRIED = """\
[carriers.gtm]
provider = "self"
script = ["https://tags.clinic.example"]
"""


def test_the_examples_have_no_fault() -> None:
    assert faults(SMALL + THIRD_PARTY + ALWAYS_ON + CARRIED) == []
    assert faults(FULL, {"de": GERMAN}) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("revision   = 1\n", "revision: this is missing. Add: revision = 1"),
        ("effective  = 2026-11-01\n", "effective: this is missing."),
        ('language   = "en"\n', "language: this is missing."),
        ('name = "Clinic", ', "controller.name: this is missing."),
        ('site = "https://clinic.example", ', "controller.site: this is missing."),
        (', contact = "privacy@clinic.example"', "controller.contact: this is missing."),
        ('category = "functionality"\n', "services.remember.category: this is missing."),
        ('purposes = ["sign-in"]\n', "services.remember.purposes: this is missing."),
        (
            'text     = "Remembers your sign-in name on this device."\n',
            "services.remember.text: this is missing.",
        ),
    ],
)
def test_what_is_required_is_missed(line: str, expected: str) -> None:
    assert only_fault(spoilt(line, "")).startswith(expected)


@pytest.mark.requirement("INF-06")
def test_from_the_second_revision_on_visitors_are_told_what_changed() -> None:
    fault = only_fault(spoilt("revision   = 1", "revision = 2"))
    assert fault.startswith("change: this is missing. Add what visitors are told")


@pytest.mark.requirement("INF-01")
@pytest.mark.parametrize("field", ["data", "retention", "sells_or_shares"])
def test_a_third_party_has_to_be_explicit(field: str) -> None:
    lines = [line for line in THIRD_PARTY.splitlines() if not line.startswith(field)]
    fault = only_fault(SMALL + "\n".join(lines))
    assert fault.startswith(f"services.map.{field}: a third party runs this, so nothing is assumed")


@pytest.mark.requirement("INF-01")
def test_a_cookie_has_to_say_how_long_it_lives() -> None:
    fault = only_fault(spoilt('"30 days"', '{ path = "/" }'))
    assert fault.startswith("services.remember.cookies.remember_token.lifetime: this is missing.")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("txt = 1", 'txt: "txt" is not a key of this table. Did you mean "text"?'),
        ('country = "USA"', 'country: "USA" is not a country code.'),
        ('special_category = "no"', 'special_category: found the text "no", exp'),
        ("third_party_access = 0", "third_party_access: found a number, expected"),
        ('retention = "forever"', 'retention: the text "forever" is not a length'),
        ("retention = 3", "retention: a number is not a length of time."),
        ("recipients = []", "recipients: this list is empty."),
        ("pages = []", "pages: this list is empty."),
        ('pages = ["/shop"]', 'pages[0]: "/shop" is not an endpoint.'),
        ('data = ["pages", "pages"]', 'data: "pages" stands here twice.'),
        ('data = ["page"]', 'data[0]: "page" is not one of the codes this list'),
        ('uses = ["finger"]', 'uses[0]: "finger" is not one of the codes this'),
        ('google_consent = ["ads"]', 'google_consent[0]: "ads" is not one of'),
        ('google_consent = ["ad_storage"]', 'sells_or_shares: "ad_storage" is for advertising, and no opt-out'),
        ('storage = { x = "lokal" }', 'storage.x: "lokal" is not one of the codes'),
        ('storage = { "*" = "local" }', 'storage."*": a name needs at least one'),
        ('provider = "google"', 'provider: there is no provider "google".'),
        ('via = "gtm"', 'via: there is no carrier "gtm". Declare it under [carr'),
    ],
)  # fmt: skip
def test_a_wrong_line_of_a_service_is_one_fault_with_its_place_and_fix(line: str, expected: str) -> None:
    found = [fault for fault in faults(f"{SMALL}{line}\n") if "third party runs this" not in fault]
    assert len(found) == 1
    assert found[0].startswith(f"services.remember.{expected}")


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ('name = "Stats"', 'Did you mean "title"?'),
        ('description = "Counts."', 'Did you mean "text"?'),
        ('type = "statistics"', 'Did you mean "category"?'),
        ('vendor = "google"', 'Did you mean "provider"?'),
        ('Max-Age = "30 days"', 'Did you mean "retention"?'),
        ('iframe = ["https://a.example"]', 'Did you mean "frame"?'),
        ('scripts = ["https://a.example"]', 'Did you mean "script"?'),
        ('flavour = "x"', "Known here: agreement, "),
    ],
)
def test_what_people_call_a_key_leads_to_the_key_that_is_meant(line: str, fix: str) -> None:
    (found,) = (fault for fault in faults(f"{SMALL}{line}\n") if "is not a key of this table" in fault)
    assert f"is not a key of this table. {fix}" in found


def test_every_word_that_people_use_stands_for_a_key_that_there_is() -> None:
    known = {key for table in all_below(Table) for key in table.model_fields}
    assert {*WORDS, *FORMS} <= known


def all_below(table: type[Table]) -> Iterator[type[Table]]:
    """The tables of the policy file."""
    for each in table.__subclasses__():
        yield each
        yield from all_below(each)


def test_what_people_call_a_cookies_lifetime_leads_to_it_and_its_form() -> None:
    fault = next(iter(faults(spoilt('"30 days"', "{ max_age = 3600 }"))))
    assert fault.startswith(f'{COOKIES}.remember_token.max_age: "max_age" is not a key of this table. ')
    assert fault.endswith('Did you mean "lifetime"? Write it like lifetime = "13 months", or "session".')


@pytest.mark.requirement("GCM-04")
@pytest.mark.parametrize("type", sorted(FOR_ADVERTISING))
def test_what_tells_google_of_advertising_can_be_stopped_by_an_opt_out(type: str) -> None:
    named = f'google_consent = ["{type}"]\n'
    site = SMALL + THIRD_PARTY
    assert only_fault(site + named).startswith("services.map.sells_or_shares: ")
    assert faults(site.replace("sells_or_shares = false", "sells_or_shares = true") + named) == []
    assert "this has to be stated" in only_fault(site.replace("sells_or_shares = false\n", "") + named)
    assert "true or false" in only_fault(
        site.replace("sells_or_shares = false", 'sells_or_shares = "no"') + named
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("revision   = 1", 'revision = "1"', 'revision: found the text "1", expected a whole number.'),
        ("revision   = 1", "revision = true", "revision: found true, expected a whole number."),
        ("revision   = 1", "revision = 0", "revision: a revision is a number from 1 to 999999."),
        ("revision   = 1", "revision = 20261101", "revision: a revision is a number from 1 to 999999."),
        ("2026-11-01", '"2026-11-01"', 'effective: found the text "2026-11-01", expected a date.'),
        ("2026-11-01", "2026-11-01T10:00:00", "effective: found a date with a time, expected a date."),
        ("2026-11-01", "10:00:00", "effective: found a time of day, expected a date."),
        ('"en"', '"EN"', 'language: "EN" is not a language tag. Write it like "en"'),
        ('"en"', '"english"', 'language: "english" is not a language tag.'),
        ('"Clinic"', '"  "', "controller.name: this is empty."),
        ('"Clinic"', '"""Cli\nnic"""', "controller.name: this has more than one line."),
        ('"Clinic"', '"Cli\\u0007nic"', "controller.name: the text holds a control character."),
        ('"Clinic"', '["Clinic"]', "controller.name: found a list, expected a text."),
        ('clinic.example", contact', 'clinic.example/", contact', 'controller.site: "https://clinic.example'),
        ("https://clinic.example", "http://clinic.example", 'controller.site: "http://clinic.example" is no'),
        ("https://clinic.example", "https://*.clinic.example", 'controller.site: "https://*.clinic.example"'),
        ("https://clinic.example", "wss://clinic.example", 'controller.site: "wss://clinic.example" is not'),
        ("privacy@clinic.example", "the office", 'controller.contact: "the office" is neither an e-mail add'),
        ("privacy@clinic.example", "javascript:alert(1)", "controller.contact:"),
        ("language   =", 'nation = "US"\nlanguage =', 'nation: "nation" is not a key of this table. Known h'),
        ("language   =", "efective = 1\nlanguage =", 'efective: "efective" is not a key of this table. Did'),
        ("name =", 'adress = "x", name =', 'controller.adress: "adress" is not a key of this table. Did you'),
        ('["sign-in"]', '["signin"]', 'services.remember.purposes[0]: "signin" is not one of the codes this'),
        ('["sign-in"]', "[]", "services.remember.purposes: this list is empty."),
        ('["sign-in"]', '"sign-in"', 'services.remember.purposes: found the text "sign-in", expected a list'),
        ('"30 days"', "30", COOKIES + ".remember_token: found a number, expected a lifetime or a table."),
        ('"30 days"', '"30"', COOKIES + '.remember_token: the text "30" is not a lifetime.'),
        ('"30 days"', '{ lifetime = "1 day", path = "x" }', COOKIES + '.remember_token.path: "x" is not'),
        ('"30 days"', '{ lifetime = "1 day", path = "/;" }', COOKIES + ".remember_token.path:"),
        ('"30 days"', '{ lifetime = "1 day", domain = ".x" }', COOKIES + ".remember_token.domain:"),
        ('"30 days"', '{ lifetime = "1 day", max = 1 }', COOKIES + ".remember_token.max:"),
        ("remember_token", '"a b"', COOKIES + '."a b": a cookie name has letters, digits and marks'),
        ("remember_token", '"a=b"', COOKIES + '."a=b": a cookie name has letters'),
        ("remember_token", '""', COOKIES + '."": a cookie name has letters'),
        ("remember_token", '"**"', COOKIES + '."**": a name needs at least one character that is not *.'),
        ('"functionality"', '"functional"', 'services.remember.category: there is no category "functional".'),
        ('"functionality"', '"adverts"', 'services.remember.category: there is no category "adverts". Decla'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_fault_with_its_place_and_fix(old: str, new: str, expected: str) -> None:
    assert only_fault(spoilt(old, new)).startswith(expected)


@pytest.mark.requirement("CK-01")
@pytest.mark.parametrize("lifetime", ["401 days", "14 months", "2 years", "99999 weeks"])
def test_no_cookie_lives_longer_than_400_days(lifetime: str) -> None:
    fault = only_fault(spoilt("30 days", lifetime))
    assert fault.startswith(f'services.remember.cookies.remember_token: "{lifetime}" is longer than 400 days')


@pytest.mark.requirement("CK-01")
@pytest.mark.parametrize("lifetime", ["400 days", "13 months", "1 year", "9600 hours", "session"])
def test_cookies_up_to_400_days_are_taken(lifetime: str) -> None:
    assert faults(spoilt("30 days", lifetime)) == []


@pytest.mark.requirement("CK-05")
@pytest.mark.parametrize("item", ['cookies = { basket = "1 day" }', 'storage = { basket = "local" }'])
def test_what_is_essential_lives_for_the_session_or_says_why_not(item: str) -> None:
    lasting = ALWAYS_ON.replace('cookies = { basket = "session" }', item)
    fault = only_fault(SMALL + lasting)
    assert fault.startswith('services.basket.outlives_session: "basket" outlives the browser session')
    assert faults(SMALL + lasting + 'outlives_session = "You may come back for it."\n') == []
    assert faults(SMALL + ALWAYS_ON + 'storage = { basket = "session" }\n') == []


@pytest.mark.parametrize(
    ("line", "place"),
    [("sells_or_shares = true", "sells_or_shares"), ("special_category = true", "special_category")],
)
def test_what_is_always_on_neither_sells_nor_touches_special_categories(line: str, place: str) -> None:
    assert only_fault(f"{SMALL}{ALWAYS_ON}{line}\n").startswith(f"services.basket.{place}: ")
    assert faults(SMALL + line + "\n") == [], "an optional service may, once granted"


@pytest.mark.requirement("CON-01")
@pytest.mark.parametrize(
    "purpose", ["advertising", "measurement", "personalisation", "social-media", "testing"]
)
def test_what_no_site_needs_is_never_always_on(purpose: str) -> None:
    fault = only_fault(SMALL + ALWAYS_ON.replace('"preferences"', f'"{purpose}"'))
    assert fault.startswith(
        f'services.basket.purposes: "{purpose}" is never something a site cannot work without'
    )


@pytest.mark.requirement("CON-09")
@pytest.mark.parametrize("key", ["legal_basis", "legitimate_interest", "legal-basis", "LegitimateInterest"])
@pytest.mark.parametrize("table", ["", "[services.other]\n", "[categories.performance]\n", "[controller]\n"])
def test_legitimate_interest_is_refused_wherever_it_stands(key: str, table: str) -> None:
    text = SMALL.replace("controller =", "#") if table == "[controller]\n" else SMALL
    line = f'{key} = "legitimate_interest"\n'
    found = faults(text + table + line if table else line + text)
    assert sum("no legitimate interest allows it (CON-09)" in fault for fault in found) == 1


@pytest.mark.requirement("UI-11")
@pytest.mark.requirement("CON-08")
@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("default", "CON-08"),
        ("preselected", "CON-08"),
        ("enabled", "CON-08"),
        ("opt_out", "CON-08"),
        ("implied", "CON-08"),
        ("mode", "CON-08"),
        ("hide_reject", "UI-11"),
        ("hideReject", "UI-11"),
        ("accept_label", "UI-11"),
        ("reject-label", "UI-11"),
        ("banner", "UI-11"),
        ("cookie_wall", "UI-11"),
        ("always_on", "CON-01"),
        ("required", "CON-01"),
    ],
)
def test_nothing_can_tick_hide_or_weaken(key: str, rule: str) -> None:
    for text in (
        f"{key} = true\n{SMALL}",
        f"{SMALL}{key} = true\n",
        f"{SMALL}[categories.functionality]\n{key}=1\n",
    ):
        assert f"({rule})" in only_fault(text).replace("CON-02, ", "")


def test_these_words_may_still_be_names_of_things() -> None:
    assert faults(SMALL.replace("services.remember", "services.default")) == []


@pytest.mark.requirement("CON-03")
@pytest.mark.parametrize("category", [category.key for category in BUILT_IN])
def test_the_file_cannot_say_which_category_is_always_on(category: str) -> None:
    assert len(faults(f"{SMALL}[categories.{category}]\nalways_on = false\n")) == 1


# -- names and what they refer to


@pytest.mark.parametrize("key", ["Remember", "1st", "re-member", "_x", "x" * 41, "é", "a b", ""])
def test_a_key_is_small_letters_digits_and_underscores(key: str) -> None:
    fault = only_fault(spoilt("services.remember", f'services."{key}"'))
    assert "cannot be a key. Use small letters" in fault


@pytest.mark.parametrize(
    ("table", "place"),
    [
        (
            '[services.performance]\ncategory="essential"\npurposes=["forms"]\ntext="x"\n',
            "services.performance",
        ),
        ('[carriers.remember]\nprovider="self"\n', "carriers.remember"),
        ('[carriers.essential]\nprovider="self"\n', "carriers.essential"),
        ('[categories.remember]\ntitle="x"\ntext="x"\n', "services.remember"),
    ],
)
def test_categories_services_and_carriers_share_keys(table: str, place: str) -> None:
    fault = only_fault(SMALL + table)
    assert fault.startswith(f"{place}: ")
    assert "already. Rename one" in fault


def test_the_controller_is_not_declared_as_a_provider() -> None:
    assert only_fault(SMALL + '[providers.self]\nname = "Clinic"\n').startswith(
        'providers.self: the provider "self"'
    )


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("[providers.x]\n", "providers.x.name: this is missing."),
        ("[carriers.x]\n", "carriers.x.provider: this is missing."),
        ('[carriers.x]\nprovider="y"\n', 'carriers.x.provider: there is no provider "y".'),
        ('[categories.x]\ntitle="X"\n', "categories.x.text: this is missing."),
        ('[categories.x]\ntext="X"\n', "categories.x.title: this is missing."),
        (
            '[providers.x]\nname="X"\npolicy="http://x.example"\n',
            'providers.x.policy: "http://x.example" is not a web',
        ),
        ('[providers.x]\nname="X"\npolicy="javascript:alert(1)"\n', "providers.x.policy: "),
        ("[providers]\nx = 3\n", "providers.x: found a number, expected a table."),
    ],
)
def test_other_tables_have_their_rules(table: str, expected: str) -> None:
    assert only_fault(SMALL + table).startswith(expected)


def test_a_built_in_category_may_have_its_own_wording_or_a_part_of_it() -> None:
    assert faults(SMALL + '[categories.functionality]\ntitle = "Comfort"\n') == []


@pytest.mark.parametrize(
    ("key", "category", "purposes", "count"),
    [
        ("session", "essential", '["session"]', 0),
        ("session", "functionality", '["session"]', 1),
        ("session", "essential", '["session", "forms"]', 1),
        ("choices", "notice_acceptance", '["choices"]', 0),
        ("choices", "performance", '["choices"]', 1),
        ("other", "notice_acceptance", '["choices"]', 1),
    ],
)
def test_reserved_keys_keep_their_purpose(key: str, category: str, purposes: str, count: int) -> None:
    table = f'[services.{key}]\ncategory = "{category}"\npurposes = {purposes}\ntext = "x"\n'
    assert len(faults(SMALL + table)) == count


def colliding_keys() -> str:
    """Two keys, with a space between them, that have the same part in the cookie."""
    seen: dict[str, str] = {}
    for number in range(100_000):
        key = f"s{number}"
        if other := seen.get(part := key_part(key)):
            return f"{other} {key}"
        seen[part] = key
    raise AssertionError("24 bits are more than they seem")


def test_two_services_with_one_short_name_are_a_fault() -> None:
    one, other = colliding_keys().split()
    table = '[services.{}]\ncategory = "functionality"\npurposes = ["forms"]\ntext = "x"\n'
    fault = only_fault(SMALL + table.format(one) + table.format(other))
    assert fault.startswith(
        f'services.{other}: in the cookie, "{other}" and "{one}" would have the same short'
    )


def test_no_more_than_a_hundred_services_wait_for_a_yes() -> None:
    table = '[services.s{}]\ncategory = "functionality"\npurposes = ["forms"]\ntext = "x"\n'
    hundred = SMALL + "".join(table.format(number) for number in range(99))
    assert faults(hundred) == []
    assert only_fault(hundred + table.format(99)).startswith("services: 101 services wait for a Yes")


@pytest.mark.requirement("HLT-04")
def test_no_service_sells_or_shares_health_data() -> None:
    health = THIRD_PARTY.replace('["address"]', '["address", "health"]')
    assert faults(SMALL + health) == []
    fault = only_fault(SMALL + health.replace("sells_or_shares = false", "sells_or_shares = true"))
    assert fault.startswith("services.map.sells_or_shares: selling or sharing health data takes a signed")
