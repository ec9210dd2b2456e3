"""The key that accounts are linked under, in a file of its own: for those who have no business with the signing key.

It follows from the signing key, which can't be found from it. The file names the log's first key, so that another log's
is noticed: under that nobody's opt-out would be found.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from consent.errors import LedgerUnavailable
from consent.storage.files import publish

#: What the key is derived for, and the first line of its file.
PURPOSE = b"consent/account/v1"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The file at *path*: three lines, the last of which is the key in base64."""

    path: Path

    def read(self, announced: str | None) -> bytes:
        """The 32 bytes; LedgerUnavailable unless they are there and of the log whose first key is *announced*."""
        try:
            purpose, name, key = self.path.read_bytes().splitlines()
            found = b64decode(key, validate=True)
            if purpose != PURPOSE or len(found) != _BYTES:
                raise ValueError("it holds something else")
        except (OSError, ValueError) as error:
            raise LedgerUnavailable(
                f"The key of accounts, {self.path}, can't be read ({error}). Where the log's signing key is, this "
                "makes it anew: flask consent keys account FILE",
                retry_after=300,
            ) from error
        if name.decode(errors="replace") != announced:
            raise LedgerUnavailable(
                f"The key of accounts, {self.path}, is another log's; this one's first key is {announced}. Name the "
                "right file in CONSENT_ACCOUNT_KEY.",
                retry_after=300,
            )
        return found

    def write(self, announced: str, key: bytes) -> bool:
        """Write *key* of the log whose first key is *announced*, mode 0600; False if there was a file already."""
        return publish(self.path, b"\n".join([PURPOSE, announced.encode(), b64encode(key), b""]))
