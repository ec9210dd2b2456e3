"""What a page brings along for Google's tags and tag managers: defaults first, and nothing of theirs before a Yes."""

import json
import re
from html import unescape
from typing import Any

import pytest
from flask import Flask, g, render_template_string

from consent import Consent
from consent.policy import parse
from consent.web.assets import STATIC
from consent.web.consentmode import NOBODY, ConsentMode

from .clinic import MakeSite, Visitor
from .tagged import POLICY, TYPES
from .test_gate import with_headers

TAGGED = POLICY.format(
    tags="https://www.googletagmanager.com",
    counting="https://count.example",
    heatmap="https://heat.example",
    adverts="https://ads.example",
)
PAGE = """<!doctype html><html lang="en"><head>{{ consent_head(nonce=g.nonce) }}
{{ consent_script("gtm", src="https://www.googletagmanager.com/gtm.js?id=GTM-1", async_=True) }}
</head><body>{{ consent_banner() }}</body></html>"""


def with_pages(app: Flask) -> Flask:
    """*app* with a page at ``/tagged``, and the same at ``/results``, a sensitive one."""

    def page() -> str:
        g.nonce = "abc"
        return render_template_string(PAGE)

    def results() -> str:
        return page()

    app.add_url_rule("/tagged", view_func=page)
    app.add_url_rule("/results", view_func=Consent().sensitive(results))
    return app


@pytest.fixture
def tagged(make_app: MakeSite) -> Flask:
    """The site."""
    return with_pages(make_app(TAGGED))


def scripts(
    app: Flask, path: str = "/tagged", headers: dict[str, str] | None = None, **answer: Any
) -> list[str]:
    """The page's script elements, in their order."""
    html = app.test_client(**answer).get(path, headers=headers).text
    return [unescape(found) for found in re.findall(r"<script[^>]*>", html)]


def told(html: list[str]) -> dict[str, Any]:
    """What the page's script for the defaults is told."""
    (found,) = (one for one in html if "data-pc-tags" in one)
    data: dict[str, Any] = json.loads(found.partition('data-pc-tags="')[2].rpartition('"')[0])
    return data


@pytest.mark.requirement("GCM-01")
def test_the_defaults_stand_before_every_tag_in_a_script_of_the_sites_own_that_blocks(tagged: Flask) -> None:
    found = scripts(tagged, grant={"counting"})
    place = {
        name: next(i for i, one in enumerate(found) if name in one)
        for name in ("choices.js", "defaults.js", "gtm.js")
    }
    assert place["choices.js"] < place["defaults.js"] < place["gtm.js"]
    defaults = found[place["defaults.js"]]
    assert re.search(r'src="/privacy-choices/static/defaults\.js\?v=[0-9a-f]{12}"', defaults)
    assert 'nonce="abc"' in defaults
    assert not re.search("async|defer|module", defaults.partition("data-pc-tags")[0])


@pytest.mark.requirement("GCM-01")
def test_every_type_waits_for_all_services_that_name_it_and_one_that_nobody_names_for_ever(
    tagged: Flask,
) -> None:
    data = told(scripts(tagged))
    assert tuple(data["types"]) == TYPES
    assert data["types"]["analytics_storage"] == ["counting"]
    assert data["types"]["ad_storage"] == data["types"]["ad_user_data"] == ["adverts"]
    assert data["types"]["functionality_storage"] == data["types"]["personalization_storage"] == [NOBODY]
    assert data["types"]["security_storage"] == []
    assert data["carried"] == ["counting", "heatmap", "adverts"]
    shared = parse(
        TAGGED.replace('title = "Greeting"', 'title = "Greeting"\ngoogle_consent = ["analytics_storage"]')
    )
    assert json.loads(ConsentMode.of(shared).told)["types"]["analytics_storage"] == ["counting", "greeting"]


@pytest.mark.requirement("GCM-01")
def test_what_the_page_tells_of_the_policy_is_the_same_for_everybody(tagged: Flask) -> None:
    answers: list[dict[str, Any]] = [
        {},
        {"refuse": True},
        {"grant": {"counting"}},
        {"grant": {"adverts", "greeting"}},
    ]
    assert len({json.dumps(told(scripts(tagged, **answer))) for answer in answers}) == 1


@pytest.mark.requirement("GCM-03")
@pytest.mark.parametrize("answer", [{}, {"refuse": True}, {"grant": {"greeting"}}])
def test_without_a_yes_to_something_it_carries_a_tag_manager_is_not_in_the_page(
    tagged: Flask, answer: dict[str, Any]
) -> None:
    html = tagged.test_client(**answer).get("/tagged").text
    assert "googletagmanager" not in html


