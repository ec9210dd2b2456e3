"""Our pages in every language shipped."""

from dataclasses import dataclass
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
title    = "Larkmere"
text     = "…"
cookies  = { remember_name = "30 days" }
[services.statistics]
category = "performance"
purposes = ["measurement"]
title    = "Larkmere"
text     = "…"
cookies  = { visit = "30 minutes" }
"""
WORDING = """
[services.remember]
title = "Larkmere"
text = "…"
[services.statistics]
title = "Larkmere"
text = "…"
"""
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Larkmere</title>
<meta name="viewport" content="width=device-width"><style>body { font-family: system-ui, sans-serif }</style>
{{ consent_head() }}</head><body>{{ consent_banner() }}</body></html>"""


@dataclass(frozen=True, slots=True)
class Languages:
    """The site that speaks them all."""

    app: Flask

    @classmethod
    def made(cls, folder: Path) -> "Languages":
        """The site, in *folder*."""
        folder.mkdir()
        (folder / "consent.toml").write_text(POLICY, encoding="utf-8")
        for tag in shipped() - {"en"}:
            (folder / f"consent.{tag}.toml").write_text(WORDING, encoding="utf-8")
        app = Flask("languages", root_path=str(folder), instance_path=str(folder / "instance"))
        app.config.from_mapping({"SECRET_KEY": "for the states alone", "TESTING": True})
        Consent().init_app(app)
        app.add_url_rule("/", "home", lambda: render_template_string(PAGE))
        return cls(app)

    def banners(self) -> list[State]:
        """The page with the banner, in each language."""
        return [self.see("/", tag) for tag in sorted(shipped())]

    def see(self, path: str, tag: str) -> State:
        """The page at *path* in the language *tag*."""
        html = self.app.test_client().get(path, headers={"Accept-Language": tag}).text
        return State(ASKING, tag, html)
