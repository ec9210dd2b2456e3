"""The demo's own interface texts: one TOML file per language, in ``wording/``."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("wording")

#: Language tag → its name in itself. The first one is spoken to those whose languages we have not.
LANGUAGES = {"en": "English", "de": "Deutsch", "ar": "العربية"}
RIGHT_TO_LEFT = frozenset({"ar"})


@cache
def wording(language: str) -> Mapping[str, str]:
    """All texts in *language* by their dotted names, such as ``nav.home``."""
    with (FOLDER / f"{language}.toml").open("rb") as file:
        tables: dict[str, dict[str, str]] = tomllib.load(file)
    return {f"{table}.{name}": text for table, texts in tables.items() for name, text in texts.items()}


def direction(language: str) -> str:
    """``rtl`` or ``ltr``, as HTML wants it."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"
