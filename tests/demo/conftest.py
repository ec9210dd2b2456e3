"""Larkmere's site on a folder of its own, and visitors of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from consent.testing import ConsentClient
from consent.web.language import Catalogue
from consent.web.notice import Notice, Notices
from demo_site import create_app

MakeSite = Callable[..., Flask]


def demo(folder: Path, **config: object) -> Flask:
    """The demo on *folder*, with a consent log in memory."""
    site = create_app({"TESTING": True, "DEMO_INSTANCE": folder, "CONSENT_DATABASE": "sqlite://", **config})
    site.test_client_class = ConsentClient
    return site


@pytest.fixture(scope="package", autouse=True)
def rendered_once() -> Iterator[None]:
    """Keeps the notices: each test makes a site, whose policy and templates are mostly those of the others."""
    kept: dict[tuple[object, ...], Notice] = {}
    really = Notices.render

    def render(self: Notices, words: Catalogue, profile: str, mount: str) -> Notice:
        site = (self.policy, self.prefix, self.privacy_policy, self.placement)
        asked = (*site, words.tag, profile, mount)
        if asked not in kept:
            kept[asked] = really(self, words, profile, mount)
        return kept[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Notices, "render", render)
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance as the first start leaves it; to be copied, because hashing the demo's password is slow."""
    return Path(demo(tmp_path_factory.mktemp("demo") / "instance").instance_path)


@pytest.fixture(scope="session")
def standing_site(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """A demo shared by tests that only read pages."""
    return demo(shutil.copytree(prepared, tmp_path_factory.mktemp("standing") / "instance"))


@pytest.fixture
def reader(standing_site: Flask) -> ConsentClient:
    """A visitor who hasn't answered, of the shared demo."""
    return ConsentClient(standing_site, standing_site.response_class)


@pytest.fixture
def make_site(tmp_path: Path, prepared: Path) -> MakeSite:
    """Makes demos on the test's folder: ``make_site(CONSENT_POLICY=…)``."""

    def make(**config: object) -> Flask:
        folder = tmp_path / "instance"
        if not folder.exists():
            shutil.copytree(prepared, folder)
        return demo(folder, **config)

    return make


@pytest.fixture
def site(make_site: MakeSite) -> Flask:
    """The demo with its own policy."""
    return make_site()


@pytest.fixture
def visitor(site: Flask) -> ConsentClient:
    """A visitor who hasn't answered."""
    return ConsentClient(site, site.response_class)
