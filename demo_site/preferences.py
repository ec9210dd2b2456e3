"""What a visitor likes: language and sign-in name. Kept on the device only when the visitor allows it."""

import re
from datetime import timedelta

from flask import Blueprint, Flask, g, request, session
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response

from consent import consent_withdrawn, current_consent
from demo_site.wording import LANGUAGES

blueprint = Blueprint("preferences", __name__)

LANGUAGE_COOKIE = "language"
LANGUAGE_LIFETIME = timedelta(days=365)
NAME_COOKIE = "signin_name"
NAME_LIFETIME = timedelta(days=180)
NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


def language() -> str:
    """The visitor's language: asked for now, remembered, chosen in this visit, or the browser's; else English."""
    if "language" not in g:
        g.language = (
            known(request.args.get("lang"))
            or remembered_language()
            or known(session.get("language"))
            or request.accept_languages.best_match(LANGUAGES, default="en")
        )
    chosen: str = g.language
    return chosen


def known(tag: str | None) -> str | None:
    """*tag* if the demo speaks that language."""
    return tag if tag in LANGUAGES else None


def remembered_language() -> str | None:
    """The language kept on this device, when its visitor allows that."""
    return known(request.cookies.get(LANGUAGE_COOKIE)) if current_consent.allows("language") else None


@blueprint.after_app_request
def keep_language(response: Response) -> Response:
    """Keeps a language chosen by ``?lang=``: on the device if allowed, else in the session, for this visit."""
    if request.endpoint == "static":
        return response
    chosen = known(request.args.get("lang")) if request.method == "GET" else None
    if not current_consent.allows("language"):
        if chosen:
            session["language"] = chosen
    elif kept := chosen or known(session.pop("language", None)):
        set_cookie(response, LANGUAGE_COOKIE, kept, LANGUAGE_LIFETIME)
    return response


def stay_in_language(_app: Flask, *, withdrawn: frozenset[str], **_: object) -> None:
    """Whoever withdraws the remembered language still reads this visit's pages in it."""
    if "language" in withdrawn and (kept := known(request.cookies.get(LANGUAGE_COOKIE))):
        session["language"] = kept


@blueprint.record_once
def connect(state: BlueprintSetupState) -> None:
    """Listens to the answers given on this app."""
    consent_withdrawn.connect(stay_in_language, state.app)


def remembered_name() -> str:
    """The sign-in name kept on this device, when its visitor allows that; else an empty text."""
    name = request.cookies.get(NAME_COOKIE, "")
    return name if current_consent.allows("remember") and NAME.fullmatch(name) else ""


def remember_name(response: Response, name: str) -> None:
    """Keeps *name* on this device if its visitor allows that."""
    if current_consent.allows("remember") and NAME.fullmatch(name):
        set_cookie(response, NAME_COOKIE, name, NAME_LIFETIME)


def set_cookie(response: Response, name: str, value: str, lifetime: timedelta) -> None:
    """Sets a cookie that scripts can't read and that other sites' requests don't carry."""
    response.set_cookie(
        name, value, max_age=lifetime, httponly=True, samesite="Lax", secure=request.is_secure
    )
