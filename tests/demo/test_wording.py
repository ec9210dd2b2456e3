"""The interface texts: the same in every language, and each one used."""

import re
from collections.abc import Iterator

import pytest

from demo_site import FOLDER
from demo_site.contact import CallBackForm, ContactForm
from demo_site.wording import LANGUAGES, wording

USED = re.compile(r"""["'](?P<name>[a-z]+\.[a-z_]+)["']""")
#: Names put together where they are used.
BUILT = re.compile(r"^(nav|portal|error|contact|callback|form|signin)\.")


def sources() -> Iterator[str]:
    """Templates and modules of the demo."""
    for pattern in ("templates/**/*.html", "*.py"):
        for path in FOLDER.glob(pattern):
            yield path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts(language: str) -> None:
    assert wording(language).keys() == wording("en").keys()
    assert all(text.strip() for text in wording(language).values())


def test_every_text_is_used() -> None:
    used = {found["name"] for source in sources() for found in USED.finditer(source)}
    built = {name for name in wording("en") if BUILT.match(name)}
    assert wording("en").keys() - built <= used


def test_every_text_that_is_asked_for_exists() -> None:
    asked = {
        found["name"] for source in sources() for found in re.finditer(r"t\('(?P<name>[a-z_.]+)'\)", source)
    }
    assert asked
    assert asked <= wording("en").keys()


@pytest.mark.parametrize("form", [ContactForm, CallBackForm])
def test_every_error_of_a_form_has_a_text(form: type[ContactForm] | type[CallBackForm]) -> None:
    for name in vars(form):
        field = getattr(form, name)
        for validator in getattr(field, "kwargs", {}).get("validators", ()):
            assert validator.message in wording("en")
