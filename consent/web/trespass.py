"""Views of the site's own at the addresses of the component's pages: one of the two is never seen."""

import re
from collections.abc import Iterator

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect, Rule

from consent.errors import Fault
from consent.web.guard import is_ours

_FIX = "Give it another address, or the component's pages: CONSENT_URL_PREFIX."
#: The parts of an address that are filled in, and what stands for them here.
_NUMBER, _FILLED = re.compile(r"<int:[^>]*>"), re.compile(r"<[^>]*>")


def trespasses(app: Flask) -> Iterator[Fault]:
    """The views of *app* that answer in the place of a page of the component, or in whose place such a page does."""
    rules, asked = list(app.url_map.iter_rules()), app.url_map.bind("localhost")
    ours = [rule for rule in rules if is_component(rule.endpoint)]
    for rule in ours:
        for method in methods(rule):
            if (other := answering(asked, rule, method)) and other != rule.endpoint:
                problem = f"it answers {method} {rule} in the place of the component's page {rule.endpoint}"
                yield Fault(f"view {other}", problem, _FIX)
    for rule in rules:
        if is_component(rule.endpoint) or all(str(rule) != str(each) for each in ours):
            continue
        for method in methods(rule):
            if (other := answering(asked, rule, method)) and is_component(other):
                problem = f"it never answers {method} {rule}, where the component's page {other} is"
                yield Fault(f"view {rule.endpoint}", problem, _FIX)


def is_component(endpoint: str) -> bool:
    """Whether *endpoint* is a page below the component's address, of visitors or of who watches and audits."""
    return is_ours(endpoint) or endpoint.startswith(("consent_audit.", "consent_monitoring."))


def methods(rule: Rule) -> list[str]:
    """The methods of *rule* that people's browsers send."""
    return sorted({"GET", "POST"} & (rule.methods or set()))


def answering(asked: MapAdapter, rule: Rule, method: str) -> str | None:
    """The endpoint that answers *method* at an address of *rule*; None where it leads on, or nothing does."""
    path = _FILLED.sub("x", _NUMBER.sub("1", rule.rule))
    try:
        endpoint, _ = asked.match(path, method=method)
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint)
