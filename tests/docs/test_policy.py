"""docs/policy.md names the keys there are, no others, and says of each what is so."""

import re
from pathlib import Path

import pytest

from consent.errors import PolicyError
from consent.policy import DATA, DIRECTIVES, GOOGLE_CONSENT, PURPOSES, STORAGE, USES, lint, parse
from consent.policy.codes import NEVER_ALWAYS_ON
from consent.policy.rules import LONGEST_KEY, MOST_OPTIONAL_SERVICES
from consent.policy.shape import (
    HIGHEST_REVISION,
    CarrierTable,
    CategoryTable,
    ControllerTable,
    CookieTable,
    OriginsTable,
    PolicyTable,
    ProviderTable,
    ServiceTable,
    ServiceWords,
    Table,
    WordingTable,
)
from consent.policy.values import LONGEST_LIFETIME
from consent.policy.weakening import refused

PAGE = (Path(__file__).parent.parent.parent / "docs" / "policy.md").read_text()
*EXAMPLES, GERMAN = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILE = "\n".join(EXAMPLES)
#: Chapter → the table whose keys it lists, and how such a table's heading begins in the file.
TABLES: dict[str, tuple[type[Table], str]] = {
    "At the top": (PolicyTable, ""),
    "Controller": (ControllerTable, "[controller]"),
    "Providers": (ProviderTable, "[providers."),
    "Categories": (CategoryTable, "[categories."),
    "Services": (ServiceTable, "[services."),
    "Cookies": (CookieTable, ""),
    "Origins": (OriginsTable, ""),
    "Tag managers": (CarrierTable, "[carriers."),
    "Other languages": (WordingTable, ""),
}


def chapter(title: str) -> str:
    """The text under the heading *title*."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> dict[str, list[str]]:
    """The rows of that chapter's table: key → its other cells."""
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", chapter(title), re.MULTILINE)
    return {key: [cell.strip() for cell in cells.split(" | ")] for key, cells in found}


def without(key: str, heading: str) -> str | None:
    """The file without the first line that sets *key* under a heading beginning with *heading*; None if none does."""
    lines, under = FILE.split("\n"), ""
    for place, line in enumerate(lines):
        under = line if line.startswith("[") else under
        if under.startswith(heading) and bool(under) is bool(heading) and re.match(rf"{key}\s*=", line):
            return "\n".join(lines[:place] + lines[place + 1 :])
    return None


@pytest.mark.parametrize("title", TABLES)
def test_the_page_lists_every_key_that_the_reader_knows_and_no_other(title: str) -> None:
    shape = TABLES[title][0]
    inherited = OriginsTable.model_fields if shape in (ServiceTable, CarrierTable) else {}
    assert sorted(rows(title)) == sorted(set(shape.model_fields) - set(inherited))
    if inherited:
        assert "The nine keys under [Origins](#origins) stand here too" in chapter(title)


def test_it_lists_every_code_and_every_word_that_is_translated() -> None:
    codes = {"purposes": PURPOSES, "data": DATA, "uses": USES, "google_consent": GOOGLE_CONSENT}
    for name, known in (codes | {"storage": STORAGE}).items():
        listed = re.search(rf"\* \*\*{name}\*\*: (.*?)(?=\n\* |\n\n)", chapter("Codes"), re.DOTALL)
        assert listed
        assert re.findall(r"`([\w-]+)`", listed[1]) == sorted(known)
    assert set(re.findall(r"`([\w-]+)`", chapter("Storage"))) >= STORAGE
    assert set(re.findall(r"`([\w-]+)`", chapter("Other uses"))) >= USES
    assert len(DIRECTIVES) == 9
    ((never,),) = [re.findall(r"none of the purposes (.*?)\.\n", chapter("Services"), re.DOTALL)]
    assert set(re.findall(r"`([\w-]+)`", never)) == NEVER_ALWAYS_ON
    for key, shape in (("categories", CategoryTable), ("services", ServiceWords)):
        assert set(re.findall(r"`(\w+)`", rows("Other languages")[key][1])) == set(shape.model_fields)


def test_its_examples_are_one_file_without_fault_or_advice() -> None:
    policy = parse(FILE, {"de": GERMAN})
    assert [fault.place for fault in lint(policy)] == ["wording de"]  # as short as an example is


def test_what_it_calls_required_is_and_nothing_else() -> None:
    tried = 0
    for title, (_, heading) in TABLES.items():
        for key, cells in rows(title).items():
            place = "[services.films]" if "of third parties" in cells[1] else heading
            text = without(key, place) if len(cells) == 4 else None
            if text is None:
                continue
            tried += 1
            if "required" not in cells[1]:
                parse(text)
                continue
            with pytest.raises(PolicyError) as raised:
                parse(text)
            assert any(fault.place.endswith(key) for fault in raised.value.faults)
    assert tried >= 30
    with pytest.raises(PolicyError, match="lifetime"):
        parse(FILE.replace('lifetime = "13 months", ', ""))


def test_what_it_calls_material_is_and_nothing_else() -> None:
    policy = parse(FILE)
    terms = {name for service in policy.services for name in policy.material(service.key)}
    said = {key for key, cells in rows("Services").items() if cells[3].startswith("yes")}
    assert said == terms - {"key", "controller", "origins"}


def test_the_limits_it_states_are_those_that_hold() -> None:
    assert f"From 1 to {HIGHEST_REVISION}." in PAGE
    assert f"begins with a letter and has at most {LONGEST_KEY}\n" in PAGE
    assert f"At most {MOST_OPTIONAL_SERVICES} may wait for a Yes." in PAGE
    assert f"a duration of at most {LONGEST_LIFETIME}." in PAGE


def test_the_keys_it_says_are_refused_are() -> None:
    named = re.findall(
        r"`(\w+)`", chapter("What is refused, and what is pointed out").partition("\n\n`check`")[0]
    )
    assert len(named) == 5
    assert all(refused(key) for key in named)


def test_its_contents_lead_to_its_chapters() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    contents = re.findall(r"^\* \[(.*?)\]\(#(.*?)\)$", PAGE, re.MULTILINE)
    assert [title for title, _ in contents] == headings
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
    assert set(re.findall(r"\]\(#(.*?)\)", PAGE)) == anchors
