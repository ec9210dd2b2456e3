"""What a page's ``<head>`` gets from us: the style sheet, the modules, and what scripts of others must know."""

import re

from markupsafe import Markup, escape

from consent.web import navigation
from consent.web.assets import asset
from consent.web.guard import is_ours
from consent.web.inert import possible
from consent.web.request import ConsentRequest
from consent.web.signalled import unheard

NOTHING = Markup()


def head(visitor: ConsentRequest, *, inert: bool) -> Markup:
    """The elements, with the nonce that the page gave if it has one; with *inert* those that inert markup needs."""
    site = visitor.site
    place = site.places[visitor.endpoint]
    said = told(visitor) if place.apart else NOTHING
    google = bool(site.consent_mode.services) and tells_google(visitor)
    shared = site.settings.cache_safe
    who = site.widest(visitor.endpoint) if shared else visitor.verdict
    listens = unheard(visitor) if site.sells and not shared else None
    key = (
        "head",
        visitor.mount,
        who.running,
        () if shared else who.elsewhere,
        inert,
        said,
        place.ours,
        google,
        listens,
    )
    html = site.pieces.get(key)
    if html is None:
        made = (
            shared_assets(visitor, google=google)
            if shared
            else assets(visitor, inert=inert, google=google, listens=listens)
        )
        html = site.remember(key, said + made)
    return with_nonce(html, visitor.nonce) if visitor.nonce else html


def told(visitor: ConsentRequest) -> Markup:
    """What HTMX and Turbo must know of the page, so that no document holds pages of different marks."""
    site, environ = visitor.site, visitor.environ
    if not site.marks_any():
        return navigation.MARKED
    if "HTTP_TURBO_FRAME" in environ:
        visitor.read = True  # it goes by the Referer, by which no cache tells requests apart
    before = navigation.marks_at(site, environ)
    return navigation.head(environ, navigation.seen(site, visitor.endpoint), before)


def tells_google(visitor: ConsentRequest) -> bool:
    """Whether the page sets what Google's tags and tag managers go by (GCM-01).

    Where the policy names such at all: a document can outlive its page in soft navigation, and so has it before
    anything of it may run. But not on a marked page that keeps them all out.
    """
    site = visitor.site
    if site.page(visitor.endpoint).mark is None:
        return True
    who = site.widest(visitor.endpoint) if site.settings.cache_safe else visitor.verdict
    return not site.consent_mode.services.isdisjoint(who.allowed)


def assets(visitor: ConsentRequest, *, inert: bool, google: bool, listens: tuple[str, bool] | None) -> Markup:
    """The elements that load them; *listens* is what :func:`unheard` says.

    More for *google*, a signal that only scripts may see, storage, marks and *inert* markup.
    """
    running, granted = sorted(visitor.verdict.running), visitor.site.with_groups(visitor.elsewhere)
    html = Markup(
        '<link rel="stylesheet" href="{css}">\n'
        '<script type="module" src="{js}" data-pc-granted="{granted}"{here}{own} data-pc-url="{url}"></script>'
    ).format(
        css=asset("choices.css"),
        js=asset("choices.js"),
        granted=" ".join(granted),
        here=Markup(' data-pc-here="{}"').format(" ".join(running)) if running != granted else "",
        own=own(visitor),
        url=f"{visitor.mount}{visitor.site.settings.url_prefix}",
    )
    if google:
        html += defaults(visitor)
    if listens is not None:
        stopped, tell = listens
        html += Markup('\n<script type="module" src="{js}" data-pc-stops="{stopped}"{tell}></script>').format(
            js=asset("heard.js"), stopped=stopped, tell=Markup(" data-pc-tell") if tell else ""
        )
    elsewhere = " ".join(sorted(visitor.elsewhere))
    html += kept(visitor, Markup(' data-pc-elsewhere="{}"').format(elsewhere))
    if inert:
        html += Markup('\n<script type="module" src="{js}"></script>').format(js=asset("gated.js"))
    return html


def kept(visitor: ConsentRequest, allowed: Markup) -> Markup:
    """The element that clears what browsers keep, where storage or marks need it.

    *allowed* is the attribute that says at once what may; on pages from a cache that comes later.
    """
    site = visitor.site
    if not (site.storage or site.marks_any() or is_ours(visitor.endpoint)):
        return Markup()
    return Markup('\n<script type="module" src="{js}" data-pc-storage="{storage}"{allowed}></script>').format(
        js=asset("kept.js"), storage=site.storage or "{}", allowed=allowed
    )


def defaults(visitor: ConsentRequest) -> Markup:
    """The element that sets what Google's tags and tag managers go by."""
    return Markup('\n<script src="{js}" data-pc-tags="{tags}"></script>').format(
        js=asset("defaults.js"), tags=visitor.site.consent_mode.told
    )


def shared_assets(visitor: ConsentRequest, *, google: bool) -> Markup:
    """The elements that load them on pages from a cache: what is painted first goes by a cookie that scripts read.

    Browsers without JavaScript ask for a style sheet of their visitor's own. What runs for everybody stands apart
    from what may run for somebody.
    """
    site = visitor.site
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
        possible=" ".join(possible(visitor)),
        own=own(visitor),
        url=f"{visitor.mount}{site.settings.url_prefix}",
        gated=asset("gated.js"),
    )
    html += kept(visitor, Markup())
    if google:
        html += defaults(visitor)
    if site.sells:  # what the signal stops, /state says; forms say that it was seen
        html += Markup('\n<script type="module" src="{js}" data-pc-stops=""></script>').format(
            js=asset("heard.js")
        )
    return html


def own(visitor: ConsentRequest) -> Markup:
    """What tells the module that the page is ours: it shows all answers, and its address may open a receipt."""
    return Markup(' data-pc-own="yes"') if is_ours(visitor.endpoint) else NOTHING


def with_nonce(html: Markup, nonce: str) -> Markup:
    """The elements of *html* that a security policy may ask a nonce of, with *nonce*."""
    return Markup(re.sub("<(link|script) ", lambda tag: f'{tag[0]}nonce="{escape(nonce)}" ', html))
