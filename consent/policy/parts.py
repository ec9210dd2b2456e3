"""The things a policy is made of: plain values, checked elsewhere (``rules``), alike when equal."""

import re
from dataclasses import dataclass
from typing import Literal, Self, cast

Unit = Literal["minute", "hour", "day", "week", "month", "year"]
StorageKind = Literal["local", "session", "indexeddb", "cache"]
#: Origins by directive, sorted by directive; within one, in the order of the file.
Origins = tuple[tuple[str, tuple[str, ...]], ...]

_SECONDS: dict[str, int] = {
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 604_800,
    "month": 2_629_800,  # a twelfth of 365.25 days
    "year": 31_557_600,
}
_DURATION = re.compile(r"([1-9][0-9]{0,4}) (minute|hour|day|week|month|year)s?")


def matches(pattern: str, name: str) -> bool:
    """Whether *name* is *pattern*, in which each ``*`` stands for any text, also none. Takes linear time."""
    head, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, tail = rest
    if len(name) < len(head) + len(tail) or not name.startswith(head) or not name.endswith(tail):
        return False
    position, end = len(head), len(name) - len(tail)
    for part in middle:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time as people write it: ``13 months``."""

    count: int
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """What *text* says, such as ``1 day`` or ``13 months``; ValueError for anything else."""
        if not (found := _DURATION.fullmatch(text)):
            raise ValueError(f'"{text}" is not a length of time such as "30 minutes" or "13 months"')
        return cls(int(found[1]), cast(Unit, found[2]))

    @property
    def seconds(self) -> int:
        """Seconds, taking a year as 365.25 days and a month as a twelfth of it."""
        return self.count * _SECONDS[self.unit]

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Who answers for the site."""

    name: str
    #: The site's origin, such as ``https://clinic.example``.
    site: str
    #: An e-mail address or a URL.
    contact: str
    address: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Whoever runs a service. The key ``self`` stands for the controller and is never declared."""

    key: str
    name: str
    #: The URL of the provider's own privacy policy.
    policy: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie, or several, if the name holds ``*``."""

    name: str
    #: None: until the browser is closed.
    lifetime: Duration | None
    path: str = "/"
    #: None: this host only.
    domain: str | None = None

    def matches(self, name: str) -> bool:
        """Whether a cookie called *name* is declared by this; upper and lower case differ."""
        return matches(self.name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a script keeps in the browser's storage, under a name that may hold ``*``."""

    name: str
    kind: StorageKind

    def matches(self, name: str) -> bool:
        """Whether something kept as *name* is declared by this; upper and lower case differ."""
        return matches(self.name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A group of uses. Without title or text of the site's own, the built-in wording serves."""

    key: str
    title: str | None = None
    text: str | None = None
    always_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A tag manager: no switch of its own; it loads when a service that names it in ``via`` is allowed."""

    key: str
    provider: str = "self"
    origins: Origins = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One thing in a category that can be switched on by itself."""

    key: str
    category: str
    purposes: tuple[str, ...]
    #: None only for the two services that ``complete`` adds: the built-in wording serves.
    text: str | None
    title: str | None = None
    provider: str = "self"
    via: str | None = None
    data: tuple[str, ...] = ()
    retention: Duration | None = None
    recipients: tuple[str, ...] = ()
    third_party_access: bool = False
    country: str | None = None
    sells_or_shares: bool = False
    special_category: bool = False
    #: Names the contract with the provider; None: there is none.
    agreement: str | None = None
    #: Endpoints, ``*`` allowed, outside of which the service never runs; empty: it may run everywhere.
    pages: tuple[str, ...] = ()
    #: Why something essential outlives the browser session.
    outlives_session: str | None = None
    google_consent: tuple[str, ...] = ()
    cookies: tuple[Cookie, ...] = ()
    storage: tuple[Stored, ...] = ()
    uses: tuple[str, ...] = ()
    origins: Origins = ()

    def covers(self, endpoint: str | None) -> bool:
        """Whether ``pages`` lets this run at *endpoint*; at None (no page) if it may run anywhere."""
        if not self.pages:
            return True
        return endpoint is not None and any(matches(page, endpoint) for page in self.pages)

    @property
    def declared_by_itself(self) -> bool:
        """Whether ``complete`` added this, so that it follows from the settings and not from the file."""
        return self.text is None
