"""Where the benchmark keeps peers' environments and, while it runs, its databases."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def cache() -> Path:
    """A folder on the disk of the project's environment, which git and the checks leave alone."""
    inside = sys.prefix != sys.base_prefix
    folder = Path(sys.prefix) / "benchmarks" if inside else ROOT / "benchmarks" / ".cache"
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder
