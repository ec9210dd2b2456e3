"""The tables as the migrations make them: what they hold, what they refuse, and who upgrades them."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from consent.errors import LedgerError
from consent.ledger import Document, Ledger
from consent.storage import engine as engines
from consent.storage import migrate, schema, triggers
from consent.storage.routines import digest

from .events import change, new_event, open_ledger, record, rows


@pytest.fixture(autouse=True)
def quickly_migrated() -> None:
    """Nothing is quick here: the migrations themselves are tested."""


@pytest.fixture
def recorded(filed: Ledger, tmp_path: Path) -> Path:
    """The folder of a ledger with one event and one document."""
    record(filed, new_event(), documents=[Document.of("notice", b"<section>")])
    return tmp_path


def test_the_migrations_make_the_tables_that_statements_name(recorded: Path) -> None:
    engine = create_engine(f"sqlite:///{recorded}/consent.sqlite3")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_the_revisions_that_are_listed_are_those_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in scripts.walk_revisions()] == list(reversed(schema.REVISIONS))


@pytest.mark.requirement("REC-05")
def test_triggers_that_are_missing_are_noticed_by_their_tables(filed: Ledger, tmp_path: Path) -> None:
    record(filed)
    there = rows(tmp_path, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    assert {name: digest(sql) for name, sql in there} == triggers.TRIGGERS
    assert filed.problems() == []
    change(
        tmp_path,
        "DROP TRIGGER entry_stays",
        "DROP TRIGGER tile_once",
        "CREATE TRIGGER entry_stays BEFORE UPDATE ON head BEGIN SELECT 1; END",
    )
    problem, _ = filed.problems()
    assert "doesn't refuse to change what is recorded: triggers are missing on entry, tile. Run" in problem


@pytest.mark.requirement("REC-05")
def test_triggers_that_do_something_else_under_their_names_are_noticed(filed: Ledger, tmp_path: Path) -> None:
    record(filed)
    change(
        tmp_path,
        "DROP TRIGGER entry_stays",
        "CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT 1; END",
    )
    (problem,) = filed.problems()
    assert "doesn't refuse to change what is recorded: triggers are altered on entry. Run" in problem
    change(tmp_path, "DROP TRIGGER tile_once")
    (problem,) = filed.problems()
    assert "triggers are missing on tile and altered on entry. Run" in problem


@pytest.mark.requirement("REC-05")
def test_triggers_that_the_log_does_not_have_are_named(filed: Ledger, tmp_path: Path) -> None:
    record(filed)
    change(
        tmp_path,
        "CREATE TRIGGER quiet AFTER INSERT ON Account BEGIN DELETE FROM account; END",
        "CREATE TABLE own (one)",
        "CREATE TRIGGER own_stays BEFORE UPDATE ON own BEGIN SELECT 1; END",
    )
    (problem,) = filed.problems()
    assert "triggers on the log's tables that it doesn't have: 'quiet'. They can change" in problem


def test_the_tables_are_those_that_the_documentation_names(recorded: Path) -> None:
    columns = "SELECT name FROM pragma_table_info('{}')"
    assert [name for (name,) in rows(recorded, "SELECT name FROM sqlite_schema WHERE type = 'table'")] == [
        *("consent_alembic_version", "entry", "opening", "document", "account"),
        *("tile", "head", "checkpoint", "erased", "bound"),
        *("facets", "indexed", "tally", "counted", "replies", "replied", "faded"),
    ]
    for table, names in {
        "entry": ["leaf_index", "uid", "leaf", "leaf_hash"],
        "opening": ["uid", "subject", "salt", "body"],
        "document": ["hash", "kind", "body"],
        "account": ["link", "uid"],
        "tile": ["level", "n", "root", "hashes"],
        "head": ["one", "size", "root", "frontier", "sealed_at"],
        "checkpoint": ["size", "note"],
        "erased": ["uid"],
        "bound": ["one", "min_index", "uid"],
        "facets": ["id", "bare", "said"],
        "indexed": ["leaf_index", "place", "facets"],
        "tally": ["day", "facets", "events", "erased"],
        "counted": ["one", "size", "missing"],
    }.items():
        assert [name for (name,) in rows(recorded, columns.format(table))] == names


ENTRY_1 = "leaf_index, uid, leaf, leaf_hash FROM entry WHERE leaf_index = 1"


@pytest.mark.requirement("REC-05")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET leaf = x'7b7d'",
        "UPDATE OR IGNORE entry SET leaf_index = 7 WHERE leaf_index = 1",
        "DELETE FROM entry",
        "DELETE FROM entry WHERE leaf_index = 1",
        f"INSERT INTO entry SELECT {ENTRY_1}",
        f"REPLACE INTO entry SELECT {ENTRY_1}",
        f"REPLACE INTO entry SELECT 2, uid, x'7b7d', leaf_hash {ENTRY_1[31:]}",
        "INSERT INTO entry VALUES (3, 'x', x'', x'')",
        "INSERT INTO entry VALUES (-1, 'x', x'', x'')",
        "INSERT INTO entry (uid, leaf, leaf_hash) VALUES ('x', x'', x'')",
        "UPDATE opening SET body = x'7b7d'",
        "UPDATE opening SET subject = NULL",
        "REPLACE INTO opening SELECT uid, subject, salt, x'7b7d' FROM opening",
        "REPLACE INTO opening (rowid, uid, salt, body) VALUES (1, 'x', x'', x'7b7d')",
        "INSERT INTO opening (rowid, uid, salt, body) VALUES (-1, 'x', x'', x'')",
        "REPLACE INTO entry (rowid, uid, leaf, leaf_hash) SELECT rowid, 'x', x'7b7d', x'' FROM entry",
        "REPLACE INTO entry (leaf_index, rowid, uid, leaf, leaf_hash) VALUES (2, 1, 'x', x'', x'')",
        "REPLACE INTO document (rowid, hash, kind, body) SELECT rowid, 'x', kind, x'7b7d' FROM document",
        "INSERT INTO document (rowid, hash, kind, body) VALUES (-1, 'x', 'notice', x'')",
        "UPDATE tile SET root = x''",
        "DELETE FROM tile",
        "REPLACE INTO tile SELECT level, n, x'', hashes FROM tile",
        "UPDATE checkpoint SET note = x''",
        "DELETE FROM checkpoint",
        "REPLACE INTO checkpoint SELECT size, x'' FROM checkpoint",
        "UPDATE erased SET uid = 'y'",
        "DELETE FROM erased",
        "REPLACE INTO erased SELECT uid FROM erased",
        "UPDATE head SET root = x''",
        "UPDATE head SET size = size - 1",
        "DELETE FROM head",
        "REPLACE INTO head SELECT one, size, x'', frontier, sealed_at FROM head",
        "UPDATE document SET body = x'7b7d'",
        "DELETE FROM document",
    ],
)
def test_the_database_itself_refuses_to_change_what_is_recorded(recorded: Path, statement: str) -> None:
    change(
        recorded,
        "INSERT INTO tile VALUES (0, 0, x'01', x'02')",
        "INSERT INTO checkpoint VALUES (1, x'01')",
        "INSERT INTO erased VALUES ('x')",
    )
    everything = "SELECT * FROM entry JOIN opening USING (uid), document, tile, head, checkpoint, erased"
    before = rows(recorded, everything)
    with pytest.raises(sqlite3.IntegrityError, match=r"entries are|never|head"):
        change(recorded, statement)
    assert rows(recorded, everything) == before


@pytest.mark.requirement("REC-05")
def test_a_document_can_be_neither_replaced_nor_doubled(recorded: Path) -> None:
    before = rows(recorded, "SELECT * FROM document")
    for verb in ("INSERT", "REPLACE", "INSERT OR IGNORE"):
        change(recorded, f"{verb} INTO document SELECT hash, 'notice', x'7b7d' FROM document")
    assert rows(recorded, "SELECT * FROM document") == before


def test_an_opening_can_be_erased(recorded: Path) -> None:
    change(recorded, "DELETE FROM opening WHERE subject IS NOT NULL")
    assert rows(recorded, "SELECT count(*) FROM entry, opening") == [(2,)]


def test_every_connection_syncs_each_commit_and_overwrites_what_is_erased(recorded: Path) -> None:
    engine = engines.make(recorded / "consent.sqlite3")
    with engine.connect() as connection:
        for pragma, value in {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    engine.dispose()


def test_upgrading_says_what_it_did_once(tmp_path: Path) -> None:
    (_, first), (_, second) = open_ledger(tmp_path), open_ledger(tmp_path)
    assert list(first.upgrade()) == [
        "0001: entries, openings and documents, and the triggers that keep them",
        "0002: opt-outs of accounts",
        "0003: the tree over the entries; on PostgreSQL the inbox, and the triggers",
        "0004: the bound below which entries may be pruned, and triggers that let only those go",
        "0005: what was erased on PostgreSQL and isn't in the list beside the key yet",
        "0006: on PostgreSQL, entries in partitions of 2^24",
        "0007: on PostgreSQL, recording as a function of the database",
        "0008: counts by day, and where events with the same facets are",
        "0009: on PostgreSQL, recording by one statement, and openings that are alike counted together",
        "0010: what answers said, counted by itself, so that sums of it cost the same however different they are",
        "0011: limits on what rows may hold; on PostgreSQL, what is counted is cut out of openings, and not read there",
    ]
    assert list(second.upgrade()) == []
    first.close()
    second.close()


def test_a_database_that_a_later_release_upgraded_is_still_used(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    change(tmp_path, "UPDATE consent_alembic_version SET version_num = '0999'")
    later, storage = open_ledger(tmp_path)
    assert record(later).index == 2
    assert list(storage.upgrade()) == []
    storage.close()


def test_a_database_of_the_first_schema_is_upgraded_and_keeps_its_events(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    change(
        tmp_path,
        *("DROP TRIGGER head_remains", "DROP TRIGGER entry_short", "DROP TRIGGER document_addressed"),
        *(f"DROP TABLE {table}" for table in ("account", "head", "tile", "checkpoint", "erased", "bound")),
        "DROP TRIGGER opening_uncounted",
        *(
            f"DROP TABLE {table}"
            for table in ("facets", "indexed", "tally", "counted", "replies", "replied", "faded")
        ),
        "UPDATE consent_alembic_version SET version_num = '0001'",
    )
    ledger, storage = open_ledger(tmp_path)
    assert [line[:4] for line in storage.upgrade()] == [
        "0002",
        "0003",
        "0004",
        "0005",
        "0006",
        "0007",
        "0008",
        "0009",
        "0010",
        "0011",
    ]
    assert record(ledger).index == 2
    assert not ledger.opted_out("A" * 22)
    storage.close()


def test_an_upgrade_that_fails_leaves_nothing_behind_and_is_tried_again(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    change(tmp_path, "CREATE TABLE document (another TEXT)")
    with pytest.raises(LedgerError, match="table document already exists"):
        ledger.size()
    assert rows(tmp_path, "SELECT name FROM sqlite_schema") == [("document",)]
    change(tmp_path, "DROP TABLE document")
    assert record(ledger).index == 1
    storage.close()


def test_alembic_is_not_imported_before_there_is_something_to_migrate(recorded: Path) -> None:
    program = f"""
import sys, uuid
import consent.storage
from tests.storage.events import *
assert not [name for name in sys.modules if name.startswith("alembic")]
ledger, storage = open_ledger(Path({str(recorded)!r}))
assert record(ledger).index == 2
assert not [name for name in sys.modules if name.startswith("alembic")]
storage.close()
"""
    path = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env=path)
