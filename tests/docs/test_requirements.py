"""docs/requirements.md says of each requirement what the tests show."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
STATES = ("shown", "not built yet: ", "not applicable: ")


def rows() -> dict[str, str]:
    """The rows' ids and states."""
    found = re.findall(
        r"^\| ([A-Z0-9]+-\d+) \| [^|]+ \| ([^|]+) \|$",
        (ROOT / "docs" / "requirements.md").read_text(),
        re.MULTILINE,
    )
    assert len(dict(found)) == len(found), "a row stands twice"
    return dict(found)


def marked() -> set[str]:
    """The ids that tests carry."""
    text = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    return set(re.findall(r'requirement\("([A-Z0-9]+-\d+)"\)', text))


def test_every_row_that_is_shown_has_its_test_and_no_other_has() -> None:
    shown = {key for key, state in rows().items() if state == "shown"}
    assert shown == marked()


def test_every_row_has_a_state_with_its_reason() -> None:
    for key, state in rows().items():
        assert state == "shown" or any(state.startswith(each) and len(state) > 30 for each in STATES[1:]), key


def test_the_first_chapters_are_complete() -> None:
    last = {"CON": 15, "INF": 9, "UI": 13, "WD": 6, "TTL": 9, "REC": 12, "LOG": 9}
    expected = {f"{chapter}-{number:02}" for chapter, most in last.items() for number in range(1, most + 1)}
    assert expected <= rows().keys()
