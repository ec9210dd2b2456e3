"""``flask`` as a terminal runs it, for the clinic's site and its visitors."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import FlaskGroup

from consent import Consent
from consent.cli import cli
from consent.ledger import Ledger
from consent.storage import OwnStorage
from tests.audit.clinic import POLICY, Clock, MakeApp, site_of
from tests.storage import cluster

#: Runs ``flask consent …``.
Run = Callable[..., Result]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock()


@pytest.fixture
def make_app(tmp_path: Path, clock: Clock) -> Iterator[MakeApp]:
    """Makes apps on the same folder: ``make_app(policy=…, CONSENT_…=…)``."""
    made: list[Flask] = []

    def make(policy: str = POLICY, **config: object) -> Flask:
        (tmp_path / "consent.toml").write_text(policy)
        app = Flask("clinic", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
        app.config.from_mapping({"SECRET_KEY": "a key for tests, long enough", **config})
        made.append(app)
        Consent(clock=clock).init_app(app)
        return app

    yield make
    for app in made:
        opened = site_of(app).recorder.opened if "consent" in app.extensions else None
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


def flask_for(app: Flask | Callable[[], Flask] | None) -> click.Group:
    """The ``flask`` command with ours in it, as the entry point puts it there."""
    make = (lambda: app) if isinstance(app, Flask) else app
    group = FlaskGroup(name="flask", create_app=make, set_debug_flag=False)
    group.add_command(cli)
    return group


def run_for(app: Flask | Callable[[], Flask] | None) -> Run:
    """Runs ``flask consent …`` for *app*, or for none; what isn't an exit code comes through."""

    def run(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(
            flask_for(app), ["consent", *arguments], prog_name="flask", catch_exceptions=False, **options
        )

    return run


@pytest.fixture
def run(app: Flask) -> Run:
    """Runs ``flask consent …`` for the site."""
    return run_for(app)


@pytest.fixture(scope="session")
def server() -> Iterator[cluster.Cluster]:
    """A PostgreSQL server."""
    with cluster.running() as running:
        yield running


@pytest.fixture
def on_server(make_app: MakeApp, server: cluster.Cluster, tmp_path: Path) -> Iterator[Flask]:
    """The site with its ledger in a database there, which has no tables yet."""
    site_of(make_app()).recorder.ledger.size()  # a log in a file is begun, for the sake of its key
    key = tmp_path / "instance" / "consent.key"
    key.with_suffix(".guard").unlink()
    with server.database() as url:
        there = url.render_as_string(hide_password=False)
        yield make_app(CONSENT_DATABASE=there, CONSENT_SIGNING_KEY=str(key))


@pytest.fixture
def waiting(on_server: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The site with its database made, in which nothing is sealed in passing."""
    assert run_for(on_server)("db", "upgrade").stdout.startswith("Applied 0001")
    monkeypatch.setattr("consent.storage.postgres.PostgresStorage._seal_in_passing", lambda *_: None)
    return on_server
