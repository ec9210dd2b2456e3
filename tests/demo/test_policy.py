"""The demo's declaration: true, complete in three languages, and what the policies on the site say."""

import re
from pathlib import Path

import pytest
from flask import Flask

from consent.testing import ConsentClient
from demo_site import FOLDER, POLICY
from demo_site.experiment import COOKIE as TEST_COOKIE
from demo_site.experiment import LIFETIME as TEST_LIFETIME
from demo_site.looptally import DOT_COOKIE, DOT_LIFETIME, FILM_COOKIE, FILM_LIFETIME
from demo_site.preferences import LANGUAGE_COOKIE, LANGUAGE_LIFETIME, NAME_COOKIE, NAME_LIFETIME
from demo_site.statistics import COOKIE as VISIT_COOKIE
from demo_site.statistics import LIFETIME as VISIT_LIFETIME

from .browsing import refuse_all
from .conftest import MakeSite

NEXT = FOLDER / "revisions" / "2" / "consent.toml"

SET = {
    LANGUAGE_COOKIE: LANGUAGE_LIFETIME,
    NAME_COOKIE: NAME_LIFETIME,
    VISIT_COOKIE: VISIT_LIFETIME,
    TEST_COOKIE: TEST_LIFETIME,
    DOT_COOKIE: DOT_LIFETIME,
    FILM_COOKIE: FILM_LIFETIME,
}


@pytest.mark.requirement("INF-07")
@pytest.mark.parametrize("policy", [POLICY, NEXT], ids=["revision 1", "revision 2"])
def test_both_revisions_speak_english_german_and_arabic(make_site: MakeSite, policy: Path) -> None:
    site = make_site(CONSENT_POLICY=str(policy))
    for tag, words in {"en": "Counts visits, the pages", "de": "Zählt Besuche", "ar": "تعدّ الزيارات"}.items():
        assert words in site.test_client().get("/cookies", query_string={"lang": tag}).text


@pytest.mark.requirement("INF-02")
def test_every_cookie_is_declared_and_lives_no_longer_than_declared(
    reader: ConsentClient, standing_site: Flask
) -> None:
    declared = {
        cookie.name: cookie.lifetime.seconds if cookie.lifetime else 0
        for service in standing_site.extensions["consent"].policy.services
        for cookie in service.cookies
    }
    assert SET.keys() == declared.keys() - {"session", "__Host-consent"}
    for name, lifetime in SET.items():
        assert lifetime.total_seconds() <= declared[name]


@pytest.mark.requirement("POL-01")
@pytest.mark.parametrize("path", ["/privacy", "/cookies"])
@pytest.mark.parametrize(("policy", "day"), [(POLICY, "2026-11-01"), (NEXT, "2026-11-15")], ids=["1", "2"])
def test_a_policy_page_says_at_its_top_since_when_it_holds(
    make_site: MakeSite, policy: Path, day: str, path: str
) -> None:
    html = make_site(CONSENT_POLICY=str(policy)).test_client().get(path).text
    assert f'<time datetime="{day}">' in html.partition("<main")[2][:600]


@pytest.mark.requirement("CON-08")
def test_no_page_takes_reading_on_for_a_yes(reader: ConsentClient) -> None:
    implied = re.compile(
        r"by (using|visiting|continuing)|continued use|deemed|you (agree|accept) (to|the)", re.IGNORECASE
    )
    for path in ("/privacy", "/cookies", "/", "/sign-in", "/contact"):
        assert not implied.search(reader.get(path).text), path


@pytest.mark.parametrize(
    "fact",
    [
        "within 30 days",
        "as long as we need it to show what was asked and answered",
        "within one month",
        "children under 13",
        "18 years",
        "Global Privacy Control",
        "privacy@larkmere.example",
        "HIPAA",
        "PCI DSS",
        "sold nothing and shared nothing",
        "asked again",
        "take a copy",
    ],
)
def test_the_privacy_policy_states(reader: ConsentClient, fact: str) -> None:
    assert fact in reader.get("/privacy").text


@pytest.mark.requirement("INF-01")
def test_the_cookie_page_names_every_cookie_and_store(reader: ConsentClient) -> None:
    html = reader.get("/cookies").text
    for name in (*SET, "session", "reading.size"):
        assert name in html


@pytest.mark.requirement("INF-06")
def test_a_new_revision_asks_again_only_for_what_it_touches(make_site: MakeSite) -> None:
    before = make_site().test_client(grant={"statistics", "reach", "videos"})
    assert isinstance(before, ConsentClient)
    answer = before.get_cookie("consent")
    assert answer is not None
    after = make_site(CONSENT_POLICY=str(NEXT)).test_client()
    after.set_cookie("consent", answer.value)
    html = after.get("/how-billing-works").text
    assert "90 days instead of 30" in html
    assert "dot.gif" not in html
    assert "links.js" in html
    assert 'src="http://localhost:8001/films/bill"' in html
    assert 'src="http://localhost:8001/talk"' not in html


def test_whoever_refused_is_not_asked_again_by_a_new_revision(make_site: MakeSite) -> None:
    before = make_site().test_client(refuse=True)
    answer = before.get_cookie("consent")
    assert answer is not None
    after = make_site(CONSENT_POLICY=str(NEXT)).test_client()
    after.set_cookie("consent", answer.value)
    assert "pc-banner" not in after.get("/").text


def test_a_third_party_on_another_port_is_declared_there(make_site: MakeSite) -> None:
    site = make_site(DEMO_THIRD_PARTY="http://localhost:9001")
    html = site.test_client(grant={"reach"}).get("/cookies").text
    assert "http://localhost:9001" in html
    assert "8001" not in html


@pytest.mark.requirement("WD-02")
def test_a_withdrawal_comes_back_to_the_page_with_its_result(site: Flask) -> None:
    client = site.test_client(grant={"media"})
    response = refuse_all(client)
    assert response.status_code == 303
    assert "iframe" not in client.get("/how-billing-works").text
