"""What a page says of a failure: what failed, and never why, which may name files and servers."""

import logging

log = logging.getLogger("consent")


def untold(said: str, error: Exception) -> str:
    """*said*, for whoever reads the page, and where it stands why; that goes into the server's log, for who runs it."""
    log.error("%s %s", said, error)
    return f"{said} The server's log says why."
