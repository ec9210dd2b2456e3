"""The visitor's answer on the wire: the signed cookie and, for pages from a cache, the one that scripts read."""

from typing import Final

from werkzeug.http import dump_cookie

from consent.decision import Decision
from consent.web.request import ConsentRequest

#: Characters of the readable cookie. Browsers keep 4,096 of one at most, and proxies so much of all headers.
MOST_SHOWN: Final = 1024


def choice_cookie(visitor: ConsentRequest, decision: Decision) -> str:
    """The ``Set-Cookie`` value that carries *decision*. It lives as long after a refusal as after a grant (TTL-01).

    Its end counts from the time of the answer, so that sending it again renews nothing (CK-03, CK-05).
    """
    site = visitor.site
    return dump_cookie(
        site.settings.cookie(secure=visitor.secure),
        site.codec.encode(decision),
        max_age=seconds_left(visitor, decision),
        secure=visitor.secure,
        httponly=True,
        samesite="Lax",
        path="/",
        domain=site.settings.cookie_domain,
    )


def readable_cookie(visitor: ConsentRequest) -> str | None:
    """The ``Set-Cookie`` value by which a page from a cache paints no banner for who has answered; None for none.

    It names the policy and what is on, as much as fits, and nobody: for the first paint only, in which the placeholder
    of an embed that it doesn't name stands for a moment. It isn't signed, and the server never goes by it. For who is
    to be asked it is deleted.
    """
    site, decision = visitor.site, visitor.decision
    name = site.settings.readable_cookie(secure=visitor.secure)
    settled = decision is not None and visitor.decided
    if not settled and f"{name}=" not in visitor.environ.get("HTTP_COOKIE", ""):
        return None
    on = ".".join([site.digest, *site.with_groups(visitor.elsewhere - site.always_on)])
    if len(on) > MOST_SHOWN:
        on = on[:MOST_SHOWN].rpartition(".")[0]
    return dump_cookie(
        name,
        on if settled else "",
        max_age=seconds_left(visitor, decision) if decision is not None and settled else 0,
        secure=visitor.secure,
        samesite="Lax",
        path="/",
        domain=site.settings.cookie_domain,
    )


def seconds_left(visitor: ConsentRequest, decision: Decision) -> int:
    """How long the cookies with *decision* live from now on."""
    site = visitor.site
    lifetimes = site.lifetimes_for(decision, visitor.profile)
    return decision.seconds_left(lifetimes, now=int(site.clock()))