@pytest.mark.parametrize("key", ["counting", "heatmap", "adverts"])
def test_a_tag_manager_is_there_while_any_service_it_carries_may_run(tagged: Flask, key: str) -> None:
    found = scripts(tagged, grant={key})
    assert "https://www.googletagmanager.com/gtm.js?id=GTM-1" in found[-1]
    (module,) = (one for one in found if "data-pc-granted" in one)
    assert {key, "gtm"} <= {*module.partition('data-pc-granted="')[2].partition('"')[0].split(" ")}
    state = tagged.test_client(grant={key}).get("/privacy-choices/state").get_json()
    assert {key, "gtm"} <= {*state["granted"]}
    assert "gtm" in tagged.test_client(refuse=True).get("/privacy-choices/state").get_json()["refused"]


@pytest.mark.requirement("ENF-05")
def test_a_tag_manager_brings_the_origins_of_allowed_services_only(tagged: Flask) -> None:
    with_headers(tagged, ("Content-Security-Policy", "default-src 'self'; script-src 'self'"))

    def lets_in(**answer: Any) -> set[str]:
        policy = tagged.test_client(**answer).get("/tagged").headers["Content-Security-Policy"]
        return {*re.findall(r"https://([^ ;]+)", policy)}

    assert lets_in() == lets_in(refuse=True) == lets_in(grant={"greeting"}) == set()
    assert lets_in(grant={"counting"}) == {"www.googletagmanager.com", "count.example"}
    assert lets_in(grant={"heatmap", "counting"}) == {
        "www.googletagmanager.com",
        "count.example",
        "heat.example",
    }


@pytest.mark.requirement("GCM-04")
@pytest.mark.requirement("GPC-14")
def test_the_privacy_signal_takes_what_sells_or_shares_out_of_what_tags_are_told(tagged: Flask) -> None:
    gpc = {"Sec-GPC": "1"}
    (module,) = (
        one for one in scripts(tagged, headers=gpc, grant={"adverts", "counting"}) if "data-pc-granted" in one
    )
    granted = module.partition('data-pc-granted="')[2].partition('"')[0].split(" ")
    assert "counting" in granted
    assert "adverts" not in granted
    assert not any("gtm.js" in one for one in scripts(tagged, headers=gpc, grant={"adverts"}))


@pytest.mark.requirement("GCM-04")
def test_an_opt_out_that_is_stored_does_the_same(tagged: Flask) -> None:
    with tagged.test_client(grant={"adverts", "counting"}) as client:
        assert "adverts" in client.get("/privacy-choices/state").get_json()["granted"]
        assert Visitor(client).answer("opt_out").status_code == 303
        granted = client.get("/tagged").text.partition('data-pc-granted="')[2].partition('"')[0].split(" ")
    assert "counting" in granted
    assert "adverts" not in granted


@pytest.mark.requirement("HIP-01")
def test_a_sensitive_page_has_no_trace_of_a_third_partys_tag_manager(
    make_app: MakeSite, tagged: Flask
) -> None:
    everything = {"counting", "heatmap", "adverts"}
    html = tagged.test_client(grant=everything).get("/results").text
    assert "googletagmanager" not in html
    assert "defaults.js" not in html
    agreed = TAGGED.replace(
        'title = "Counting"', 'title = "Counting"\nagreement = "Processing agreement of 2026-01-01"'
    )
    app = with_pages(make_app(agreed))
    found = scripts(app, "/results", grant=everything)
    assert told(found)["types"]["analytics_storage"] == ["counting"]
    assert "gtm.js" in found[-1]


def test_a_policy_without_google_or_tag_managers_has_no_such_script(app: Flask) -> None:
    assert "defaults.js" not in app.test_client(grant={"statistics"}).get("/").text


@pytest.mark.requirement("IAB-01")
def test_nothing_of_the_iabs_framework_is_defined_or_set(tagged: Flask) -> None:
    files = [*STATIC.glob("*.js"), *(STATIC.parent / "templates").rglob("*.html")]
    assert not [
        file.name for file in files if re.search("tcfapi|euconsent|__gpp", file.read_text(), re.IGNORECASE)
    ]
    page = tagged.test_client(grant={"counting", "adverts"}).get("/tagged")
    assert not re.search("tcfapi|euconsent|__gpp", page.text + str(page.headers), re.IGNORECASE)
