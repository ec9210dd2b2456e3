"""Visit statistics: which pages are read and which links are followed by those who allow it."""

from datetime import timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from consent import current_consent
from demo_site import experiment, tally
from demo_site.extensions import csrf
from demo_site.preferences import set_cookie

blueprint = Blueprint("statistics", __name__)

COOKIE = "visit"
LIFETIME = timedelta(minutes=30)

#: Endpoint → what it is counted as. What is not listed is not counted; of the topics only that one was read.
PAGES = {
    "pages.home": "Home",
    "pages.billing": "How billing works",
    "pages.film": "Films",
    "pages.privacy": "Privacy policy",
    "pages.cookies": "Cookies",
    "topics.index": "Health topics, all together",
    "topics.topic": "Health topics, all together",
    "statistics.overview": "What we count",
    "witness.requests": "What the third party saw",
}

#: What ``data-link`` says in the templates → what it is counted as.
LINKS = {
    "pay": "Pay an invoice",
    "billing": "How billing works",
    "call-back": "Request a call-back",
    "topics": "Read the topics",
    "counting": "What we count",
}


@blueprint.after_app_request
def count_page(response: Response) -> Response:
    """Counts the page that *response* brings, if it is a listed one and its reader allows it."""
    page = PAGES.get(request.endpoint or "")
    wanted = request.method == "GET" and response.status_code == 200 and "Sec-Purpose" not in request.headers
    if page and wanted and current_consent.allows("statistics"):
        tally.add("page", page)
        if COOKIE not in request.cookies:
            tally.add("visit", "all")
            tally.forget_old()
        # says only that a visit is going on: the same text for everybody
        set_cookie(response, COOKIE, "1", LIFETIME)
    return response


@blueprint.post("/what-we-count/links")
@csrf.exempt
def count_link() -> ResponseReturnValue:
    """Counts a link that was followed. ``links.js`` sends its name, from our own pages only."""
    name = request.form.get("link", "")
    if request.headers.get("Sec-Fetch-Site") != "same-origin" or name not in LINKS:
        return "", 400
    if current_consent.allows("statistics"):
        tally.add("link", name)
    return "", 204


@blueprint.get("/what-we-count")
def overview() -> str:
    """The numbers themselves, and the result of the A/B test."""
    a, b = experiment.outcomes()
    links = tally.totals("link")
    return render_template(
        "site/counting.html",
        visits=tally.totals("visit").get("all", 0),
        pages=tally.totals("page"),
        links={label: links.get(name, 0) for name, label in LINKS.items()},
        outcomes=(a, b),
        result=experiment.judge(a, b),
        counted=current_consent.allows("statistics"),
    )
