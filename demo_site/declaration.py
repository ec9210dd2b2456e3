"""The policy file as the demo uses it: its revision and date, and the third party's address in it."""

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

#: The third party's origin as the policy files of this folder declare it.
THIRD_PARTY = "http://localhost:8001"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Number and date of the policy in force."""

    revision: int
    effective: date


def read(path: Path) -> Declaration:
    """The facts in the policy file at *path*; the consent component has checked them."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    return Declaration(table["revision"], table["effective"])


def with_third_party(path: Path, origin: str, folder: Path) -> Path:
    """The policy file at *path*, or a copy in *folder* that names *origin* where the third party listens elsewhere."""
    if origin == THIRD_PARTY:
        return path
    folder.mkdir(exist_ok=True)
    for source in path.parent.glob(f"{path.stem}*.toml"):
        text = source.read_text(encoding="utf-8").replace(THIRD_PARTY, origin)
        (folder / source.name).write_text(text, encoding="utf-8")
    return folder / path.name
