"""The profile of a request: named by the site, from what it trusts; it never widens what may run."""

import re

import pytest
from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from consent.decision import PROFILES
from consent.web.site import Site

from .clinic import POLICY, MakeSite, Visitor, events

PROFILE_OF = {"DE": "eu", "FR": "fr", "GB": "uk"}
SPECIAL = POLICY.replace(
    'text = "Counts visits and the pages read."',
    'text = "Counts visits and the pages read."\nspecial_category = true',
)


def profile() -> str | None:
    """The profile by the headers that a proxy adds, and takes out of what visitors send."""
    country = request.headers.get("CF-IPCountry", "")
    region = request.headers.get("CF-Region-Code", "")
    if country == "US":
        return "us_ca" if region == "CA" else "us_other"
    return PROFILE_OF.get(country)


@pytest.fixture
def app(make_app: MakeSite) -> Flask:
    """The site behind a proxy that says where a visitor is."""
    app = make_app(CONSENT_PROFILE=profile)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    return app


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"CF-IPCountry": "DE"}, "eu"),
        ({"CF-IPCountry": "FR"}, "fr"),
        ({"CF-IPCountry": "US", "CF-Region-Code": "CA"}, "us_ca"),
        ({"CF-IPCountry": "US", "CF-Region-Code": "WA"}, "us_other"),
        ({"CF-IPCountry": "T1"}, "default"),
        ({"CF-IPCountry": ""}, "default"),
        ({}, "default"),
    ],
)
@pytest.mark.requirement("REC-04")
def test_a_proxys_header_can_name_it_and_what_nobody_knows_is_default(
    app: Flask, headers: dict[str, str], expected: str
) -> None:
    visitor = Visitor(app.test_client())
    notice = re.search(
        r'value="([0-9a-f]{64})"', visitor.client.get("/privacy-choices", headers=headers).text
    )
    assert notice
    fields = {"notice": notice[1], "choice": "all"}
    same = {"Sec-Fetch-Site": "same-origin", **headers}
    assert visitor.client.post("/privacy-choices", data=fields, headers=same).status_code == 303
    (given,) = events(app.extensions["consent"])
    assert given.profile == expected


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_no_profile_lets_anything_run_without_an_answer_or_after_a_no(make_app: MakeSite, name: str) -> None:
    app = make_app(CONSENT_PROFILE=name)
    undecided, refusing = Visitor(app.test_client()), Visitor(app.test_client())
    refusing.answer("none")
    for visitor in (undecided, refusing):
        for key in ("names", "statistics", "experiment", "videos"):
            assert not visitor.allowed(key)
    assert "pc-banner" in undecided.client.get("/").text


@pytest.mark.requirement("US-02")
@pytest.mark.parametrize("name", ["us_ca", "us_other", "default"])
def test_special_categories_of_data_are_opt_in_where_others_may_be_opt_out(
    make_app: MakeSite, name: str
) -> None:
    app = make_app(SPECIAL, CONSENT_PROFILE=name)
    hasty, sure = Visitor(app.test_client()), Visitor(app.test_client())
    assert not hasty.allowed("statistics")
    hasty.answer("all")
    assert hasty.allowed("experiment")
    assert not hasty.allowed("statistics")
    sure.answer("some", category__performance="some", service__statistics="yes")
    assert sure.allowed("statistics")


@pytest.mark.requirement("US-03")
@pytest.mark.parametrize("name", sorted(PROFILES))
def test_refusing_and_withdrawing_go_the_same_way_as_accepting(make_app: MakeSite, name: str) -> None:
    app = make_app(CONSENT_PROFILE=name)
    visitor = Visitor(app.test_client())
    site: Site = app.extensions["consent"]
    banner = visitor.client.get("/").text
    for choice in ("none", "all"):
        assert re.search(rf'<button class="pc-button" type="submit" name="choice" value="{choice}">', banner)
    for choice, kinds in (("all", ["given"]), ("none", ["given", "withdrawn"])):
        assert visitor.answer(choice).status_code == 303
        assert [each.kind for each in events(site)] == kinds


@pytest.mark.requirement("CA-08")
def test_before_any_answer_the_visitor_can_read_what_is_collected_why_how_long_and_whether_it_is_sold(
    make_app: MakeSite,
) -> None:
    client = make_app(CONSENT_PROFILE="us_ca").test_client()
    banner = client.get("/").text
    assert 'href="/privacy-choices/declaration"' in banner
    html = client.get("/privacy-choices/declaration").text
    videos = html[html.index("<h4>Videos</h4>") :]
    for term, said in (
        ("Used for", "media from another company"),
        ("Data", "internet address (IP)"),
        ("Data kept for", "30 days"),
        ("Data sold or shared", "Yes"),
    ):
        assert re.search(rf"<dt>{term}</dt>\s*<dd>{re.escape(said)}", videos), term
