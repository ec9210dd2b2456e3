"""The choice cookie on the wire."""

from werkzeug.http import dump_cookie

from consent.decision import Decision
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
