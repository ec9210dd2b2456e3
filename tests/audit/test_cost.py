"""What a page asks of the database: no more of a long log than of a short one, and never all of it."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event

from consent.audit.row import Reader
from consent.audit.search import Search, all_found
from consent.ledger import Kind
from consent.ledger.tile import WIDTH
from consent.storage import OwnStorage

from .clinic import MakeApp, auditor_of, kept_on, new_event, site_of

#: What each page of the auditor's shows.
PAGES: list[dict[str, str]] = [
    {"path": "/"},
    {"path": "/", "kind": "refused"},
    {"path": "/", "category": "performance", "answer": "yes"},
    {"path": "/", "language": "de", "signal": "without", "profile": "default", "revision": "1"},
    {"path": "/", "since": "2026-11-02T09:30", "until": "2026-11-02T17:40"},
    {"path": "/", "until": "2026-11-03"},
    {"path": "/opt-outs"},
    {"path": "/policies"},
    {"path": "/overview", "by": "language"},
    {"path": "/overview", "since": "2026-11-02T09:30", "until": "2026-11-04T17:40"},
    {"path": "/event"},
]
#: The tables that are as long as the log.
LONG = "entry|opening|indexed"
START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(params=["file", "server"])
def site(request: pytest.FixtureRequest, make_app: MakeApp) -> Iterator[Flask]:
    """The site on each kind of database."""
    if request.param == "file":
        app = make_app()
        site_of(app).recorder.ledger.size()
        yield app
        return
    with kept_on(request.getfixturevalue("server"), make_app) as served:
        storage = site_of(served).recorder.ledger.storage
        assert isinstance(storage, OwnStorage)
        storage.upgrade()
        yield served


def fill(app: Flask, tiles: int, minutes: int = 22) -> None:
    """Record until so many tiles are full and counted, each with the same answers, so many *minutes* apart."""
    ledger = site_of(app).recorder.ledger
    while ledger.counted() < tiles * WIDTH:
        made = [
            new_event(
                kind=Kind.REFUSED if number % 2 else Kind.GIVEN,
                granted=() if number % 2 else ("statistics",),
                time=START + timedelta(minutes=minutes * number),
                language=("en", "de")[number % 3 == 0],
            )
            for number in range(WIDTH)
        ]
        ledger.record_all([(each, secrets.token_bytes(32)) for each in made])
        ledger.seal()
        ledger.count()


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """All that read from a database while the block runs, with their values."""
    found = list[tuple[str, Any]]()

    def note(connection: object, cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            found.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def shown(app: Flask, page: dict[str, str]) -> list[tuple[str, Any]]:
    """What is asked for *page*, once the process has seen it before."""
    auditor = auditor_of(app)
    query = {name: value for name, value in page.items() if name != "path"}
    token = auditor.token()
    middle = site_of(app).recorder.ledger.newest(before=WIDTH, limit=1)[0]
    for _ in range(2):
        with statements() as found:
            if page["path"] == "/event":
                response = auditor.look_up(middle.id, csrf_token=token)
            else:
                response = auditor.open(page["path"], **query)
        assert response.status_code == 200
    assert found
    return found


def plan_of(app: Flask, statement: str, values: Any) -> str:
    """How the database does *statement*; a server is told that reading a table through costs most."""
    engine = create_engine(site_of(app).settings.database)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                return "\n".join(str(step[-1]) for step in steps)
            connection.exec_driver_sql("SET enable_seqscan = off")
            return "\n".join(
                str(line) for line in connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars()
            )
    finally:
        engine.dispose()


def test_neither_page_nor_export_of_a_few_reads_a_long_table_through(site: Flask) -> None:
    fill(site, 2)
    for page in PAGES:
        require_index(site, shown(site, page))
    with statements() as found:
        reader = Reader(site_of(site).recorder.ledger)
        assert len(list(all_found(reader, Search(kinds=frozenset({Kind.GIVEN}))))) < 2 * WIDTH
    require_index(site, found)


def test_whether_all_is_well_is_said_without_reading_a_long_table_through(site: Flask) -> None:
    fill(site, 2)
    with statements() as found:
        site_of(site).recorder.problems()
    assert any("leaf_index < " in statement for statement, _ in found)
    require_index(site, found)


def require_index(app: Flask, found: list[tuple[str, Any]]) -> None:
    """See that in none of what was *found* a long table is read through."""
    for statement, values in found:
        plan = plan_of(app, statement, values)
        assert not re.search(rf"SCAN ({LONG})\b|Seq Scan on ({LONG})\w*", plan), (statement, plan)


def test_a_page_asks_about_as_often_of_a_long_log_as_of_a_short_one(app: Flask) -> None:
    fill(app, 2)
    short = [len(shown(app, page)) for page in PAGES]
    fill(app, 5)
    long = [len(shown(app, page)) for page in PAGES]
    # The proof on an event's page reads a tile of each level; a look-up, which is recorded, may come to one more row.
    assert [many for few, many in zip(short, long, strict=True) if many > few + 2] == []
    assert max(short) < 60


def test_a_part_of_an_hour_is_read_in_one_go_however_many_events_it_has(app: Flask) -> None:
    page = {"path": "/overview", "since": "2026-11-01T00:00:30"}
    asked = []
    for tiles in (2, 12):
        fill(app, tiles, minutes=0)
        asked.append([statement for statement, _ in shown(app, page) if "indexed" in statement])
    assert len(asked[0]) == len(asked[1]) <= 2
