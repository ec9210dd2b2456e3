"""Looptally, a made-up company on another origin: it plays films, counts with a web beacon, and sets cookies.

It behaves as such companies do. Whatever reaches it is noted and shown on the demo's page
"What the third party saw".
"""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask, abort, render_template, request
from werkzeug.wrappers import Response

from demo_site.films import FILMS
from demo_site.looptally.log import RequestLog, Seen

#: One transparent picture element.
DOT = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
DOT_COOKIE, DOT_LIFETIME = "lt_seen", timedelta(days=30)
FILM_COOKIE, FILM_LIFETIME = "lt_player", timedelta(days=90)


def create_third_party(log: Path) -> Flask:
    """The third party's app, which notes every request in the file *log*."""
    app = Flask(__name__)
    notes = RequestLog(log)

    @app.after_request
    def note(response: Response) -> Response:
        known = request.cookies.get(DOT_COOKIE) or request.cookies.get(FILM_COOKIE) or ""
        path = request.full_path.rstrip("?")
        notes.add(Seen(datetime.now(UTC).replace(microsecond=0), path, request.referrer or "", known[:6]))
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/dot.gif")
    def dot() -> Response:
        return recognise(Response(DOT, mimetype="image/gif"), DOT_COOKIE, DOT_LIFETIME)

    @app.get("/films/<slug>")
    def film(slug: str) -> Response:
        page = render_template("film.html", film=FILMS[slug]) if slug in FILMS else abort(404)
        return recognise(framed(Response(page, mimetype="text/html")), FILM_COOKIE, FILM_LIFETIME)

    @app.get("/posters/<slug>.svg")
    def poster(slug: str) -> Response:
        picture = render_template("poster.svg", film=FILMS[slug]) if slug in FILMS else abort(404)
        return Response(picture, mimetype="image/svg+xml")

    @app.get("/talk")
    def talk() -> Response:
        return framed(Response(render_template("talk.html"), mimetype="text/html"))

    @app.get("/")
    def about() -> str:
        return render_template("about.html")

    return app


def recognise(response: Response, cookie: str, lifetime: timedelta) -> Response:
    """*response* with a cookie by which the browser is known again. Partitioned, as many browsers refuse others."""
    if cookie not in request.cookies:
        value = secrets.token_hex(8)
        response.set_cookie(
            cookie, value, max_age=lifetime, secure=True, httponly=True, samesite="None", partitioned=True
        )
    return response


def framed(response: Response) -> Response:
    """*response* for a frame on the demo's pages, whatever their port."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors http://127.0.0.1:* http://localhost:*"
    )
    return response
