"""The clinic with an auditor, on a ledger of its own on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request

from consent.ledger import Ledger

from .clinic import Auditor, Clock, MakeApp, auditor_of, making, site_of, visit


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock()


def signed_in() -> str | None:
    """Who the auditor is: for these tests, whom a header names."""
    return request.headers.get("X-Auditor")


@pytest.fixture
def make_app(tmp_path: Path, clock: Clock) -> Iterator[MakeApp]:
    """Makes apps on the same folder, with an auditor: ``make_app(policy=…, CONSENT_…=…)``."""
    with making(tmp_path, clock, CONSENT_AUDITOR=signed_in) as make:
        yield make


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
    return auditor_of(app)


@pytest.fixture
def answered(app: Flask, ledger: Ledger) -> Ledger:
    """The log with some answers in it, signed."""
    visit(app, "all").answer("none")
    visit(app, "none")
    ledger.sign()
    return ledger
