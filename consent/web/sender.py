"""Who sent a POST to the component's pages, and what the site's operator is told where it was refused."""

from typing import Final

from flask import Request

from consent.errors import Fault
from consent.web.origin import Origin, normal, own_origin, sender_of
from consent.web.request import ConsentRequest
from consent.web.site import Site

#: Characters of a header that are told: whoever sends it chooses how long it is.
TOLD: Final = 100
_PROXY: Final = (
    "If that is this site, a proxy hides it: wrap the app in werkzeug's ProxyFix, or name it in "
    "CONSENT_TRUSTED_ORIGINS."
)
_OTHER: Final = "If that is a page of this site's own, name its origin in CONSENT_TRUSTED_ORIGINS."
_NONE: Final = "Browsers send one or the other; a test or a program has to send such a header itself."
_FRAME: Final = "Nobody grants anything from within a frame."


def sender_noted(visitor: ConsentRequest, request: Request) -> Origin:
    """Who sent the form. That it came over an HTTPS which Flask doesn't see is noted."""
    site, own, origin = visitor.site, own_origin(request), request.headers.get("Origin") or ""
    sender = sender_of(request, site.settings.trusted_origins)
    if (
        request.scheme == "http"
        and origin.startswith("https:")
        and (sender is Origin.SAME or same_host(origin, own))
    ):
        site.findings.note("scheme", "https", None, "", unencrypted(own))
    return sender


def same_host(origin: str, own: str) -> bool:
    """Whether *origin*, on HTTPS, is *own* but for its scheme."""
    return normal(origin) == normal(f"https://{own.partition('://')[2]}")


def unencrypted(own: str) -> Fault:
    """That the site is on HTTPS, and Flask sees *own*."""
    return Fault(
        "HTTPS",
        f"the page of an answer is on HTTPS, and Flask sees {told(own)}, so the answer's cookie goes out without "
        "Secure and without the name __Host-",
        "Where a proxy ends HTTPS, wrap the app in werkzeug's ProxyFix.",
    )


def note_refused(site: Site, request: Request) -> None:
    """Tell the operator, once for each origin, that what *request* brought was refused for where it came from."""
    headers, own = request.headers, own_origin(request)
    origin, fetch = (headers.get(name) for name in ("Origin", "Sec-Fetch-Site"))
    sender = sender_of(request, site.settings.trusted_origins)
    said = [f"Origin {told(origin)}" if origin is not None else "no Origin"]
    said.append(f"Sec-Fetch-Site {told(fetch)}" if fetch is not None else "no Sec-Fetch-Site")
    fix = {Origin.FRAMED: _FRAME, Origin.UNKNOWN: _NONE}.get(sender, _PROXY if fetch is None else _OTHER)
    fault = Fault(
        "an answer refused (403)",
        f"it came with {' and '.join(said)}, and Flask sees this site as {told(own)}",
        fix,
    )
    site.findings.note("origin", (origin or "")[:TOLD], None, "", fault)


def told(header: str) -> str:
    """*header* in quotes, no longer than is told and without anything that a terminal would act on."""
    return ascii(header[:TOLD])
