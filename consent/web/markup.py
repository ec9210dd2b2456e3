"""What a site's templates call: head, banner, link, and markup that is there only when it is allowed."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, request
from markupsafe import Markup, escape

from consent.web import address, inert, navigation
from consent.web.arguments import named
from consent.web.assets import asset
from consent.web.attributes import Value, checked, written
from consent.web.declaration import Declaration
from consent.web.embed import frame, placeholder
from consent.web.guard import is_ours
from consent.web.inert import runs
from consent.web.notice import marks
from consent.web.optout import link_name
from consent.web.page import again, piece, received, signal_status, status
from consent.web.request import ConsentRequest, here
from consent.web.returning import quoted, safe_path
from consent.web.signalled import unheard
from consent.web.site import Place, Site

#: Endpoints of the preference centre: what it returns to stays what it was.
CENTRE = frozenset({"consent.choices", "consent.decide"})
#: Endpoints of our own pages that need no banner: they are the preference centre, or the visitor's own page.
WITHOUT_BANNER = CENTRE | {"consent.mine"}


NOTHING = Markup()

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
        visitor, site = here(), self.site
        visitor.nonce = nonce
        place = site.places[visitor.endpoint]
        told = self.told(visitor, place) if place.apart else NOTHING
        google = bool(site.consent_mode.services) and self.tells_google(visitor)
        shared = site.settings.cache_safe
        who = site.widest(visitor.endpoint) if shared else visitor.verdict
        listens = unheard(visitor) if site.sells and not shared else None
        key = (
            "head",
            visitor.mount,
            who.running,
            () if shared else who.elsewhere,
            inert,
            told,
            place.ours,
            google,
            listens,
        )
        html = site.pieces.get(key)
        if html is None:
            made = (
                self.shared_assets(visitor, google=google)
                if shared
                else self.assets(visitor, inert=inert, google=google, listens=listens)
            )
            html = site.remember(key, told + made)
        return with_nonce(html, nonce) if nonce else html

    def told(self, visitor: ConsentRequest, place: Place) -> Markup:
        """What HTMX and Turbo must know at *place*, so that no document holds pages of different marks."""
        site, environ = self.site, visitor.environ
        if not site.marks_any():
            return navigation.MARKED
        if "HTTP_TURBO_FRAME" in environ:
            visitor.read = True  # it goes by the Referer, by which no cache tells requests apart
        before = navigation.marks_at(site, environ)
        return navigation.head(environ, navigation.seen(site, visitor.endpoint), before)

    def tells_google(self, visitor: ConsentRequest) -> bool:
        """Whether the page sets what Google's tags and tag managers go by (GCM-01).

        Where the policy names such at all: a document can outlive its page in soft navigation, and so has it before
        anything of it may run. But not on a marked page that keeps them all out.
        """
        services = self.site.consent_mode.services
        if self.site.page(visitor.endpoint).mark is None:
            return True
        shared = self.site.settings.cache_safe
        who = self.site.widest(visitor.endpoint) if shared else visitor.verdict
        return not services.isdisjoint(who.allowed)

    def assets(
        self, visitor: ConsentRequest, *, inert: bool, google: bool, listens: tuple[str, bool] | None
    ) -> Markup:
        """The elements that load them; *listens* is what :func:`unheard` says.

        More for *google*, a signal that only scripts may see, storage, marks and *inert* markup.
        """
        running, granted = sorted(visitor.verdict.running), self.site.with_groups(visitor.elsewhere)
        html = Markup(
            '<link rel="stylesheet" href="{css}">\n'
            '<script type="module" src="{js}" data-pc-granted="{granted}"{here}{own} data-pc-url="{url}"></script>'
        ).format(
            css=asset("choices.css"),
            js=asset("choices.js"),
            granted=" ".join(granted),
            here=Markup(' data-pc-here="{}"').format(" ".join(running)) if running != granted else "",
            own=own(visitor),
            url=f"{visitor.mount}{self.site.settings.url_prefix}",
        )
        if google:
            html += self.defaults()
        if listens is not None:
            stopped, tell = listens
            html += Markup(
                '\n<script type="module" src="{js}" data-pc-stops="{stopped}"{tell}></script>'
            ).format(js=asset("heard.js"), stopped=stopped, tell=Markup(" data-pc-tell") if tell else "")
        elsewhere = " ".join(sorted(visitor.elsewhere))
        html += self.kept(visitor, Markup(' data-pc-elsewhere="{}"').format(elsewhere))
        if inert:
            html += Markup('\n<script type="module" src="{js}"></script>').format(js=asset("gated.js"))
        return html

    def kept(self, visitor: ConsentRequest, allowed: Markup) -> Markup:
        """The element that clears what browsers keep, where storage or marks need it.

        *allowed* is the attribute that says at once what may; on pages from a cache that comes later.
        """
        site = self.site
        if not (site.storage or site.marks_any() or is_ours(visitor.endpoint)):
            return Markup()
        return Markup(
            '\n<script type="module" src="{js}" data-pc-storage="{storage}"{allowed}></script>'
        ).format(js=asset("kept.js"), storage=site.storage or "{}", allowed=allowed)

    def defaults(self) -> Markup:
        """The element that sets what Google's tags and tag managers go by."""
        return Markup('\n<script src="{js}" data-pc-tags="{tags}"></script>').format(
            js=asset("defaults.js"), tags=self.site.consent_mode.told
        )

    def shared_assets(self, visitor: ConsentRequest, *, google: bool) -> Markup:
        """The elements that load them on pages from a cache: what is painted first goes by a cookie that scripts read.

        Browsers without JavaScript ask for a style sheet of their visitor's own. What runs for everybody stands apart
        from what may run for somebody.
        """
        site = self.site
        html = Markup(
            '<link rel="stylesheet" href="{css}">\n'
            '<script src="{first}" data-pc-name="{name}" data-pc-policy="{policy}"{waits}></script>\n'
            '<noscript><link rel="stylesheet" href="{url}/state.css"></noscript>\n'
            '<link rel="modulepreload" href="{answers}">\n'
            '<script type="module" src="{js}" data-pc-granted="{granted}" data-pc-possible="{possible}"{own} '
            'data-pc-url="{url}"></script>\n'
            '<script type="module" src="{gated}"></script>'
        ).format(
            css=asset("choices.css"),
            first=asset("first.js"),
            name=site.settings.readable_name,
            policy=site.digest,
            waits=Markup(" data-pc-waits") if site.settings.minor else "",
            answers=asset("answers.js"),
            js=asset("choices.js"),
            granted=" ".join(sorted(site.narrowest(visitor.endpoint).running)),
            possible=" ".join(inert.possible(visitor)),
            own=own(visitor),
            url=f"{visitor.mount}{site.settings.url_prefix}",
            gated=asset("gated.js"),
        )
        html += self.kept(visitor, Markup())
        if google:
            html += self.defaults()
        if site.sells:  # what the signal stops, /state says; forms say that it was seen
            html += Markup('\n<script type="module" src="{js}" data-pc-stops=""></script>').format(
                js=asset("heard.js")
            )
        return html

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
        if site.minor():
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
        key = ("link", visitor.language, text, site.profile())
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


def own(visitor: ConsentRequest) -> Markup:
    """What tells the module that the page is ours: it shows all answers, and its address may open a receipt."""
    return Markup(' data-pc-own="yes"') if is_ours(visitor.endpoint) else NOTHING


def with_nonce(html: Markup, nonce: str) -> Markup:
    """The elements of *html* that a security policy may ask a nonce of, with *nonce*."""
    return Markup(re.sub("<(link|script) ", lambda tag: f'{tag[0]}nonce="{escape(nonce)}" ', html))
