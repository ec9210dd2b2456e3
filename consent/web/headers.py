"""A response's headers: who may keep it, what it depends on, and what nobody's hooks may change."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

from werkzeug.http import parse_list_header

from consent.web import csp

Headers = list[tuple[str, str]]
#: What a header says: the page's type, a cookie, a security policy, how long the response may be kept ("kept",
#: "limit"), and by whom ("limit", "varies", "elsewhere": caches that obey it instead, RFC 9213).
Kind = Literal["type", "cookie", "policy", "kept", "limit", "varies", "elsewhere"]
KINDS: Final[Mapping[str, Kind]] = {
    "content-type": "type",
    "set-cookie": "cookie",
    **dict.fromkeys(csp.HEADERS, "policy"),
    **dict.fromkeys(("expires", "last-modified", "etag"), "kept"),
    "cache-control": "limit",
    "vary": "varies",
    **dict.fromkeys(("surrogate-control", "x-accel-expires"), "elsewhere"),
}
#: Those by which a cache may keep a page, and by which it knows for whom.
KEPT: Final = frozenset[Kind | None]({"kept", "limit"})
SHARED: Final = frozenset[Kind | None]({"limit", "varies", "elsewhere"})
#: What a response says that is for one visitor.
PRIVATE: Final = (("Vary", "Cookie"), ("Cache-Control", "private"))
#: The types of pages.
HTML: Final = ("text/html", "application/xhtml+xml")


@lru_cache(256)
def kind_of(name: str) -> Kind | None:
    """What the header *name* says; None for what makes no difference here. Names are the site's, and few."""
    lower = name.lower()
    return "elsewhere" if lower.endswith("-cache-control") else KINDS.get(lower)


@lru_cache(256)
def is_html(value: str) -> bool:
    """Whether the ``Content-Type`` *value* is that of a page."""
    return value.strip().lower().startswith(HTML)


def keep_private(headers: Headers) -> None:
    """Let no shared cache keep the response: it was made for one visitor's answer (ENF-06)."""
    for header in headers:
        if kind_of(header[0]) in SHARED:
            break
    else:
        headers += PRIVATE
        return
    headers[:] = [
        (name, unshared(value)) if kind_of(name) == "limit" else (name, value)
        for name, value in headers
        if kind_of(name) != "elsewhere"
    ]
    vary(headers, "Cookie")
    if not any(kind_of(name) == "limit" for name, _ in headers):
        headers.append(("Cache-Control", "private"))


def vary(headers: Headers, on: str) -> None:
    """Let *headers* say that the response depends on the request's header *on*."""
    for name, value in headers:
        if kind_of(name) == "varies" and says(value, on):
            return
    headers.append(("Vary", on))


@lru_cache(256)
def says(value: str, header: str) -> bool:
    """Whether the ``Vary`` *value* names the request's *header*, or all of them."""
    named = [each.strip().lower() for each in value.split(",")]
    return header.lower() in named or "*" in named


def unshared(value: str) -> str:
    """The ``Cache-Control`` *value* for one visitor's browser only."""
    directives = parse_list_header(value)
    names = [each.partition("=")[0].strip().lower() for each in directives]
    if "no-store" in names:
        return value
    kept = [
        each
        for each, name in zip(directives, names, strict=True)
        if name not in ("public", "s-maxage", "private")
    ]
    return ", ".join(["private", *kept])


def seal(headers: Headers, sealed: Mapping[str, str]) -> None:
    """Let *headers* say what *sealed* says, whatever the site's hooks made of it."""
    for name, value in sealed.items():
        lower = name.lower()
        if lower != csp.HEADERS[0]:
            headers[:] = [each for each in headers if each[0].lower() != lower]
        if not any(each[0].lower() == lower and each[1] == value for each in headers):
            headers.append((name, value))
