"""A site that tries to use every kind of item in every way, and a second site that notes what reaches it.

Each service is of one kind of ``verdict_table`` and has one item. What it loads comes from an origin of its own,
``http://k3-pixel.localhost:…``, so that a content security policy can tell it from all others.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from flask import Flask, Response, render_template_string, request
from werkzeug.exceptions import NotFound

from consent import Consent
from consent.look import served
from consent.web.site import Site
from tests.decision.verdict_table import KINDS, Kind

#: What stands in the policy for each item; ``{key}.*`` are the names it stores under, ``{origin}`` what it loads.
ITEMS: Final = {
    "server_cookie": 'cookies = {{ "{key}.*" = "session" }}',
    "script_cookie": 'cookies = {{ "{key}.*" = "session" }}',
    "local": 'storage = {{ "{key}.*" = "local" }}',
    "session": 'storage = {{ "{key}.*" = "session" }}',
    "indexeddb": 'storage = {{ "{key}.*" = "indexeddb" }}',
    "pixel": 'img = ["{origin}"]',
    "script": 'script = ["{origin}"]',
    "frame": 'frame = ["{origin}"]',
    "style": 'style = ["{origin}"]',
    "font": 'font = ["{origin}"]',
    "media": 'media = ["{origin}"]',
    "connect": 'connect = ["{origin}"]',
}
STORED: Final = frozenset({"script_cookie", "local", "session", "indexeddb"})
#: What a script of the site's own does, rather than an element of the page.
BY_SCRIPT: Final = STORED | {"font", "connect"}
ACTS: Final = {
    "script_cookie": "document.cookie = `{key}.{way}=1; path=/`",
    "local": "localStorage.setItem(`{key}.{way}`, 1)",
    "session": "sessionStorage.setItem(`{key}.{way}`, 1)",
    "indexeddb": "new Promise((over) => {{ const asked = indexedDB.open(`{key}.{way}`); "
    "asked.onsuccess = () => over(asked.result.close()); asked.onerror = over; }})",
    "font": "new FontFace('a', `url({url})`).load()",
    "connect": "fetch(`{url}`, {{ mode: 'no-cors' }})",
}

#: What of a security policy says where each item that is loaded may come from.
DIRECTIVES: Final = {
    "pixel": "img",
    **{item: item for item in ("script", "frame", "style", "font", "media", "connect")},
}


class Use(NamedTuple):
    """One service as a page names it."""

    key: str
    kind: str
    item: str
    origin: str


class Asked(NamedTuple):
    """What a server was asked for: the second site's ("elsewhere"), or the site's own ("here") for a script."""

    server: str
    key: str
    way: str


@dataclass(slots=True)
class Log:
    """What reached the servers, by page. It is the truth: a browser also reports requests that it has blocked."""

    pages: defaultdict[str, set[Asked]] = field(default_factory=lambda: defaultdict(set))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, page: str, asked: Asked) -> None:
        """Note what *page* asked for."""
        with self.lock:
            self.pages[page].add(asked)

    def of(self, page: str) -> set[Asked]:
        """What *page* has asked for so far."""
        with self.lock:
            return set(self.pages[page])


@dataclass(frozen=True, slots=True)
class Parity:
    """The two sites, running."""

    url: str
    app: Flask
    uses: tuple[Use, ...]
    log: Log

    @property
    def site(self) -> Site:
        """The app's consent."""
        found: Site = self.app.extensions["consent"]
        return found

    @property
    def shared(self) -> bool:
        """Whether its pages are the same for everybody."""
        return self.site.settings.cache_safe


