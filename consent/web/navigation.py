"""One browser document, one mark: soft navigation (HTMX, Turbo) never joins pages whose marks differ.

Tags of the page before would live on beside a marked page, and its content would lie where they can read it. So the
page is loaded in full: HTMX is told by a header, Turbo by the page's ``<head>``, and by a header where it reads no
head. A document that can't be known counts as one of another mark.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote, unquote, urlsplit

from flask import Flask, Request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from consent.decision import Mark
from consent.web.guard import is_ours
from consent.web.returning import IN_PATHS, address
from consent.web.site import Place, Site

#: The mark of a document, as far as its address tells. The component's own pages have none, and never share one.
Seen = Mark | Literal["ours", "unknown"] | None
#: Tells the mark of the document at an address.
MarkAt = Callable[[str], Seen]

#: What the headers and the head depend on, of a page and of an error page.
VARY: Final = "HX-Request, HX-Current-URL, HX-History-Restore-Request, Turbo-Frame"
VARY_ERROR: Final = f"{VARY}, X-Turbo-Request-Id"
#: What they say it with.
SOFT: Final = (
    "HTTP_HX_REQUEST",
    "HTTP_HX_HISTORY_RESTORE_REQUEST",
    "HTTP_TURBO_FRAME",
    "HTTP_X_TURBO_REQUEST_ID",
)
#: What Turbo and HTMX find in a marked page: that it is loaded in full and so is what it leads to ("track"), and that
#: no copy of it is kept for the way back.
MARKED: Final = Markup(
    '<meta name="turbo-visit-control" content="reload" data-turbo-track="reload">\n'
    '<meta name="turbo-cache-control" content="no-cache" data-hx-history="false">\n'
)
#: For the page that a frame of another document asks for.
OUT_OF_FRAME: Final = Markup('<meta name="turbo-visit-control" content="reload">\n')


def is_soft(environ: Mapping[str, Any]) -> bool:
    """Whether HTMX or Turbo asks, as far as they say so."""
    return any(name in environ for name in SOFT)


def is_part(environ: Mapping[str, Any], before: Seen) -> bool:
    """Whether the layout of one of our own pages asks for a part of itself: that must not take the page's place."""
    frame = "HTTP_TURBO_FRAME" in environ
    return before == "ours" and (frame or ("HTTP_HX_REQUEST" in environ and "HTTP_HX_BOOSTED" not in environ))


def full_load(environ: Mapping[str, Any], mark: Seen, status: int, at: MarkAt) -> dict[str, str]:
    """The headers that let a page with *mark* be loaded in full, if a document of another mark asks for it.

    Only pages that are asked for by GET: others can't be asked for again.
    """
    if environ.get("REQUEST_METHOD") != "GET":
        return {}
    if environ.get("HTTP_HX_REQUEST") == "true" or "HTTP_HX_HISTORY_RESTORE_REQUEST" in environ:
        # When history is restored, the browser's address is that of this page already, and tells nothing.
        restores = mark is not None and "HTTP_HX_HISTORY_RESTORE_REQUEST" in environ
        before = at(environ.get("HTTP_HX_CURRENT_URL", ""))
        if restores or (before != mark and not is_part(environ, before)):
            return {"HX-Redirect": own_address(environ)}
    if status >= 400 and "HTTP_X_TURBO_REQUEST_ID" in environ:
        before = at(environ.get("HTTP_REFERER", ""))
        if (mark is not None or before is not None) and not is_part(environ, before):
            # Turbo puts an error page into the document whatever its head says; what isn't HTML it loads in full, or,
            # in a frame, not at all.
            return {"Content-Type": "text/plain; charset=utf-8"}
    return {}


def head(environ: Mapping[str, Any], mark: Seen, at: MarkAt) -> Markup:
    """What the ``<head>`` of a page with *mark* tells Turbo and HTMX.

    A marked page sends no Referer, so a frame's request without one may come from there.
    """
    if mark is not None:
        return MARKED
    if "HTTP_TURBO_FRAME" in environ and at(environ.get("HTTP_REFERER", "")) not in (None, "ours"):
        return OUT_OF_FRAME
    return Markup()


def own_address(environ: Mapping[str, Any]) -> str:
    """Path and query of this request, as a browser can only read them; its site's root if there is no such way."""
    mount, path, query = (environ.get(key, "") for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"))
    escaped = quote(query.encode("latin-1", "replace"), safe=f"{IN_PATHS}?%")
    return address(mount, path, query) or address(mount, path, escaped) or address(mount, "/", "") or "/"


def marks_at(site: Site, environ: Mapping[str, Any]) -> MarkAt:
    """Tells the marks of *site*'s documents, for the request *environ*.

    By their paths: the browser vouches for the origin, which proxies often hide. Where no view is marked, it only
    matters which are ours.
    """
    unknown: Seen = "unknown" if site.marks_any() else None

    def at(url: str) -> Seen:
        if not url or environ.get("HTTP_SEC_FETCH_SITE", "same-origin") != "same-origin":
            return unknown
        try:
            path = unquote(urlsplit(url).path, errors="strict")
            mount = environ.get("SCRIPT_NAME", "").encode("latin-1").decode().rstrip("/")
        except ValueError:
            return unknown
        if not path.startswith(f"{mount}/"):
            return unknown
        endpoint = endpoint_at(site.app, environ, path.removeprefix(mount))
        return seen(site, endpoint) if endpoint is not None else unknown

    return at


def seen(site: Site, endpoint: str | None) -> Seen:
    """What a document of the view behind *endpoint* counts as."""
    return "ours" if is_ours(endpoint) else site.mark(endpoint)


def matters(site: Site, environ: Mapping[str, Any], place: Place) -> bool:
    """Whether it matters where a document at *place* stands: a view is marked, or it or its asker is ours."""
    if place.apart:
        return True
    asker = environ.get("HTTP_HX_CURRENT_URL")
    if asker is None and "HTTP_X_TURBO_REQUEST_ID" in environ:
        asker = environ.get("HTTP_REFERER")
    return asker is not None and site.settings.url_prefix in asker


def endpoint_at(app: Flask, environ: Mapping[str, Any], path: str) -> str | None:
    """The endpoint of *app* whose page is at *path* on the host of *environ*; None for none."""
    try:
        adapter = app.create_url_adapter(Request(dict(environ)))
        if adapter is None:
            return None
        try:
            found = adapter.match(path, method="GET")
        except MethodNotAllowed as error:
            # The page that answered a form.
            found = adapter.match(path, method=next(iter(error.valid_methods or ()), None))
    except HTTPException:
        return None
    endpoint: str = found[0]
    return endpoint
