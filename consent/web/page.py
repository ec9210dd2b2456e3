"""Our own pages and the pieces around the notice: rendered in our words, set into the host's layout."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import render_template
from markupsafe import Markup

from consent.web.confirmation import contradicts
from consent.web.declaration import title_of
from consent.web.language import Catalogue
from consent.web.notice import ENVIRONMENT, addresses, surroundings
from consent.web.optout import OptOut, conflict_in_words, conflicts, link_name, profile_of, titles, views
from consent.web.request import ConsentRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What ``consent/page.html`` finds under the one name ``pc``; all other names in it are the host's."""

    title: Markup
    content: Markup
    lang: str
    dir: str
    urls: Mapping[str, str | None]
    controller: str
    skip: Markup
    """The words of the link that skips to the content."""
    links: tuple[tuple[str, Markup], ...]
    """Addresses and words of our pages, for a footer."""


def page(
    visitor: ConsentRequest, title: str, template: str, /, words: Catalogue | None = None, **context: object
) -> str:
    """The page ``consent/<template>`` with the title of the message id *title*, in the site's layout."""
    words = words or visitor.words
    urls = addresses_of(visitor)
    named = {
        "link.mine": urls["mine"],
        "link.declaration": urls["declaration"],
        "link.policy": urls["policy"],
    }
    return render_template(
        "consent/page.html",
        pc=Page(
            title=words.gettext(title),
            content=piece(
                visitor, template, words, signal=signal_status(visitor), sale=sale(visitor), **context
            ),
            lang=words.tag,
            dir=words.direction,
            urls=urls,
            controller=visitor.site.policy.controller.name,
            skip=words.gettext("page.skip"),
            links=tuple((url, words.gettext(name)) for name, url in named.items() if url),
        ),
    )


def piece(
    visitor: ConsentRequest, template: str, /, words: Catalogue | None = None, **context: object
) -> Markup:
    """The template ``consent/<template>``, the site's or ours, rendered in the visitor's language.

    Those of the folders ``optout``, ``embed`` and ``receipt`` are ours alone: they hold controls that answer (UI-11),
    what has been allowed just once, and documents in which nothing else runs.
    """
    words = words or visitor.words
    ours = template.startswith(("optout/", "embed/", "receipt/"))
    environment = ENVIRONMENT if ours else visitor.site.notices.environment
    html = environment.get_template(f"consent/{template}").render({**around_us(visitor, words), **context})
    return Markup(html.strip())


def around_us(visitor: ConsentRequest, words: Catalogue) -> dict[str, object]:
    """What all our templates see, here and in the notice."""
    site = visitor.site
    return surroundings(
        words,
        controller=site.policy.controller.name,
        urls=addresses_of(visitor),
        placement=site.settings.placement,
        choices_link=link_name(visitor),
    )


def addresses_of(visitor: ConsentRequest) -> Mapping[str, str | None]:
    """Where our pages are in the request's mount point."""
    site = visitor.site
    return addresses(visitor.mount + site.settings.url_prefix, site.notices.privacy_policy)


def result_in_words(visitor: ConsentRequest, words: Catalogue) -> Markup:
    """What the visitor's answer amounts to now, in one to three sentences."""
    return words.sentences(settled_in_words(visitor, words), conflict_in_words(visitor, words))


def settled_in_words(visitor: ConsentRequest, words: Catalogue) -> Markup:
    """What is on and what is off."""
    policy = visitor.site.policy
    on: list[Markup] = []
    off: list[Markup] = []
    for service in policy.optional_services:
        runs = service.key in visitor.elsewhere
        (on if runs else off).append(Markup.escape(title_of(policy, service, words)))
    if not on:
        return words.gettext("status.rejected")
    if not off:
        return words.gettext("status.accepted")
    comma = words.gettext("list.comma")
    return words.gettext("status.saved", on=comma.join(on), off=comma.join(off))


def answers(visitor: ConsentRequest) -> dict[str, list[str]]:
    """What is on and what is off for the visitor, services, categories and carriers, as JSON says it."""
    site = visitor.site
    on = site.with_groups(visitor.elsewhere)
    every = site.with_groups(frozenset(service.key for service in site.policy.services))
    return {"granted": on, "refused": sorted({*every} - {*on})}


