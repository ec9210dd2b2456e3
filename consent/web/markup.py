"""What a site's templates call: head, banner, link, and markup that is there only when it is allowed."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from flask import Flask, Request, request, url_for
from markupsafe import Markup, escape

from consent.web import assets
from consent.web.declaration import Declaration
from consent.web.language import catalogue
from consent.web.notice import marks
from consent.web.page import again, piece, status
from consent.web.request import REQUEST, ConsentRequest, here
from consent.web.returning import safe_path
from consent.web.site import Site

#: Endpoints of our own pages that need no banner: they are the preference centre, or the visitor's own page.
WITHOUT_BANNER = frozenset({"consent.choices", "consent.decide", "consent.mine"})


@dataclass(frozen=True, slots=True)
class Helpers:
    """The functions that templates get, for one app's *site*."""

    site: Site

    def register(self, app: Flask) -> None:
        """Make them known to the templates of *app*, in macros and imported templates too."""
        for name in ("head", "banner", "link", "block", "script", "embed", "pixel", "declaration"):
            app.add_template_global(getattr(self, name), f"consent_{name}")

    def head(self) -> Markup:
        """The style sheet and the module; put it into ``<head>``."""
        visitor = here()
        mount = request.root_path
        key = ("head", mount, visitor.verdict.allowed)
        if (found := self.site.pieces.get(key)) is not None:
            return found
        html = Markup(
            '<link rel="stylesheet" href="{css}">\n'
            '<script type="module" src="{js}" data-pc-granted="{granted}" data-pc-url="{url}"></script>'
        ).format(
            css=asset("choices.css"),
            js=asset("choices.js"),
            granted=" ".join(self.site.with_categories(visitor.verdict.allowed)),
            url=url_for("consent.choices"),
        )
        return self.site.remember(key, html)

    def banner(self) -> Markup:
        """The banner with its preference dialog for who hasn't answered, the last answer's result for who has.

        Put it first into ``<body>``. A child, and the pages that are the preference centre, get no banner.
        """
        visitor = here()
        if request.endpoint in WITHOUT_BANNER or self.site.minor():
            return Markup()
        if visitor.decided:
            return status(visitor)
        return banner(self.site, visitor)

    def link(self, text: str | None = None) -> Markup:
        """The link to the preference centre for every page's footer; *text* instead of "Privacy choices"."""
        current = REQUEST._get_current_object()
        language = self.site.language()
        key = ("link", current.root_path, language, text)
        end = self.site.pieces.get(key)
        if end is None:
            label = text if text is not None else catalogue(language).gettext("link.choices")
            end = self.site.remember(key, Markup('" data-pc-open rel="nofollow">{}</a>').format(label))
        back = safe_path(current.full_path.rstrip("?")) if current.method == "GET" else None
        query = f"?next={quote(back)}" if back else ""
        start = f'<a class="pc-link" href="{base(self.site, current)}{query}'
        return Markup(start) + end

    def block(self, key: str, caller: Callable[[], Markup]) -> Markup:
        """``{% call consent_block("videos") %}…{% endcall %}``: the body, or nothing; not evaluated when refused."""
        return Markup(caller()) if here().allows(key) else Markup()

    def script(self, key: str, src: str, **attributes: str | bool) -> Markup:
        """A ``<script src>`` when *key* is allowed, else nothing; ``async_=True``, ``nonce=…`` and so on."""
        if not here().allows(key):
            return Markup()
        return Markup("<script{}></script>").format(html_attributes({"src": src, **attributes}))

    def embed(self, key: str, src: str, title: str, **attributes: str | bool) -> Markup:
        """An ``<iframe>`` when *key* is allowed, else a box that says what it is and how to allow it."""
        if here().allows(key):
            return Markup("<iframe{}></iframe>").format(
                html_attributes({"src": src, "title": title, **attributes})
            )
        return placeholder(self.site, key, src, title)

    def pixel(self, key: str, src: str) -> Markup:
        """A 1×1 image for a beacon when *key* is allowed, else nothing (ENF-07)."""
        if not here().allows(key):
            return Markup()
        return Markup('<img src="{}" alt="" width="1" height="1" class="pc-pixel">').format(src)

    def declaration(self) -> Markup:
        """Everything the policy declares, for a cookie page of the site's own."""
        words = self.site.words()
        return piece(
            self.site, "_declaration.html", words, declaration=Declaration.of(self.site.policy, words)
        )


def banner(site: Site, visitor: ConsentRequest) -> Markup:
    """The banner with its dialog; for who is asked the first time a text that was rendered long before."""
    notice = site.notice()
    first = visitor.decision is None
    key = ("banner", notice.hash)
    if first and (found := site.pieces.get(key)) is not None:
        return found
    html = piece(
        site,
        "ask.html",
        banner=notice.banner,
        centre=notice.marked(marks(site.policy, visitor.decision)),
        again=again(visitor),
        status=status(visitor),
    )
    return site.remember(key, html) if first else html


def placeholder(site: Site, key: str, src: str, title: str) -> Markup:
    """What stands in an embed's place: what it would be, from whom, and the way to the choice."""
    back = safe_path(request.full_path.rstrip("?"))
    services = site.policy.services_in(key) or (site.policy.service(key),)
    providers = dict.fromkeys(site.policy.provider(service.provider).name for service in services)
    return piece(
        site,
        "placeholder.html",
        title=title,
        provider=", ".join(providers),
        src=src if src.startswith(("https://", "http://", "/")) else "",
        choose=url_for("consent.choices", next=back),
    )


def base(site: Site, current: Request) -> str:
    """The path of the preference centre, for an attribute; without the cost of building it from the routes."""
    return f"{quote(current.root_path.rstrip('/'))}{site.settings.url_prefix}"


def asset(name: str) -> str:
    """The address of our static file *name*; it changes with the content."""
    return url_for("consent.static", filename=name, v=assets.version(name))


def html_attributes(values: dict[str, str | bool]) -> Markup:
    """*values* as HTML attributes; ``True`` as a bare one, ``False`` left out, ``async_`` as ``async``."""
    return Markup().join(
        Markup(" {}").format(name.rstrip("_").replace("_", "-"))
        if value is True
        else Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), escape(value))
        for name, value in values.items()
        if value is not False
    )
