"""What a browser makes of one ``Set-Cookie`` header (RFC 6265bis §5.6, §5.7)."""

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

from consent.web.memory import remembered

#: A value with one of these is dropped by browsers whole; a tab is a blank.
CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_AGE = re.compile(r"-?[0-9]+")
#: Octets of name and value together, and of an attribute's value; what is longer, browsers ignore.
LONGEST_PAIR: Final = 4096
LONGEST_ATTRIBUTE: Final = 1024
#: Seconds; browsers keep nothing longer.
LONGEST_LIFE: Final = 400 * 86_400


class Attributes(NamedTuple):
    """What stands behind the name and the value."""

    max_age: int | None
    """Seconds; 0 for whatever deletes."""
    expires: float | None
    """Epoch seconds."""
    path: str | None
    domain: str | None
    secure: bool
    same_site: str | None
    partitioned: bool


class SetCookie(NamedTuple):
    """One cookie as it is set."""

    name: str
    lifetime: float | None
    """Seconds from now, at most 400 days; None until the browser is closed; 0 or less deletes it."""
    attributes: Attributes

    @property
    def deletes(self) -> bool:
        """Whether it deletes a cookie instead of setting one."""
        return self.lifetime is not None and self.lifetime <= 0

    def ignored(self, host: str) -> str | None:
        """Why browsers ignore it, well-formed as it is, when *host* sends it; None if they don't (RFC 6265bis §5.7).

        *host* is as the app sees it, which a proxy may hide. So this is for findings; nothing may pass for it.
        """
        said, name = self.attributes, self.name.lower()
        if name.startswith(("__secure-", "__host-")) and not said.secure:
            return f"a name that begins with {name[: name.index('-') + 1]} needs Secure"
        if said.partitioned and not said.secure:
            return "Partitioned needs Secure"
        if name.startswith("__host-") and (said.domain or said.path != "/"):
            return "a name that begins with __host- needs Path=/ and no Domain"
        if said.domain:
            host = host.lower()
            if host != said.domain and not host.endswith(f".{said.domain}"):
                return f"its domain {said.domain} is not that of {host}"
        return None

    @classmethod
    def read(cls, text: str, *, now: float) -> Self | None:
        """The cookie that the header's value *text* sets at *now* (epoch seconds); None if browsers ignore it."""
        if not text.isprintable() and CONTROLS.search(text):
            return None
        pair, _, rest = text.partition(";")
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", name
        name, value = name.strip(" \t"), value.strip(" \t")
        if not (name or value) or len(name) + len(value) > LONGEST_PAIR:
            return None
        if not name:  # browsers send such a one back as its value alone
            name = value.partition("=")[0].rstrip(" \t") if "=" in value else ""
        attributes = _attributes(rest)
        if attributes.max_age is not None:
            return cls(name, attributes.max_age, attributes)
        expires = attributes.expires
        return cls(name, None if expires is None else min(expires - now, LONGEST_LIFE), attributes)


def pair_of(text: str) -> str:
    """Name and value of the header's value *text*, as they stand there; what comes after may be anybody's."""
    return text.partition(";")[0].strip(" \t")


@remembered(1024)
def _attributes(rest: str) -> Attributes:
    """Those that *rest* says, of each name the last that says something (RFC 6265 §5.2).

    Remembered, because a site sets its cookies with the same ones again and again.
    """
    said: dict[str, str] = {}
    expires: float | None = None
    for name, value in map(_attribute, rest.split(";")):
        if len(value) > LONGEST_ATTRIBUTE or (name == "max-age" and not _MAX_AGE.fullmatch(value)):
            continue
        if name == "expires":
            date = cookie_date(value)
            expires = expires if date is None else date
        said[name] = value
    age = said.get("max-age")
    max_age = None
    if age is not None:
        # A thousand digits are no number that Python should work out.
        max_age = 0 if age.startswith("-") else min(int(age.lstrip("0")[:12] or 0), LONGEST_LIFE)
    return Attributes(
        max_age=max_age,
        expires=expires if max_age is None else None,
        path=path if (path := said.get("path", "")).startswith("/") else None,
        domain=said.get("domain", "").removeprefix(".").lower() or None,
        secure="secure" in said,
        same_site=said.get("samesite", "").lower() or None,
        partitioned="partitioned" in said,
    )


def _attribute(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(" \t").lower(), value.strip(" \t")


_BETWEEN = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_PARTS = {
    "time": re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?"),
    "day": re.compile(r"([0-9]{1,2})(?:[^0-9].*)?"),
    "month": re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec).*", re.IGNORECASE),
    "year": re.compile(r"([0-9]{2,4})(?:[^0-9].*)?"),
}
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"


def cookie_date(text: str) -> float | None:
    """Epoch seconds of a date as browsers read it (RFC 6265 §5.1.1); None for no date.

    The standard library's readers know no year before 1970, and such dates delete cookies.
    """
    found: dict[str, re.Match[str]] = {}
    for token in _BETWEEN.split(text):
        for part, pattern in _PARTS.items():
            if part not in found and (match := pattern.fullmatch(token)):
                found[part] = match
                break
    if len(found) < len(_PARTS):
        return None
    year = int(found["year"][1])
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    month = _MONTHS.index(found["month"][1].lower()) // 3 + 1
    hour, minute, second = map(int, found["time"].groups())
    if year < 1601:
        return None
    try:
        return datetime(year, month, int(found["day"][1]), hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None
