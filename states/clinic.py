"""The site on which the states are made, its clock, and somebody who visits it."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask, render_template_string
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent import Consent

OURS = "/privacy-choices"
POLICY = (Path(__file__).parent / "clinic.toml").read_text(encoding="utf-8")
#: The same site a few months on: another film company, and something new to count with.
REVISED = (
    POLICY.replace("revision  = 1", "revision  = 2")
    .replace("2026-03-02", "2026-09-01")
    .replace('retention = "90 days"', 'retention = "12 months"')
    .replace(
        "\ncontroller", '\nchange = "Video Co keeps what it learns for longer: twelve months."\ncontroller'
    )
)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Harbour Clinic</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body { max-width: 46rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif }</style>
{{ consent_head() }}</head><body>{{ consent_banner() }}{{ consent_signal() }}<main><h1>Harbour Clinic</h1>
<p>Our doors are open from eight to six. The clinic stands on Pier Road, two minutes from the ferry.</p>
{{ consent_embed("videos", src="https://video.example/v/1", title="How a check-up goes", width=640, height=360) }}
<p>Bring your insurance card and a list of the medicines you take.</p></main>
<footer><p>{{ consent_link() }}</p></footer></body></html>"""
#: What browsers send with a form of the page itself.
SAME = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document", "Referer": "http://localhost/"}
CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
SIGNAL = {"Sec-GPC": "1"}


@dataclass(slots=True)
class Clock:
    """The time that the site believes it is, in epoch seconds."""

    now: float = 1_773_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_days(self, days: float) -> None:
        """Let *days* go by."""
        self.now += days * 86_400


Make = Callable[..., Flask]


def site(folder: Path, clock: Clock, policy: str = POLICY, **config: object) -> Flask:
    """The site in *folder* under *policy*, with ``CONSENT_…`` settings of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "consent.toml").write_text(policy, encoding="utf-8")
    app = Flask("clinic", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.from_mapping(
        {"SECRET_KEY": "for the states alone", "CONSENT_PRIVACY_POLICY": "/privacy", **config}
    )
    consent = Consent(clock=clock)
    consent.init_app(app)
    app.add_url_rule("/", "home", lambda: render_template_string(PAGE))
    app.add_url_rule("/booking", "booking", consent.required("functionality")(lambda: "booked"))
    app.add_url_rule("/results", "results", consent.sensitive(lambda: render_template_string(PAGE)))
    return app


@dataclass(slots=True)
class Visitor:
    """Somebody who visits the site, with *headers* that their browser always sends."""

    client: FlaskClient
    headers: dict[str, str] = field(default_factory=dict)

    def see(self, path: str = OURS) -> str:
        """The page at *path*."""
        return self.client.get(path, headers=self.headers).text

    def send(self, path: str, **fields: str) -> TestResponse:
        """Send a form from one of the site's own pages."""
        sent = {**SAME, **self.headers}
        form = "application/x-www-form-urlencoded"  # which an empty form has, too
        return self.client.post(path, data=fields, headers=sent, content_type=form)

    def answer(self, choice: str, **fields: str) -> TestResponse:
        """Answer with the button *choice*; ``category__media="yes"`` stands for ``category.media=yes``."""
        named = {name.replace("__", ".").rstrip("_"): value for name, value in fields.items()}
        notice = found(r'name="notice" value="([0-9a-f]{64})"', self.see())
        return self.send(OURS, **{"notice": notice, "choice": choice, "from": "centre", **named})

    def opt_in(self, key: str, **fields: str) -> TestResponse:
        """Opt in to the service *key*, in both steps."""
        named = {f"service__{key}": "yes", **fields}
        step = found(r'name="step" value="([^"]+)"', self.answer("opt_in", **named).text)
        return self.answer("opt_in", step=step, confirm="yes", **named)

    def follow(self, response: TestResponse) -> str:
        """The page that *response* leads to."""
        return self.see(response.headers["Location"].split("#")[0])

    @property
    def cookie(self) -> str:
        """The answer that the browser holds."""
        cookie = self.client.get_cookie("consent")
        assert cookie is not None
        return cookie.value

    def goes_to(self, app: Flask) -> "Visitor":
        """The same browser on the same site, which is *app* by now."""
        client = app.test_client()
        client.set_cookie("consent", self.cookie)
        return Visitor(client, self.headers)


def found(pattern: str, html: str) -> str:
    """What *pattern* catches first in *html*."""
    match = re.search(pattern, html)
    assert match, f"the page has no {pattern}"
    return match[1].replace("&amp;", "&")


@contextmanager
def locked(app: Flask) -> Iterator[None]:
    """Hold the database's write lock from outside, as a stuck process would."""
    holder = sqlite3.connect(Path(app.instance_path) / "consent.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()
