"""How the browser is started for all that drive it: the tests, and the benchmark beside them."""

import os
import shutil
from typing import Any

#: What Chromium does by itself at each start would leave the machine; a test may wait for it, or see it.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
#: One process and one thread that draw: what a test sees is the same, and it takes a fifth less of the processor.
FRUGAL = ("--in-process-gpu", "--num-raster-threads=1")


def chromium() -> str | None:
    """The system's Chromium, instead of one that Playwright downloads."""
    return os.environ.get("CONSENT_CHROMIUM") or shutil.which("chromium")


def options() -> dict[str, Any]:
    """Playwright's launch options; the browser is Chromium, or its engine alone, which starts and draws faster."""
    path = os.environ.get("CONSENT_CHROMIUM_SHELL") or chromium()
    sandbox = () if os.geteuid() else ("--no-sandbox",)  # Chromium refuses to start as root with one
    return {"executable_path": path, "args": [*QUIET, *sandbox]}
