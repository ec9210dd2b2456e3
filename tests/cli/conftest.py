"""``flask`` as a terminal runs it, for the clinic's site and its visitors."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import FlaskGroup

from consent.cli import cli
from consent.ledger import Ledger
from tests.audit.clinic import Clock, MakeApp, kept_on, making, site_of
from tests.audit.conftest import answered as answered
from tests.storage.cluster import Cluster

#: Runs ``flask consent …``.
Run = Callable[..., Result]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock()


@pytest.fixture
def make_app(tmp_path: Path, clock: Clock) -> Iterator[MakeApp]:
    """Makes apps on the same folder: ``make_app(policy=…, CONSENT_…=…)``."""
    with making(tmp_path, clock) as make:
        yield make


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


@pytest.fixture
def on_server(make_app: MakeApp, server: Cluster) -> Iterator[Flask]:
    """The site with its ledger in a database there, which has no tables yet."""
    with kept_on(server, make_app) as app:
        yield app


@pytest.fixture
def waiting(on_server: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The site with its database made, in which nothing is sealed in passing."""
    assert run_for(on_server)("db", "upgrade").stdout.startswith("Applied 0001")
    monkeypatch.setattr("consent.storage.postgres.PostgresStorage._seal_in_passing", lambda *_: None)
    return on_server
