"""What an element within ``<noscript>`` loads from another site, and whether it is there to be seen."""

import re
from typing import Final
from urllib.parse import urlsplit

#: The attribute that holds the address of what is loaded, by element.
LOADED: Final = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "object": "data",
    "source": "src",
    "video": "src",
}
#: Lengths that leave nothing to see, in pixels or any other unit.
_NOTHING: Final = re.compile(r"\s*[01](\.0*)?\s*(px)?\s*")
_UNSEEN: Final = re.compile(
    r"(display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?![.0-9]))"
    r"|(?<![a-z-])(width|height)\s*:\s*[01](px)?\s*(;|$)",
    re.IGNORECASE,
)


def address_of(tag: str, said: dict[str, str]) -> str:
    """The address that an element *tag* with the attributes *said* loads; empty for none."""
    address = said.get(LOADED.get(tag, ""), "").strip()
    if not address and tag in ("img", "source"):
        address = said.get("srcset", "").strip().partition(" ")[0]
    return address


def origin_of(address: str, site: str) -> str | None:
    """The origin of *address*, in lower case; None where it is no address of another site than *site*."""
    if address.startswith("//"):
        address = f"https:{address}"
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        return None
    if parts.netloc.lower() == urlsplit(site).netloc.lower():
        return None
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}"


def hidden(tag: str, said: dict[str, str]) -> bool:
    """Whether nobody is to see it: at most one pixel wide or high, or not shown at all."""
    small = any(_NOTHING.fullmatch(said.get(side, "")) for side in ("width", "height"))
    return tag != "source" and (small or "hidden" in said or bool(_UNSEEN.search(said.get("style", ""))))
