"""One request's way through one app, from its gate to Flask and back, kept in ``environ["consent"]``.

The gate and all that asks in between share it, also where a middleware gives Flask a copy of ``environ``.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Request, request
from werkzeug.local import LocalProxy

from consent.web.site import Site

if TYPE_CHECKING:
    from consent.web.request import ConsentRequest

ENVIRON: Final = "consent"
#: Flask's proxy, typed as such: the object behind it is looked up once instead of at each use.
REQUEST = cast("LocalProxy[Request]", request)


@dataclass(slots=True, eq=False)
class Passage:
    """One request's way through one app."""

    environ: dict[str, Any]
    """The gate's."""
    request: Request | None = None
    """Flask's, once it has been seen."""
    view: "ConsentRequest | None" = None
    left: bool = False
    """Whether the response's headers have left."""

    @property
    def endpoint(self) -> str | None:
        """The endpoint that Flask has found for the request; None for no view, and as long as it hasn't looked."""
        found = self.request or self.found
        return found.endpoint if found else None

    @property
    def routed(self) -> bool:
        """Whether Flask has looked for the view that answers, or never will."""
        found = self.found
        return found is None or bool(found.url_rule or found.routing_exception)

    @property
    def found(self) -> Request | None:
        """Flask's request; None where a middleware has answered."""
        found = self.request or self.environ.get("werkzeug.request")
        return found if isinstance(found, Request) else None


def entered(site: Site, environ: dict[str, Any]) -> Passage:
    """A new passage of the request through *site*'s app, noted beside those through other apps."""
    made = Passage(environ)
    outer = environ.get(ENVIRON)
    environ[ENVIRON] = {**outer, site: made} if outer else {site: made}
    return made


def see(site: Site, endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Note Flask's own request, which knows its view: a middleware may have given Flask a copy of ``environ``."""
    current = REQUEST._get_current_object()
    passage_of(site, current.environ).request = current


def passage_of(site: Site, environ: dict[str, Any]) -> Passage:
    """The request's passage through *site*'s app; a new one where it came past the gate."""
    try:
        found: Passage = environ[ENVIRON][site]
    except KeyError:
        return entered(site, environ)
    return found
