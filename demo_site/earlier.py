"""The policy as it would have been declared earlier, for a history that is longer than the demo is old."""

import re
from datetime import date
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent


def earlier(folder: Path, day: date) -> Path:
    """The first revision, in force from *day*, with all of its languages, as a file in the new *folder*."""
    folder.mkdir()
    for file in FOLDER.glob("consent*.toml"):
        text = file.read_text(encoding="utf-8")
        dated = re.sub(r"(?m)^effective = [0-9-]+$", f"effective = {day}", text)
        (folder / file.name).write_text(dated, encoding="utf-8")
    return folder / "consent.toml"
