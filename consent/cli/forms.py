"""Views that ask who somebody is and carry no mark, as far as that shows without running the site."""

import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType, FunctionType

from flask import Flask

from consent.cli.templates import read, source_of
from consent.errors import Fault
from consent.policy import Policy
from consent.web.guard import View, left_unmarked, mark_of

#: Words in the address or endpoint of a view that takes a form, and what people write there is their own.
WORDS = frozenset(
    re.findall(
        r"\w+",
        "login logon signin signup register registration account profile password portal billing payment pay checkout "
        "appointment booking contact callback message enquiry inquiry patient prescription referral newsletter",
    )
)
#: Blueprints of ours.
OURS = frozenset({"consent", "consent_audit", "consent_wellknown"})
FIX = (
    "Put @consent.sensitive above it, or @consent.first_party, or mark its blueprint; "
    "@consent.unmarked if it is meant to have none."
)
INCLUDED = re.compile(r"""\binclude\s+["']([^"']+)["']""")


def unmarked_forms(app: Flask, policy: Policy) -> Iterator[Fault]:
    """Views without a mark that take a sign-in or a form with what somebody says of themselves, each once.

    Where no other company's service could run without an agreement, a mark would keep nobody out, and nothing is
    said.
    """
    foreign = any(service.provider != "self" and not service.agreement for service in policy.services)
    if not foreign and all(carrier.provider == "self" for carrier in policy.carriers):
        return
    for endpoint, view in sorted(app.view_functions.items()):
        if endpoint.partition(".")[0] in OURS or endpoint.rpartition(".")[2] == "static":
            continue
        if mark_of(app, endpoint) is not None or left_unmarked(app, endpoint):
            continue
        if why := sign(app, policy, endpoint, view):
            problem = f"{why}, and it carries no mark, so other companies' services may run there"
            yield Fault(f"view {endpoint}", problem, FIX)


def sign(app: Flask, policy: Policy, endpoint: str, view: View) -> str | None:
    """By what *view* shows that somebody signs in there, or writes of themselves; None where nothing does."""
    if endpoint == getattr(getattr(app, "login_manager", None), "login_view", None):
        return "Flask-Login sends people there to sign in"
    rules = [rule for rule in app.url_map.iter_rules(endpoint) if "POST" in (rule.methods or ())]
    for rule in rules:
        if word := next((word for word in words(f"{rule.rule} {endpoint}") if word in WORDS), None):
            return f'it takes what is sent to {rule.rule}, by its name a form about a person ("{word}")'
    for template in sorted(templates_of(view)):
        if (place := field_in(app, policy, template)) is not None:
            return f"it shows a field for what says who somebody is ({place})"
    return None


def words(text: str) -> Iterator[str]:
    """The words of an address or endpoint, and each two that follow each other as one: "sign-in" as "signin"."""
    found = re.findall(r"[a-z]+", text.lower())
    yield from found
    yield from map("".join, pairwise(found))


def templates_of(view: View) -> set[str]:
    """The names of templates that the code of *view* holds, or of functions beside it that it calls."""
    view = getattr(view, "view_class", None) or inspect.unwrap(view)
    functions = (
        [each for each in vars(view).values() if isinstance(each, FunctionType)]
        if isinstance(view, type)
        else []
    )
    functions += [view] if isinstance(view, FunctionType) else []
    beside = [function.__globals__.get(name) for function in functions for name in function.__code__.co_names]
    functions += [
        each for each in beside if isinstance(each, FunctionType) and each.__module__ == view.__module__
    ]
    return {text for function in functions for text in texts(function.__code__) if text.endswith(ENDINGS)}


ENDINGS = (".html", ".htm", ".jinja", ".jinja2", ".j2")


def texts(code: CodeType) -> Iterator[str]:
    """The texts that *code* holds, and the functions in it."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from texts(constant)


def field_in(app: Flask, policy: Policy, name: str, depth: int = 3) -> str | None:
    """Where the template *name*, or one that it includes, has a field that asks who one is; None for nowhere.

    The layouts that it extends don't count: what stands on every page says nothing of one.
    """
    if (line := read(app, name, policy).field) is not None:
        return f"template {name}, line {line}"
    included = INCLUDED.findall(source_of(app, name)) if depth else []
    return next(filter(None, (field_in(app, policy, each, depth - 1) for each in included)), None)
