"""The page ``docs/benchmarks.md``, whose figures are those of one real run."""

from pathlib import Path

from benchmarks.place import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
#: All below this line of the page is what a run has printed.
LINE = "<!-- python3 dev.py bench --publish -->"


def publish(figures: str, page: Path = PAGE) -> None:
    """Put *figures*, in Markdown, in the place of those on the page."""
    words = page.read_text().partition(LINE)[0]
    page.write_text(f"{words}{LINE}\n\n{figures}\n")
