"""Firefox as others ship it, driven by its own protocol, Marionette: Playwright drives only a build of its own."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Seconds that a start, an answer, or what a page has to do may take.
PATIENCE = 60.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's reference (WebDriver, 11)."""
_PREFERENCES = {
    "marionette.port": 0,
    "remote.prefs.recommended": True,
    "browser.shell.checkDefaultBrowser": False,
    "general.smoothScroll": False,  # while a page is on its way, clicks miss what they were meant for
}


def found() -> str | None:
    """The path of a Firefox: CONSENT_FIREFOX, or one on PATH; None without any."""
    return os.environ.get("CONSENT_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")


class Refused(Exception):
    """What Firefox would not do: WebDriver's *kind* of error, and Firefox's own words."""

    def __init__(self, command: str, kind: str, words: str) -> None:
        super().__init__(f"{command}: {kind}: {words}")
        self.kind = kind


@dataclass(slots=True)
class Firefox:
    """One running browser with one window."""

    connection: socket.socket
    sent: int = 0

    def ask(self, command: str, **parameters: Any) -> Any:
        """What Firefox answers to *command*; Refused if it can't."""
        self.sent += 1
        message = json.dumps([0, self.sent, command, parameters]).encode()
        self.connection.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.answer()
        if error:
            raise Refused(command, error["error"], error["message"])
        return result.get("value", result) if isinstance(result, dict) else result

    def answer(self) -> Any:
        """The next message: its length, a colon, and JSON."""
        length = b""
        while (byte := self.connection.recv(1)) != b":":
            if not byte:
                raise RuntimeError("Firefox has ended")
            length += byte
        text = b""
        while len(text) < int(length):
            text += self.connection.recv(int(length) - len(text))
        return json.loads(text)

    def begin(self, *, javascript: bool) -> None:
        """A visitor who was never here, with or without JavaScript."""
        self.ask("WebDriver:Navigate", url="about:blank")
        self.ask("Marionette:SetContext", value="chrome")
        script = (
            "Services.cookies.removeAll(); Services.prefs.setBoolPref('javascript.enabled', arguments[0]);"
        )
        self.ask("WebDriver:ExecuteScript", script=script, args=[javascript])
        self.ask("Marionette:SetContext", value="content")

    def go(self, url: str) -> None:
        """Open *url*, and wait until it is loaded."""
        self.ask("WebDriver:Navigate", url=url)

    def element(self, selector: str) -> str:
        """The reference of the first element that the CSS *selector* names, once there is one."""
        deadline = time.monotonic() + PATIENCE
        while not (every := self.elements(selector)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert every, f"there is no {selector}"
        return every[0]

    def elements(self, selector: str) -> list[str]:
        """The references of all elements that the CSS *selector* names now."""
        every = self.ask("WebDriver:FindElements", using="css selector", value=selector)
        return [each[_ELEMENT] for each in every]

    def press(self, selector: str) -> None:
        """Click on what *selector* names, as a mouse does, once it takes clicks."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.ask("WebDriver:ElementClick", id=self.element(selector))
            except Refused as error:
                if error.kind != "element click intercepted" or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def shown(self, selector: str) -> bool:
        """Whether something that *selector* names is there now and can be seen."""
        return any(self.ask("WebDriver:IsElementDisplayed", id=each) for each in self.elements(selector))

    def await_focus(self, selector: str) -> None:
        """Return once what *selector* names has the focus; AssertionError if it gets none."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if self.ask("WebDriver:GetActiveElement") == {_ELEMENT: self.element(selector)}:
                    return
            except Refused as error:
                if error.kind != "no such element":  # as while what had the focus is taken away
                    raise
            time.sleep(0.05)
        raise AssertionError(f"{selector} never got the focus")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies for the page that is open, those that scripts don't see too."""
        return {each["name"]: each["value"] for each in self.ask("WebDriver:GetCookies")}


@contextmanager
def running(program: str) -> Iterator[Firefox]:
    """The Firefox *program* with an empty profile and no window on the screen, until the block ends."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()
        ]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        process = subprocess.Popen(
            [program, "--headless", "--marionette", "--remote-allow-system-access", "--profile", profile],
            env={**os.environ, "HOME": profile},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = ("127.0.0.1", port(process, Path(profile) / "MarionetteActivePort"))
            with socket.create_connection(address, timeout=PATIENCE) as connection:
                firefox = Firefox(connection)
                firefox.answer()  # its greeting
                firefox.ask("WebDriver:NewSession")
                yield firefox
        finally:
            process.terminate()
            process.wait(PATIENCE)


def port(process: "subprocess.Popen[bytes]", file: Path) -> int:
    """The port that Firefox wrote into *file* once it listens there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and (text := file.read_text()):
            return int(text)
        time.sleep(0.05)
    raise RuntimeError("Firefox did not start")
