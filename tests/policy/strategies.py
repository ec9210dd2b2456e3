"""Random valid policies, and a writer of TOML to have them read again."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import strategies as st

from consent.policy import (
    DATA,
    DIRECTIVES,
    GOOGLE_CONSENT,
    USES,
    Carrier,
    Category,
    Controller,
    Cookie,
    Duration,
    Policy,
    Provider,
    Service,
    Stored,
)
from consent.policy.codes import FOR_ADVERTISING
from consent.policy.model import BUILT_IN

LINE = (
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(str.strip)
)
ORIGIN = st.sampled_from(
    ["https://a.example", "https://*.b.example:8443", "wss://c.example", "http://localhost:5000"]
)
PURPOSE = st.sampled_from(["forms", "language", "maps", "measurement", "advertising", "testing"])
COUNTRY = st.none() | st.sampled_from(["US", "DE"])
DURATION = st.builds(
    Duration, st.integers(1, 99), st.sampled_from(["minute", "hour", "day", "week", "month", "year"])
)
LIFETIME = st.none() | st.builds(
    Duration, st.integers(1, 12), st.sampled_from(["minute", "day", "week", "month"])
)


def some(one: st.SearchStrategy[Any], *, least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    """Up to three different ones."""
    return st.lists(one, min_size=least, max_size=3, unique=True).map(tuple)


ORIGINS = st.dictionaries(st.sampled_from(DIRECTIVES), some(ORIGIN, least=1), max_size=3).map(
    lambda origins: tuple(sorted(origins.items()))
)
COOKIES = st.lists(
    st.builds(
        Cookie,
        name=st.from_regex(
            r"[A-Za-z_][A-Za-z0-9_.$-]{0,9}\*?", fullmatch=True, alphabet=st.characters(max_codepoint=127)
        ),
        lifetime=LIFETIME,
        path=st.sampled_from(["/", "/shop"]),
        domain=st.none() | st.just("clinic.example"),
    ),
    max_size=3,
    unique_by=lambda cookie: cookie.name,
).map(tuple)
STORED = st.lists(
    st.builds(
        Stored,
        name=LINE.filter(lambda name: name.strip("*")),
        kind=st.sampled_from(["local", "session", "cache"]),
    ),
    max_size=2,
    unique_by=lambda stored: stored.name,
).map(tuple)


PARTY = st.sampled_from(["self", "one", "two"])
SERVICES = st.builds(
    Service,
    key=st.just("unnamed"),
    category=st.sampled_from(["functionality", "performance", "own"]),
    purposes=some(PURPOSE, least=1),
    text=LINE,
    title=st.none() | LINE,
    provider=PARTY,
    via=st.none() | st.just("tags"),
    data=some(st.sampled_from(sorted(DATA)), least=1),
    retention=DURATION,
    recipients=some(LINE),
    third_party_access=st.booleans(),
    country=COUNTRY,
    sells_or_shares=st.booleans(),
    special_category=st.booleans(),
    agreement=st.none() | LINE,
    pages=some(st.sampled_from(["shop.*", "home", "*.pay"])),
    outlives_session=st.none() | LINE,
    google_consent=some(st.sampled_from(sorted(GOOGLE_CONSENT))),
    cookies=COOKIES,
    storage=STORED,
    uses=some(st.sampled_from(sorted(USES))),
    origins=ORIGINS,
).map(lambda one: replace(one, sells_or_shares=True) if FOR_ADVERTISING & {*one.google_consent} else one)
SERVICE = SERVICES.filter(lambda one: not (one.sells_or_shares and "health" in one.data))  # HLT-04
CONTROLLER = st.builds(
    Controller,
    name=LINE,
    site=st.just("https://clinic.example"),
    contact=st.just("privacy@clinic.example"),
    address=st.none() | LINE,
    country=COUNTRY,
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Valid policies of up to four services, under the same keys, so that any two have much in common."""
    keys = ["north", "east", "south", "west"][: draw(st.integers(0, 4))]
    return Policy(
        revision=draw(st.integers(1, 9)),
        effective=draw(st.dates(date(2000, 1, 1), date(2999, 12, 31))),
        language=draw(st.sampled_from(["en", "pt-BR", "zh-Hant"])),
        change=draw(LINE),
        controller=draw(CONTROLLER),
        providers=tuple(Provider(key=key, name=draw(LINE), country=draw(COUNTRY)) for key in ("one", "two")),
        categories=(*BUILT_IN, Category(key="own", title=draw(LINE), text=draw(LINE))),
        carriers=(Carrier(key="tags", provider=draw(PARTY), origins=draw(ORIGINS)),),
        services=tuple(replace(draw(SERVICE), key=key) for key in keys),
        wordings={"fr": {f"services.{key}.text": draw(LINE) for key in keys if draw(st.booleans())}},
    )


def toml(value: object) -> str:
    """*value* in one line of TOML; its texts need the same escapes as JSON's, and one more."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return f"{{ {', '.join(f'{toml(str(key))} = {toml(item)}' for key, item in value.items())} }}"
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case Duration() | date():
            return toml(str(value)) if isinstance(value, Duration) else value.isoformat()
    return str(value)


def document(value: Mapping[str, object]) -> str:
    """*value* as a TOML file."""
    return "".join(f"{toml(key)} = {toml(item)}\n" for key, item in value.items())


def stated(**fields: object) -> dict[str, object]:
    """The fields that say something: not None and not empty."""
    return {name: value for name, value in fields.items() if value not in (None, ())}


def as_files(policy: Policy) -> tuple[str, dict[str, str]]:
    """What *policy* looks like as ``consent.toml``, and its wording files by language."""
    own = (one for one in policy.categories if one.title)
    main = stated(
        revision=policy.revision,
        effective=policy.effective,
        language=policy.language,
        change=policy.change,
        controller=_fields(policy.controller),
        providers={one.key: _fields(one, "key") for one in policy.providers},
        categories={one.key: _fields(one, "key", "always_on") for one in own},
        carriers={one.key: _fields(one, "key", "origins") | dict(one.origins) for one in policy.carriers},
        services={one.key: _service(one) for one in policy.services},
    )
    return document(main), {
        tag: document(
            {"services": {path.split(".")[1]: {"text": text} for path, text in texts.items()}}
            if texts
            else {}
        )
        for tag, texts in policy.wordings.items()
    }


def _fields(part: Any, *leave_out: str) -> dict[str, object]:
    return stated(**{name: getattr(part, name) for name in part.__slots__ if name not in leave_out})


def _service(service: Service) -> dict[str, object]:
    cookies = {one.name: {"lifetime": "session", **_fields(one, "name")} for one in service.cookies}
    storage = {one.name: one.kind for one in service.storage}
    plain = _fields(service, "key", "cookies", "storage", "origins")
    return plain | {"cookies": cookies, "storage": storage} | dict(service.origins)
