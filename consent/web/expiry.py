"""The ``Set-Cookie`` headers that delete what a visitor has refused, HttpOnly cookies included (WD-03)."""

import ipaddress
from collections.abc import Iterable, Iterator

from werkzeug.http import dump_cookie

from consent.policy import Cookie, Policy

#: At most so many headers, and so many bytes of them, in one response.
MOST_HEADERS, MOST_BYTES = 20, 2048

#: Characters of a host name (RFC 1035 §2.3.4), and the labels of it that can matter to a cookie.
LONGEST_HOST, MOST_LABELS = 253, 8


def refused_cookies(policy: Policy, allowed: Iterable[str]) -> tuple[Cookie, ...]:
    """The declared cookies of services outside *allowed* that no allowed service declares as well."""
    keys = frozenset(allowed)
    kept = [cookie for service in policy.services if service.key in keys for cookie in service.cookies]
    return tuple(
        cookie
        for service in policy.services
        if service.key not in keys
        for cookie in service.cookies
        if not any(own.matches(cookie.name) for own in kept)
    )


def deletions(cookies: Iterable[Cookie], *, sent: Iterable[str], host: str, secure: bool) -> list[str]:
    """``Set-Cookie`` values that delete *cookies* in a browser which sent the names *sent* to *host*.

    A name with a wildcard, or on the path ``/``, is deleted when it was sent; one below another path,
    which this request can't see, always. Host-only and for each parent domain, since nobody can tell
    which one was set (peers guess, and fail below ``co.uk``). Bounded by MOST_HEADERS and MOST_BYTES.
    """
    names = sorted(set(sent))
    found: list[str] = []
    size = 0
    for name, path, domain in variants(cookies, names, host):
        value = dump_cookie(name, "", max_age=0, expires=0, path=path, domain=domain, secure=secure)
        size += len(value)
        if len(found) == MOST_HEADERS or size > MOST_BYTES:
            break
        found.append(value)
    return found


def variants(cookies: Iterable[Cookie], sent: list[str], host: str) -> Iterator[tuple[str, str, str | None]]:
    """Name, path and domain of each cookie that may have to go; the surest first."""
    pairs = [(name, cookie) for cookie in cookies for name in named(cookie, sent)]
    for name, cookie in pairs:
        yield name, cookie.path, None
    for name, cookie in pairs:
        if not name.startswith("__Host-"):
            for domain in [cookie.domain] if cookie.domain else parents(host):
                yield name, cookie.path, domain


def named(cookie: Cookie, sent: list[str]) -> list[str]:
    """The real names that *cookie* stands for in a request that sent the names *sent*."""
    if "*" not in cookie.name and cookie.path != "/":
        return [cookie.name]
    return [name for name in sent if cookie.matches(name)]


def parents(host: str) -> list[str]:
    """*host* and its parent domains but the last label; empty for addresses and single labels."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        labels = host.split(".") if len(host) <= LONGEST_HOST else []
        return [
            ".".join(labels[start:]) for start in range(max(0, len(labels) - MOST_LABELS), len(labels) - 1)
        ]
    return []
