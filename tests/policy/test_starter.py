"""The file ``flask consent init`` writes: it works as it is, and so does everything in its comments."""

import re
from datetime import date
from pathlib import Path

import consent.policy
from consent.policy import lint, load, parse

STARTER = Path(consent.policy.__file__).parent / "starter.toml"


def test_it_loads_as_it_is_and_only_its_placeholder_is_pointed_out() -> None:
    policy = load(STARTER)
    assert [service.category for service in policy.services] == ["functionality", "performance"]
    assert policy.controller.site == "https://example.org"
    assert [fault.place for fault in lint(policy, today=date(2026, 6, 1))] == ["controller.site"]


def test_every_commented_line_of_it_works() -> None:
    text = re.sub(r"^# ?(\[|\w+ *= )", r"\1", STARTER.read_text(), flags=re.MULTILINE)
    policy = parse(text)
    assert [category.key for category in policy.categories][4:] == ["advertising"]
    assert policy.service("map").provider == "mapmaker"
    assert policy.service("statistics").pages == ("shop.*",)
    assert policy.controller.country == "GB"
    assert policy.change == "We added a map."


def test_no_line_of_it_is_wider_than_a_screen() -> None:
    assert max(map(len, STARTER.read_text().splitlines())) <= 110
