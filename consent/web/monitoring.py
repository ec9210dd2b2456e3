"""Two addresses for who watches over the site, only where it says who may: what is counted, and whether all is well."""

from http import HTTPStatus

from flask import Blueprint, Flask, Response, abort, make_response

from consent.web.concealment import gives_away
from consent.web.signals import item_blocked
from consent.web.site import Site, asked, current_site

#: The text format that every Prometheus reads.
FORMAT = "text/plain; version=0.0.4; charset=utf-8"

blueprint = Blueprint("consent_monitoring", __name__)


def register(app: Flask, site: Site) -> None:
    """Add the two to *app*, and count what the gate keeps back. Only for a *site* with ``CONSENT_METRICS``."""
    metrics = site.recorder.metrics
    assert metrics is not None
    app.register_blueprint(blueprint, url_prefix=site.settings.url_prefix)
    item_blocked.connect(metrics.stopped, sender=app, weak=False)


@blueprint.before_app_request
def hide() -> None:
    """One of these addresses asked for in a way that Flask answers before :func:`admit` is asked."""
    prefix = current_site().settings.url_prefix
    if gives_away(f"{prefix}/metrics", f"{prefix}/health"):
        admit()


@blueprint.before_request
def admit() -> None:
    """Let in whom the site lets in; for all others there is nothing here."""
    may = current_site().settings.metrics
    if may is None or not asked(may, False):
        abort(HTTPStatus.NOT_FOUND)


@blueprint.get("/metrics")
def metrics() -> Response:
    """What is counted, and what the log says of itself, as Prometheus reads it."""
    counted = current_site().recorder.metrics
    assert counted is not None
    return plain(counted.text(lambda: current_site().recorder.ledger), HTTPStatus.OK, FORMAT)


@blueprint.get("/health")
def health() -> Response:
    """200 when all is well with the log; else 503, and what is wrong in sentences."""
    if problems := current_site().recorder.problems():
        return plain("\n".join(problems) + "\n", HTTPStatus.SERVICE_UNAVAILABLE)
    return plain("well\n", HTTPStatus.OK)


def plain(body: str | bytes, code: HTTPStatus, kind: str = "text/plain; charset=utf-8") -> Response:
    """A response that nobody keeps."""
    response = make_response(body, code)
    response.headers["Content-Type"] = kind
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
