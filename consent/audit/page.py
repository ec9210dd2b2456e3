"""An auditor's page: a template of ours, with what all of these pages have."""

import re
from collections.abc import Collection
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from flask import Response, make_response, request, url_for

from consent.audit.row import Reader
from consent.audit.sample import SAID, is_sample
from consent.audit.tongue import tongue, tongue_at
from consent.audit.unbroken import unbroken
from consent.errors import LedgerError
from consent.web.assets import asset
from consent.web.site import current_site

#: The pages that each of them leads to, by endpoint, and what these are called there.
PAGES: Final = {
    "consent_audit.newest": "Log",
    "consent_audit.overview": "Overview",
    "consent_audit.ended": "Opt-outs and erasures",
    "consent_audit.policies": "Policies",
    "consent_audit.verification": "Verification",
}
#: What answers a form of one of these pages, as that page.
POSTED: Final = {"consent_audit.verify": "consent_audit.verification"}
#: What no page of ours has by itself, and a recorded text may have to turn round what is read beside it.
_HIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def reader() -> Reader:
    """The app's ledger, to read; LedgerError when it can't be opened."""
    return Reader(current_site().recorder.ledger)


def added() -> Collection[str]:
    """The names of what the app adds by itself to the address of this page (``url_defaults``)."""
    return parse_qs(urlsplit(url_for(request.endpoint or "")).query, keep_blank_values=True).keys()


def page(template: str, code: HTTPStatus, **context: object) -> Response:
    """The template ``consent/audit/<template>``, the site's or ours, in the component's own environment."""
    found = current_site().notices.environment.get_template(f"consent/audit/{template}")
    return make_response(visible(found.render(context_of(**context))), code)


def visible(html: str) -> str:
    """*html* with controls and direction marks written out, so that nothing recorded reads as something else."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), html)


def context_of(**context: object) -> dict[str, object]:
    """*context*, and what all of these pages have."""
    here = POSTED.get(request.endpoint or "", request.endpoint)
    return {
        "controller": current_site().policy.controller.name,
        "stylesheets": (asset("choices.css"), asset("audit.css")),
        "urls": {
            "list": url_for("consent_audit.newest"),
            "event": url_for("consent_audit.event"),
            "export": url_for("consent_audit.export"),
            "overview": url_for("consent_audit.overview"),
            "policies": url_for("consent_audit.policies"),
            "verification": url_for("consent_audit.verification"),
        },
        "pages": [(title, url_for(name), name == here) for name, title in PAGES.items()],
        "sample": sample_note(),
        "tongue": tongue,
        "tongue_at": tongue_at,
        "unbroken": unbroken,
        **context,
    }


def sample_note() -> str | None:
    """What is said of a log whose events are made up; None of any other, and of one that can't be read now."""
    try:
        return SAID if is_sample(current_site().recorder.ledger) else None
    except LedgerError:
        return None
