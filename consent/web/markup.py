"""What a site's templates call: head, banner, link, and markup that is there only when it is allowed."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, request
from markupsafe import Markup

from consent.web import address, inert
from consent.web.arguments import named
from consent.web.attributes import Value, checked, written
from consent.web.declaration import Declaration
from consent.web.embed import frame, placeholder
from consent.web.head import NOTHING, head
from consent.web.inert import runs
from consent.web.notice import marks
from consent.web.optout import link_name
from consent.web.page import again, piece, received, signal_status, status
from consent.web.request import ConsentRequest, here
from consent.web.returning import quoted, safe_path
from consent.web.site import Site

#: Endpoints of the preference centre: what it returns to stays what it was.
CENTRE = frozenset({"consent.choices", "consent.decide"})
#: Endpoints of our own pages that need no banner: they are the preference centre, or the visitor's own page.
WITHOUT_BANNER = CENTRE | {"consent.mine"}

#: The opt-out icon beside the link's words: a pill, half of it checked and half of it crossed (CA-01).
ICON = Markup(
    ' <svg class="pc-icon" width="30" height="14" viewBox="0 0 30 14" aria-hidden="true" focusable="false">'
    '<rect x=".5" y=".5" width="29" height="13" rx="6.5" fill="#fff" stroke="#06f"/>'
    '<path d="M17 .5h6a6.5 6.5 0 0 1 0 13h-9.5z" fill="#06f"/>'
    '<path d="M5 7.3l2.6 2.5L12 4.2" fill="none" stroke="#06f" stroke-width="1.6"/>'
    '<path d="M19.2 4.4l5 5.2m0-5.2l-5 5.2" fill="none" stroke="#fff" stroke-width="1.6"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Helpers:
    """The functions that templates get, for one app's *site*."""

    site: Site

    def register(self, app: Flask) -> None:
        """Make them known to the templates of *app*, in macros and imported templates too."""
        for name in ("head", "banner", "link", "block", "script", "embed", "pixel", "declaration", "signal"):
            call = f"consent_{name}"
            app.add_template_global(named(call, getattr(self, name)), call)

    def head(self, nonce: str | None = None, *, inert: bool = False) -> Markup:
        """The style sheet and the module, with the page's *nonce* if it has one; put it first into ``<head>``.

        Where the policy names Google or a tag manager, also the script that sets the defaults they go by.
        With *inert* also the module that brings inert markup to life (``data-service``, ``data-src``). Pages from a
        cache have it always.
        """
        visitor = here()
        visitor.nonce = nonce
        return head(visitor, inert=inert)

    def banner(self) -> Markup:
        """The banner with its preference dialog for who hasn't answered, the last answer's result for who has.

        Put it first into ``<body>``. A child, and the pages that are the preference centre, get no banner. On pages
        from a cache it stands for everybody, and browsers hide it from who is not to be asked.
        """
        visitor, site = here(), self.site
        if visitor.endpoint in WITHOUT_BANNER:
            return NOTHING
        if site.settings.cache_safe:
            return banner(visitor)
        if visitor.minor:
            return NOTHING
        return status(visitor) if visitor.decided else banner(visitor)

    def link(self, text: str | None = None) -> Markup:
        """The link to the preference centre for every page's footer; *text* instead of "Privacy choices".

        It leads back to the page that it stands in, unless that is marked.
        Where a service sells or shares and the profile asks for it, "Your Privacy Choices" with its icon (CA-01).
        """
        visitor, site = here(), self.site
        if site.sells and not site.one_profile:
            visitor.read = True  # no shared cache may bring one jurisdiction's link to another
        key = ("link", visitor.language, text, visitor.profile)
        end = site.pieces.get(key)
        if end is None:
            name = link_name(visitor)
            label = text if text is not None else visitor.words.gettext(name)
            icon = "" if name == "link.choices" else ICON
            html = Markup('" data-pc-open rel="nofollow">{}{}</a>').format(label, icon)
            end = site.remember(key, html)
        back, endpoint = None, visitor.endpoint
        if endpoint in CENTRE:
            back = safe_path(request.args.get("next"))
        elif site.places[endpoint].mark is None and endpoint != "consent.receipt":
            # A marked page's address, or a receipt's, would be read from the centre's by whatever runs there (HIP-04).
            back = visitor.address
        query = f"?next={quoted(back)}" if back else ""
        return Markup(f'<a class="pc-link" href="{visitor.mount}{site.settings.url_prefix}{query}{end}')

    def block(self, key: str, caller: Callable[[], Markup]) -> Markup:
        """``{% call consent_block("videos") %}…{% endcall %}``: the body, or nothing; not evaluated when refused.

        On pages from a cache it is evaluated for everybody, and stands in a ``<template>``.
        """
        visitor = here()
        if (live := runs(visitor, key)) is False:
            return NOTHING
        body = Markup(caller())
        return body if live else inert.template(visitor, key, body)

    def script(self, key: str, src: str, **attributes: Value) -> Markup:
        """A ``<script src>`` when *key* is allowed, else nothing; ``async_=True``, ``nonce=…`` and so on."""
        visitor = here()
        live = runs(visitor, key)
        given = self.given(f'consent_script("{key}")', key, "script", src=src, **attributes)
        if live is None:
            return inert.script(visitor, key, given)
        return Markup("<script{}></script>").format(written(given)) if live else NOTHING

    def embed(self, key: str, src: str, title: str, **attributes: Value) -> Markup:
        """An ``<iframe>`` when *key* is allowed, else a placeholder: what it is, and the ways to it (CON-12).

        ``width`` and ``height`` give the placeholder the shape of what comes. ValueError for an address that is
        neither http(s) nor a path of this site, or not on what the service declares under ``frame``, and for
        attributes that run something.
        """
        visitor = here()
        live = runs(visitor, key)
        given = self.given(f'consent_embed("{key}")', key, "frame", src=src, title=title, **attributes)
        if live:
            return frame(given)
        box = placeholder(inert.asker(visitor), key, given)
        return inert.template(visitor, key, frame(given), instead=True) + box if live is None else box

    def pixel(self, key: str, src: str) -> Markup:
        """A 1×1 image for a beacon when *key* is allowed, else nothing (ENF-07)."""
        visitor = here()
        live = runs(visitor, key)
        place = f'consent_pixel("{key}")'
        given = self.given(place, key, "img", src=src, alt="", width=1, height=1, class_="pc-pixel")
        image = Markup("<img{}>").format(written(given))
        return inert.template(visitor, key, image) if live is None else image if live else NOTHING

    def given(self, place: str, key: str, kind: str, /, **attributes: Value) -> dict[str, str | bool]:
        """*attributes*, checked, with a ``src`` that is on the origins *key* declares under *kind*, if any.

        On a marked page a ``referrerpolicy`` of theirs, which would stand over the page's own, tells no address either.
        """
        found = checked(place, **attributes)
        address.check(self.site.located, place, key, kind, str(found["src"]))
        if "referrerpolicy" in found and self.site.mark(here().endpoint) is not None:
            found["referrerpolicy"] = "no-referrer"
        return found

    def declaration(self) -> Markup:
        """Everything the policy declares, for a cookie page of the site's own."""
        visitor = here()
        declaration = Declaration.of(self.site.policy, visitor.words)
        return piece(visitor, "_declaration.html", declaration=declaration)

    def signal(self) -> Markup:
        """That an opt-out, by the browser's signal or here, was honoured; nothing where there is none (GPC-07).

        On pages from a cache its place, which the module fills.
        """
        visitor = here()
        if not self.site.settings.cache_safe:
            return signal_status(visitor)
        words = visitor.words
        return Markup('<p class="pc pc-signal" lang="{}" dir="{}" role="status"></p>').format(
            words.tag, words.direction
        )


def banner(visitor: ConsentRequest) -> Markup:
    """The banner with its dialog; for who is asked the first time a text that was rendered long before.

    On a marked page, whose address browsers don't tell, it names that address itself as the one to return to. On pages
    from a cache nothing in it comes from the visitor.
    """
    site, notice = visitor.site, visitor.notice
    marked = site.places[visitor.endpoint].mark is not None
    shared = site.settings.cache_safe
    first = (shared or visitor.decision is None) and not marked
    key = ("banner", notice.hash)
    if first and (found := site.pieces.get(key)) is not None:
        return found
    html = piece(
        visitor,
        "ask.html",
        banner=notice.banner,
        centre=notice.marked(marks(site.policy, None if shared else visitor.decision)),
        again=NOTHING if shared else again(visitor),
        status=received(visitor) if shared else status(visitor),
        next=visitor.address if marked else None,
    )
    return site.remember(key, html) if first else html
