"""``python -m states``: write docs/states.html, and with ``--pictures`` the screenshots in docs/images."""

import argparse
import logging
from collections.abc import Sequence

from states.sheet import PAGE, made


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what *arguments* ask for and name each file; 0."""
    asked = parser().parse_args(arguments)
    logging.getLogger("consent").setLevel(logging.CRITICAL)  # it is meant to go wrong here
    PAGE.write_text(made(), encoding="utf-8")
    print(PAGE)
    if asked.pictures:
        from states.pictures import take  # needs the developers' tools and a browser

        for file in take(asked.only):
            print(file, flush=True)
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    parser = argparse.ArgumentParser(prog="dev.py states", description=__doc__)
    parser.add_argument("--pictures", action="store_true", help="also take the screenshots, with Chromium")
    parser.add_argument("--only", metavar="NAME", help="only the screenshots whose name begins so")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
