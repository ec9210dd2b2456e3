"""Our own component in a small site, with the sample site's policy in its three languages, on SQLite."""

import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Flask, redirect, render_template, request
from jinja2 import DictLoader
from werkzeug import Response

from benchmarks.page import ITEMS, KEY, source
from benchmarks.place import ROOT
from benchmarks.subjects.queries import Statements
from benchmarks.worker import Case, serve
from benchmarks.wsgi import Application, Environ, environ, expect, fetch, same, side
from consent import Consent, current_consent
from consent.decision import Answer, CookieCodec, Decision, decide
from consent.web.site import Site

POLICY = ROOT / "demo_site" / "consent.toml"
DAY = 86_400


def plain() -> Flask:
    """The site without it."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = KEY  # without one Flask has no sessions, which would make it look cheaper
    app.jinja_loader = DictLoader({"page.html": source()})
    app.add_url_rule("/", "text", lambda: "Hello")
    app.add_url_rule("/asked", "asked", lambda: "Hello")
    app.add_url_rule("/page", "page", page)
    app.add_url_rule("/privacy-choices", "choices", take_nothing, methods=["POST"])
    return app


def page() -> str:
    """A page from a template."""
    return render_template("page.html", title="Appointments", items=ITEMS)


def take_nothing() -> Response:
    """Takes a POST and does nothing with it."""
    request.form.get("choice")
    return redirect("/", 303)


def site(folder: Path) -> Flask:
    """The site with it, its database in *folder*."""
    app = Flask(__name__, instance_path=str(folder))
    calls = {"head": "{{ consent_head() }}", "top": "{{ consent_banner() }}", "foot": "{{ consent_link() }}"}
    app.jinja_loader = DictLoader({"page.html": source(**calls)})
    app.config.from_mapping(SECRET_KEY=KEY, CONSENT_POLICY=POLICY)
    Consent(app)
    app.add_url_rule("/", "text", lambda: "Hello")
    app.add_url_rule("/asked", "asked", lambda: f"Hello {current_consent.allows('performance')}")
    app.add_url_rule("/page", "page", page)
    return app


class Visitors:
    """The cookies of those who visit the site *app*."""

    def __init__(self, app: Flask) -> None:
        self.site: Site = app.extensions["consent"]
        self.name = self.site.settings.cookie(secure=True)

    def decision(self, *, at: float | None = None, grant: bool = True) -> Decision:
        """A new visitor's answer: everything granted or refused, *at* some time, else now."""
        services = frozenset(service.key for service in self.site.policy.optional_services)
        nothing: frozenset[str] = frozenset()
        granted, refused = (services, nothing) if grant else (nothing, services)
        return decide(
            self.site.policy,
            Answer(granted=granted, refused=refused, withheld=nothing),
            before=None,
            now=int(time.time() if at is None else at),
            profile="default",
            source="banner",
            new_subject=uuid.uuid4(),
        )

    def cookie(self, decision: Decision | None = None, *, codec: CookieCodec | None = None) -> str:
        """The ``Cookie`` header of whoever gave *decision*, else of a new visitor who granted everything."""
        text = (codec or self.site.codec).encode(decision or self.decision())
        return f"{self.name}={text}"

    def hostile(self) -> dict[str, str]:
        """``Cookie`` headers that nobody got from us, or that hold no longer, by what is wrong with them."""
        good = self.cookie()
        other_key = CookieCodec(["another site's key"], self.site.policy.controller.site)
        other_site = CookieCodec([KEY], "https://another.example")
        last = "A" if good[-2] != "A" else "Q"
        return {
            "8 KiB": f"{self.name}=1." + "A" * 8192,
            "longest that is read": f"{self.name}=1." + "A" * 1534,
            "forged": f"{good[:-2]}{last}{good[-1]}",
            "truncated": good[: len(good) // 2],
            "not ASCII": f"{good}é",
            "twice": f"{good}; {good}",
            "500 times": "; ".join([f"{self.name}="] * 500),
            "foreign key": self.cookie(codec=other_key),
            "foreign site": self.cookie(codec=other_site),
            "from tomorrow": self.cookie(self.decision(at=time.time() + DAY)),
            "expired": self.cookie(self.decision(at=time.time() - 500 * DAY)),
            "empty": f"{self.name}=",
        }

    def first_seen(self, path: str) -> Callable[[int], Sequence[Environ]]:
        """GETs of *path*, each with a cookie that this process has never seen."""
        return lambda count: [environ(path, cookie=self.cookie()) for _ in range(count)]


def answers(notice: str) -> Callable[[int], Sequence[Environ]]:
    """New visitors' POSTs that accept everything, from as many addresses."""
    form = f"notice={notice}&from=banner&choice=all"
    seen = 0

    def make(count: int) -> Sequence[Environ]:
        nonlocal seen
        seen += count
        return [environ("/privacy-choices", form=form, address=seen - number) for number in range(count)]

    return make


def check(application: Application, visitors: Visitors) -> None:
    """See that the pages are those that are to be measured; RuntimeError otherwise."""
    expect(application, environ("/asked"), holds="Hello False")
    expect(application, environ("/asked", cookie=visitors.cookie()), holds="Hello True")
    expect(application, environ("/page"), holds="pc-banner-form")
    for cookie in visitors.hostile().values():
        expect(application, environ("/asked", cookie=cookie), holds="Hello False")


def main() -> None:
    """See that it does what is to be measured, then wait for orders."""
    statements = Statements()
    app = site(Path(sys.argv[1]))
    bare, full, visitors = plain().wsgi_app, app.wsgi_app, Visitors(app)
    check(full, visitors)
    good, refusal = visitors.cookie(), visitors.cookie(visitors.decision(grant=False))
    post = answers(visitors.site.notices.get("en", "default").hash)
    status, headers, _ = fetch(full, post(1)[0])
    if status != 303 or visitors.name not in headers.get("set-cookie", ""):
        raise RuntimeError(f"accepting: {status} {headers}")

    def case(inputs: Callable[[int], Sequence[Environ]]) -> Case:
        return Case(bare=side(bare, inputs), full=side(full, inputs))

    def hostile(application: Application, cookie: str) -> Case:
        made = environ("/asked", cookie=cookie)
        return Case(bare=side(application, same(environ("/asked"))), full=side(application, same(made)))

    serve(
        {
            "text": case(same(environ())),
            "text, asked": case(same(environ("/asked"))),
            "text, cookie": case(same(environ(cookie=good))),
            "text, cookie, asked": case(same(environ("/asked", cookie=good))),
            "text, cookie at first sight, asked": case(visitors.first_seen("/asked")),
            "page, undecided": case(same(environ("/page"))),
            "page, answered": case(same(environ("/page", cookie=good))),
            "page, refused": case(same(environ("/page", cookie=refusal))),
            "page, first sight": case(visitors.first_seen("/page")),
            "decision": case(post),
            **{f"hostile: {name}": hostile(full, cookie) for name, cookie in visitors.hostile().items()},
            **{
                f"hostile, without us: {name}": hostile(bare, cookie)
                for name, cookie in visitors.hostile().items()
            },
        },
        packages=["Flask", "Werkzeug", "SQLAlchemy"],
        counted=statements.made_by,
    )


if __name__ == "__main__":
    main()
