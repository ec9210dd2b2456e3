"""The languages of the component's own words, and which one a visitor is shown.

Catalogues are gettext ``.po`` files, read once per process by Babel; ids such as ``action.reject_all``
stand for the text, so that English is a catalogue like the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from consent.policy import Duration
from consent.web.memory import remembered

TRANSLATIONS = Path(__file__).parent.parent / "translations"

#: Characters of a language tag that are looked at; RFC 5646 §4.4.1 asks for 35.
LONGEST_TAG = 35
#: What browsers call a language that is offered under another tag: Norwegian by its older one and in its other form,
#: Hebrew by its older one, Chinese by the places where it is written as here. Those of Taiwan or Hong Kong are none.
KNOWN_AS = {
    **dict.fromkeys(("no", "no-no", "nn", "nn-no"), "nb"),
    **dict.fromkeys(("iw", "iw-il"), "he"),
    **dict.fromkeys(("zh", "zh-cn", "zh-sg"), "zh-Hans"),
}
#: Characters of an ``Accept-Language`` header that is read.
LONGEST_HEADER = 200


@cache
def shipped() -> frozenset[str]:
    """The language tags for which there is a catalogue, such as ``en`` or ``pt-BR``."""
    return frozenset(
        p.parent.parent.name.replace("_", "-") for p in TRANSLATIONS.glob("*/LC_MESSAGES/consent.po")
    )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language: its words, its way to write dates and spans of time, its direction."""

    tag: str
    locale: Locale
    messages: NullTranslations

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        """``rtl`` for Arabic, Hebrew and the like."""
        return "rtl" if self.locale.text_direction == "rtl" else "ltr"

    def gettext(self, message: str, /, **values: object) -> Markup:
        """The text of the id *message*, its ``%(name)s`` places filled with *values*, escaped."""
        return Markup(self.messages.gettext(message)) % values

    def ngettext(self, message: str, number: int, /, **values: object) -> Markup:
        """The text of the id *message* in the plural form for *number*, which fills ``%(n)s``."""
        return Markup(self.messages.ngettext(message, message, number)) % {"n": number, **values}

    def known(self, message: str) -> bool:
        """Whether this language has a text for the id *message*."""
        return self.messages.gettext(message) != message

    @staticmethod
    def sentences(*texts: str | None) -> Markup:
        """Those of *texts* that there are, one after the other, escaped; an ideographic full stop has its own room, and
        no space after it."""
        joined = Markup()
        for text in filter(None, texts):
            joined += Markup(" " if joined and not joined.endswith("。") else "") + text
        return joined

    def date(self, day: date | datetime) -> str:
        """*day* as people write it here, such as "1 November 2026"."""
        return format_date(day, format="long", locale=self.locale)

    def datetime(self, moment: datetime) -> str:
        """*moment* to the second, with its time zone, as people write it here."""
        return format_datetime(moment, format="long", locale=self.locale)

    def duration(self, span: Duration) -> Markup:
        """*span* in words, such as "13 months". Ours, because CLDR's units have gaps (Arabic has no long days)."""
        return self.ngettext(f"span.{span.unit}", span.count)


@cache
def catalogue(tag: str) -> Catalogue:
    """The catalogue of the language *tag*; LookupError when none is shipped."""
    if tag not in shipped():
        raise LookupError(f"no catalogue for {tag!r}; there are {', '.join(sorted(shipped()))}")
    compiled = BytesIO()
    source = TRANSLATIONS / tag.replace("-", "_") / "LC_MESSAGES" / "consent.po"
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=tag.replace("-", "_")))
    compiled.seek(0)
    return Catalogue(tag, Locale.parse(tag, sep="-"), Translations(compiled, domain="consent"))


def negotiate(wanted: str | None, offered: Sequence[str]) -> str | None:
    """The offered language for the tag *wanted*: itself, else its parents (``pt-BR`` → ``pt``), else None.

    This is the lookup of RFC 4647 §3.4, after which other names of the same language count (``KNOWN_AS``).
    """
    whole = tag = (wanted or "")[:LONGEST_TAG].replace("_", "-").lower()
    names = {name.lower(): name for name in offered}
    while tag:
        if found := names.get(tag):
            return found
        tag = tag.rpartition("-")[0]
    return names.get(KNOWN_AS.get(whole, "").lower())


@remembered(1024)
def accepted(header: str, offered: tuple[str, ...]) -> str:
    """The offered language that an ``Accept-Language`` header likes best; the first one offered if none.

    A header longer than LONGEST_HEADER is nobody's wish and counts as none.
    """
    read = header if len(header) <= LONGEST_HEADER else ""
    for tag, quality in parse_accept_header(read, LanguageAccept):
        if quality > 0 and (found := negotiate(tag, offered)):
            return found
    return offered[0]
