"""Flask-Consent, in an environment of its own.

It keeps nothing on the server, so there is nothing of it to compare with a recorded decision.
"""

from flask import Flask, render_template, request
from flask_consent import Consent
from jinja2 import DictLoader

from benchmarks.page import ITEMS, KEY, source
from benchmarks.worker import Case, serve
from benchmarks.wsgi import HOST, Environ, environ, expect, same, side

#: What it sets itself, in the way Werkzeug quotes a cookie.
COOKIE = (
    '_consent="{\\"enabled\\": [\\"preferences\\"\\054 \\"analytics\\"]\\054 '
    '\\"last_updated\\": \\"2099-01-01T00:00:00\\"}"'
)

BANNER = """\
<p>We use cookies. {{ flask_consent_contact_mail }}</p>
{% for category in flask_consent_categories %}
<label><input type="checkbox" name="flask_consent_category" value="{{ category.name }}">
{{ category.title }}: {{ category.description }}</label>
{% endfor %}
<button id="flask_consent_banner_close">Save</button>
"""


def plain() -> Flask:
    """The site without it."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = KEY
    app.jinja_loader = DictLoader({"page.html": source()})
    app.add_url_rule("/", "text", lambda: "Hello")
    app.add_url_rule("/asked", "asked", lambda: "Hello")
    app.add_url_rule("/page", "page", lambda: render_template("page.html", title="Appointments", items=ITEMS))
    return app


def site() -> Flask:
    """The site with it, as its documentation sets it up."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = KEY
    app.jinja_loader = DictLoader(
        {"page.html": source(top="{{ flask_consent_code() }}"), "banner.html": BANNER}
    )
    app.config.from_mapping(
        CONSENT_FULL_TEMPLATE="banner.html",
        CONSENT_BANNER_TEMPLATE="banner.html",
        CONSENT_CONTACT_MAIL="privacy@clinic.example",
        CONSENT_PRIMARY_SERVERNAME=HOST,
    )
    consent = Consent(app)
    consent.add_standard_categories()
    app.add_url_rule("/", "text", lambda: "Hello")
    app.add_url_rule("/asked", "asked", lambda: f"Hello {request.consent['analytics']}")  # type: ignore[attr-defined]
    app.add_url_rule("/page", "page", lambda: render_template("page.html", title="Appointments", items=ITEMS))
    return app


def main() -> None:
    """See that it does what is to be measured, then wait for orders."""
    bare, full = plain().wsgi_app, site().wsgi_app
    expect(full, environ("/asked", cookie=COOKIE), holds="Hello True")
    expect(full, environ("/page"), holds="flask_consent_banner")

    def case(made: Environ) -> Case:
        return Case(bare=side(bare, same(made)), full=side(full, same(made)))

    serve(
        {
            "text": case(environ()),
            "text, cookie": case(environ(cookie=COOKIE)),
            "text, cookie, asked": case(environ("/asked", cookie=COOKIE)),
            "page, undecided": case(environ("/page")),
            "page, answered": case(environ("/page", cookie=COOKIE)),
        },
        packages=["Flask-Consent", "Flask", "Werkzeug"],
    )


if __name__ == "__main__":
    main()
