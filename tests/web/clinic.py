"""A small site with everything a policy can hold, its clock, and someone who visits it."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent import Consent
from consent.ledger import Event, Kind
from consent.web.language import shipped
from consent.web.site import Site

POLICY = """
revision = 1
effective = 2026-11-01
language = "en"
controller = { name = "Clinic", site = "http://localhost", contact = "privacy@clinic.example" }

[providers]
video_co = { name = "Video Co", policy = "https://video.example/privacy", country = "US" }

[categories.media]
title = "Videos"
text = "Plays videos here."

[services.names]
category = "functionality"
purposes = ["sign-in"]
text = "Remembers your sign-in name."
cookies = { remember_name = "30 days" }

[services.statistics]
category = "performance"
purposes = ["measurement"]
title = "Statistics"
text = "Counts visits and the pages read."
cookies = { visit = "13 months", "visit_*" = "13 months" }

[services.experiment]
category = "performance"
purposes = ["testing"]
title = "New features"
text = "Shows some visitors a new feature."
cookies = { variant = "30 days" }

[services.videos]
category = "media"
provider = "video_co"
purposes = ["embedded-media"]
title = "Videos"
text = "Plays the clinic's videos."
data = ["address", "device"]
retention = "30 days"
sells_or_shares = true
frame = ["https://video.example"]
"""

#: All texts of the policy's own, in any other language.
WORDING = """
[categories.media]
title = "X"
text = "X"
[services.names]
text = "X"
[services.statistics]
title = "X"
text = "X"
[services.experiment]
title = "X"
text = "X"
[services.videos]
title = "X"
text = "X"
"""

PAGE = """<!doctype html><html lang="en"><head><title>Home</title>{{ consent_head() }}</head>
<body>{{ consent_banner() }}<main>
{% call consent_block("statistics") %}<p>counted</p>{% endcall %}
{{ consent_script("statistics", src="/count.js", async_=True) }}
{{ consent_pixel("statistics", src="/pixel.gif") }}
{{ consent_embed("videos", src="https://video.example/v/1", title="A <film>") }}
</main>{{ consent_link() }}</body></html>"""


@dataclass(slots=True)
class Clock:
    """The time that the site believes it is, in epoch seconds."""

    now: float = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_days(self, days: float) -> None:
        """Let *days* go by."""
        self.now += days * 86_400


MakeSite = Callable[..., Flask]


def site_in(folder: Path, policy: str = POLICY, *, consent: Consent | None = None, **config: object) -> Flask:
    """The clinic's site, which lies in *folder*, with the settings *config* and no page of its own."""
    (folder / "consent.toml").write_text(policy)
    app = Flask("clinic", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.from_mapping({"SECRET_KEY": "a key for tests, long enough", **config})
    (consent or Consent()).init_app(app)
    return app


def in_every_language(folder: Path) -> Flask:
    """The same in every language shipped, its own texts the same in each."""
    for tag in shipped() - {"en"}:
        (folder / f"consent.{tag}.toml").write_text(WORDING)
    return site_in(folder)


#: What browsers send with a form of the page itself.
SAME = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document", "Referer": "http://localhost/?a=b"}


def held(client: FlaskClient) -> str:
    """The answer that *client*'s browser holds."""
    cookie = client.get_cookie("consent")
    assert cookie is not None
    return cookie.value


@dataclass(slots=True)
class Visitor:
    """Someone who uses the site with a browser."""

    client: FlaskClient

    def notice(self, path: str = "/privacy-choices") -> str:
        """The hash of the notice that the page at *path* shows."""
        html = self.client.get(path).text
        found = re.search(r'name="notice" value="([0-9a-f]{64})"', html)
        assert found, "the page shows no notice"
        return found[1]

    def answer(self, choice: str, headers: dict[str, str] = SAME, **fields: str) -> TestResponse:
        """Send the form; ``category__media="yes"`` stands for ``category.media=yes``."""
        named = {name.replace("__", ".").rstrip("_"): value for name, value in fields.items()}
        data = {"notice": self.notice(), "choice": choice, "from": "banner", **named}
        return self.client.post("/privacy-choices", data=data, headers=headers)

    def opt_in(self, *keys: str, headers: dict[str, str] = SAME, **fields: str) -> TestResponse:
        """Opt in to the services *keys* from the centre, in both steps; *fields* are added to the second."""
        named = {"from_": "centre", **{f"service__{key}": "yes" for key in keys}}
        page = self.answer("opt_in", headers, **named).text
        step = re.search(r'name="step" value="([^"]+)"', page)
        return self.answer(
            "opt_in", headers, **named, **{"step": step[1] if step else "", "confirm": "yes", **fields}
        )

    def allowed(self, key: str) -> bool:
        """Whether a page may use *key*."""
        return self.client.get(f"/allowed/{key}").text == "yes"

    def cookie(self) -> str | None:
        """The answer as the browser holds it."""
        found = self.client.get_cookie("consent")
        return found.value if found else None


def events(site: Site) -> list[Event]:
    """The visitors' events on record, oldest first."""
    found = [record.event() for record in site.recorder.ledger.records()]
    return [event for event in found if event and event.kind is not Kind.OPERATED]


def ticked(html: str) -> set[str]:
    """What *html* shows as chosen, ``name=value`` each."""
    found = set[str]()

    class Reading(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if "checked" in given:
                found.add(f"{given.get('name')}={given.get('value')}")

    Reading().feed(html)
    return found


@contextmanager
def locked(app: Flask) -> Iterator[None]:
    """Hold the database's write lock from outside, as a stuck process would."""
    holder = sqlite3.connect(Path(app.instance_path) / "consent.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


def use_up_limits(site: Site) -> None:
    """Let the tests' own address have sent as much as it may; it regains nothing as time passes."""
    now = site.recorder.steady()
    site.recorder.steady = lambda: now
    site.recorder.limits.take("127.0.0.1", now)
    for bucket in site.recorder.limits.buckets.values():
        bucket.tokens = 0.0
