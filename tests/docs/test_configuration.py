"""The documentation lists the settings there are, and no others."""

import re
from pathlib import Path

from consent.web.settings import NAMES

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_table_of_settings_is_complete() -> None:
    rows = re.findall(r"^\| `CONSENT_(\w+)` \|", (DOCS / "configuration.md").read_text(), re.MULTILINE)
    assert rows == list(NAMES)
