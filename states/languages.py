"""The banner in every language shipped."""

from collections.abc import Iterator
from pathlib import Path

from flask import Flask, render_template_string

from consent import Consent
from consent.web.language import shipped
from states.visits import ASKING, State

#: The built-in categories alone, whose words are ours in each language.
POLICY = """
revision  = 1
effective = 2026-03-02
language  = "en"
controller = { name = "Larkmere", site = "http://localhost", contact = "privacy@larkmere.example" }
[services.remember]
category = "functionality"
purposes = ["sign-in"]
text     = "…"
cookies  = { remember_name = "30 days" }
[services.statistics]
category = "performance"
purposes = ["measurement"]
text     = "…"
cookies  = { visit = "30 minutes" }
"""
WORDING = """
[services.remember]
text = "…"
[services.statistics]
text = "…"
"""
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Larkmere</title>
<meta name="viewport" content="width=device-width"><style>body { font-family: system-ui, sans-serif }</style>
{{ consent_head() }}</head><body>{{ consent_banner() }}</body></html>"""


def banners(folder: Path) -> Iterator[tuple[str, State]]:
    """Each language's tag and the page with its banner, made on a site in *folder*."""
    folder.mkdir()
    (folder / "consent.toml").write_text(POLICY, encoding="utf-8")
    for tag in shipped() - {"en"}:
        (folder / f"consent.{tag}.toml").write_text(WORDING, encoding="utf-8")
    app = Flask("languages", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.from_mapping({"SECRET_KEY": "for the states alone", "TESTING": True})
    Consent().init_app(app)
    app.add_url_rule("/", "home", lambda: render_template_string(PAGE))
    for tag in shipped():
        html = app.test_client().get("/", headers={"Accept-Language": tag}).text
        yield tag, State(ASKING, tag, html)
