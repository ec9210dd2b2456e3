"""What may stand in a file of wording."""

import pytest

from .example import SMALL, faults, only_fault


@pytest.mark.parametrize(
    ("wording", "expected"),
    [
        (
            "revision = 1",
            'revision: "revision" is not wording, and this file holds only wording. Facts stand in',
        ),
        (
            'services.remember.description = "x"',
            'services.remember.description: "description" is not wording, and this file holds only wording. '
            'Did you mean "text"?',
        ),
        (
            'categories.performance.name = "x"',
            'categories.performance.name: "name" is not wording, and this file holds only wording. Did you mean "title',
        ),
        ('services.remember.category = "x"', 'services.remember.category: "category" is not wording'),
        (
            'services.remember.txt = "x"',
            'services.remember.txt: "txt" is not wording, and this file holds only wor',
        ),
        (
            'services.remembr.text = "x"',
            'services.remembr: the policy has no service "remembr". Did you mean "remem',
        ),
        (
            'categories.ads.text = "x"',
            'categories.ads: the policy has no category "ads". Add it to the policy first',
        ),
        ('services.remember.title = "x"', "services.remember.title: the policy itself has no such text."),
        (
            'services.remember.outlives_session = "x"',
            "services.remember.outlives_session: the policy itself has no",
        ),
        ('change = "x"', "change: the policy itself has no such text."),
        ("services.remember.text = 3", "services.remember.text: found a number, expected a text."),
        (
            'services.remember.legal_basis = "x"',
            "services.remember.legal_basis: storing on a device needs consent",
        ),
        ("services = 3", "services: found a number, expected a table."),
        ("x = [", "this is not TOML: "),
    ],
)
def test_a_wording_file_holds_only_wording_and_only_for_what_exists(wording: str, expected: str) -> None:
    assert only_fault(SMALL, {"de": wording}).removeprefix("consent.de.toml: ").startswith(expected)


def test_built_in_categories_may_be_worded_in_a_language_of_the_sites_own() -> None:
    assert faults(SMALL, {"fr": 'categories.functionality = { title = "Confort", text = "Retient." }'}) == []


@pytest.mark.parametrize("tag", ["DE", "german", "de_AT", "", "de.backup", "../x"])
def test_a_wording_file_is_named_after_its_language(tag: str) -> None:
    assert "which is not a language tag" in only_fault(SMALL, {tag: ""})


def test_the_policys_own_language_has_no_wording_file() -> None:
    assert only_fault(SMALL, {"en": ""}).startswith("consent.en.toml: this is the policy's own language.")
