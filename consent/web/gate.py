"""The gate: what leaves the app, seen last of all, after the hooks of the site and of its extensions.

It stands around ``app.wsgi_app``, because Flask saves its session after the last ``after_request`` function
(ENF-01), and returns the response's body untouched.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from werkzeug.http import parse_list_header

from consent.decision import Decision
from consent.errors import LedgerError
from consent.web.answering import record_late
from consent.web.cookie import choice_cookie
from consent.web.limits import TooMany
from consent.web.request import ENVIRON, ConsentRequest
from consent.web.site import Site

Headers = list[tuple[str, str]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: Seconds until a late event is tried again, and how many are remembered that a cookie still carries.
TRY_AGAIN: Final = 2.0
MOST_LATE: Final = 4096
#: The header of which several hold together, so that adding one only narrows (CSP3 §4.1).
POLICY: Final = "content-security-policy"


class Gate:
    """*application*, a ``wsgi_app``, with the headers of its responses as *site* wants them."""

    __slots__ = ("application", "site")

    def __init__(self, application: Application, site: Site) -> None:
        self.application = application
        self.site = site

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """What the application answers."""

        def start(status: str, headers: Headers, *exc_info: object) -> Any:
            visitor = environ.get(ENVIRON)
            if isinstance(visitor, ConsentRequest) and visitor.site is self.site:
                headers = finished(visitor, headers)
            return start_response(status, headers, *exc_info)

        return self.application(environ, start)


def finished(visitor: ConsentRequest, headers: Headers) -> Headers:
    """*headers* with what a response needs that depends on the visitor's answer, or is a page of ours."""
    made = list(headers)
    if visitor.spoken:
        vary(made, "Accept-Language")
    if visitor.read:
        keep_private(made)
        held = visitor.decision
        if held is not None and held.pending is not None:
            made += late(visitor, held)
    if visitor.sealed:
        seal(made, visitor.sealed)
    return made


def keep_private(headers: Headers) -> None:
    """Let no shared cache keep the response: it was made for one visitor's answer (ENF-06)."""
    vary(headers, "Cookie")
    limited = False
    for place, (name, value) in enumerate(headers):
        if name.lower() == "cache-control":
            headers[place] = (name, unshared(value))
            limited = True
    if not limited:
        headers.append(("Cache-Control", "private"))


def vary(headers: Headers, on: str) -> None:
    """Let *headers* say that the response depends on the request's header *on*."""
    for name, value in headers:
        if name.lower() == "vary":
            named = [each.strip().lower() for each in value.split(",")]
            if on.lower() in named or "*" in named:
                return
    headers.append(("Vary", on))


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
        if lower != POLICY:
            headers[:] = [each for each in headers if each[0].lower() != lower]
        if not any(each[0].lower() == lower and each[1] == value for each in headers):
            headers.append((name, value))


def late(visitor: ConsentRequest, held: Decision) -> Headers:
    """Record the event that the cookie's decision *held* carries, if that can be done now.

    What comes back sets the cookie without it. One with grants is not sent again: another tab may have withdrawn
    them meanwhile. It keeps the event until the next answer, which finds it on record.
    """
    site, environ, event = visitor.site, visitor.environ, held.pending
    if event is None or event.id in site.late or site.recorder.steady() < site.late_at:
        return []
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return []
    notice = site.notices.by_hash.get(event.notice or "")
    try:
        record_late(site.recorder, held, site.documents(notice), address=environ.get("REMOTE_ADDR"))
    except TooMany:
        return []  # says something of this address, and nothing of the ledger
    except LedgerError:
        site.late_at = site.recorder.steady() + TRY_AGAIN
        return []
    if held.granted:
        if len(site.late) >= MOST_LATE:
            site.late.clear()
        site.late.add(event.id)
        return []
    return [("Set-Cookie", choice_cookie(site, replace(held, pending=None), secure=visitor.secure))]
