"""What the browser's own signal, Global Privacy Control, ends of an earlier answer (GPC-04, GPC-06)."""

from consent.decision import Decision, end_by_signal
from consent.web.answering import Asked, take_signal
from consent.web.cookie import choice_cookie
from consent.web.deciding import announce
from consent.web.limits import TooMany
from consent.web.request import ConsentRequest

#: Seconds until the ledger is tried again after it couldn't record one.
TRY_AGAIN = 2.0


def signalled(visitor: ConsentRequest) -> Decision | None:
    """The decision that the signal of this request leads to; None when it ends nothing.

    Nothing of a child's is changed or recorded: everything optional is off as it is (CH-01).
    """
    if "HTTP_SEC_GPC" not in visitor.environ or not visitor.signal or visitor.site.minor():
        return None
    read = visitor.read
    held = visitor.decision
    standing = held.standing(visitor.lifetimes, now=visitor.now) if held else None
    after = end_by_signal(visitor.site.policy, standing) if standing else None
    if after is None:
        visitor.read = read  # a response that doesn't depend on the answer stays as it was
    return after


def honour(visitor: ConsentRequest) -> list[tuple[str, str]]:
    """End what the signal ends and record that once; the header that sets the cookie to what holds now, if any.

    For HTML documents (GET) only, before leftovers are looked for: from then on the request goes by the new
    decision. What can't be recorded now takes effect all the same, and the cookie carries the event.
    """
    held = visitor.decision if signalled(visitor) else None
    if held is None:
        return []
    site, now = visitor.site, visitor.site.recorder.steady()
    outcome = take_signal(
        site.recorder,
        Asked(
            source="signal",
            notice=None,
            language=visitor.language,
            profile=visitor.profile,
            signal=True,
            address=visitor.environ.get("REMOTE_ADDR"),
        ),
        held=held,
        now=site.clock(),
        lifetimes=visitor.lifetimes,
        patient=now >= site.late_at,
    )
    if outcome is None or outcome.after is None:
        return []
    if outcome.failure and not isinstance(outcome.failure, TooMany):
        site.late_at = now + TRY_AGAIN
    visitor.replace(outcome.after)
    announce(site, outcome)
    return [("Set-Cookie", choice_cookie(site, outcome.after, secure=visitor.secure))]
