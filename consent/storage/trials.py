"""A log that holds nothing but trials: what to do where it stands in the way."""

from pathlib import Path


def afresh(database: Path | None, key: Path | None) -> str:
    """How another log is begun than the one in the file *database*, signed with the file *key*; None on a server."""
    if database is None or key is None:
        return "Where only trials are recorded, another database can be named in CONSENT_DATABASE."
    guard = key.with_suffix(".guard")
    return f"Where only trials are recorded, stop the site and delete {database}* and {guard} instead."
