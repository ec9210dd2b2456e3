"""Events and ledgers for the tests of the storage."""

import os
import sqlite3
import subprocess
import sys
import textwrap
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine, text

from consent.ledger import Event, Kind, Ledger, Recorded
from consent.storage import OwnStorage, open_storage

ORIGIN = "clinic.example/privacy-choices"
NOW = datetime(2026, 11, 21, 18, 4, 5, 123000, UTC)
SUBJECT = uuid.UUID("c1a5e0de-0000-4000-8000-00000000abcd")


def new_event(**fields: Any) -> Event:
    """A visitor's grant under an id of its own."""
    usual: dict[str, Any] = {
        "id": uuid.uuid4(),
        "kind": Kind.GIVEN,
        "time": NOW,
        "policy": None,
        "subject": SUBJECT,
        "granted": ("statistics",),
        "refused": ("videos",),
    }
    return Event(**(usual | fields))


def record(ledger: Ledger, event: Event | None = None, **options: Any) -> Recorded:
    """Record *event*, or a new one, under a fresh salt."""
    return ledger.record(event or new_event(), **({"salt": os.urandom(32)} | options))


def open_ledger(folder: Path, *, floor: int = 0, **options: Any) -> tuple[Ledger, OwnStorage]:
    """The ledger in *folder*, and its storage, which the caller closes."""
    storage = open_storage(f"sqlite:///{folder}/consent.sqlite3", origin=ORIGIN, floor=floor, **options)
    return Ledger(storage, ORIGIN), storage


def open_served(url: URL, **options: Any) -> tuple[Ledger, OwnStorage]:
    """The ledger in the server's database at *url*, and its storage, which the caller closes."""
    storage = open_storage(url.render_as_string(hide_password=False), origin=ORIGIN, **options)
    return Ledger(storage, ORIGIN), storage


def seal_all(ledger: Ledger) -> None:
    """Seal whatever waits; where recording seals, nothing does."""
    while ledger.seal(patience=30):
        pass


def refusal() -> Event:
    """A visitor's No."""
    return new_event(kind=Kind.REFUSED, subject=None, granted=())


@contextmanager
def owner(url: URL) -> Iterator[Connection]:
    """A transaction of somebody who owns the tables."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def grow(ledger: Ledger, size: int, url: URL | None) -> None:
    """Refusals up to *size* entries, sealed; on a server at *url* put into its inbox at once, to be quick."""
    if url is None:
        while lacking := max(0, size - ledger.size()):
            ledger.record_all([(refusal(), os.urandom(32)) for _ in range(min(lacking, 100))])
        return
    wait(url, [refusal() for _ in range(size - ledger.size())])
    seal_all(ledger)


def wait(url: URL, events: Sequence[Event]) -> None:
    """Put *events* where they wait to be sealed, at once."""
    salt = os.urandom(32)
    made = [
        {
            "uid": each.id,
            "subject": each.subject,
            "salt": salt,
            "body": each.body(),
            "leaf": each.leaf(ORIGIN, salt),
        }
        for each in events
    ]
    with owner(url) as connection:
        connection.execute(
            text(
                "INSERT INTO consent.opening (uid, subject, salt, body) VALUES (:uid, :subject, :salt, :body)"
            ),
            made,
        )
        connection.execute(text("INSERT INTO consent.inbox (uid, leaf) VALUES (:uid, :leaf)"), made)


def place(ledger: Ledger, recorded: Recorded) -> int:
    """The index of what was recorded, sealed now if it wasn't."""
    seal_all(ledger)
    found = ledger.get(recorded.id)
    assert found is not None
    assert found.index is not None
    assert recorded.index in (None, found.index)
    return found.index


def rows(folder: Path, statement: str, *values: object) -> list[Any]:
    """What the database in *folder* answers a program that isn't ours."""
    with closing(sqlite3.connect(folder / "consent.sqlite3")) as connection:
        return connection.execute(statement, values).fetchall()


def change(folder: Path, *statements: str) -> None:
    """Run *statements* on the database in *folder* as a program that isn't ours."""
    with closing(sqlite3.connect(folder / "consent.sqlite3", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def start(program: str, folder: Path, url: URL | None = None) -> subprocess.Popen[str]:
    """A real process that runs *program* with `ledger`, `storage` and `record` of *folder* at hand.

    With *url* the ledger is the one there, and the key the one in *folder*. The process waits for a line on its
    standard input before it begins.
    """
    opened = f"open_ledger(Path({str(folder)!r}))"
    if url is not None:
        there, key = url.render_as_string(hide_password=False), str(folder / "consent.key")
        opened = f"open_served(make_url({there!r}), signing_key=Path({key!r}))"
    head = f"""
        import sys
        from pathlib import Path
        from sqlalchemy import make_url
        from tests.storage.events import *
        ledger, storage = {opened}
        print("started", flush=True)
        sys.stdin.readline()
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(head) + textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n", process.communicate()[1]
    return process


def go(process: subprocess.Popen[str]) -> None:
    """Let a started process begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def fork(count: int, work: Callable[[], None]) -> bool:
    """Run *work* in *count* processes at once; whether all of them ended well. For programs of ``start``."""
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            ended = 1
            try:
                work()
                sys.stdout.flush()
                ended = 0
            finally:
                if ended:
                    traceback.print_exc()
                os._exit(ended)
        children.append(child)
    return all(os.waitpid(child, 0)[1] == 0 for child in children)
