"""What every test folder shares: which tests run, and how Chromium is started for those that drive it."""

import gc
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from jinja2 import Environment, FileSystemBytecodeCache

from consent.storage import migrate
from consent.web import notice
from tests import migrated
from tests.browser import launching
from tests.storage.cluster import Cluster, running

# How long an example takes says something of the machine, and of who else uses it.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", unhurried, max_examples=50)
settings.register_profile("full", unhurried, max_examples=1000)

ROW = re.compile(r"[A-Z][A-Z0-9]{1,5}-\d{2}[a-z]?")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`")


def pytest_configure(config: pytest.Config) -> None:
    """Makes as many examples of each property as there is time for."""
    settings.load_profile("full" if config.getoption("--full") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out `full` tests unless asked for, and checks requirement marks."""
    if not config.getoption("--full"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("full")])
        items[:] = [item for item in items if not item.get_closest_marker("full")]
    for item in items:
        for mark in item.iter_markers("requirement"):
            if len(mark.args) != 1 or not ROW.fullmatch(str(mark.args[0])):
                raise pytest.UsageError(
                    f"{item.nodeid}: requirement{mark.args} should name one row: 'CON-02'"
                )


def pytest_collection_finish() -> None:
    """Spares the garbage collector what was imported, which it would go through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what Jinja has compiled: each test makes an app of its own, of the same templates as the others'."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("jinja")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": cache})
        patch.setattr(notice, "Environment", partial(Environment, bytecode_cache=cache))
        yield


@pytest.fixture(autouse=True)
def quickly_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes new ledgers of the migrations' statements; a module of tests of the migrations has one that doesn't."""
    monkeypatch.setattr(migrate, "upgrade", migrated.upgrade)


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    """A PostgreSQL server. Without one the tests that need it fail, and say what is missing."""
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def chromium() -> str | None:
    """The system's Chromium, instead of one that Playwright downloads."""
    return launching.chromium()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Playwright's launch options."""
    options = launching.options()
    return {**browser_type_launch_args, **options, "args": [*options["args"], *launching.FRUGAL]}
