"""The style sheet and the module that browsers load, under addresses that change with their content."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from flask import url_for

_PACKAGE = Path(__file__).parent.parent
#: Installed, templates and static files lie inside the package; in a checkout, beside it.
ROOT = _PACKAGE if (_PACKAGE / "templates").is_dir() else _PACKAGE.parent
STATIC = ROOT / "static"
#: Browsers may keep an asset for ever: other content has another address.
IMMUTABLE = "public, max-age=31536000, immutable"


@cache
def versions() -> Mapping[str, str]:
    """The first 12 hex digits of the SHA-256 of each static file, by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in STATIC.glob("*.*")}


def asset(name: str) -> str:
    """The address of our static file *name*; it changes with the content."""
    return url_for("consent.static", filename=name, v=versions()[name])