HEAD: Final = '<!doctype html><html lang="en"><head><title>Parity</title><link rel="icon" href="data:,">'
#: Everything by our markup, without any security policy: nothing but the markup keeps it back.
#: A page from a cache knows what holds once the server has said it, and has cookies set by another response.
BY_MARKUP: Final = (
    HEAD
    + """<script>window.acts = [];</script>{{ consent_head(inert=true) }}</head><body>{{ consent_banner() }}
{% for use in uses %}
{% set o = use.origin ~ "/" ~ case %}{% set act = "/act/" ~ case ~ "/" ~ use.item ~ "/" ~ use.key %}
{% if use.item == "pixel" %}
{{ consent_pixel(use.key, src=o ~ "/markup") }}
<img data-service="{{ use.key }}" data-src="{{ o }}/inert" src="data:," alt="">
<template data-service="{{ use.key }}"><img src="{{ o }}/template" alt=""></template>
{% elif use.item == "script" %}
{{ consent_script(use.key, src=o ~ "/markup") }}
<script type="text/plain" data-service="{{ use.key }}" data-src="{{ o }}/inert"></script>
{% elif use.item == "frame" %}
{{ consent_embed(use.key, src=o ~ "/markup", title="Frame") }}
<iframe data-service="{{ use.key }}" data-src="{{ o }}/inert" title="Frame"></iframe>
{% elif use.item == "style" %}
{% call consent_block(use.key) %}<link rel="stylesheet" href="{{ o }}/markup">{% endcall %}
<link rel="stylesheet" data-service="{{ use.key }}" data-href="{{ o }}/inert">
{% elif use.item == "media" %}
{% call consent_block(use.key) %}<audio src="{{ o }}/markup" preload="auto"></audio>{% endcall %}
<audio data-service="{{ use.key }}" data-src="{{ o }}/inert" preload="auto"></audio>
{% elif use.item in by_script %}
{{ consent_script(use.key, src=act ~ "/markup.js") }}
<script type="text/plain" data-service="{{ use.key }}" data-src="{{ act }}/inert.js"></script>
{% endif %}{% endfor %}
<script type="module">
const ask = () => {
  {% for use in uses if use.item in by_script %}
  if (consent.allows("{{ use.key }}")) {{ acts(use, "asked") | safe }};
  {% endfor %}
  // Comes to life after all that stood before it.
  const last = Object.assign(document.createElement("script"), { type: "text/plain", text: "window.over = true" });
  last.dataset.service = "k0_pixel";
  document.body.append(last);
};
{% if shared %}
document.addEventListener("consent:changed", ask, { once: true });
acts.push(fetch(`${location.href}&cookies`));
{% else %}
ask();
{% endif %}
</script></body></html>"""
)
#: Everything as bare elements and scripts: nothing but the security policy keeps it back.
BARE: Final = (
    HEAD
    + """{{ consent_head() }}</head><body>{{ consent_banner() }}
{% for use in uses %}{% set o = use.origin ~ "/" ~ case %}
{% if use.item == "pixel" %}<img src="{{ o }}/bare" alt="">
{% elif use.item == "script" %}<script src="{{ o }}/bare"></script>
{% elif use.item == "frame" %}<iframe src="{{ o }}/bare" title="Frame"></iframe>
{% elif use.item == "style" %}<link rel="stylesheet" href="{{ o }}/bare">
{% elif use.item == "media" %}<audio src="{{ o }}/bare" preload="auto"></audio>
{% endif %}{% endfor %}
<script src="/bare/{{ case }}.js"></script></body></html>"""
)


def security_policy(uses: tuple[Use, ...]) -> str:
    """What the site sends with its bare pages: half of the origins it names itself, the others are to be let in."""
    named = {directive: ["'self'", "data:"] for directive in DIRECTIVES.values()}
    for use in uses:
        # Another half of the kinds for each item.
        if use.item in DIRECTIVES and (len(use.kind) + len(use.item)) % 2:
            named[DIRECTIVES[use.item]].append(use.origin)
    lists = [f"{name}-src {' '.join(sources)}" for name, sources in named.items()]
    return "; ".join(["default-src 'none'", "base-uri 'none'", "form-action 'self'", *lists])


def act(use: Use, case: str, way: str) -> str:
    """What uses *use*'s item, as JavaScript; the page waits for it."""
    code = ACTS[use.item].format(key=use.key, way=way, url=f"{use.origin}/{case}/{way}")
    return f"(window.acts ??= []).push({code})"


def loaded(use: Use, *, bare: bool) -> Iterator[Asked]:
    """What a page asks for when *use* may run."""
    own = use.item in BY_SCRIPT
    loads = use.item in DIRECTIVES
    if bare:
        yield from [Asked("elsewhere", use.key, "bare")] if loads else []
        return
    for way in ("markup", "inert"):
        yield from [Asked("here", use.key, way)] if own else []
        yield from [Asked("elsewhere", use.key, way)] if loads else []
    yield from [Asked("elsewhere", use.key, "asked")] if own and loads else []
    yield from [Asked("elsewhere", use.key, "template")] if use.item == "pixel" else []


def kept(use: Use) -> frozenset[str]:
    """Under which names something is stored when *use* may run."""
    if use.item == "server_cookie":
        return frozenset({f"{use.key}.set"})
    return frozenset(f"{use.key}.{way}" for way in ("markup", "inert", "asked") if use.item in STORED)


