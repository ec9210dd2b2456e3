"""The demo and its visitors, with and without JavaScript."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .demo import Demo, Visit, running
from .waiting import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The running demo."""
    with running(tmp_path_factory.mktemp("demo") / "instance") as found:
        yield found


@pytest.fixture(scope="session")
def keeping(launch_browser: Callable[..., Browser], chromium: str | None) -> Iterator[Browser]:
    """A browser that keeps the pages it leaves, as they do outside Playwright; its engine alone keeps none."""
    browser = launch_browser(executable_path=chromium, ignore_default_args=["--disable-back-forward-cache"])
    yield browser
    browser.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place for a demo of the test's own."""
    return tmp_path / "instance"


NewVisit = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, demo: Demo) -> Iterator[NewVisit]:
    """Opens browsers: ``visit(javascript=False, width=320)``."""
    with visits(browser, demo) as begin:
        yield begin


@contextmanager
def visits(browser: Browser, demo: Demo) -> Iterator[NewVisit]:
    """Opens visits of *demo*, or of another, until the block ends."""
    opened = []

    def begin(
        *, at: Demo = demo, javascript: bool = True, width: int = 1280, height: int = 800, **options: object
    ) -> Visit:
        context = browser.new_context(
            java_script_enabled=javascript,
            viewport={"width": width, "height": height},
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE * 1000)
        opened.append(context)
        return Visit.begin(at, context)

    try:
        yield begin
    finally:
        for context in opened:
            context.close()
