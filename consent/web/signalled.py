"""What the browser's own signal, Global Privacy Control, ends of an earlier answer (GPC-02, GPC-04, GPC-06, GPC-09)."""

from consent.decision import Decision, end_by_signal, settled
from consent.errors import LedgerError
from consent.web.answering import Asked, take_account, take_signal
from consent.web.cookie import choice_cookie
from consent.web.limits import TooMany
from consent.web.request import ConsentRequest
from consent.web.signals import announce

#: Seconds until the ledger is tried again after it couldn't record one.
TRY_AGAIN = 2.0


def signalled(visitor: ConsentRequest) -> Decision | None:
    """The decision that the signal of this request leads to; None when it ends nothing.

    Nothing of a child's is changed or recorded: everything optional is off as it is (CH-01).
    """
    if not visitor.signal or visitor.minor:
        return None
    read = visitor.read
    held = visitor.decision
    standing = held.standing(visitor.lifetimes, now=visitor.now) if held else None
    after = end_by_signal(visitor.site.policy, standing, now=visitor.now) if standing else None
    if after is None:
        visitor.read = read  # a response that doesn't depend on the answer stays as it was
    return after


def honour(visitor: ConsentRequest) -> list[tuple[str, str]]:
    """End what the signal ends and record that once; the header that sets the cookie to what holds now, if any.

    For HTML documents (GET) only, before leftovers are looked for: from then on the request goes by the new
    decision. What can't be recorded now takes effect all the same, and the cookie carries the event.
    """
    return end(visitor, "signal")


def end_by_script(visitor: ConsentRequest) -> list[tuple[str, str]]:
    """The same where the page's script has seen the signal; if the header is there too, that is what is recorded."""
    return end(visitor, "signal" if visitor.sends_signal else "navigator")


def end(visitor: ConsentRequest, source: str) -> list[tuple[str, str]]:
    """End what the signal, seen by *source*, ends for this browser and for the account that is signed in."""
    held = visitor.decision if signalled(visitor) else None
    if held is None:
        opt_out_account(visitor, source)
        return []
    site, now = visitor.site, visitor.site.recorder.steady()
    outcome = take_signal(
        site.recorder,
        asked_by(visitor, source),
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
    cookie = choice_cookie(visitor, outcome.after)
    return [("Set-Cookie", visitor.sets(cookie))]


def asked_by(visitor: ConsentRequest, source: str) -> Asked:
    """Under what the signal came."""
    return Asked(
        source=source,
        notice=None,
        language=visitor.language,
        profile=visitor.profile,
        signal=True,
        address=visitor.environ.get("REMOTE_ADDR"),
        account=visitor.account.link if visitor.account else None,
    )


def opt_out_account(visitor: ConsentRequest, source: str) -> None:
    """Opt out the account that is signed in, unless it is. The next page tries again what can't be recorded now."""
    site = visitor.site
    if not awaits_opt_out(visitor) or site.recorder.steady() < site.late_at:
        return
    try:
        take_account(site.recorder, asked_by(visitor, source), now=site.clock())
    except TooMany:
        return
    except LedgerError:
        site.late_at = site.recorder.steady() + TRY_AGAIN
    visitor.forget_account()


def awaits_opt_out(visitor: ConsentRequest) -> bool:
    """Whether a signal of this visitor's would opt out an account: not one that confirmed all in spite of it."""
    account = visitor.account
    if account is None or account.link is None or account.opted_out or visitor.minor:
        return False
    read = visitor.read
    sure = settled(visitor.site.policy, visitor.decision)
    visitor.read = read
    return not sure


def unheard(visitor: ConsentRequest) -> tuple[str, bool] | None:
    """What a signal would stop that only scripts may see, and whether they should tell us of it (GPC-02).

    The first are the keys of what may run and then wouldn't, services, categories and carriers, parted by spaces. None
    where there is nothing to hear: nothing sells or shares, the request has the signal, or the visitor is a child.
    """
    site = visitor.site
    if not site.sells or visitor.sends_signal or visitor.minor:
        return None
    under = site.verdicts.verdict(
        visitor.decision,
        visitor.circumstances._replace(signal=True),
        lifetimes=visitor.lifetimes,
        now=visitor.now,
    )
    running, left = site.with_groups(visitor.elsewhere), site.with_groups(under.elsewhere)
    stopped = sorted({*running} - {*left})
    return " ".join(stopped), bool(stopped) or awaits_opt_out(visitor)
