"""What is allowed but probably not meant."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from consent.policy import Category, Policy, Provider, lint, parse

from .example import FULL, GERMAN, SMALL

TITLED = SMALL.replace("text     =", 'title = "Sign-in name"\ntext =')
MORE = """\
[services.more]
category = "functionality"
purposes = ["preferences"]
title = "More"
text = "Remembers more."
"""


def places(policy: Policy, today: date | None = None) -> list[str]:
    return [fault.place for fault in lint(policy, today=today)]


def test_a_plain_policy_has_no_warnings() -> None:
    assert lint(parse(TITLED + MORE), today=date(2026, 11, 21)) == []


def test_the_date_is_looked_at_once_a_year() -> None:
    policy = parse(TITLED)
    assert places(policy, policy.effective) == []
    assert places(policy, policy.effective + timedelta(days=365)) == []
    (old,) = lint(policy, today=policy.effective + timedelta(days=366))
    assert str(old).startswith("effective: nothing has been revised since 2026-11-01, more than a year ago.")
    (early,) = lint(policy, today=policy.effective - timedelta(days=1))
    assert "starts to apply on 2026-11-01 only" in early.problem


@pytest.mark.parametrize(
    "site",
    [
        "https://example.org",
        "https://example.com",
        "https://example.net",
        "http://localhost:8000",
        "http://127.0.0.1:5000",
    ],
)
def test_a_site_that_is_not_public_is_pointed_out(site: str) -> None:
    assert places(parse(TITLED.replace("https://clinic.example", site))) == ["controller.site"]


@pytest.mark.requirement("INF-07")
def test_a_language_that_lacks_texts_is_named_with_what_it_lacks() -> None:
    (fault,) = lint(parse(TITLED, {"de": 'services.remember.title = "Anmeldename"'}))
    assert fault.place == "wording de"
    assert fault.problem == 'the language "de" is not offered, for it lacks services.remember.text'
    assert lint(parse(TITLED, {"de": 'services.remember = { title = "A", text = "B" }'})) == []


def test_a_category_the_site_declares_but_does_not_use_is_pointed_out() -> None:
    policy = parse(TITLED)
    unused = replace(policy, categories=(*policy.categories, Category(key="ads", title="Ads", text="Ads.")))
    assert places(unused) == ["categories.ads"]
    titled = '[categories.{}]\ntitle = "Title"\n'
    assert places(parse(TITLED + titled.format("performance"))) == ["categories.performance"]
    assert places(parse(TITLED + titled.format("essential"))) == []


@pytest.mark.requirement("CON-14")
def test_a_special_category_beside_others_is_pointed_out() -> None:
    assert places(parse(TITLED + MORE + "special_category = true\n")) == ["categories.functionality"]
    assert places(parse(TITLED + "special_category = true\n")) == [], "alone in its category it is clear"


def test_other_oddities() -> None:
    more = TITLED + MORE
    assert places(parse(SMALL)) == ["services.remember.title"]
    assert places(parse(more + 'outlives_session = "Because."\n')) == ["services.more.outlives_session"]
    assert places(parse(more + 'cookies = { remember_token = "1 day" }\n')) == ["services.more"]
    assert places(parse(more + '[carriers.gtm]\nprovider = "self"\n')) == ["carriers.gtm"]
    unused = replace(parse(more), providers=(Provider(key="x", name="X"),))
    assert places(unused) == ["providers.x"]
    always = TITLED + MORE.replace("functionality", "essential")
    carried = always + 'via = "gtm"\n[carriers.gtm]\nprovider = "self"\n'
    assert places(parse(carried)) == ["services.more.via"]


def test_the_full_example_is_only_told_about_its_titles() -> None:
    assert places(parse(FULL, {"de": GERMAN}), date(2026, 11, 21)) == ["services.remember.title"]


GOOGLE = """
[providers.google]
name = "Google LLC"

[carriers.gtm]
provider = "google"
script = ["https://www.googletagmanager.com"]
"""
CARRIED = """
[services.{key}]
category = "performance"
provider = "google"
via = "gtm"
purposes = ["measurement"]
text = "Counts visits."
data = ["pages"]
retention = "14 months"
sells_or_shares = false
"""
ANALYTICS = 'google_consent = ["analytics_storage"]\n'


def test_a_service_of_googles_in_its_tag_manager_names_the_types_it_goes_by() -> None:
    site = TITLED + GOOGLE + CARRIED.format(key="counting")
    assert places(parse(site)) == ["services.counting.google_consent"]
    assert places(parse(site + ANALYTICS)) == []
    elsewhere = site.replace("https://www.googletagmanager.com", "https://tags.example")
    assert places(parse(elsewhere)) == [], "another tag manager"
    other = site.replace('provider = "google"\nvia', "via").replace('text = "C', 'title = "Own"\ntext = "C')
    assert places(parse(other)) == [], "somebody else's in Google's"


def test_two_services_that_name_one_type_of_googles_are_pointed_out() -> None:
    both = [CARRIED.format(key=key) + ANALYTICS for key in ("counting", "heatmap")]
    (found,) = lint(parse(TITLED + GOOGLE + "".join(both)))
    assert found.place == "services.heatmap.google_consent"
    assert 'named by the service "counting" too' in found.problem
