"""Where a visitor goes after answering: back to the page they came from, and never off the site."""

import re
from urllib.parse import quote, urlsplit

from consent.web.memory import remembered

#: What stands for itself in a path, besides letters, digits and ``_.-~`` (RFC 3986 §3.3).
IN_PATHS = "/~:@!$&'()*+,;="
#: Characters of a path, as it is encoded in another's query, that a redirect leads back to. Many proxies keep 4 KiB for
#: a response's headers, and drop one with more: the answer's cookie would be lost with it.
LONGEST = 1024
#: A path of this site: one slash, then printable ASCII without the backslash, which browsers read as a slash.
SAFE = re.compile(r"/(?!/)[!-\[\]-~]*\Z")


def safe_path(path: str | None) -> str | None:
    """*path* when a browser can only read it as a path of this site, else None."""
    return path if path is not None and SAFE.match(path) else None


def returnable(path: str | None) -> str | None:
    """*path* when it is safe and short enough to be sent back, else None."""
    safe = safe_path(path)
    return safe if safe and len(quote(safe)) <= LONGEST else None


@remembered(1024)
def address(mount: str, path: str, query: str) -> str | None:
    """The address within its origin of a request with WSGI's ``SCRIPT_NAME``, ``PATH_INFO`` and ``QUERY_STRING``.

    None when a browser could read it as anything else.
    """
    encoded = quote((mount.rstrip("/") + path).encode("latin-1", "replace"), safe=IN_PATHS)
    return safe_path(f"{encoded}?{query}" if query else encoded)


def referring_path(referer: str | None, *, own: str) -> str | None:
    """Path and query of *referer* when it is a page of the origin *own* and returnable, else None."""
    if referer is None or not referer.startswith(f"{own}/"):
        return None
    try:
        parts = urlsplit(referer)
    except ValueError:
        return None
    return returnable(parts._replace(scheme="", netloc="", fragment="").geturl())


def with_status(path: str, fragment: str = "pc-status") -> str:
    """*path* with the fragment that reveals the result of the last answer on that page."""
    return f"{path.partition('#')[0]}#{fragment}"


@remembered(1024)
def quoted(address: str) -> str:
    """*address* as it stands in a query."""
    return quote(address)
