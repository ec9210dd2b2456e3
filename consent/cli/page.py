"""What of the component the page shows that ``doctor`` asked for: its head, the banner, the link to the choices."""

from collections.abc import Iterator
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import urlsplit

from consent.cli.patient import Line, Patient

#: The elements that hold the component's own parts.
BOXES = frozenset({"div", "section", "dialog"})


def pieces(patient: Patient) -> Iterator[Line]:
    """Whether the page has what makes the banner work, the banner once, and the link."""
    page, site = patient.page, patient.site
    prefix = site.settings.url_prefix
    path = page.request.path
    ours = path == prefix or path.startswith(f"{prefix}/")
    if page.status_code != HTTPStatus.OK or page.mimetype != "text/html" or ours:
        return
    about, seen = f"page {path}", Seen(prefix)
    seen.feed(page.data.decode(errors="replace"))
    if seen.banners and not (seen.sheet and seen.module):
        lacking = " and ".join(
            name for name, there in {"style sheet": seen.sheet, "module": seen.module}.items() if not there
        )
        fix = "Put {{ consent_head() }} first into its <head>."
        yield Line("wrong", about, f"it shows the banner without the component's {lacking}", fix)
    if seen.banners > 1:
        fix = "Take all {{ consent_banner() }} out but the one that comes first in <body>."
        yield Line("look", about, f"it shows {seen.banners} banners", fix)
    if not site.policy.optional_services:
        return
    if not seen.banners:
        fix = "Put {{ consent_banner() }} first into its <body>, unless nobody is to be asked here."
        yield Line("look", about, "it shows no banner to who comes for the first time", fix)
    if not seen.links:
        fix = "Put {{ consent_link() }} into its footer."
        yield Line(
            "look", about, "it has no link to the choices, so nobody can change an answer from there", fix
        )


class Seen(HTMLParser):
    """What of the component stands in one page; its addresses are below *prefix*."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        self.banners = self.links = 0
        self.sheet = self.module = False
        self.ours: list[str] = []
        """The elements, from the outermost of the component's, in which the parser is."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what *tag* with these *attrs* is of ours."""
        said = {name: value or "" for name, value in attrs}
        classes = said.get("class", "").split()
        leads = urlsplit(said.get("href") or said.get("src") or "").path
        if tag in BOXES and (self.ours or "pc" in classes):
            self.ours.append(tag)
        if "pc-banner" in classes:
            self.banners += 1
        elif (
            tag == "a" and leads == self.prefix and not self.ours
        ):  # banner and placeholders are gone once answered
            self.links += 1
        elif tag == "link" and leads == f"{self.prefix}/static/choices.css":
            self.sheet = True
        elif tag == "script" and leads == f"{self.prefix}/static/choices.js":
            self.module = True

    def handle_endtag(self, tag: str) -> None:
        """Leave an element of the component's."""
        if self.ours and self.ours[-1] == tag:
            self.ours.pop()
