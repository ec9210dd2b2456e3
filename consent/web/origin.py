"""Where a POST comes from, as far as the browser says: our own page, another site, or a frame.

The order is that of Go's ``net/http`` CrossOriginProtection: ``Sec-Fetch-Site`` first, because with
``Referrer-Policy: no-referrer`` browsers send ``Origin: null`` even from our own pages; else ``Origin``
against scheme and host. No token is needed, so no cookie has to be set before a choice.
"""

import ipaddress
import re
from collections.abc import Collection
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

from flask import Request

#: The port that each scheme has where none is written.
PORTS = {"http": 80, "https": 443}
LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})*")
FRAMES = frozenset({"iframe", "frame", "fencedframe", "embed", "object"})


class Headers(Protocol):
    """What is needed of a request's headers."""

    def get(self, key: str, /) -> str | None:
        """The value of the header *key*."""


class Origin(StrEnum):
    """What is known of a POST's sender. Only ``SAME`` may grant, erase or speak of a signal; every one may refuse."""

    SAME = "same"
    CROSS = "cross"
    FRAMED = "framed"
    UNKNOWN = "unknown"


def sender_of(request: Request, trusted: Collection[str]) -> Origin:
    """Who sent the form that *request* brings; *trusted* as for :func:`origin_of`.

    Only the site's own pages speak of the browser's signal, for an account, and for an auditor.
    """
    return origin_of(request.headers, own=own_origin(request), trusted=trusted)


def own_origin(request: Request) -> str:
    """Scheme and host that *request* was sent to, the host as browsers send it."""
    return f"{request.scheme}://{request.host or request.environ.get('HTTP_HOST', '')}"


def origin_of(headers: Headers, *, own: str, trusted: Collection[str] = ()) -> Origin:
    """The sender of a request with these headers to the origin *own* (``https://host[:port]``).

    *trusted* are further origins of the same site, exactly as browsers send them; for a site behind a
    proxy that hides the public host. Frames are never trusted.
    """
    if (headers.get("Sec-Fetch-Dest") or "").lower() in FRAMES:
        return Origin.FRAMED
    origin = headers.get("Origin")
    site = headers.get("Sec-Fetch-Site")
    if origin is not None and origin in trusted:
        return Origin.SAME
    if site is not None:
        return Origin.SAME if site.lower() in ("same-origin", "none") else Origin.CROSS
    if origin is None:
        return Origin.UNKNOWN
    mine = normal(own)
    return Origin.SAME if mine is not None and normal(origin) == mine else Origin.CROSS


def as_browsers_write(address: str) -> str | None:
    """The origin of *address* in the one spelling that browsers send (RFC 6454 §6.2); None if it has none.

    Lower case, without a default port. A scheme that is missing counts as ``https``.
    """
    parts = normal(address if "://" in address else f"https://{address}")
    if parts is None or parts[0] not in PORTS:
        return None
    scheme, host, port = parts
    if host is None or port == 0 or not (is_name(host) or is_address(host)):
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port == PORTS[scheme] else f"{scheme}://{host}:{port}"


def is_name(host: str) -> bool:
    """Whether *host* is a name; what ends in a number isn't, for browsers take that as an address."""
    return bool(NAME.fullmatch(host)) and not host.rpartition(".")[2].isdigit()


def is_address(host: str) -> bool:
    """Whether *host* is an IP address, as it is written in full."""
    try:
        return "%" not in host and str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


def normal(origin: str) -> tuple[str, str | None, int | None] | None:
    """Scheme, host and port of an origin with the default port filled in; None for anything else."""
    try:
        parts = urlsplit(origin)
        port = PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
