"""How many bytes a visitor's browser loads, beside a peer's files, which are only weighed."""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.environment import Unavailable
from benchmarks.npm import unpacked
from benchmarks.progress import Progress
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread
from benchmarks.subjects.flask_assent import POLICY, site
from benchmarks.wsgi import Application, environ, expect

PEER, RELEASE = "vanilla-cookieconsent", "3.1.0"
FILES = ("cookieconsent.umd.js", "cookieconsent.css")
STYLE, SCRIPT, ANSWERS, BANNER, DIALOG = (
    "choices.css",
    "choices.js",
    "answers.js",
    "banner, HTML",
    "dialog, HTML",
)
#: What only pages load that need it, beside `choices.js`.
MODULES = (ANSWERS, "gated.js", "kept.js", "first.js", "heard.js", "defaults.js")
#: Bytes that what is loaded may weigh after gzip; ``python3 dev.py check`` holds them.
LIMITS: Mapping[tuple[str, ...], int] = {
    (STYLE,): 4_000,
    (SCRIPT,): 1_500,
    (SCRIPT, ANSWERS): 3_000,
    (BANNER,): 1_000,
    (DIALOG,): 2_500,
}
METHOD = (
    "Bytes after gzip -9, each file by itself, as served for the policy of the sample site "
    f"(`{POLICY.parent.name}/{POLICY.name}`) in English. The HTML of banner and dialog lies within the page. The sums "
    "are of what every page loads; `kept.js`, which clears storage, comes on top where some is declared, as here, and "
    "`answers.js` once somebody answers. The peer makes its own in the browser, from texts that come on top of its "
    "files; without them it says nothing."
)


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; the site's database lies in *folder*."""
    progress = Progress("weight")
    progress.say("our files")
    own = folder / "weight"
    own.mkdir()
    section = Section(name="weight", title="Weight", method=METHOD)
    application = site(own).wsgi_app
    section.figures += [weighed(what, OURS, data) for what, data in ours(application).items()]
    whole = sum(each.spread.median for each in section.figures)
    dialog = next(each.spread.median for each in section.figures if each.what == DIALOG)
    section.figures.append(total("style, script and banner", OURS, whole - dialog, goal="≤ 6.5 kB"))
    section.figures.append(total("style, script, banner and dialog", OURS, whole))
    section.figures += [
        weighed(f"{name}, where a page needs it", OURS, data) for name, data in modules(application).items()
    ]
    try:
        progress.say(f"{PEER}: its files")
        theirs = [weighed(name, PEER, data) for name, data in peer().items()]
        section.figures += theirs
        section.figures.append(total("style and script", PEER, sum(each.spread.median for each in theirs)))
    except Unavailable as error:
        section.notes.append(f"Not weighed: {error}.")
    return section


def ours(application: Application) -> Mapping[str, bytes]:
    """What our site serves to a new visitor."""
    page = expect(application, environ("/page"), holds="pc-banner-form")
    top = page[page.index("<body>") + len("<body>") : page.index("<header>")]
    before, start, rest = top.partition("<dialog")
    dialog, end, after = rest.partition("</dialog>")
    return {
        STYLE: linked(application, page, r'href="([^"?]*choices\.css)'),
        SCRIPT: linked(application, page, r'src="([^"?]*choices\.js)'),
        BANNER: (before.strip() + after.strip()).encode(),
        DIALOG: (start + dialog + end).encode(),
    }


def modules(application: Application) -> Mapping[str, bytes]:
    """What our site serves to pages that need more."""
    return {
        name: expect(application, environ(f"/privacy-choices/static/{name}")).encode() for name in MODULES
    }


def linked(application: Application, page: str, pattern: str) -> bytes:
    """The file that *page* links to."""
    found = re.search(pattern, page)
    if found is None:
        raise RuntimeError(f"the page links to nothing like {pattern}")
    return expect(application, environ(found[1])).encode()


def packed(data: bytes) -> int:
    """How many bytes of *data* travel."""
    return len(gzip.compress(data, compresslevel=9, mtime=0))


def weighed(what: str, who: str, data: bytes) -> Figure:
    """The weight of *data*, and what it should be at most."""
    limit = LIMITS.get((what,)) if who == OURS else None
    return Figure(
        what=what,
        who=who,
        spread=Spread.exactly(packed(data)),
        unit="bytes",
        beside=[Beside("raw", len(data))],
        goal=f"≤ {limit:,}" if limit else "",
    )


def total(what: str, who: str, size: float, *, goal: str = "") -> Figure:
    """A sum of weights."""
    return Figure(what=f"{what}, together", who=who, spread=Spread.exactly(size), unit="bytes", goal=goal)


def peer() -> Mapping[str, bytes]:
    """The peer's files, from npm's registry; Unavailable without npm or registry."""
    folder = unpacked(PEER, RELEASE) / "dist"
    return {name: (folder / name).read_bytes() for name in FILES}
