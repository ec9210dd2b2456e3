"""One request's way through one app, from its gate to Flask and back: which view answers it."""

from typing import Any, Final, cast

from flask import Flask, Request, request
from werkzeug.local import LocalProxy

from consent.web.returning import address

#: Where the views of a request stand in ``environ``, by the site of the app that it passes.
VIEWS: Final = "consent"
#: Where Flask's own request stands.
FLASK: Final = "werkzeug.request"
#: What is left of a request for who holds its view all the same: the careful answer, as if it had the signal.
GONE: Final = {"HTTP_SEC_GPC": "1"}
#: Flask's proxy, typed as such: the object behind it is looked up once instead of at each use.
REQUEST = cast("LocalProxy[Request]", request)


class Passage:
    """One request's way through one app."""

    def __init__(self, environ: dict[str, Any]) -> None:
        #: The server's; Flask's, once its request has been seen: a middleware may have given it a copy.
        self.environ = environ
        #: Flask's, once it has been seen.
        self.request: Request | None = None
        #: Whether the response's headers have left.
        self.left = False
        #: Whether it has been seen with another ``environ`` than the server's.
        self.strayed = False
        self._endpoint: str | None = None

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the view that answers; None for no view, and before Flask has looked for one."""
        found = self.request or self.found
        if found is None:
            return self._endpoint
        rule = found.url_rule
        return None if rule is None else rule.endpoint

    @property
    def routed(self) -> bool:
        """Whether Flask has looked for the view that answers, or never will."""
        found = self.request or self.found
        return found is None or bool(found.url_rule or found.routing_exception)

    @property
    def found(self) -> Request | None:
        """Flask's request, seen or not; None where a middleware has answered."""
        found = self.request or self.environ.get(FLASK)
        return found if isinstance(found, Request) else None

    @property
    def sends_signal(self) -> bool:
        """Whether the browser sends Global Privacy Control: a ``Sec-GPC`` of exactly ``1`` (GPC-01)."""
        return any(value.strip(" \t") == "1" for value in self.environ.get("HTTP_SEC_GPC", "").split(","))

    @property
    def mount(self) -> str:
        """The path below which the app lies, as an address writes it; empty at the top."""
        script = self.environ.get("SCRIPT_NAME", "")
        return (address(script, "", "") or "") if script else ""

    @property
    def address(self) -> str | None:
        """Path and query of this page, to return to; None for what can't be asked for by following a link."""
        environ = self.environ
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return None
        return address(
            environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
        )

    @property
    def secure(self) -> bool:
        """Whether the request came over HTTPS."""
        return self.environ.get("wsgi.url_scheme") == "https"

    def leave(self) -> None:
        """The headers leave: let go of what leads back here, so that nobody has to look for it as garbage.

        Whoever asks in the current request once more brings it along again.
        """
        self.left, self._endpoint = True, self.endpoint
        self.request, self.environ = None, GONE


def leads_straight(app: Flask) -> bool:
    """Whether nothing stands between Flask and what is put around ``app.wsgi_app`` now."""
    return getattr(app.wsgi_app, "__func__", None) is Flask.wsgi_app
