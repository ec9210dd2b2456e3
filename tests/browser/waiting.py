"""Waiting for the thing itself, whatever a page's security policy: what it says, or what was asked of a server."""

import time
from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Error, Page

#: Seconds: on a machine that others use, too, and never waited for but by a test that fails.
PATIENCE = 15.0
#: How the buttons of the dialog take a click: ``none`` for a moment after it was opened, then ``auto``.
GUARD = "getComputedStyle(document.querySelector('#pc-dialog .pc-row')).pointerEvents"


def until(page: Page, so: str | Callable[[], object]) -> None:
    """Wait until the expression *so* is true on *page*, or the call *so* is; AssertionError if that never comes.

    Playwright's own way to wait is what a strict policy forbids, and knows nothing of what lies outside of a page.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(Error):  # the page is just being loaded anew
            if page.evaluate(so) if isinstance(so, str) else so():
                return
        page.wait_for_timeout(20)
    raise AssertionError(f"never so: {so}")


def open_dialog(page: Page) -> None:
    """Open the dialog, and wait until its buttons take a click."""
    page.evaluate("consent.open()")
    until(page, f"{GUARD} === 'auto'")
