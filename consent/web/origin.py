"""Where a POST comes from, as far as the browser says: our own page, another site, or a frame.

The order is that of Go's ``net/http`` CrossOriginProtection: ``Sec-Fetch-Site`` first, because with
``Referrer-Policy: no-referrer`` browsers send ``Origin: null`` even from our own pages; else ``Origin``
against scheme and host. No token is needed, so no cookie has to be set before a choice.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

FRAMES = frozenset({"iframe", "frame", "embed", "object"})


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


def normal(origin: str) -> tuple[str, str | None, int | None] | None:
    """Scheme, host and port of an origin with the default port filled in; None for anything else."""
    try:
        parts = urlsplit(origin)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
