"""The raw limit: the least that a component costs which is called as ours is, and decides nothing.

It verifies a cookie as ours is signed, reads no policy, knows no page, and lets everything pass.
"""

import hashlib
import hmac
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from flask import Flask, render_template, render_template_string, request
from jinja2 import DictLoader
from markupsafe import Markup

from benchmarks.page import ITEMS, KEY, source
from benchmarks.subjects import flask_assent
from benchmarks.worker import Case, serve
from benchmarks.wsgi import HOST, Application, Environ, environ, expect, same, side

NAME: Final = "__Host-choices="
KEYED: Final = hmac.new(KEY.encode(), digestmod=hashlib.sha256)
PRIVATE: Final = [("Vary", "Cookie"), ("Cache-Control", "private")]
#: What our templates call, and the three of them that the page has.
CALLS: Final = ("head", "banner", "link", "block", "script", "embed", "pixel", "declaration", "signal")
CALLED: Final = CALLS[:3]


class View:
    """A request: its cookie's value, and whether somebody asked for it."""

    __slots__ = ("cookie", "read")

    def __init__(self, cookie: str) -> None:
        self.cookie = cookie
        self.read = False


@lru_cache(2048)
def granted(text: str) -> frozenset[str]:
    """What the cookie's value *text* allows."""
    body, _, signature = text.rpartition(".")
    return frozenset(body.split(".")) if hmac.compare_digest(signed(body), signature) else frozenset()


def signed(body: str) -> str:
    """The signature of *body*."""
    mac = KEYED.copy()
    mac.update(body.encode())
    return urlsafe_b64encode(mac.digest()).decode()


def here() -> View:
    """The current request's view."""
    view: View = request.environ["limit"]
    view.read = True
    return view


def allows(key: str) -> bool:
    """Whether *key* may run."""
    return key in granted(here().cookie)


def gate(application: Application) -> Application:
    """*application*, whose responses no shared cache keeps where somebody asked."""

    def passed(environ: Environ, start_response: Callable[..., Any]) -> Any:
        view = environ["limit"] = View(environ.get("HTTP_COOKIE", "")[len(NAME) :])

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            return start_response(status, headers + PRIVATE if view.read else headers)

        return application(environ, start)

    return passed


def site(texts: dict[str, Markup]) -> Flask:
    """The site with it; *texts*: what the calls of its page return."""

    def call(name: str) -> Callable[[], Markup]:
        text = texts.get(name, Markup())

        def called() -> Markup:
            here()
            return text

        return called

    app = Flask(__name__)
    app.config["SECRET_KEY"] = KEY
    head, top, foot = (f"{{{{ consent_{name}() }}}}" for name in CALLED)
    app.jinja_loader = DictLoader({"page.html": source(head=head, top=top, foot=foot)})
    for name in CALLS:
        app.add_template_global(call(name), f"consent_{name}")
    app.add_url_rule("/", "text", lambda: "Hello")
    app.add_url_rule("/asked", "asked", lambda: f"Hello {allows('performance')}")
    app.add_url_rule("/page", "page", lambda: render_template("page.html", title="Appointments", items=ITEMS))
    app.wsgi_app = gate(app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app


def our_texts(folder: Path) -> dict[str, Markup]:
    """What our calls return on the page with the banner."""
    ours = flask_assent.site(folder)
    with ours.test_request_context("/page", base_url=f"https://{HOST}"):
        return {name: Markup(render_template_string(f"{{{{ consent_{name}() }}}}")) for name in CALLED}


def main() -> None:
    """See that it does what is to be measured, then wait for orders."""
    bare, full = flask_assent.plain().wsgi_app, site(our_texts(Path(sys.argv[1]))).wsgi_app

    def cookie(number: int) -> str:
        body = f"1.{number}.default.b..performance"
        return f"{NAME}{body}.{signed(body)}"

    expect(full, environ("/asked"), holds="Hello False")
    expect(full, environ("/asked", cookie=cookie(0)), holds="Hello True")
    expect(full, environ("/asked", cookie=cookie(0)[:-2]), holds="Hello False")
    expect(full, environ("/page"), holds="pc-banner-form")

    def case(made: Environ) -> Case:
        return Case(bare=side(bare, same(made)), full=side(full, same(made)))

    seen = 0

    def first_seen(count: int) -> list[Environ]:
        nonlocal seen
        seen += count
        return [environ("/asked", cookie=cookie(seen - number)) for number in range(count)]

    serve(
        {
            "text": case(environ()),
            "text, cookie": case(environ(cookie=cookie(0))),
            "text, cookie, asked": case(environ("/asked", cookie=cookie(0))),
            "text, cookie at first sight, asked": Case(
                bare=side(bare, first_seen), full=side(full, first_seen)
            ),
            "page, undecided": case(environ("/page")),
        },
        packages=["Flask", "Werkzeug", "Jinja2"],
    )


if __name__ == "__main__":
    main()
