"""The demo as its visitors meet it: real processes, a real browser."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Request, expect

from demo_site import reopened
from tests.audit.clinic import close
from tests.cli.conftest import run_for
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: the site on *port*, the third party on the next one, all it keeps in *folder*."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """The site's address."""
        return f"http://127.0.0.1:{self.port}"

    def events(self) -> list[dict[str, object]]:
        """What ``flask consent export`` says of the visitors' acts, oldest first."""
        rows = [json.loads(line) for line in self.flask("export", "--format", "jsonl").splitlines()]
        return [row for row in rows if row["kind"] not in ("operated", "accessed")]

    def flask(self, *arguments: str) -> str:
        """What ``flask consent`` prints for the demo's site."""
        app = reopened(str(self.folder))
        done = run_for(app)(*arguments)
        close(app)
        assert done.exit_code == 0, done.output
        return done.stdout


@contextmanager
def running(
    folder: Path, *, port: int | None = None, revision: int = 1, cache_safe: bool = False
) -> Iterator[Demo]:
    """The demo under *revision* of its policy, on *folder*, until the block ends."""
    number = port or free_port()
    command = [sys.executable, "-m", "demo_site", "--no-browser", "--port", str(number)]
    command += ["--instance", str(folder), "--revision", str(revision)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "FLASK_CONSENT_CACHE_SAFE": "true" if cache_safe else "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        await_answer(process, number)
        yield Demo(number, folder)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def await_answer(process: "subprocess.Popen[str]", port: int) -> None:
    """Return as soon as the site answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).close()
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError(f"the demo did not answer: {process.communicate()[0]}")


@dataclass(slots=True)
class Visit:
    """One browser on the demo. Every request it makes, to whatever origin, is noted."""

    demo: Demo
    context: BrowserContext
    page: Page
    requests: list[str]

    @classmethod
    def begin(cls, demo: Demo, context: BrowserContext) -> "Visit":
        """Open a page of *context* on *demo*."""
        requests: list[str] = []

        def note(request: Request) -> None:
            requests.append(request.url)

        context.on("request", note)
        return cls(demo, context, context.new_page(), requests)

    def go(self, path: str = "/") -> Page:
        """Go to *path* on the demo."""
        self.page.goto(self.demo.url + path)
        return self.page

    @property
    def elsewhere(self) -> list[str]:
        """The requests that went to another origin."""
        own = urlsplit(self.demo.url).netloc
        return [url for url in self.requests if urlsplit(url).netloc not in ("", own)]

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the browser holds, of whatever origin."""
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}

    def state(self) -> dict[str, object]:
        """What the site says this browser has allowed."""
        found: dict[str, object] = self.context.request.get(f"{self.demo.url}/privacy-choices/state").json()
        return found

    def allowed(self) -> set[str]:
        """The optional services that are on."""
        on = self.state()["granted"]
        assert isinstance(on, list)
        return set(on) & OPTIONAL

    def press(self, name: str) -> None:
        """Press the button or link that is called *name*."""
        self.page.locator(f"button:visible:text-is('{name}'), a:visible:text-is('{name}')").first.click()

    def answer(self, name: str) -> None:
        """Press the button *name* of the banner or the preference centre and see that it was taken."""
        self.press(name)
        expect(self.page.locator("#pc-status")).to_be_focused()


#: The demo's optional services.
OPTIONAL = {"language", "remember", "reading", "statistics", "experiment", "reach", "videos"}
