"""Larkmere's site on a folder of its own, and visitors of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from consent.testing import ConsentClient
from demo_site import create_app

MakeSite = Callable[..., Flask]


@pytest.fixture
def make_site(tmp_path: Path) -> MakeSite:
    """Makes the demo on the test's folder: ``make_site(CONSENT_POLICY=…)``."""

    def make(**config: object) -> Flask:
        site = create_app(
            {
                "TESTING": True,
                "DEMO_INSTANCE": tmp_path / "instance",
                "CONSENT_DATABASE": "sqlite://",
                **config,
            }
        )
        site.test_client_class = ConsentClient
        return site

    return make


@pytest.fixture
def site(make_site: MakeSite) -> Flask:
    """The demo with its own policy."""
    return make_site()


@pytest.fixture
def visitor(site: Flask) -> ConsentClient:
    """A visitor who hasn't answered."""
    client = site.test_client()
    assert isinstance(client, ConsentClient)
    return client
