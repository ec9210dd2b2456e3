"""What the site's own code says that the policy doesn't bear out: cookies, guards, pages; and what it leaves unsaid."""

from collections.abc import Iterator
from datetime import timedelta

from flask import Flask

from consent.cli.forms import unmarked_forms
from consent.cli.templates import template_advice, template_faults, unknown_key
from consent.errors import Fault, did_you_mean
from consent.policy import Cookie, Policy
from consent.policy.parts import matches
from consent.web import guard
from consent.web.trespass import trespasses


def host_faults(app: Flask, policy: Policy) -> Iterator[Fault]:
    """What cannot be meant in *app* under *policy*."""
    yield from trespasses(app)
    yield from guarded_views(app, policy)
    yield from template_faults(app, policy)
    yield from pages(app, policy)
    yield from remembering(app, policy)


def guarded_views(app: Flask, policy: Policy) -> Iterator[Fault]:
    """Views behind ``consent.required(key)`` whose key the policy doesn't have: they would always fail."""
    for endpoint, view in sorted(app.view_functions.items()):
        for key in guard.keys_required(view):
            if problem := unknown_key(key, policy):
                yield Fault(f"view {endpoint}", *problem)


def pages(app: Flask, policy: Policy) -> Iterator[Fault]:
    """Services limited to pages that no view answers: they would never run."""
    for service in policy.services:
        for page in service.pages:
            if not any(matches(page, endpoint) for endpoint in app.view_functions):
                fix = did_you_mean(page, app.view_functions) or '"flask routes" lists the endpoints.'
                yield Fault(f"services.{service.key}.pages", f'"{page}" is the endpoint of no view', fix)


def remembering(app: Flask, policy: Policy) -> Iterator[Fault]:
    """Flask-Login's cookie that remembers a sign-in, where it is undeclared, or lives longer than declared."""
    lasts = remembered_for(app)
    if not lasts:
        return
    name, declared = remember_name(app), remember_cookie(app, policy)
    if declared is None:
        yield Fault(
            f"cookie {name}",
            "Flask-Login sets it when it remembers a sign-in, and no service declares it (INF-03)",
            f'Declare it: cookies = {{ "{name}" = "{lasts.days} days" }}, where sign-ins may be remembered.',
        )
    elif declared.lifetime is None or declared.lifetime.seconds < lasts.total_seconds():
        yield Fault(
            f"cookie {name}",
            f"Flask-Login keeps it for {lasts.days} days, the policy declares "
            f'"{declared.lifetime or "session"}" (INF-02)',
            "Set REMEMBER_COOKIE_DURATION to what is declared, or declare what is so.",
        )


def host_advice(app: Flask, policy: Policy) -> Iterator[Fault]:
    """What may be meant in *app* but should be looked at."""
    yield from template_advice(app, policy)
    yield from unmarked_forms(app, policy)
    yield from lost_marks(app)
    secret = app.secret_key or ""
    if len(secret) < 16:
        yield Fault(
            "SECRET_KEY",
            f"it has {len(secret)} characters, few enough to be guessed, and who knows it can forge answers",
            "Set it to the output of: python -c 'import secrets; print(secrets.token_hex())'",
        )


def lost_marks(app: Flask) -> Iterator[Fault]:
    """Views that lost the mark of the function they were made of, because a decorator between doesn't keep it."""
    for endpoint in sorted(app.view_functions):
        if guard.loses_mark(app, endpoint):
            yield Fault(
                f"view {endpoint}",
                "it has no mark, but holds a function that has one, as a decorator does that doesn't keep it",
                "Put the mark right below the route, or functools.wraps into the decorator.",
            )


def remembered_for(app: Flask) -> timedelta | None:
    """How long Flask-Login's cookie remembers a sign-in, 0 where it does none; None without Flask-Login."""
    if not hasattr(app, "login_manager"):
        return None
    duration = app.config.get("REMEMBER_COOKIE_DURATION", timedelta(days=365))
    return duration if isinstance(duration, timedelta) else timedelta(seconds=duration)


def remember_name(app: Flask) -> str:
    """What Flask-Login calls that cookie."""
    return str(app.config.get("REMEMBER_COOKIE_NAME", "remember_token"))


def remember_cookie(app: Flask, policy: Policy) -> Cookie | None:
    """The declaration of that cookie."""
    cookies = (cookie for service in policy.services for cookie in service.cookies)
    return next((cookie for cookie in cookies if cookie.matches(remember_name(app))), None)
