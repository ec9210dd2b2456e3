"""The choice cookie on the wire, and the deletions that go with an answer."""

from flask import Request, Response

from consent.decision import Decision
from consent.web.expiry import deletions, refused_cookies
from consent.web.site import Site


def set_choice(response: Response, site: Site, decision: Decision, request: Request) -> None:
    """Send *decision* as the signed cookie. It lives as long after a refusal as after a grant (TTL-01).

    Its end counts from the time of the answer, so that sending it again renews nothing (CK-03, CK-05).
    """
    now = int(site.clock())
    domain = site.settings.cookie_domain
    response.set_cookie(
        site.settings.cookie(secure=request.is_secure),
        site.codec.encode(decision),
        max_age=max(0, decision.at + site.lifetimes(decision.profile).refusal - now),
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
        path="/",
        domain=domain,
    )


def expire_refused(response: Response, site: Site, allowed: frozenset[str], request: Request) -> None:
    """Delete in the browser what services outside *allowed* have stored as cookies."""
    own = {site.settings.cookie(secure=True), site.settings.cookie(secure=False)}
    for value in deletions(
        refused_cookies(site.policy, allowed),
        sent=request.cookies.keys() - own,
        host=request.host.rpartition(":")[0] or request.host,
        secure=request.is_secure,
    ):
        response.headers.add("Set-Cookie", value)