def status(visitor: ConsentRequest, *, on_centre: bool = False, back: str | None = None) -> Markup:
    """The result of the visitor's answer, hidden until the address names it (``#pc-status``).

    *on_centre*: whether it stands on the preference centre's page; *back* is where it leads from there.
    """
    site = visitor.site
    stopped = conflicts(visitor)
    why = stopped and (tuple(service.key for service in stopped), visitor.signal)
    key = (
        "status",
        visitor.language,
        visitor.decision is None,
        visitor.elsewhere,
        visitor.mount,
        link_name(visitor),
        why,
        on_centre,
    )
    if back is None and (found := site.pieces.get(key)) is not None:
        return found
    words = visitor.words
    message = settled(visitor)
    if stopped:
        link = Markup(' <a href="{}#pc-sale">{}</a>')
        message += link.format(addresses_of(visitor)["centre"], words.gettext("optout.more"))
    html = piece(visitor, "status.html", words, message=message, on_centre=on_centre, back=back)
    return html if back else site.remember(key, html)


def settled(visitor: ConsentRequest) -> Markup:
    """What the visitor's browser holds now, in words."""
    words = visitor.words
    return result_in_words(visitor, words) if visitor.decision else words.gettext("status.not_kept")


def received(visitor: ConsentRequest) -> Markup:
    """The same for pages from a cache, which can't know it: that an answer has come, and where to see what holds."""
    key = ("received", visitor.language, visitor.mount, link_name(visitor))
    if (found := visitor.site.pieces.get(key)) is None:
        message = visitor.words.gettext("status.received")
        found = visitor.site.remember(key, piece(visitor, "status.html", message=message))
    return found


def again(visitor: ConsentRequest) -> Markup:
    """Why the visitor is asked again; nothing for who is asked the first time."""
    asking = visitor.asking
    if asking.why in (None, "first"):
        return Markup()
    site, words = visitor.site, visitor.words
    titles = [title_of(site.policy, site.policy.service(key), words) for key in asking.services]
    return piece(
        visitor,
        "again.html",
        words,
        why=asking.why,
        change=site.policy.text("change", words.tag),
        services=titles,
    )


def signal_status(visitor: ConsentRequest) -> Markup:
    """Whether an opt-out was honoured, where the profile wants that said (GPC-07, GPC-08); else nothing."""
    site, optout = visitor.site, OptOut.of(visitor)
    if not optout.honored or not profile_of(visitor).signal_status or visitor.minor:
        return Markup()
    off = tuple(service.key for service in optout.off)
    key = ("signal", visitor.language, optout.signal, optout.stored, off, visitor.mount)
    if (found := site.pieces.get(key)) is not None:
        return found
    words = visitor.words
    html = piece(
        visitor,
        "optout/signal.html",
        words,
        by_signal=optout.signal,
        stored=optout.stored,
        off=titles(visitor, optout.off, words),
    )
    return site.remember(key, html)


def sale(visitor: ConsentRequest) -> Markup:
    """The ways to opt out of sale and sharing and, in two steps, in again; nothing where there is nothing to say."""
    optout = OptOut.of(visitor)
    out = profile_of(visitor).choices_link and (bool(optout.on) or not (optout.stored or optout.signal))
    if not (optout.on or optout.off) or not (out or optout.conflicts) or visitor.minor:
        return Markup()
    words = visitor.words
    asked = frozenset(service.key for service in optout.conflicts)
    confirmed = optout.on if optout.stored or optout.signal else ()
    return piece(
        visitor,
        "optout/sale.html",
        words,
        services=titles(visitor, optout.on + optout.off, words),
        conflict=conflict_in_words(visitor, words),
        asked=sorted(asked) if contradicts(visitor, asked) else [],
        confirmed=titles(visitor, confirmed, words),
        opt_out=out,
        notice=visitor.notice.hash,
    )


def opt_in_page(visitor: ConsentRequest, keys: frozenset[str], *, step: str, back: str | None) -> str:
    """The second of the two steps: what would be shared with whom, and the same button for Yes and for No (GPC-06)."""
    optout = OptOut.of(visitor)
    return page(
        visitor,
        "opt_in.title",
        "optout/opt_in.html",
        services=views(visitor, keys, visitor.words),
        by_signal=optout.signal,
        stored=optout.stored,
        notice=visitor.notice.hash,
        step=step,
        next=back,
    )


def opt_in_in_words(visitor: ConsentRequest, keys: frozenset[str], words: Catalogue) -> Markup:
    """What the second of the two steps asks, in two or three sentences."""
    optout = OptOut.of(visitor)
    said = "opt_in.signal" if optout.signal else "opt_in.stored" if optout.stored else None
    asked = tuple(each for each in optout.on + optout.off if each.key in keys)
    names = words.gettext("opt_in.names", services=titles(visitor, asked, words))
    return words.sentences(said and words.gettext(said), names)
