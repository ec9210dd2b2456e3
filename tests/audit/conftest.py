"""The clinic with an auditor, on a ledger of its own on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request

from consent import Consent
from consent.ledger import Ledger
from consent.storage import OwnStorage

from .clinic import POLICY, Auditor, Clock, MakeApp, site_of


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock()


def signed_in() -> str | None:
    """Who the auditor is: for these tests, whom a header names."""
    return request.headers.get("X-Auditor")


@pytest.fixture
def make_app(tmp_path: Path, clock: Clock) -> Iterator[MakeApp]:
    """Makes apps on the same folder: ``make_app(policy=…, CONSENT_…=…)``."""
    made: list[Flask] = []

    def make(policy: str = POLICY, **config: object) -> Flask:
        (tmp_path / "consent.toml").write_text(policy)
        app = Flask("clinic", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
        app.config.from_mapping(
            {"SECRET_KEY": "a key for tests, long enough", "CONSENT_AUDITOR": signed_in, **config}
        )
        Consent(clock=clock).init_app(app)
        made.append(app)
        return app

    yield make
    for app in made:
        opened = site_of(app).recorder.opened
        if opened is not None and isinstance(opened.storage, OwnStorage):
            opened.storage.close()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The site with its default settings."""
    return make_app()


@pytest.fixture
def ledger(app: Flask) -> Ledger:
    """The site's ledger."""
    return site_of(app).recorder.ledger


@pytest.fixture
def auditor(app: Flask) -> Auditor:
    """The auditor's browser."""
    client = app.test_client()
    client.environ_base["HTTP_X_AUDITOR"] = "auditor-1"
    return Auditor(client)
