"""The two steps that follow an opt-out: the second brings a signed value back that only the first gives (TTL-08)."""

from itsdangerous import BadData

from consent.decision import selling
from consent.web.request import ConsentRequest
from consent.web.signing import serializer

#: Seconds for which the first step can be followed by the second.
VALID = 30 * 60
PURPOSE = "opt_in.2"


def contradicts(visitor: ConsentRequest, services: frozenset[str]) -> bool:
    """Whether an opt-in to *services* (keys) would turn them on against an opt-out or the browser's signal (GPC-06).

    An account's opt-out ends as a whole, so only with all that sells or shares; and not while nobody can say whose
    it is.
    """
    decision, account = visitor.decision, visitor.account
    if account is not None and account.opted_out:
        policy = visitor.site.policy
        sure = terms_of(visitor, services) | (decision.confirmed if decision else frozenset())
        return account.link is not None and selling(policy) <= sure
    return visitor.signal or (decision is not None and decision.opted_out)


def first_step(visitor: ConsentRequest, services: frozenset[str]) -> str:
    """What says that *visitor* was asked just now, under their account, about *services* (keys) as their terms are."""
    asked = [signed_in(visitor), sorted(terms_of(visitor, services))]
    return str(serializer(visitor.site, PURPOSE).dumps(asked))


def follows(visitor: ConsentRequest, services: frozenset[str], text: str | None) -> bool:
    """Whether *text* is the first step of an opt-in to *services*: of this account, to these terms, not too old."""
    try:
        account, terms = serializer(visitor.site, PURPOSE).loads(text or "", max_age=VALID)
    except BadData:
        return False
    return account is not None and account == signed_in(visitor) and terms_of(visitor, services) <= {*terms}


def terms_of(visitor: ConsentRequest, services: frozenset[str]) -> frozenset[str]:
    """The terms that *services* (keys) have today."""
    return frozenset(visitor.site.policy.terms[key] for key in services)


def signed_in(visitor: ConsentRequest) -> str | None:
    """The link of the account that is signed in; empty without one, None when nobody can say."""
    return visitor.account.link if visitor.account else ""
