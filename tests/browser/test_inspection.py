"""``flask consent check --browser`` names what a site's own style sheets and scripts do to the choice, and where."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, redirect, render_template_string, request
from playwright.sync_api import Browser
from werkzeug import Response as WerkzeugResponse

from consent.errors import ConsentError
from consent.look import Inspection, Seen, served
from tests.web.clinic import POLICY, site_in

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><head><title>Home</title><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{{ consent_head() }}<style>{{ style | safe }}</style></head>
<body>{{ consent_banner() }}<main><h1>Home</h1>{% for each in range(30) %}<p><a href="/">A page</a></p>{% endfor %}
</main>{{ consent_link() }}<script>{{ script | safe }}</script></body></html>"""
#: What sites do to the banner as it stands there: the style sheet, and the rule and selector that are named.
STYLES = {
    "smaller": (".pc-button[value=none] { font-size: .75em !important }", "equal", ".pc-row [value=none]"),
    "louder": (".pc-button[value=all] { background: gold !important }", "equal", ".pc-row [value=all]"),
    "decorated": (
        ".pc-button[value=all]::before { content: '★' !important }",
        "equal",
        ".pc-row [value=all]",
    ),
    "a link": (".pc-button[value=none] { border: 0 !important }", "equal", ".pc-row [value=none]"),
    "reordered": (".pc-button[value=all] { order: -1 !important }", "equal", ".pc-row [value=all]"),
    "hidden": (".pc-button[value=none] { visibility: hidden !important }", "equal", ".pc-row"),
    "transparent": (".pc-button[value=none] { opacity: 0 !important }", "equal", ".pc-row"),
    "faint": (".pc-button { color: #999 !important }", "contrast", ".pc-row [value=none]"),
    "faint text": (".pc-banner p { color: #999 !important }", "contrast", "p"),
    "faded": (".pc-place { opacity: .4 !important }", "contrast", ".pc-row [value=all]"),
    "faint in the dark": (".pc { --pc-accent: #0a4d5e !important }", "contrast", ".pc-row [value=none]"),
    "flat": (
        ".pc-button { min-block-size: 0 !important; padding: 0 !important; line-height: 1 !important }",
        "size",
        ".pc-row [value=none]",
    ),
    "cut": (
        ".pc-button { white-space: nowrap !important; font-size: 3em !important }",
        "whole",
        ".pc-row [value=all]",
    ),
    "covered": (
        "main { position: fixed; inset: 0; z-index: 2000; background: #fff }",
        "covered",
        ".pc-row [value=none]",
    ),
    "out of the window": (".pc-place { translate: 0 50% !important }", "covered", ".pc-row [value=none]"),
    "a wall": (
        ".pc-place { max-block-size: none !important; block-size: 100vh !important }",
        "cover",
        ".pc-place",
    ),
}
#: What is seen only in use: the step, the style sheet or script, the rule and selector.
USES = {
    "no ring": ("touched", "* { outline: 0 !important }", "", "focus", ".pc-row [value=none]"),
    "a faint ring": ("touched", "* { outline-color: #eee !important }", "", "focus", ".pc-row [value=all]"),
    "louder under the pointer": (
        "touched",
        ".pc-button[value=all]:hover { background: gold !important }",
        "",
        "equal",
        ".pc-row [value=all]",
    ),
    "no room below": (
        "tabbed",
        "html { scroll-padding: 0 !important } body { padding: 0 !important }",
        "",
        "cover",
        "a",
    ),
    "a trap": (
        "tabbed",
        "",
        """addEventListener("keydown", (event) => {
          if (event.key === "Tab") { document.querySelector("[value=all]").focus(); event.preventDefault(); }
        })""",
        "keyboard",
        ".pc-row",
    ),
    "a cookie": ("arrived", "", "document.cookie = 'visit=1'", "before", "html"),
    "storage": ("arrived", "", "localStorage.seen = 1", "before", "html"),
    "a second question": (
        "clicked",
        "",
        """addEventListener("click", (event) => {
          if (event.target.value === "none") { event.preventDefault(); event.stopImmediatePropagation(); }
        }, true)""",
        "clicks",
        ".pc-row [value=none]",
    ),
    "scrolling as consent": (
        "ignored",
        "",
        """addEventListener("wheel", () => document.querySelector("[value=all]").click(), { once: true })""",
        "unanswered",
        ".pc-banner",
    ),
    "waiting as consent": (
        "ignored",
        "",
        """setTimeout(() => document.querySelector("[value=all]").click(), 30000)""",
        "unanswered",
        ".pc-banner",
    ),
    "waiting as closing": (
        "ignored",
        "",
        """setTimeout(() => document.querySelector(".pc-place").remove(), 30000)""",
        "unanswered",
        ".pc-banner",
    ),
    "only for people": (
        "crawled",
        "",
        """if (navigator.userAgent.includes("bot")) document.querySelector(".pc-place").remove()""",
        "machines",
        ".pc-banner",
    ),
}

