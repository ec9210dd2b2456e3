"""The style sheets and modules that browsers load, under addresses that change with their content."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from flask import url_for

_PACKAGE = Path(__file__).parent.parent
#: Installed, templates and static files lie inside the package; in a checkout, beside it.
ROOT = _PACKAGE if (_PACKAGE / "templates").is_dir() else _PACKAGE.parent
STATIC = ROOT / "static"
#: Browsers may keep an asset for ever: other content has another address.
IMMUTABLE = "public, max-age=31536000, immutable"

#: The kinds of files that there are, by the end of their name.
KINDS: Final = {".css": "text/css", ".js": "text/javascript"}
#: Strings, and after them what parts words by itself, with the spaces around it that nobody needs.
LOOSE: Final = {
    ".css": re.compile(r"""("[^"\n]*"|'[^'\n]*')| *([{};,>]|:(?= )) *"""),
    ".js": re.compile(r"""("[^"\n]*"|'[^'\n]*'|`[^`\n]*`)| *([=<>{}(),;:?&|]+) *"""),
}
#: What only their readers need: comments, but for those that begin in the middle of a line with ``//``.
COMMENT: Final = re.compile(r"/\*.*?\*/ ?|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
#: The end of a line behind what can't end a comment.
JOINED: Final = re.compile(r"(?<=[;{},(])\n(?!$)")

#: A module that comes only when another one needs it.
IMPORT: Final = re.compile(r'(?<=import\("\./)[\w.]+')


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as browsers get it."""

    body: bytes
    kind: str
    """Its media type."""
    version: str
    """The first 12 hex digits of its SHA-256."""


def lean(source: str, kind: str) -> str:
    """*source* without comments, indentation, loose spaces and the ends of lines that say nothing: less to load.

    No string or regular expression in it may hold the beginning of a comment or the end of a line, and no regular
    expression a quotation mark, or a space beside what :data:`LOOSE` names for its *kind*.
    """
    lines = (line.strip() for line in COMMENT.sub("", source).splitlines())
    text = "".join(f"{LOOSE[kind].sub(tight, line)}\n" for line in lines if line)
    return JOINED.sub("", text)


def tight(found: re.Match[str]) -> str:
    """A string as it is, anything else without the spaces around it."""
    return str(found[1] or found[2])


@cache
def assets() -> Mapping[str, Asset]:
    """All of them, by the names of their files."""
    return {file.name: made(file) for file in STATIC.iterdir() if file.suffix in KINDS}


def made(file: Path) -> Asset:
    """*file* as browsers get it; what it imports has the address of its content, too."""
    text = lean(file.read_text(encoding="utf-8"), file.suffix)
    body = IMPORT.sub(lambda found: f"{found[0]}?v={made(STATIC / found[0]).version}", text).encode()
    return Asset(body, KINDS[file.suffix], hashlib.sha256(body).hexdigest()[:12])


def asset(name: str) -> str:
    """The address of our static file *name*; it changes with the content."""
    return url_for("consent.static", filename=name, v=assets()[name].version)
