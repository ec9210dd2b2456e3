"""Embeds: the frame, the placeholder in its place, and the frame that a visitor loads once (CON-12, §5.4).

What is loaded once comes from a signed value that the placeholder carries, so that nobody can have our page show an
address of theirs.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Final
from urllib.parse import urlsplit
from zlib import crc32

from flask import Response, url_for
from itsdangerous import BadData, URLSafeTimedSerializer
from markupsafe import Markup

from consent.decision import Reason, if_granted
from consent.ledger import Event, Kind
from consent.policy import Service
from consent.web.address import foreign
from consent.web.assets import asset
from consent.web.attributes import written
from consent.web.declaration import service_view
from consent.web.notice import WAYS
from consent.web.optout import conflicts
from consent.web.outbox import write
from consent.web.page import piece
from consent.web.recorder import moment, new_id
from consent.web.request import ConsentRequest
from consent.web.signing import serializer
from consent.web.site import Site
from consent.web.values import DAY

#: Reasons that a Yes doesn't settle.
STOPPING: Final = frozenset({Reason.MINOR, Reason.OPTED_OUT, Reason.PAGE, Reason.MARKED})
#: Reasons that a placeholder tells, besides.
TOLD: Final = STOPPING | {Reason.CHANGED, Reason.EXPIRED}

#: Seconds for which an embed can be loaded once by the page that asked: caches keep pages for long.
LASTING: Final = 30 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """One embed of a page."""

    service: str
    """Its service's key."""
    attributes: Mapping[str, str | bool]
    """Those of its frame, as :func:`consent.web.attributes.checked` gives them; ``src`` and ``title`` among them."""
    endpoint: str | None
    """The view of the page it stands on."""

    def signed(self, site: Site) -> str:
        """All of it as a text that :meth:`read` takes from a form."""
        return str(signing(site).dumps([self.endpoint, self.service, dict(self.attributes)]))

    @classmethod
    def read(cls, site: Site, text: str | None) -> "Embed | None":
        """The embed that *site* signed as *text* at most ``LASTING`` ago, under the policy of now.

        None for anything else, and for an address that isn't on what its service declares.
        """
        try:
            endpoint, service, attributes = signing(site).loads(text or "", max_age=LASTING)
        except BadData:
            return None
        if foreign(site.located, service, "frame", attributes["src"]):
            return None
        return cls(service=service, attributes=attributes, endpoint=endpoint)

    @property
    def origin(self) -> str:
        """The origin it is loaded from, as a content security policy names it; the site's own is ``'self'``."""
        parts = urlsplit(str(self.attributes["src"]))
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"

    def stopped(self, visitor: ConsentRequest) -> str | None:
        """Why it can't be loaded once for *visitor*, as ``reason.…`` names it; None when it can.

        On a marked page, and where special categories of data are concerned, nothing is (§8, CON-14).
        """
        site = visitor.site
        mark = site.page(self.endpoint).mark
        here = visitor.circumstances._replace(mark=mark, endpoint=self.endpoint)
        reason = if_granted(site.policy, self.service, visitor.decision, here)
        if reason in STOPPING:
            return str(reason)
        return "once" if mark or site.policy.service(self.service).special_category else None


def signing(site: Site) -> URLSafeTimedSerializer:
    """What signs embeds under the policy of now; their day is signed, so a page stays the same for a day."""
    return serializer(site, f"embed.3|{site.policy.digest}", unit=DAY)


def frame(attributes: Mapping[str, str | bool]) -> Markup:
    """The ``<iframe>`` with *attributes*."""
    return Markup("<iframe{}></iframe>").format(written(dict(attributes)))


def shape(attributes: Mapping[str, str | bool]) -> tuple[int, int] | None:
    """Width and height that *attributes* give in pixels; None when they don't give both."""
    sizes = [str(attributes.get(name, "")) for name in ("width", "height")]
    if not all(size.isascii() and size.isdecimal() and 0 < int(size) < 100_000 for size in sizes):
        return None
    return int(sizes[0]), int(sizes[1])


def anchor(visitor: ConsentRequest, attributes: Mapping[str, str | bool]) -> str:
    """The id of the next placeholder of the page, for a frame with *attributes*: the same whenever it is shown."""
    first = f"pc-{crc32(str(attributes['src']).encode()):08x}"
    ids = chain([first], (f"{first}-{number}" for number in count(2)))
    return next(id for id in ids if id not in visitor.placed)


