"""The clinic's site on a ledger of its own, under a clock that tests move."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from consent import Consent, current_consent
from consent.testing import ConsentClient
from consent.web.language import shipped
from consent.web.site import Site

from .clinic import PAGE, POLICY, Clock, MakeSite, Visitor, in_every_language, site_in


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock()


@pytest.fixture
def make_app(tmp_path: Path, clock: Clock) -> MakeSite:
    """Makes apps on the same folder: ``make_app(policy=…, CONSENT_…=…)``."""

    def make(policy: str = POLICY, **config: object) -> Flask:
        consent = Consent(clock=clock)
        app = site_in(tmp_path, policy, consent=consent, **{"TESTING": True, **config})
        app.test_client_class = ConsentClient

        @app.get("/")
        def home() -> str:
            return render_template_string(PAGE)

        @app.get("/plain")
        def plain() -> str:
            return "plain"

        @app.get("/allowed/<key>")
        def allowed(key: str) -> str:
            return "yes" if current_consent.allows(key) else f"no: {current_consent.reason(key)}"

        @app.get("/beta")
        @consent.required("functionality")
        def beta() -> str:
            return "beta"

        @app.get("/portal")
        @consent.sensitive
        def portal() -> str:
            return "yes" if current_consent.allows("videos") else f"no: {current_consent.reason('videos')}"

        return app

    return make


@pytest.fixture
def app(make_app: MakeSite) -> Flask:
    """The site with its default settings."""
    return make_app()


@pytest.fixture
def site(app: Flask) -> Site:
    """The app's consent."""
    found: Site = app.extensions["consent"]
    return found


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    """A browser that hasn't answered."""
    with app.test_client() as client:
        yield client


@pytest.fixture
def visitor(client: FlaskClient) -> Visitor:
    """Somebody who comes for the first time."""
    return Visitor(client)


@pytest.fixture(scope="package")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The clinic's site in every language shipped, its own texts the same in each."""
    app = in_every_language(tmp_path_factory.mktemp("everywhere"))
    app.testing = True
    found: Site = app.extensions["consent"]
    assert set(found.languages) == shipped()
    return found