#: A site's service worker that takes over the page that brings it, and sends what that sends.
WORKER = """addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith(fetch(event.request)));"""


def some(names: Iterable[str], *always: str) -> list[Any]:
    """All of *names*; those that aren't *always* tested take longer together than a change should wait."""
    return [name if name in always else pytest.param(name, marks=pytest.mark.full) for name in names]


@pytest.fixture(scope="module")
def slow() -> dict[str, float]:
    """Seconds that the site takes for what is at a path; empty until a test fills it."""
    return {}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, slow: dict[str, float]) -> Iterator[str]:
    """A site with a page for each of the above, and one that leaves the choice alone."""
    app = site_in(tmp_path_factory.mktemp("inspected"))

    @app.before_request
    def wait() -> None:
        time.sleep(slow.get(request.path, 0))

    @app.get("/")
    @app.get("/<name>")
    def page(name: str = "") -> str:
        style = STYLES[name][0] if name in STYLES else USES[name][1] if name in USES else ""
        return render_template_string(PAGE, style=style, script=USES[name][2] if name in USES else "")

    @app.get("/gone")
    def gone() -> Response:
        return Response("Gone", status=503)

    @app.get("/away")
    def away() -> WerkzeugResponse:
        return redirect(elsewhere)

    @app.get("/plain")
    def plain() -> str:
        return "plain"

    @app.get("/worker.js")
    def worker() -> Response:
        return Response(WORKER, content_type="text/javascript")

    with served(Flask("elsewhere")) as other, served(app) as address:
        elsewhere = f"{other}static/none"
        yield address


@pytest.fixture
def inspection(browser: Browser, site: str) -> Inspection:
    """An inspection of that site, in English."""
    return Inspection(
        browser=browser,
        address=site,
        pages=["/"],
        centre="/privacy-choices",
        languages=["en"],
        necessary=lambda kind, name: name == "session",
    )


def named(found: list[Seen]) -> set[tuple[str, str]]:
    """The rules that are broken, and where."""
    return {(seen.finding.rule, seen.finding.selector) for seen in found}


@pytest.mark.full
@pytest.mark.requirement("UI-03")
def test_our_own_theme_breaks_no_rule(inspection: Inspection) -> None:
    told: list[str] = []
    inspection.tell = told.append
    assert list(inspection.findings()) == []
    assert told[:3] == ["/: banner, en", "/: dialog, en", "/privacy-choices: centre, en"]
    assert inspection.unmet == {}


@pytest.mark.requirement("UI-11")
@pytest.mark.parametrize("name", some(STYLES, "smaller", "faint in the dark", "covered"))
def test_a_style_sheet_that_weakens_the_choice_is_named_with_its_place(
    inspection: Inspection, name: str
) -> None:
    _, rule, selector = STYLES[name]
    with inspection.visit("en") as page:
        found = list(inspection.layer(page, f"/{name}", "banner", "en"))
    assert (rule, selector) in named(found)
    assert all("expected" in seen.finding.problem and seen.finding.fix for seen in found)
    if name == "faint in the dark":
        assert {seen.look.theme for seen in found} == {"dark"}


@pytest.mark.parametrize("layer", [pytest.param("dialog", marks=pytest.mark.full), "centre"])
def test_a_no_that_is_smaller_than_yes_is_found_in_every_layer(
    inspection: Inspection, site: str, layer: str
) -> None:
    with inspection.visit("en") as page:
        page.add_init_script(
            """addEventListener("DOMContentLoaded", () => {
              const style = document.createElement("style");
              style.textContent = ".pc-answer label:first-child { font-size: 12px !important }";
              document.head.append(style);
            })"""
        )
        path = "/" if layer == "dialog" else "/privacy-choices"
        found = list(inspection.layer(page, path, layer, "en"))
    assert named(found) == {("equal", ".pc-answer label")}


@pytest.mark.requirement("CON-02")
@pytest.mark.parametrize("name", some(USES, "no ring", "scrolling as consent"))
def test_what_happens_only_in_use_is_named_too(inspection: Inspection, name: str) -> None:
    step, _, _, rule, selector = USES[name]
    found = [finding for _, finding in getattr(inspection, step)(f"/{name}", "en")]
    assert (rule, selector) in {(finding.rule, finding.selector) for finding in found}
    assert all("expected" in finding.problem and finding.fix for finding in found)


