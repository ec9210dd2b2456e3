"""A response's headers: who may keep it, what it depends on, and what nobody's hooks may change."""

from collections.abc import Mapping

from werkzeug.http import parse_list_header

from consent.web import csp

Headers = list[tuple[str, str]]


def keep_private(headers: Headers) -> None:
    """Let no shared cache keep the response: it was made for one visitor's answer (ENF-06)."""
    kept, limited, varies = [], False, False
    for header in headers:
        name = header[0].lower()
        if name == "vary":
            varies = varies or says(header[1], "cookie")
        elif name == "cache-control":
            header = (header[0], unshared(header[1]))
            limited = True
        # Some caches obey these instead (RFC 9213).
        elif name.endswith("-cache-control") or name in ("surrogate-control", "x-accel-expires"):
            continue
        kept.append(header)
    if not varies:
        kept.append(("Vary", "Cookie"))
    if not limited:
        kept.append(("Cache-Control", "private"))
    headers[:] = kept


def vary(headers: Headers, on: str) -> None:
    """Let *headers* say that the response depends on the request's header *on*."""
    if not any(name.lower() == "vary" and says(value, on.lower()) for name, value in headers):
        headers.append(("Vary", on))


def says(value: str, header: str) -> bool:
    """Whether the ``Vary`` *value* names the request's *header*, in lower case, or all of them."""
    named = [each.strip().lower() for each in value.split(",")]
    return header in named or "*" in named


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
