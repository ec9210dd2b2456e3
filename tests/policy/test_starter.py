"""The file ``flask consent init`` writes: it works as it is, and so does everything in its comments."""

import re
from datetime import date
from pathlib import Path

from flask import Flask, render_template_string

import consent.policy
from consent import Consent
from consent.policy import lint, load, parse
from consent.testing import ConsentClient

STARTER = Path(consent.policy.__file__).parent / "starter.toml"


def test_it_loads_as_it_is_and_only_its_placeholder_is_pointed_out() -> None:
    policy = load(STARTER)
    assert [service.category for service in policy.services] == ["functionality", "performance"]
    assert policy.controller.site == "https://example.org"
    assert [fault.place for fault in lint(policy, today=date(2026, 6, 1))] == ["controller.site"]


def uncommented() -> str:
    """The file with what is commented out in it."""
    return re.sub(r"^# ?(\[|\w+ *= )", r"\1", STARTER.read_text(), flags=re.MULTILINE)


def test_every_commented_line_of_it_works() -> None:
    policy = parse(uncommented())
    assert [category.key for category in policy.categories][4:] == ["advertising"]
    assert policy.service("map").provider == "mapmaker"
    assert {service.via for service in policy.services} == {None, "gtm"}
    assert [fault.place for fault in lint(policy)] == ["controller.site", "categories.advertising"]
    assert policy.service("statistics").pages == ("shop.*",)
    assert policy.controller.country == "GB"
    assert policy.change == "We added a map."


def test_its_tag_manager_is_in_the_page_only_after_a_yes(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text(uncommented())
    (call,) = re.findall(r"{{ consent_script.* }}", STARTER.read_text())
    app = Flask("starter", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.config.from_mapping(SECRET_KEY="a key for tests", CONSENT_DATABASE="sqlite://")
    Consent(app)
    app.add_url_rule("/", view_func=lambda: render_template_string("{{ consent_head() }}" + call))
    app.test_client_class = ConsentClient
    for answer, there in (({}, False), ({"refuse": True}, False), ({"grant": {"counting"}}, True)):
        html = app.test_client(**answer).get("/").text
        assert ("googletagmanager" in html) is there
        assert "defaults.js" in html


def test_no_line_of_it_is_wider_than_a_screen() -> None:
    assert max(map(len, STARTER.read_text().splitlines())) <= 110
