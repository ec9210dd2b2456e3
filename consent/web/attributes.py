"""The attributes of elements that a site's templates ask for: checked, so that no title or address adds one."""

import re
from typing import Final

from markupsafe import Markup, escape

Value = str | int | bool | None
"""``True`` stands for an attribute without a value; ``False`` and None leave it out."""

#: An address of another site, or a path of this one; what can't stand in an address is written as ``%xx``.
ADDRESS: Final = re.compile(
    r"(https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?(?=[/?#]|$)|/(?!/))"
    r'[^\s\x00-\x20\x7f"<>\\`]*'
)
NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
#: What runs or restyles, in place of or beside the address that was declared.
RUNNING: Final = frozenset({"http-equiv", "srcdoc", "style"})
#: Addresses beside the one in ``src``.
ADDRESSES: Final = frozenset(
    {
        "action",
        "archive",
        "attributionsrc",
        "background",
        "cite",
        "classid",
        "codebase",
        "data",
        "dynsrc",
        "formaction",
        "href",
        "imagesrcset",
        "longdesc",
        "lowsrc",
        "manifest",
        "ping",
        "poster",
        "srcset",
        "xlink-href",
    }
)
#: What says which markup is inert, and what it waits for.
GATING: Final = re.compile(r"data-(category|service|type|src|srcset|href|pc-.*)")


def checked(place: str, /, **attributes: Value) -> dict[str, str | bool]:
    """*attributes* by their names in HTML: ``async_`` as ``async``, ``data_size`` as ``data-size``.

    ValueError, naming *place* (the helper and its key), for a name that is none, runs something, holds a further
    address or says what markup waits for, for an address in ``src`` that is neither http(s) nor a path of this site,
    and for an empty ``title``.
    """
    found: dict[str, str | bool] = {}
    for given, value in attributes.items():
        if (value is None or value is False) and given not in ("src", "title"):
            continue
        name = given.rstrip("_").replace("_", "-")
        if not NAME.fullmatch(name) or name.startswith("on") or name in RUNNING:
            raise ValueError(
                f"{place}: {given!r} can't be an attribute here; expected a plain lower-case name, nothing that runs "
                "(on…, srcdoc) or restyles (style). Take it out, or use class_=… and a style sheet."
            )
        if name in ADDRESSES or GATING.fullmatch(name):
            raise ValueError(
                f"{place}: {given!r} can't be an attribute here; expected none that holds a further address (href, "
                "srcset) or says what markup waits for (data-service, data-category, data-type, data-src, "
                "data-srcset, data-href, data-pc-…). Take it out; src is the one address, and the key says what it "
                "waits for."
            )
        if name == "src" and not ADDRESS.fullmatch(str(value)):
            raise ValueError(
                f"{place}: src is {str(value)[:100]!r}; expected an address that begins with https:// or http://, or "
                "a path of this site that begins with one slash. Write it in full, and what can't stand in an "
                "address as %xx."
            )
        if name == "title" and (value is None or value is False or not str(value).strip()):
            raise ValueError(f"{place}: title is empty; expected words. Say what is shown in the frame.")
        found[name] = True if value is True else str(value)
    return found


def written(attributes: dict[str, str | bool]) -> Markup:
    """*attributes*, as :func:`checked` gave them, as they stand in a tag."""
    return Markup().join(
        Markup(" {}").format(name) if value is True else Markup(' {}="{}"').format(name, escape(value))
        for name, value in attributes.items()
    )
