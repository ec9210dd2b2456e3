"""Every form of our markup as whole HTML documents, by name, for the HTML checker."""

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Flask, render_template_string
from flask.testing import FlaskClient

from consent import Consent
from tests.web.clinic import POLICY, SAME

#: A page with all helpers and, below, the forms in which markup may stand inert.
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Clinic</title>
{{ consent_head(nonce="n0nce", inert=true) }}</head><body>{{ consent_banner() }}<main><h1>Clinic</h1>
{% call consent_block("statistics") %}<p>counted</p>{% endcall %}
{{ consent_script("statistics", src="/count.js", async_=True, nonce="n0nce") }}
{{ consent_pixel("statistics", src="https://count.example/1.gif?a=b&c=d") }}
{{ consent_embed("videos", src="https://video.example/v/1?a=b&c=d", title='A "film" & <more>', width=640, height=360,
   allow="fullscreen", loading="lazy", data_size="big") }}
{{ consent_embed("videos", src="/own/film", title="Our own film") }}
{{ consent_signal() }}{{ consent_declaration() }}
</main><footer>{{ consent_link() }}</footer></body></html>"""
INERT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Inert</title>
<link rel="stylesheet" data-service="statistics" data-href="/style.css" href="data:,"></head><body><h1>Inert</h1>
<script type="text/plain" data-category="performance" data-service="statistics" data-src="/count.js" data-async
  data-crossorigin="anonymous"></script>
<script type="text/plain" data-service="statistics" data-type="module" nonce="n0nce">import "/x.js"</script>
<script type="text/plain" data-service="statistics" data-type="application/ld+json">{"@type": "Thing"}</script>
<iframe data-service="videos" data-src="https://video.example/v/1" title="A film"></iframe>
<img data-service="statistics" data-src="/p.gif" data-srcset="/p2.gif 2x" src="data:," alt="">
<template data-category="performance"><p>Whatever</p><script src="/last.js"></script></template>
</body></html>"""

Document = tuple[str, str]
"""Its name and its text."""


def documents(folder: Path, demo: Callable[..., Flask]) -> Iterator[Document]:
    """All of them. *demo* makes the sample site; *folder* is for a site of the tests' own."""
    yield "inert markup", INERT
    yield from of_helpers(folder)
    shared = demo(CONSENT_CACHE_SAFE=True).test_client()
    yield "/how-billing-works, cache-safe", shared.get("/how-billing-works").text
    for language in ("en", "de", "ar"):
        for name, text in of_demo(demo(), language):
            yield f"{name}, {language}", text


def of_helpers(folder: Path) -> Iterator[Document]:
    """A page with every helper, before an answer, after a Yes, after a No, under a signal, and on a marked page.

    And as shared caches keep it, for everybody.
    """
    folder.mkdir()
    (folder / "consent.toml").write_text(POLICY)
    shared = clinic(folder, CONSENT_CACHE_SAFE=True).test_client()
    yield "helpers, cache-safe", shared.get("/").text
    yield "helpers, cache-safe, marked page", shared.get("/portal").text
    client = clinic(folder).test_client()
    yield "helpers, not answered", client.get("/").text
    yield "helpers, marked page", client.get("/portal").text
    yield "helpers, under a signal", client.get("/", headers={"Sec-GPC": "1"}).text
    answer(client, "all")
    yield "helpers, all allowed", client.get("/").text
    yield "centre with a conflict", client.get("/privacy-choices", headers={"Sec-GPC": "1"}).text
    fields = {"service.videos": "yes", "from": "centre"}
    yield "second of two steps", answer(client, "opt_in", **fields)
    answer(client, "none")
    yield "helpers, all refused", client.get("/").text


def clinic(folder: Path, **config: object) -> Flask:
    """The site of the tests' own, with a page and a marked page."""
    app = Flask("clinic", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.from_mapping(
        config, SECRET_KEY="a key for tests", CONSENT_DATABASE="sqlite://", CONSENT_PROFILE="us_ca"
    )
    consent = Consent(app)

    @app.get("/")
    def home() -> str:
        return render_template_string(PAGE)

    @app.get("/portal")
    @consent.sensitive
    def portal() -> str:
        return render_template_string(PAGE)

    return app


def of_demo(app: Flask, language: str) -> Iterator[Document]:
    """The pages of ours in the layout of the sample site, and what stands on its own."""
    client = app.test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    for path in (
        "/",
        "/films/bill",
        "/privacy-choices",
        "/privacy-choices/declaration",
        "/privacy-choices/mine",
    ):
        yield path, client.get(path).text
    yield "an embed, once", once(client, "/how-billing-works")
    for code, sent in {400: {"choice": "nonsense"}, 409: {"choice": "all"}}.items():
        response = client.post(
            "/privacy-choices", data={"notice": notice(client), **sent} if code == 400 else sent, headers=SAME
        )
        assert response.status_code == code
        yield str(code), response.text
    yield "403", client.post("/privacy-choices", data={"choice": "all", "notice": notice(client)}).text
    answer(client, "all")
    for path in ("/films/bill", "/privacy-choices/mine"):
        yield f"{path}, all allowed", client.get(path).text
    # The copy in the frame of this page is left out: stored bytes, whose button opens a dialog they once stood beside.
    yield "shown", client.get(f"/privacy-choices/shown/{notice(client)}").text


def notice(client: FlaskClient) -> str:
    """The hash of the notice in the client's language."""
    found = re.search(r'name="notice" value="([0-9a-f]{64})"', client.get("/privacy-choices").text)
    assert found
    return found[1]


def answer(client: FlaskClient, choice: str, **fields: str) -> str:
    """What the form answers."""
    return client.post(
        "/privacy-choices", data={"notice": notice(client), "choice": choice, **fields}, headers=SAME
    ).text


def once(client: FlaskClient, path: str) -> str:
    """The page that shows the embed on the page at *path* once."""
    hidden = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)"', client.get(path).text.split("pc-embed")[-1]
    )
    sent = {name: html.unescape(value) for name, value in hidden} | {"choice": "once"}
    response = client.post("/privacy-choices", data=sent, headers=SAME)
    assert response.status_code == 200
    return response.text
