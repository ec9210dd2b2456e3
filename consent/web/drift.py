"""In what a cookie that is set isn't as the policy declares it."""

from collections.abc import Mapping
from typing import Any, Final

from werkzeug.wsgi import get_host

from consent.policy import Cookie
from consent.web.setcookie import SetCookie

#: Seconds by which a cookie may outlive its declaration: a month isn't the same everywhere.
TOLERANCE: Final = 86_400


def drift(cookie: SetCookie, declared: Cookie, environ: Mapping[str, Any]) -> list[str]:
    """In what *cookie*, set by the answer to *environ*, is not as *declared* (INF-02, CK-05)."""
    attributes = cookie.attributes
    # Only a domain is compared with the host, which takes a while to find.
    if why := cookie.ignored(host_of(environ) if attributes.domain else ""):
        return [f"browsers ignore it: {why}"]
    found: list[str] = []
    limit = declared.lifetime
    if cookie.lifetime is not None and (limit is None or cookie.lifetime > limit.seconds + TOLERANCE):
        found.append(f"it lives {in_words(cookie.lifetime)}, declared is {limit or 'session'}")
    path = attributes.path or folder_of(environ)
    if path != declared.path:
        found.append(f"its path is {path}, declared is {declared.path}; a withdrawal deletes the declared")
    if attributes.domain and attributes.domain != (declared.domain or "").removeprefix(".").lower():
        found.append(f"its domain is {attributes.domain}, declared is {declared.domain or 'this host'}")
    if attributes.same_site == "none" and not attributes.secure:
        found.append("it says SameSite=None without Secure, so browsers refuse it (CK-04)")
    return found


def in_words(lifetime: float | None) -> str:
    """A cookie's *lifetime* (seconds) as the policy writes it, rounded up."""
    if lifetime is None:
        return "session"
    unit, length = ("day", 86_400) if lifetime > 2 * 3600 else ("minute", 60)
    count = -int(-lifetime // length)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def folder_of(environ: Mapping[str, Any]) -> str:
    """The path of a cookie that names none (RFC 6265bis §5.1.4)."""
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return path[: path.rfind("/")] or "/"


def host_of(environ: Mapping[str, Any]) -> str:
    """The host that the request asked, without its port."""
    host = get_host(dict(environ))
    return host if host.endswith("]") else host.rpartition(":")[0] or host
