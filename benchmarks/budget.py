"""``python -m benchmarks.budget``: whether what a visitor's browser loads keeps the limits of its weight."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.subjects.flask_assent import site
from benchmarks.weight import LIMITS, modules, ours, packed


def weights(folder: Path) -> Mapping[str, int]:
    """The bytes of each part after gzip, as the site serves it whose database lies in *folder*."""
    application = site(folder).wsgi_app
    return {name: packed(data) for name, data in {**ours(application), **modules(application)}.items()}


def judged(found: Mapping[str, int]) -> Iterator[tuple[str, bool]]:
    """A line for each limit, and whether it is kept."""
    for parts, limit in LIMITS.items():
        size = sum(found[part] for part in parts)
        over = size - limit
        said = f"over by {over:,}" if over > 0 else "ok"
        yield f"  {' + '.join(parts):24} {size:6,} of {limit:6,} bytes  {said}", over <= 0


def main() -> int:
    """Say each weight and its limit; 1 when one is over, else 0."""
    with tempfile.TemporaryDirectory() as folder:
        lines = list(judged(weights(Path(folder))))
    print("\n".join(line for line, _ in lines))
    return 0 if all(kept for _, kept in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
