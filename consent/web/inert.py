"""Markup for pages that are the same for everybody: it waits in each browser for what that visitor has answered."""

import re
from html.parser import HTMLParser
from typing import Any, Final

from markupsafe import Markup

from consent.web.anybody import Anybody
from consent.web.attributes import written
from consent.web.request import ConsentRequest

#: What only a script that runs may say (HTML §4.12.1); until then it waits under another name.
WAITING: Final = frozenset(
    {
        "async",
        "blocking",
        "crossorigin",
        "defer",
        "fetchpriority",
        "integrity",
        "nomodule",
        "referrerpolicy",
        "src",
        "type",
    }
)

#: Where a template begins or ends, as browsers read it (HTML §13.2.5.6 to .8).
TAG: Final = re.compile(r"<(/?)template(?=[\t\n\f\r />])", re.IGNORECASE)
#: In these browsers see no template: text (HTML §13.2.6.2), and what is drawn (§13.2.6.5).
TEXT: Final = frozenset(
    {
        *("iframe", "noembed", "noframes", "noscript", "plaintext"),
        *("script", "style", "textarea", "title", "xmp"),
    }
)
DRAWN: Final = frozenset({"math", "svg"})


def runs(visitor: ConsentRequest, key: str) -> bool | None:
    """Whether *key* runs in this response; None where each visitor's browser has to say. LookupError if unknown.

    On pages from a cache that is the question for whatever some visitor may allow there.
    """
    site = visitor.site
    if not site.settings.cache_safe:
        return visitor.allows(key)
    if not site.widest(visitor.endpoint).allows(key):
        return False
    return site.narrowest(visitor.endpoint).allows(key) or None


def possible(visitor: ConsentRequest) -> list[str]:
    """The keys of what some visitor may allow on the page, or what runs for everybody, sorted.

    A carrier is among them where all that it carries may run: of one that carries something for other pages only,
    a browser can't tell for whom it is here.
    """
    site, endpoint = visitor.site, visitor.endpoint
    widest = site.widest(endpoint)
    partly = {each.via for each in site.policy.services if each.via and each.key not in widest.allowed}
    return sorted((widest.running - partly) | site.narrowest(endpoint).running)


def script(visitor: ConsentRequest, key: str, attributes: dict[str, str | bool]) -> Markup:
    """The inert form of a ``<script>`` of *key* with *attributes*."""
    held = {f"data-{name}" if name in WAITING else name: value for name, value in attributes.items()}
    waits = {"type": "text/plain", **waits_for(visitor, key)}
    given = {**waits, **held, **waits}  # the key given wins
    return Markup("<script{}></script>").format(written(given))


def template(visitor: ConsentRequest, key: str, html: Markup, *, instead: bool = False) -> Markup:
    """*html* of *key*, inert: nothing in a ``<template>`` is shown, asked for or run.

    With *instead* it takes the place of the element after it, once it comes to life. ValueError where *html* would
    end the template, or not let it end.
    """
    if problem := unbalanced(html):
        raise ValueError(
            f'the markup for "{key}" has {problem}; expected as many of both, so that all of it waits for an answer. '
            "Write each <template> with its end, and text that isn't markup with &lt;."
        )
    given = {**waits_for(visitor, key), "data-pc-instead": True} if instead else waits_for(visitor, key)
    return Markup("<template{}>{}</template>").format(written(given), html)


def unbalanced(html: str) -> str | None:
    """Why *html* would end the template that it stands in, or not let it end; None if it is whole in itself."""
    depth, tags = 0, list(TAG.finditer(html))
    for tag in tags:
        depth += -1 if tag[1] else 1
        if depth < 0:
            return "a </template> that nothing in it begins"
    if depth:
        return "a <template> that nothing in it ends"
    if tags and Templates.seen_in(html) != len(tags):
        return "a <template> or its end where browsers see none, as in a comment, a script or <svg>"
    return None


class Templates(HTMLParser):
    """Counts where templates begin and end, but for what browsers take for text, or for something drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.within: list[str] = []

    @classmethod
    def seen_in(cls, html: str) -> int:
        """How many begin and end in *html*."""
        reader = cls()
        reader.feed(html)
        reader.close()
        return reader.seen

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if self.within[-1:] == [tag] or (not self.within and tag in TEXT | DRAWN):
            self.within.append(tag)
        elif not self.within and tag == "template":
            self.seen += 1

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        if tag not in DRAWN:  # only there the slash at the end means something
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self.within[-1:] == [tag]:
            self.within.pop()
        elif not self.within and tag == "template":
            self.seen += 1


def asker(visitor: ConsentRequest) -> ConsentRequest:
    """Whose view a placeholder is made from: the visitor's, or on pages from a cache nobody's."""
    return Anybody(visitor) if visitor.site.settings.cache_safe else visitor


def waits_for(visitor: ConsentRequest, key: str) -> dict[str, str | bool]:
    """The attribute that says what markup of *key* waits for: for a carrier, any of what it carries to this page."""
    policy = visitor.site.policy
    if any(category.key == key for category in policy.categories):
        return {"data-category": key}
    allowed = visitor.site.widest(visitor.endpoint).allowed
    carried = [each.key for each in policy.services if each.via == key and each.key in allowed]
    return {"data-service": " ".join(carried) or key}
