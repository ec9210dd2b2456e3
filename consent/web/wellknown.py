"""``/.well-known/gpc.json``: that this site acts on Global Privacy Control (GPC-03)."""

from flask import Blueprint, Flask, Response, current_app, jsonify, request

from consent.web.site import current_site

PATH = "/.well-known/gpc.json"
#: For a day; it changes with the policy.
CACHED = "public, max-age=86400"

blueprint = Blueprint("consent_wellknown", __name__)


def register(app: Flask) -> None:
    """Let *app* say so at its root, wherever the visitor's pages are mounted."""
    app.register_blueprint(blueprint)


@blueprint.get(PATH)
def gpc() -> Response:
    """The site's word, the same for everybody; the host's own view where it has one at this address."""
    if own := host_endpoint(current_app._get_current_object()):  # type: ignore[attr-defined]
        return current_app.make_response(current_app.ensure_sync(current_app.view_functions[own])())
    site = current_site()
    response = jsonify(gpc=True, lastUpdate=site.policy.effective.isoformat())
    response.headers["Cache-Control"] = CACHED
    return response


def host_endpoint(app: Flask) -> str | None:
    """The endpoint of *app*'s own view at this address, which it may have got before ours or after; None without."""
    rules = app.url_map.iter_rules()
    found = (each for each in rules if each.rule == PATH and each.endpoint != request.endpoint)
    return next((each.endpoint for each in found if "GET" in (each.methods or ())), None)
