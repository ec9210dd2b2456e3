"""Single values as a policy file writes them: each type below reads one, or refuses it with a sentence."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from ..errors import did_you_mean
from .codes import DATA, GOOGLE_CONSENT, PURPOSES, STORAGE, USES
from .parts import Duration

#: Browsers cut a cookie's life to this (RFC 6265bis §5.5).
LONGEST_LIFETIME = Duration(400, "day")

_LOCAL = frozenset({"localhost", "127.0.0.1"})
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_ORIGIN = re.compile(rf"(https|http|wss|ws)://(\*\.)?({_HOST})(?::([0-9]{{1,5}}))?")
_LINK = re.compile(rf"https://(?i:{_HOST})(?::[0-9]{{1,5}})?(?:[/?#][!-~]*)?")
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_PAGE = re.compile(r"[A-Za-z0-9_.*-]+")
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def shown(text: str) -> str:
    """*text* in quotes as a message may hold it: at most 60 characters, nothing that moves a cursor."""
    visible = "".join(mark if mark.isprintable() else f"\\u{ord(mark):04x}" for mark in text[:60])
    return f'"{visible}{"…" if len(text) > 60 else ""}"'


def found(value: object) -> str:
    """What kind of thing the file holds, for a message."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"the text {shown(value)}"
        case int() | float():
            return "a number"
        case datetime():
            return "a date with a time"
        case date():
            return "a date"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a time of day"


def refusal(problem: str, fix: str) -> PydanticCustomError:
    """The error by which a reader below refuses a value."""
    return PydanticCustomError("refused", "{problem}. {fix}", {"problem": problem, "fix": fix})


def is_language(tag: str) -> bool:
    """Whether *tag* is a language tag (BCP 47): language, perhaps script and region, in their usual case."""
    return _LANGUAGE.fullmatch(tag) is not None


def name_problem(name: str) -> str | None:
    """What is wrong with *name* as the name of a stored thing, or None."""
    if not name.strip("*"):
        return "a name needs at least one character that is not *"
    if not name.isprintable():
        return "the name holds a control character"
    return None


def cookie_name_problem(name: str) -> str | None:
    """What is wrong with *name* as a cookie name (an RFC 6265 token) or pattern, or None."""
    if not _COOKIE_NAME.fullmatch(name):
        return "a cookie name has letters, digits and marks such as - and _, but no spaces, quotes, = or ;"
    return name_problem(name)


def _text(value: str) -> str:
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
    if not text:
        raise refusal("this is empty", "Write the text, or remove the line.")
    if any(unicodedata.category(mark) == "Cc" and mark not in "\n\t" for mark in text):
        raise refusal("the text holds a control character", "Type the text anew; copying may have added it.")
    return text


def _line(value: str) -> str:
    text = _text(value)
    if "\n" in text or "\t" in text:
        raise refusal("this has more than one line", "Write it in one line, without tabs.")
    return text


def _code(known: frozenset[str]) -> AfterValidator:
    def read(value: str) -> str:
        if value in known:
            return value
        fix = did_you_mean(value, known) or f"Known here: {', '.join(sorted(known))}."
        raise refusal(f"{shown(value)} is not one of the codes this list is made of", fix)

    return AfterValidator(read)


def _duration(value: object) -> Duration:
    try:
        return Duration.parse(value if isinstance(value, str) else "")
    except ValueError:
        fix = 'Write a number and a unit, such as "30 minutes", "14 days" or "13 months".'
        raise refusal(f"{found(value)} is not a length of time", fix) from None


def _lifetime(value: object) -> Duration | Literal["session"]:
    if value == "session":
        return "session"
    try:
        lifetime = _duration(value)
    except PydanticCustomError as error:
        problem, fix = f"{found(value)} is not a lifetime", 'Write "session", or such as "13 months".'
        raise refusal(problem, fix) from error
    if lifetime.seconds > LONGEST_LIFETIME.seconds:
        problem = (
            f"{shown(str(lifetime))} is longer than {LONGEST_LIFETIME}, the most a browser keeps (CK-01)"
        )
        raise refusal(problem, 'Write "13 months" or less, and set the cookie itself to no more.')
    return lifetime


