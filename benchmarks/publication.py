"""The pages ``docs/benchmarks.md`` and ``docs/peers.md``, whose figures are those of one real run."""

from pathlib import Path

from benchmarks.place import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
BROWSER = ROOT / "docs" / "peers.md"
#: All below the line of a page that begins so and ends with ``-->`` is what a run has printed.
LINE = "<!-- python3 dev.py bench"


def publish(figures: str, page: Path = PAGE) -> None:
    """Put *figures*, in Markdown, in the place of those on the page."""
    words, start, rest = page.read_text().partition(LINE)
    page.write_text(f"{words}{start}{rest.partition('-->')[0]}-->\n\n{figures}\n")
