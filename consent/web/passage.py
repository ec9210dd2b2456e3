"""One request's way through one app, from its gate to Flask and back."""

from typing import Any, cast

from flask import Request, request
from werkzeug.local import LocalProxy

from consent.web.site import Site

#: Flask's proxy, typed as such: the object behind it is looked up once instead of at each use.
REQUEST = cast("LocalProxy[Request]", request)


class Passage:
    """One request's way through the app of *site*, seen first by its gate, with the server's *environ*."""

    #: Flask's request, once it has been seen.
    request: Request | None = None
    #: Whether the response's headers have left.
    left = False

    def __init__(self, site: Site, environ: dict[str, Any]) -> None:
        self.site = site
        #: Flask's, once its request has been seen: a middleware may have given it a copy.
        self.environ = environ

    def see(self, request: Request) -> None:
        """Note Flask's own *request*, which knows its view."""
        self.request = request
        self.environ = request.environ

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the view that answers; None for no view, and before Flask has looked for one."""
        found = self.request or self.found
        rule = found.url_rule if found is not None else None
        return rule.endpoint if rule is not None else None

    @property
    def routed(self) -> bool:
        """Whether Flask has looked for the view that answers, or never will."""
        found = self.request or self.found
        return found is None or bool(found.url_rule or found.routing_exception)

    @property
    def found(self) -> Request | None:
        """Flask's request, seen or not; None where a middleware has answered."""
        found = self.request or self.environ.get("werkzeug.request")
        return found if isinstance(found, Request) else None
