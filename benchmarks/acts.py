"""Events as a site records them, and a ledger to record them in."""

import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path

from consent.ledger import Event, Kind, Ledger
from consent.storage import open_storage

NAME = "clinic.example/privacy-choices"
GRANTED = ("experiment", "language", "reach", "reading", "remember", "statistics", "videos")
#: Seconds within which the web part of the component records the same answer once; it costs a look-up.
MERGE_WITHIN = 60


def open_ledger(folder: Path) -> Ledger:
    """A ledger in *folder*, in the file ``ledger.sqlite3``."""
    return Ledger(open_storage(f"sqlite:///{folder / 'ledger.sqlite3'}", origin=NAME), NAME)


def given() -> Event:
    """A new visitor allows everything."""
    return Event(
        id=uuid.uuid4(),
        kind=Kind.GIVEN,
        time=datetime.now(UTC),
        policy="a" * 64,
        subject=uuid.uuid4(),
        granted=GRANTED,
        notice="b" * 64,
        language="en",
        profile="default",
        source="banner",
    )


def record(ledger: Ledger, event: Event) -> None:
    """Record *event* as the web part does, with a salt of its own."""
    ledger.record(event, salt=secrets.token_bytes(32), merge_within=MERGE_WITHIN)
