"""In which language a text stands, and which way it runs: these pages are in English, what they quote need not be."""

import re
from typing import Final

from babel import Locale, UnknownLocaleError
from markupsafe import Markup

#: The place of a text in a difference of policies where it belongs to a wording.
_WORDING: Final = re.compile(r"wordings\.([A-Za-z0-9-]+)\.")


def tongue(language: str | None) -> Markup:
    """The attributes of an element whose text is in *language*: none for English, which is the page's own.

    Without a language, or of one that is unknown here, the letters say which way it runs.
    """
    if language == "en":
        return Markup("")
    if not language:
        return Markup(' dir="auto"')
    return Markup(' lang="{}" dir="{}"').format(language, direction(language))


def tongue_at(place: str) -> Markup:
    """The attributes of an element with the text at *place* of a policy, which may be a wording's."""
    found = _WORDING.match(place)
    return tongue(found and found[1])


def direction(language: str) -> str:
    """``rtl`` for Arabic, Hebrew and the like; ``auto`` for what is no language that is known here."""
    try:
        return "rtl" if Locale.parse(language, sep="-").text_direction == "rtl" else "ltr"
    except (UnknownLocaleError, ValueError):
        return "auto"
