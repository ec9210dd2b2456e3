"""The ``Set-Cookie`` headers that delete what a visitor has refused, HttpOnly cookies included (WD-03)."""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

from werkzeug.http import dump_cookie

from consent.policy import Cookie, DeclaredCookies, Policy
from consent.web.setcookie import CONTROLS

#: At most so many headers, and so many bytes of them, in one response.
MOST_HEADERS, MOST_BYTES = 20, 2048
#: Fewer bytes where the response's other headers are long, so that all fit into the 4 KiB that many proxies keep: they
#: drop a response with more, and the answer's cookie with it. But at least so many.
MOST_TOGETHER, LEAST_BYTES = 3328, 512
#: Names of a request that are looked at; browsers keep fewer for one site.
MOST_NAMES = 200

#: Characters of a host name (RFC 1035 §2.3.4), and the labels of it that can matter to a cookie.
LONGEST_HOST, LONGEST_LABEL, MOST_LABELS = 253, 63, 8


def refused_cookies(
    policy: Policy, declared: DeclaredCookies, allowed: Collection[str], *, sent: Iterable[str], unseen: bool
) -> list[tuple[str, Cookie]]:
    """The names, each with its declaration, of cookies that no service in *allowed* declares but another does.

    Of those that a browser *sent*; with *unseen* also of those on a path of their own, which this request can't
    see.
    """
    found: dict[tuple[str, Cookie], None] = {}
    for name in sent:
        services = declared.of(name)
        if services and services.keys().isdisjoint(allowed):
            found |= dict.fromkeys((name, cookie) for cookie in services.values())
    for cookie in unseen_cookies(policy) if unseen else ():
        if declared.of(cookie.name).keys().isdisjoint(allowed):
            found[cookie.name, cookie] = None
    return list(found)


def unseen_cookies(policy: Policy) -> Iterator[Cookie]:
    """The declared cookies whose names are known and whose path not every request is below."""
    for service in policy.services:
        yield from (cookie for cookie in service.cookies if "*" not in cookie.name and cookie.path != "/")


def deletions(
    cookies: Sequence[tuple[str, Cookie]], *, host: str, secure: bool, first: int = 0, beside: int = 0
) -> list[str]:
    """``Set-Cookie`` values that delete *cookies*, names with their declarations, in a browser that called *host*.

    Host-only, for each parent domain and partitioned, since nobody can tell which one was set (peers guess, and
    fail below ``co.uk``). Bounded by MOST_HEADERS and MOST_BYTES, and by the bytes of the headers *beside* them;
    *first*, which should differ each time, says whose turn it is, so that all have theirs.
    """
    found: list[str] = []
    size, most = 0, min(MOST_BYTES, max(LEAST_BYTES, MOST_TOGETHER - beside))
    start = first % len(cookies) if cookies else 0
    for name, cookie in (*cookies[start:], *cookies[:start]):
        for value in values(name, cookie, host, secure=secure):
            if size + len(value) <= most:
                size += len(value)
                found.append(value)
            elif found:
                return found
            if len(found) == MOST_HEADERS:
                return found
    return found


def values(name: str, cookie: Cookie, host: str, *, secure: bool) -> Iterator[str]:
    """The values that delete the cookie *name* wherever it may have been set; the surest first."""
    if CONTROLS.search(name):
        return  # no browser has such a cookie (RFC 6265bis §5.6), and servers send no such header
    domains = [] if name.startswith("__Host-") else [cookie.domain] if cookie.domain else parents(host)
    try:
        # WSGI gives a header's bytes as Latin-1; what goes out is encoded again.
        spelled = name.encode("latin-1").decode()
    except UnicodeError:
        return
    delete = partial(dump_cookie, spelled, "", max_age=0, expires=0, path=cookie.path)
    yield delete(secure=secure)
    for domain in domains:
        yield delete(secure=secure, domain=domain)
    if secure:
        yield delete(secure=True, samesite="None", partitioned=True)


def parents(host: str) -> list[str]:
    """*host* and its parent domains but the last label; empty for addresses and single labels."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        labels = host.split(".") if len(host) <= LONGEST_HOST else []
        if not all(0 < len(label) <= LONGEST_LABEL for label in labels):
            return []
        return [
            ".".join(labels[start:]) for start in range(max(0, len(labels) - MOST_LABELS), len(labels) - 1)
        ]
    return []
