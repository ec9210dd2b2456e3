"""Our gate around sites that set cookies, under policies of several sizes."""

import sys
import time
import uuid
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from flask import Flask, Response, request

from benchmarks.page import KEY
from benchmarks.subjects.queries import Statements
from benchmarks.worker import Case, serve
from benchmarks.wsgi import Environ, environ, fetch, same, side
from consent import Consent
from consent.decision import Answer, decide

ITEMS, COOKIES = (10, 500), (0, 1, 10)
HEAD = """
revision = 1
effective = 2026-11-01
language = "en"
controller = { name = "Clinic", site = "https://clinic.example", contact = "privacy@clinic.example" }
"""
SERVICE = """
[services.service{number}]
category = "performance"
purposes = ["measurement"]
title = "Service {number}"
text = "Counts visits."
cookies = {{ {cookies} }}
"""


def policy(items: int) -> str:
    """A policy with so many cookies, ten in each service; every tenth is a name with a star."""
    services = []
    for number in range(items // 10):
        names = [f"c{number}_{place}" for place in range(9)] + [f"w{number}_*"]
        cookies = ", ".join(f'"{name}" = "30 days"' for name in names)
        services.append(SERVICE.format(number=number, cookies=cookies))
    return HEAD + "".join(services)


def plain() -> Flask:
    """The site without it. Views set the cookies whose names the query gives."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = KEY

    @app.get("/")
    def set_cookies() -> Response:
        response = Response("Hello")
        for name in filter(None, request.query_string.decode().split(",")):
            response.set_cookie(name, "1", max_age=86_400)
        return response

    return app


def gated(folder: Path, items: int) -> Flask:
    """The site with it, under a policy of so many *items*."""
    own = folder / str(items)
    own.mkdir()
    (own / "consent.toml").write_text(policy(items))
    app = plain()
    app.config.from_mapping(
        CONSENT_POLICY=own / "consent.toml", CONSENT_DATABASE=f"sqlite:///{own}/ledger.sqlite3"
    )
    Consent(app)
    return app


def visitor(app: Flask) -> str:
    """The ``Cookie`` header of a new visitor who granted everything."""
    site = app.extensions["consent"]
    everything = frozenset(service.key for service in site.policy.optional_services)
    decision = decide(
        site.policy,
        Answer(granted=everything),
        before=None,
        now=int(time.time()),
        profile="default",
        source="banner",
        new_subject=uuid.uuid4(),
    )
    return f"{site.settings.cookie(secure=True)}={site.codec.encode(decision)}"


def setting(names: Sequence[str], cookie: str) -> Environ:
    """A request of the visitor with *cookie* for the page that sets cookies of these *names*."""
    return {**environ(cookie=cookie), "QUERY_STRING": ",".join(names)}


def unseen(app: Flask, cookies: int) -> Callable[[int], Sequence[Environ]]:
    """Requests of visitors, for cookies, that the process has never seen."""
    numbers = count()

    def make(calls: int) -> Sequence[Environ]:
        return [setting([f"w0_{next(numbers)}" for _ in range(cookies)], visitor(app)) for _ in range(calls)]

    return make


def main() -> None:
    """See that the gate lets everything out, then wait for orders."""
    statements = Statements()
    bare = plain().wsgi_app
    cases = {}
    for items in ITEMS:
        app = gated(Path(sys.argv[1]), items)
        full, known = app.wsgi_app, visitor(app)
        for cookies in COOKIES:
            made = setting(
                [f"c0_{place}" for place in range(9)][:cookies] + ["w0_a"] * (cookies == 10), known
            )
            if len(fetch(full, dict(made))[1].get("set-cookie", "")) == 0 and cookies:
                raise RuntimeError("the gate keeps back what was granted")
            cases[f"{items} items, {cookies} set"] = Case(
                bare=side(bare, same(made)), full=side(full, same(made))
            )
            new = unseen(app, cookies)
            cases[f"{items} items, {cookies} set, first sight"] = Case(
                bare=side(bare, new), full=side(full, new)
            )
    serve(cases, packages=["Flask", "Werkzeug"], counted=statements.made_by)


if __name__ == "__main__":
    main()
