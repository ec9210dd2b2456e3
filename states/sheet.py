"""The states as one page to look at: ``docs/states.html``."""

import re
import tempfile
from collections.abc import Iterable
from html import escape
from itertools import groupby
from pathlib import Path

from states.visits import State, states

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "states.html"
HEAD = """<!doctype html>
<!-- Made by `python3 dev.py states`; a test compares it with the templates. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Every state – Flask-Assent</title>
<style>
  :root { color-scheme: light; font: 1rem/1.5 system-ui, sans-serif }
  :root:has(#dark:target) { color-scheme: dark }
  :root:has(#system:target) { color-scheme: light dark }
  body { max-width: 58rem; margin: 0 auto; padding: 1rem }
  nav a { display: inline-block; padding: .5rem 1rem .5rem 0 }
  figure { margin: 1.5rem 0 }
  figcaption { padding-block: .25rem; font-weight: 600 }
  iframe { display: block; box-sizing: border-box; resize: both;
    width: 100%; height: 44rem; max-width: 100%; border: 1px solid }
</style>
</head>
<body>
<h1>Every state</h1>
<p>What a visitor can meet, each made by a visit to a small site with the component's own templates and style sheet, no
script in it. Drag a corner of a frame to see it at another width. More contrast, forced colours and print follow your
own browser's settings; <a href="screenshots.md">screenshots.md</a> shows them all.</p>
<nav aria-label="Theme">
<a id="light" href="#light">Light</a>
<a id="dark" href="#dark">Dark</a>
<a id="system" href="#system">As my system is set</a>
</nav>
"""
#: What differs from one run to the next, and what stands in its place.
CHANGING = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "00000000-0000-0000-0000-000000000000"),
    (r"\b[0-9a-f]{64}\b", "0" * 64),
    (r"(?<![\w-])\.?[\w-]{20,}\.[\w-]{6}\.[\w-]{43}(?![\w-])", "signed"),
    (r"(localhost/privacy-choices\+)[0-9a-f]{8}\+[\w+/=]+", r"\g<1>00000000+key"),
    (r"(?<=extra )[\w+/=]+|^[\w+/]{43}=$|(?<=choices )[\w+/]{90,}=*", lambda found: "0" * len(found[0])),
)
STYLES = re.compile(r"/privacy-choices/static/(choices|audit)\.css\?v=\w+")


def made() -> str:
    """The page, made afresh."""
    with tempfile.TemporaryDirectory() as folder:
        return written(states(Path(folder)))


def written(found: Iterable[State]) -> str:
    """The page on which each state that was *found* has a frame."""
    parts = [HEAD]
    for group, each in groupby(found, lambda state: state.group):
        parts.append(f"<h2>{escape(group)}</h2>\n")
        parts += map(framed, each)
    return "".join([*parts, "</body>\n</html>\n"])


def framed(state: State) -> str:
    """*state* in a frame of its own, under its name."""
    name, html = escape(state.name), quoted(document(state))
    frame = f'<iframe title="{name}" loading="lazy" sandbox="allow-same-origin" srcdoc="{html}"></iframe>'
    return f"<figure><figcaption>{name}</figcaption>\n{frame}</figure>\n"


def document(state: State) -> str:
    """The page of *state* without scripts, with what was opened on it open, and with nothing that differs by chance."""
    html = re.sub(r"<script\b.*?</script>\s*", "", state.html, flags=re.DOTALL)
    html = STYLES.sub(r"../static/\1.css", html)
    html = html.replace('src="https://video.example/v/1"', "")
    html = html.replace("<iframe sandbox ", '<iframe sandbox="allow-same-origin" ')
    html = html.replace(" autofocus>", ">")  # of so many states none takes the focus
    for pattern, instead in CHANGING:
        html = re.sub(pattern, instead, html, flags=re.MULTILINE)
    match state.opened:
        case "dialog":
            html = html.replace("<dialog ", "<dialog open ")
        case "status":  # as choices.js shows it
            html = html.replace('class="pc pc-status"', 'class="pc pc-status pc-shown"')
        case "details":
            html = html.replace("<details>", "<details open>")
    return "\n".join(line.strip() for line in html.splitlines() if line.strip())


def quoted(html: str) -> str:
    """*html* as the value of an attribute."""
    return html.replace("&", "&amp;").replace('"', "&quot;")