def test_one_click_answers_also_where_a_site_is_slow_to_send_what_sends_it(
    inspection: Inspection, slow: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(slow, "/privacy-choices/static/answers.js", 0.4)
    assert list(inspection.clicked("/", "en")) == []


def test_a_sites_service_worker_sends_nothing_while_it_is_looked_at(inspection: Inspection) -> None:
    with inspection.visit("en") as page:
        inspection.open(page, "/")
        controlled = page.evaluate(
            """async () => {
              await navigator.serviceWorker.register("/worker.js");
              for (let looks = 0; looks < 20 && !navigator.serviceWorker.controller; looks++)
                await new Promise((go) => setTimeout(go, 20));
              return navigator.serviceWorker.controller !== null;
            }"""
        )
    assert not controlled


def test_a_page_without_a_banner_is_named(inspection: Inspection) -> None:
    inspection.pages, inspection.centre = ["/plain"], "/plain"
    assert named(list(inspection.findings())) == {("shown", ".pc-banner"), ("shown", ".pc-centre")}


def test_a_language_that_is_not_shown_is_told_instead_of_passed(inspection: Inspection) -> None:
    with inspection.visit("de") as page:
        assert list(inspection.layer(page, "/smaller", "banner", "de")) == []
    assert inspection.unmet == {"de": "en"}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/gone", "/gone answers 503; expected a page to look at"),
        ("/away", "/away leads to .*, away from http"),
    ],
)
def test_what_can_not_be_looked_at_is_no_pass(inspection: Inspection, path: str, said: str) -> None:
    with inspection.visit("en") as page, pytest.raises(ConsentError, match=said):
        list(inspection.layer(page, path, "banner", "en"))


SITE = """from flask import Flask, render_template_string
from consent import Consent

def create_app():
    app = Flask("clinic", root_path={folder!r}, instance_path={folder!r} + "/instance")
    app.config["SECRET_KEY"] = "a key for tests, long enough"
    Consent().init_app(app)
    app.add_url_rule("/", "home", lambda: render_template_string({page!r}, style={style!r}))
    return app
"""


def checked(folder: Path, style: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """What ``flask consent check --browser`` says of a site with that style sheet, which lies in *folder*."""
    (folder / "consent.toml").write_text(POLICY)
    (folder / "clinic_site.py").write_text(SITE.format(folder=str(folder), page=PAGE, style=style))
    command = [
        sys.executable,
        "-m",
        "flask",
        "--app",
        str(folder / "clinic_site.py"),
        "consent",
        "check",
        "--browser",
    ]
    shell = os.environ.get("CONSENT_CHROMIUM_SHELL")
    environment = {**os.environ, **({"CONSENT_CHROMIUM": shell} if shell else {})}
    return subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=300
    )


#: What a theme does to the banner only on a tablet, only for who asks for more contrast, only under forced colours.
SOMETIMES = """@layer pc.theme {
  @media (min-width: 400px) and (max-width: 1100px) { .pc-banner [value=none] { font-size: .7em } }
  @media (prefers-contrast: more) { .pc-banner p { color: #999 } }
  @media (forced-colors: active) { .pc-banner [value=all] { forced-color-adjust: none; color: #fff; background: #000 } }
}"""


@pytest.mark.requirement("UI-03")
def test_the_command_ends_with_1_and_says_page_width_theme_and_selector(tmp_path: Path) -> None:
    done = checked(tmp_path, SOMETIMES, "--json")
    assert done.returncode == 1, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["faults"] == []
    members = ("rule", "page", "layer", "selector", "width", "theme", "language", "looks")
    assert [tuple(each[member] for member in members) for each in answer["browser"]] == [
        ("contrast", "/", "banner", "p", 390, "more contrast", "en", 1),
        ("equal", "/", "banner", ".pc-row [value=all]", 390, "forced colours", "en", 1),
        ("equal", "/", "banner", ".pc-row [value=none]", 768, "light", "en", 2),
    ]
    assert answer["browser"][2]["problem"].startswith(
        "it is not like the others: font-size is 11.2px, not 16px"
    )
    assert not (tmp_path / "instance").exists()


@pytest.mark.full
def test_the_command_is_content_with_our_own_theme_and_records_nothing(tmp_path: Path) -> None:
    done = checked(tmp_path, "")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "In order: revision 1" in done.stdout
    assert not (tmp_path / "instance").exists()
