"""What every answer of the demo says to browsers: a strict content policy and one host name."""

from flask import Flask, current_app, redirect, request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response


def init_app(app: Flask) -> None:
    """Adds both to *app*."""
    app.before_request(one_host)
    app.after_request(harden)


def one_host() -> Response | None:
    """Sends a visitor of ``localhost`` to the site's own address: the third party is ``localhost``."""
    origin: str | None = current_app.config["DEMO_ORIGIN"]
    if origin is None or request.host_url.rstrip("/") == origin:
        return None
    return redirect(origin + request.full_path.rstrip("?"), 307)


def harden(response: Response) -> Response:
    """*response* with the headers that it does not set itself, and never without a policy for its content."""
    if "default-src" not in response.headers.get("Content-Security-Policy", ""):
        del response.headers["Content-Security-Policy"]
    for name, value in security_headers(current_app.config["DEMO_THIRD_PARTY"]):
        response.headers.setdefault(name, value)
    return response


def security_headers(third_party: str) -> Headers:
    """No inline script or style, nothing from elsewhere but pictures and films of *third_party*."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src 'self' {third_party}; frame-src 'self' {third_party}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return Headers(
        {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }
    )
