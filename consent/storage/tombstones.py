"""The list of what was erased, in a file beside the key: so that no backup of the database brings it back."""

import os
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consent.errors import LedgerUnavailable
from consent.ledger import Entry, erasure
from consent.ledger.leaf import SALT_BYTES
from consent.storage.files import replace


@dataclass(frozen=True, slots=True)
class Tombstones:
    """The file at *path*: the ids of events, one a line, in the order of the ids, which says nothing about them.

    Whoever adds to it holds the database's queue, so that there is one at a time.
    """

    path: Path

    def read(self) -> frozenset[uuid.UUID]:
        """The ids in it; none without a file. LedgerUnavailable when it can't be read."""
        try:
            return parse(self.path.read_text("ascii"))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            raise LedgerUnavailable(
                f"The list of what was erased, {self.path}, can't be read ({error}). Nothing is erased, and after a "
                "restore nothing is erased again, until it is mended or put back.",
                retry_after=300,
            ) from error

    def add(self, ids: Collection[uuid.UUID]) -> None:
        """Enter *ids*; durable when this returns. LedgerUnavailable, and nothing changed, when it can't be written."""
        known = self.read()
        if known.issuperset(ids):
            return
        try:
            replace(self.path, "".join(f"{each}\n" for each in sorted(known.union(ids))).encode())
        except OSError as error:
            raise LedgerUnavailable(
                f"The list of what was erased, {self.path}, can't be written ({error}), so nothing was erased.",
                retry_after=60,
            ) from error


def erased_again(origin: str, now: datetime) -> Entry:
    """What says in the log named *origin* that at *now* what the list names was erased again, or to the end.

    The first after a restore; the second where a process was killed after it had listed what it was about to erase.
    """
    event = erasure("list", id=uuid.uuid4(), time=now, policy=None)
    return Entry.of(event, origin=origin, salt=os.urandom(SALT_BYTES))


def parse(text: str) -> frozenset[uuid.UUID]:
    """The ids in a list, one a line; ValueError names the first line that is none."""
    found = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.add(uuid.UUID(line.strip()))
        except ValueError:
            raise ValueError(f"line {number} is {line[:60]!r}; expected the id of an event") from None
    return frozenset(found)