def _origin(value: str) -> str:
    parts = _ORIGIN.fullmatch(value)
    if not parts or not 0 < int(parts[4] or 443) < 65536:
        raise refusal(
            f"{shown(value)} is not an origin (scheme and host, nothing else)", _nearest_origin(value)
        )
    scheme, wildcard, host, _ = parts.groups()
    if wildcard and "." not in host:
        raise refusal(f"{shown(value)} takes in far more than one provider", "Name the host after the *.")
    if scheme in ("http", "ws") and not _local(host):
        raise refusal(f"{shown(value)} is not encrypted", f'Write "{scheme}s" instead of "{scheme}".')
    return value


def _local(host: str) -> bool:
    """Whether browsers trust *host* without encryption, as it is this machine (Secure Contexts §3.1)."""
    return host in _LOCAL or host.endswith(".localhost")


def _nearest_origin(value: str) -> str:
    near = _ORIGIN.match(value.lower()) or _ORIGIN.match(f"https://{value.lower()}")
    if not near or ("." not in near[3] and not _local(near[3])):
        return _LIKE_ORIGIN
    scheme, wildcard, host, port = near.groups("")
    return f'Write "{scheme}://{wildcard}{host}{f":{port}" if 0 < int(port or 0) < 65536 else ""}"?'


_LIKE_ORIGIN = 'Write it like "https://media.example" or "https://*.media.example".'


def _site(value: str) -> str:
    origin = _origin(value)
    if "*" in origin or origin.startswith("ws"):
        raise refusal(
            f"{shown(value)} is not the origin of one site", 'Write it like "https://clinic.example".'
        )
    return origin


def _link(value: str) -> str:
    if not _LINK.fullmatch(value):
        raise refusal(f"{shown(value)} is not a web address", 'Write it whole, beginning with "https://".')
    return value


def _contact(value: str) -> str:
    if not _EMAIL.fullmatch(value) and not _LINK.fullmatch(value):
        fix = 'Write it like "privacy@clinic.example" or "https://clinic.example/contact".'
        raise refusal(f"{shown(value)} is neither an e-mail address nor a web address", fix)
    return value


def _matching(pattern: re.Pattern[str], what: str, fix: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not pattern.fullmatch(value):
            raise refusal(f"{shown(value)} is not {what}", fix)
        return value

    return read


_language = _matching(_LANGUAGE, "a language tag", 'Write it like "en", "de" or "pt-BR".')
_country = _matching(re.compile("[A-Z]{2}"), "a country code", 'Write two capitals, such as "US" (ISO 3166).')
_page = _matching(_PAGE, "an endpoint", 'Write an endpoint such as "billing.pay", or a pattern: "billing.*".')
_path = _matching(re.compile("/[!-:<-~]*"), "a cookie path", 'Begin with "/", as in "/shop".')
_domain = _matching(re.compile(_HOST), "a domain", 'Write it like "clinic.example", without a leading dot.')

Text = Annotated[str, AfterValidator(_text)]
Line = Annotated[str, AfterValidator(_line)]
Lifetime = Annotated[Duration | Literal["session"], BeforeValidator(_lifetime)]
Period = Annotated[Duration, BeforeValidator(_duration)]
Origin = Annotated[str, AfterValidator(_origin)]
Site = Annotated[str, AfterValidator(_site)]
Link = Annotated[str, AfterValidator(_link)]
Contact = Annotated[str, AfterValidator(_contact)]
Language = Annotated[str, AfterValidator(_language)]
Country = Annotated[str, AfterValidator(_country)]
Page = Annotated[str, AfterValidator(_page)]
CookiePath = Annotated[str, AfterValidator(_path)]
CookieDomain = Annotated[str, AfterValidator(_domain)]
Purpose = Annotated[str, _code(PURPOSES)]
Datum = Annotated[str, _code(DATA)]
Use = Annotated[str, _code(USES)]
GoogleConsent = Annotated[str, _code(GOOGLE_CONSENT)]
Kind = Annotated[str, _code(STORAGE)]
