"""An event that waits in the visitor's cookie, because the ledger could not take it yet."""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

#: The first time, in epoch seconds, that is too late for a decision; it keeps every number in it short.
TOO_LATE: Final = 10**11

BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
# A later release may know more profiles and kinds than this one; what it writes is read all the same.
NAME: Final = re.compile(r"[a-z_]{1,16}")
_LANGUAGE = re.compile(r"[A-Za-z0-9_-]{1,35}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An event that the ledger could not take, carried in the cookie until it can.

    With the decision around it, it holds all that leaf and opening are made of, so that every attempt to
    record it writes the same bytes under the same id. ValueError when a part isn't what it should be.
    """

    id: UUID
    salt: bytes
    """32 random bytes."""
    time_ms: int
    """Epoch milliseconds, UTC."""
    subject: UUID | None
    """The subject that a withdrawal ended."""
    kind: str
    policy: str
    """SHA-256 of the policy it was given under, 64 hex digits."""
    notice: str | None
    """SHA-256 of the notice, 64 hex digits; None when it was unknown."""
    language: str
    signal: bool
    before: tuple[int, ...]
    """By :func:`earlier`: for each of the decision's sorted terms 0 nothing, 1 refused, 2 granted."""
    account: str | None = None
    """The link of the account whose opt-out it begins or ends."""

    def __post_init__(self) -> None:
        if len(self.salt) != 32:
            raise ValueError(f"a salt of {len(self.salt)} bytes; expected 32")
        if not 0 <= self.time_ms < TOO_LATE * 1000:
            raise ValueError(f"time_ms {self.time_ms}; expected epoch milliseconds")
        if not (NAME.fullmatch(self.kind) and _LANGUAGE.fullmatch(self.language)):
            raise ValueError(
                f"kind {self.kind!r}, language {self.language!r}; expected an event kind, a language tag"
            )
        if not (_SHA256.fullmatch(self.policy) and (self.notice is None or _SHA256.fullmatch(self.notice))):
            raise ValueError(f"policy {self.policy!r}, notice {self.notice!r}; expected 64 hex digits each")
        if self.account is not None and not (len(self.account) == 22 and BASE64URL.fullmatch(self.account)):
            raise ValueError(f"account {self.account!r}; expected 22 characters of base64url")
        if not {0, 1, 2}.issuperset(self.before):
            raise ValueError(f"before {self.before}; expected 0, 1 or 2 for each service")