def placeholder(visitor: ConsentRequest, key: str, attributes: Mapping[str, str | bool]) -> Markup:
    """What stands in an embed's place: what it would be, from whom, what they get, and the ways to it.

    *key* is that of a service or category. Only ways are offered that lead somewhere from this page.
    """
    site, words = visitor.site, visitor.words
    services = site.policy.services_in(key) or (site.policy.service(key),)
    views = [service_view(site.policy, service, words) for service in services]
    why = visitor.reason(key)
    if len(services) == 1:
        sure = if_granted(site.policy, services[0].key, visitor.decision, visitor.circumstances)
        why = sure if sure in STOPPING else why
    data = dict.fromkeys(each for view in views for each in view.data)
    place = anchor(visitor, attributes)
    return piece(
        visitor,
        "placeholder.html",
        anchor=place,
        title=attributes["title"],
        provider=words.gettext("list.comma").join(dict.fromkeys(view.provider_name for view in views)),
        data=words.gettext("list.comma").join(data),
        why=str(why) if why in TOLD else None,
        cached=site.settings.cache_safe,
        shape=shape(attributes),
        choose=to_choices(visitor, why),
        dialog=not conflicts(visitor),
        ways=ways(visitor, services, why, attributes, place),
    )


def to_choices(visitor: ConsentRequest, why: Reason) -> str | None:
    """The address of the preference centre; None where no answer there would help on this page."""
    if why in STOPPING - {Reason.OPTED_OUT}:
        return None
    address = url_for("consent.choices", next=visitor.address)
    return f"{address}#pc-sale" if conflicts(visitor) else address


def ways(
    visitor: ConsentRequest,
    services: tuple[Service, ...],
    why: Reason,
    attributes: Mapping[str, str | bool],
    place: str,
) -> Markup:
    """The buttons of the placeholder with the id *place*: load once, always allow, open at the provider.

    Those of them that can work here.
    """
    site, [service, *others] = visitor.site, services
    src = str(attributes["src"])
    embed = Embed(service=service.key, attributes=attributes, endpoint=visitor.endpoint)
    helps = not others and why not in STOPPING
    once = helps and embed.stopped(visitor) is None
    visitor.placed[place] = (service.key, embed.origin) if once else None
    return piece(
        visitor,
        WAYS,
        key=service.key,
        once=embed.signed(site) if once else None,
        always=helps,
        notice=visitor.notice.hash if helps else None,
        next=visitor.address and f"{visitor.address}#{place}",
        src=None if src.startswith("/") else src,
        provider=site.policy.provider(service.provider).name,
    )


def record_once(
    visitor: ConsentRequest, embed: Embed, *, notice: str | None, language: str | None, address: str | None
) -> None:
    """Write down that *embed* was allowed once, linked to nobody; LedgerError when that can't be done now (rule 9)."""
    site = visitor.site
    event = Event(
        id=new_id(),
        kind=Kind.GIVEN_ONCE,
        time=moment(site.clock()),
        policy=site.policy.digest,
        granted=(embed.service,),
        notice=notice,
        language=language or visitor.language,
        profile=visitor.profile,
        signal=visitor.signal,
        source="embed",
    )
    documents = site.documents(site.notices.by_hash.get(notice or ""))
    write(site.recorder, event, secrets.token_bytes(32), documents, address=address)
    visitor.lent = frozenset({embed.service})


def once_page(visitor: ConsentRequest, embed: Embed, *, back: str | None) -> Response:
    """The page that shows *embed* this one time, with the way *back* to where it was asked for.

    Its own policy lets in the origins that the service declares for frames, else the embed's own, and nothing else.
    """
    site = visitor.site
    service = site.policy.service(embed.service)
    html = piece(
        visitor,
        "embed/once.html",
        title=embed.attributes["title"],
        provider=site.policy.provider(service.provider).name,
        frame=frame(embed.attributes),
        shape=shape(embed.attributes),
        stylesheet=asset("choices.css"),
        back=back or f"{visitor.mount}/",
    )
    response = Response(html)
    origins = dict(service.origins).get("frame", ())
    frames = " ".join(origins) if origins and embed.origin != "'self'" else embed.origin
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; frame-src {frames}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return response