def declared(use: Use, kind: Kind) -> str:
    """*use* in the policy file."""
    lines = [
        f"[services.{use.key}]",
        f'category = "{"essential" if kind.always else "performance"}"',
        f'purposes = ["{"payment" if kind.always else "measurement"}"]',
        f'title = "{use.key}"',
        'text = "Counts."',
        ITEMS[use.item].format(key=use.key, origin=use.origin),
    ]
    if not kind.first_party:
        lines += ['provider = "vendor"', 'data = ["address"]', 'retention = "30 days"']
    if not kind.first_party or kind.sells_or_shares:
        lines.append(f"sells_or_shares = {str(kind.sells_or_shares).lower()}")
    if kind.agreement:
        lines.append('agreement = "Agreement of 2026"')
    if kind.limited:
        lines.append('pages = ["billing.*"]')
    if kind.always and use.item in ("local", "indexeddb"):
        lines.append('outlives_session = "It has to."')
    return "\n".join(lines)


#: What pages say that shared caches may keep.
KEPT_BY_CACHES: Final = "public, max-age=60"
POLICY: Final = """revision = 1
effective = 2026-11-01
language = "en"
controller = { name = "Clinic", site = "http://127.0.0.1", contact = "privacy@clinic.example" }
[providers]
vendor = { name = "Vendor", country = "US" }
"""


def second_site(log: Log) -> Flask:
    """The site that notes what reaches it, and answers as what was asked for wants."""
    app = Flask("second")
    answers = {"script": "text/javascript", "style": "text/css", "image": "image/svg+xml"}

    @app.get("/<case>/<way>")
    def noted(case: str, way: str) -> Response:
        log.add(case, Asked("elsewhere", request.host.partition(".")[0].replace("-", "_"), way))
        kind = answers.get(request.headers.get("Sec-Fetch-Dest", ""))
        # A frame that gets nothing stays as it was, which spares the browser a process.
        answer = Response("", mimetype=kind) if kind else Response(status=204)
        answer.access_control_allow_origin = "*"
        return answer

    return app


def first_site(folder: Path, uses: tuple[Use, ...], log: Log, config: Mapping[str, object]) -> Flask:
    """The site itself. ``?bare`` is a page of bare elements under a security policy; who holds ``minor`` is a child.

    In cache-safe mode shared caches may keep its pages, and ``?cookies`` sets what the page itself sets otherwise.
    """
    text = [POLICY, *(declared(use, KINDS[use.kind]) for use in uses)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "consent.toml").write_text("\n".join(text))
    app = Flask("parity", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.from_mapping(
        SECRET_KEY="a key for tests, long enough",
        CONSENT_MINOR=lambda: "minor" in request.cookies,
    )
    app.config.update(config)
    consent = Consent(app)
    by_key = {use.key: use for use in uses}
    shared = bool(app.config.get("CONSENT_CACHE_SAFE"))

    def page() -> Response:
        case, bare, cookies = request.args.get("case", ""), "bare" in request.args, "cookies" in request.args
        html = render_template_string(
            BARE if bare else BY_MARKUP,
            uses=uses,
            case=case,
            by_script=BY_SCRIPT,
            shared=shared,
            acts=lambda use, way: act(use, case, way),
        )
        response = Response("" if cookies else html, mimetype="text/html")
        if bare:
            response.headers["Content-Security-Policy"] = security_policy(uses)
        if shared and not cookies:
            response.headers["Cache-Control"] = KEPT_BY_CACHES
            return response
        for use in uses:
            if use.item == "server_cookie":
                response.set_cookie(f"{use.key}.set", "1", httponly=True)
        return response

    @app.get("/act/<case>/<item>/<key>/<way>.js")
    def acting(case: str, item: str, key: str, way: str) -> Response:
        log.add(case, Asked("here", key, way))
        return Response(act(by_key[key], case, way), mimetype="text/javascript")

    @app.get("/bare/<case>.js")
    def bare_acts(case: str) -> Response:
        asked = [act(use, case, "bare") for use in uses if use.item in ("font", "connect")]
        return Response(";\n".join([*asked, "window.over = true;"]), mimetype="text/javascript")

    @app.errorhandler(NotFound)
    def nowhere(_: NotFound) -> tuple[Response, int]:
        return page(), 404

    for endpoint in ("home", "billing.pay"):
        app.add_url_rule(f"/{endpoint}", endpoint, lambda: page())
        for mark in (consent.sensitive, consent.first_party):
            name = f"{endpoint}.{mark.__name__}"
            app.add_url_rule(f"/{name}", name, mark(lambda: page()))
    return app


@contextmanager
def running(folder: Path, config: Mapping[str, object]) -> Iterator[Parity]:
    """Both sites, until the block ends."""
    log = Log()
    with served(second_site(log)) as second:
        port = second.rstrip("/").rpartition(":")[2]
        uses = tuple(
            Use(
                f"k{number}_{item}", kind, item, f"http://k{number}-{item.replace('_', '-')}.localhost:{port}"
            )
            for number, kind in enumerate(KINDS)
            for item in ITEMS
        )
        app = first_site(folder, uses, log, config)
        with served(app) as url:
            yield Parity(url, app, uses, log)
