"""The public pages: home, how billing works, films, and the two policies."""

from flask import Blueprint, abort, make_response, render_template
from flask.typing import ResponseReturnValue

from consent import current_consent
from demo_site import experiment
from demo_site.extensions import consent
from demo_site.films import FILMS

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """The home page, with one of the two call-back boxes."""
    variant = experiment.pick()
    response = make_response(render_template("site/home.html", variant=variant))
    experiment.count_shown(response, variant)
    return response


@blueprint.get("/how-billing-works")
def billing() -> str:
    """What a bill is made of: a film for those who allow it, the same in words for everybody."""
    return render_template("site/billing.html", films=FILMS, talks=declared("talks"))


@blueprint.get("/films/<slug>")
@consent.required("videos")
def film(slug: str) -> str:
    """One film, large. The page is nothing but the film, so it asks first."""
    return render_template("site/film.html", film=FILMS[slug]) if slug in FILMS else abort(404)


@blueprint.get("/privacy")
def privacy() -> str:
    """The privacy policy."""
    return render_template("site/privacy.html")


@blueprint.get("/cookies")
def cookies() -> str:
    """Everything stored and loaded, from the policy file itself."""
    return render_template("site/cookies.html")


def declared(service: str) -> bool:
    """Whether the policy in force knows *service*: revision 2 of the demo's has one more than revision 1."""
    try:
        current_consent.reason(service)
    except LookupError:
        return False
    return True
