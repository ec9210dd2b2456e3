"""A clinic's site, its visitors, and the auditor who reads what they answered."""

import re
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent import Consent
from consent.ledger import Event, Kind, Ledger
from consent.storage import OwnStorage
from consent.web.site import Site
from tests.storage.cluster import Cluster
from tests.web.clinic import POLICY as SITE_POLICY
from tests.web.clinic import Clock as Clock
from tests.web.clinic import MakeSite, site_in

MakeApp = MakeSite

#: As the site of the web tests, but for its address and its titles; what it embeds isn't sold.
POLICY = (
    SITE_POLICY.replace("http://localhost", "https://clinic.example")
    .replace('title = "Statistics"', 'title = "Visit statistics"')
    .replace('title = "Videos"\ntext = "Plays the', 'title = "Films"\ntext = "Plays the')
    .replace('text = "Remembers', 'title = "Sign-in name"\ntext = "Remembers')
    .replace("sells_or_shares = true", "sells_or_shares = false")
)

#: The same with other material terms and a revision of its own.
NEXT_POLICY = POLICY.replace(
    "revision = 1", 'revision = 2\nchange = "Video Co keeps what it learns for longer."'
).replace('retention = "30 days"', 'retention = "90 days"')

#: What browsers send with a form of the page itself.
SAME = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"}
AUDIT = "/privacy-choices/audit"
NOTICE = re.compile(r'name="notice" value="([0-9a-f]{64})"')
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def site_of(app: Flask) -> Site:
    """The app's consent."""
    found: Site = app.extensions["consent"]
    return found


def close(app: Flask) -> None:
    """Close what *app* has opened of its ledger."""
    opened = site_of(app).recorder.opened
    if opened is not None and isinstance(opened.storage, OwnStorage):
        opened.storage.close()


def lose_database(app: Flask) -> None:
    """Record an answer, then take the database away; key and guard stay."""
    visit(app, "all")
    close(app)
    for file in Path(app.instance_path).glob("consent.sqlite3*"):
        file.unlink()


@contextmanager
def making(folder: Path, clock: Clock, **usual: object) -> Iterator[MakeApp]:
    """Makes apps on *folder*: ``make_app(policy=…, CONSENT_…=…)``, besides the *usual* settings."""
    made: list[Flask] = []

    def make(policy: str = POLICY, **config: object) -> Flask:
        app = site_in(folder, policy, consent=Consent(clock=clock), **(usual | config))
        made.append(app)
        return app

    yield make
    for app in made:
        close(app)


@contextmanager
def kept_on(server: Cluster, make_app: MakeApp) -> Iterator[Flask]:
    """The site with its ledger in a database of *server*, which has no tables yet."""
    app = make_app()
    site_of(app).recorder.ledger.size()  # a log in a file is begun, for the sake of its key
    key = Path(app.instance_path) / "consent.key"
    key.with_suffix(".guard").unlink()
    with server.database() as url:
        there = url.render_as_string(hide_password=False)
        yield make_app(CONSENT_DATABASE=there, CONSENT_SIGNING_KEY=str(key))


@dataclass(slots=True)
class Visitor:
    """Somebody with a browser of their own who answers the banner."""

    client: FlaskClient

    def answer(self, choice: str = "some", **fields: str) -> TestResponse:
        """Send the form; ``category_media="yes"`` stands for ``category.media=yes``."""
        page = self.client.get("/privacy-choices").text
        found = NOTICE.search(page)
        assert found
        named = {name.replace("_", ".", 1): value for name, value in fields.items()}
        data = {"notice": found[1], "choice": choice, "from": "banner", **named}
        response = self.client.post("/privacy-choices", data=data, headers=SAME)
        assert response.status_code == 303, response.text
        return response


def visit(app: Flask, choice: str = "some", **fields: str) -> Visitor:
    """A new visitor who answered."""
    visitor = Visitor(app.test_client())
    visitor.answer(choice, **fields)
    return visitor


def newest(app: Flask) -> Event:
    """The event recorded last."""
    (record,) = site_of(app).recorder.ledger.newest(limit=1)
    event = record.event()
    assert event is not None
    return event


def new_event(**fields: Any) -> Event:
    """An event that no browser sent, under an id of its own."""
    usual: dict[str, Any] = {
        "id": uuid.uuid4(),
        "kind": Kind.GIVEN,
        "time": datetime(2026, 11, 18, 9, 30, 0, 250_000, UTC),
        "policy": None,
        "subject": uuid.uuid4(),
        "granted": ("statistics",),
        "refused": ("videos",),
        "notice": None,
        "language": "en",
        "profile": "default",
        "source": "banner",
    }
    return Event(**(usual | fields))


def record(ledger: Ledger, **fields: Any) -> Event:
    """Record a new event past all pages, as only a fault of ours or an attacker could."""
    event = new_event(**fields)
    ledger.record(event, salt=secrets.token_bytes(32))
    return event


@dataclass(slots=True)
class Auditor:
    """Somebody whom ``CONSENT_AUDITOR`` lets in, with a browser."""

    client: FlaskClient

    def open(self, path: str = "/", /, **query: object) -> TestResponse:
        """The page at *path* below the auditor's address."""
        return self.client.get(f"{AUDIT}{path}", query_string=query)

    def token(self) -> str:
        """The token in the forms of the list."""
        found = TOKEN.search(self.open().text)
        assert found, "the list has no form"
        return found[1]

    def look_up(self, event: object, headers: dict[str, str] = SAME, **fields: str) -> TestResponse:
        """Send the form with the id of *event*."""
        data = {"csrf_token": fields.pop("csrf_token", None) or self.token(), "event": str(event), **fields}
        return self.client.post(f"{AUDIT}/event", data=data, headers=headers)


def auditor_of(app: Flask, name: str = "auditor-1") -> Auditor:
    """The auditor whom *app* knows by *name*, with a browser of their own."""
    client = app.test_client()
    client.environ_base["HTTP_X_AUDITOR"] = name
    return Auditor(client)
