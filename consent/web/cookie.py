"""The choice cookie on the wire, and the deletions that go with an answer."""

from flask import Request, Response
from werkzeug.http import dump_cookie

from consent.decision import Decision
from consent.web.expiry import deletions, refused_cookies
from consent.web.site import Site


def choice_cookie(site: Site, decision: Decision, *, secure: bool) -> str:
    """The ``Set-Cookie`` value that carries *decision*. It lives as long after a refusal as after a grant (TTL-01).

    Its end counts from the time of the answer, so that sending it again renews nothing (CK-03, CK-05).
    """
    return dump_cookie(
        site.settings.cookie(secure=secure),
        site.codec.encode(decision),
        max_age=max(0, decision.at + site.lifetimes_of(decision.profile).refusal - int(site.clock())),
        secure=secure,
        httponly=True,
        samesite="Lax",
        path="/",
        domain=site.settings.cookie_domain,
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
