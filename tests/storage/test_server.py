"""The database on a PostgreSQL server: who makes it, what it refuses, and who may do what."""

import os
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, create_engine

from consent.errors import ConfigurationError, LedgerUnavailable
from consent.ledger import Document, Ledger
from consent.ledger.checkpoint import Checkpoint, open_checkpoint
from consent.storage import GuardedStorage, open_storage, roles, schema
from consent.storage.accountkey import AccountKey

from .cluster import Cluster, libpq
from .events import ORIGIN, new_event, open_served, record, seal_all, start
from .trees import check_tree

DATA = ["entry", "opening", "document", "tile", "head", "checkpoint", "erased", "inbox", "conflict"]


def test_nothing_is_made_but_by_upgrading(empty: URL, server: Cluster) -> None:
    ledger, storage = open_served(empty)
    for use in (ledger.size, lambda: record(ledger), lambda: list(ledger.documents("policy"))):
        with pytest.raises(
            LedgerUnavailable, match=r"lacks tables of this release\. Run: flask consent db upgrade"
        ):
            use()
    assert "lacks tables" in ledger.problems()[0]
    assert server.run(
        "SELECT count(*) FROM pg_namespace WHERE nspname = 'consent'", database=empty.database
    ) == [(0,)]
    storage.close()


def test_without_the_key_there_are_tables_and_no_log(empty: URL) -> None:
    ledger, storage = open_served(empty)
    with pytest.raises(LedgerUnavailable, match="CONSENT_SIGNING_KEY isn't set here"):
        storage.upgrade()
    with pytest.raises(LedgerUnavailable, match="isn't begun"):
        record(ledger)
    _, other = open_served(empty, signing_key=Path("no/such.key"))
    with pytest.raises(LedgerUnavailable, match=r"such\.key can't be used"):
        other.upgrade()
    storage.close()
    other.close()


def test_whoever_has_the_key_begins_the_log_and_keeps_its_guard(begun_url: URL, tmp_path: Path) -> None:
    ledger, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    (first,) = ledger.records()
    key = first.outline().key or ""
    guard = open_checkpoint((tmp_path / "consent.guard").read_text(), [key], ORIGIN)
    assert guard == Checkpoint(ORIGIN, 1, first.leaf_hash)
    assert ledger.head().root == first.leaf_hash
    assert ledger.problems() == []
    storage.close()


@pytest.mark.requirement("REC-01")
def test_eight_processes_that_upgrade_at_once_make_one_log(
    empty: URL, server: Cluster, key: Path, tmp_path: Path
) -> None:
    (tmp_path / "consent.key").write_bytes(key.read_bytes())
    process = start(
        """
        def work():
            storage.upgrade()
            for _ in range(5):
                record(ledger, new_event(subject=uuid.uuid4()), patience=30)
            storage.close()

        assert fork(8, work)
        """,
        tmp_path,
        empty,
    )
    answer, error = process.communicate("\n")
    assert (answer, error, process.returncode) == ("", "", 0)
    ledger, storage = open_served(empty)
    seal_all(ledger)
    assert check_tree(ledger).size == 41
    assert server.run("SELECT count(*) FROM consent.inbox", database=empty.database) == [(0,)]
    storage.close()


@pytest.mark.filterwarnings(
    "ignore:Can't validate argument 'dialect_options'"
)  # SQLAlchemy's own, of NOT VALID
def test_the_migrations_make_the_tables_that_statements_name_on_the_server(begun_url: URL) -> None:
    engine = create_engine(begun_url, connect_args={"options": "-c search_path=consent"})
    with closing(engine.connect()) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": schema.VERSION_TABLE,
                "compare_type": True,
                "include_name": lambda name, kind, parents: kind != "table" or not name.startswith("entry_"),
            },
        )
        every = [schema.metadata, schema.served]
        found = compare_metadata(context, every)  # type: ignore[arg-type]  # it takes several, too
    engine.dispose()
    # Over all partitions no constraint can say that an id is there once; an index finds it.
    assert [(act, thing.table.name, [*thing.columns.keys()]) for act, thing in found] == [
        ("remove_index", "entry", ["uid"]),
        ("add_constraint", "entry", ["uid"]),
    ]


@pytest.fixture
def recorded(served: Ledger) -> Ledger:
    """A ledger on the server with an event, a document, and a row in each other table."""
    record(served, new_event(), documents=[Document.of("notice", b"<section>")])
    seal_all(served)
    return served


@pytest.mark.requirement("REC-05")
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_the_server_refuses_to_change_what_is_recorded_also_to_the_owner(
    recorded: Ledger, server: Cluster, begun_url: URL, role: str
) -> None:
    changes = {table: ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {}"] for table in DATA}
    changes["opening"] = ["UPDATE {} SET {}", "TRUNCATE {}"]
    changes["inbox"] = ["UPDATE {} SET {}", "TRUNCATE {}"]
    changes["head"] = [
        "UPDATE {} SET root = ''",
        "UPDATE {} SET size = size - 1",
        "DELETE FROM {}",
        "TRUNCATE {}",
    ]
    column = {"tile": "root = ''", "checkpoint": "note = ''", "document": "body = ''"}
    setting = f"SET session_replication_role = {role}"
    for table, statements in changes.items():
        for statement in statements:
            change = statement.format(f"consent.{table}", column.get(table, "uid = NULL"))
            with pytest.raises(psycopg.errors.RestrictViolation, match=f"consent.{table} refuses"):
                server.run(setting, change, database=begun_url.database)
    check_tree(recorded)


def test_accounts_are_linked_where_the_signing_key_is_not(
    served: Ledger, begun_url: URL, tmp_path: Path
) -> None:
    """By a file of their own, which is made where it is; the links stay what they were."""
    with pytest.raises(LedgerUnavailable, match="CONSENT_ACCOUNT_KEY isn't set here"):
        served.account_key()
    signer, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    key, (first, *_) = signer.account_key(), signer.keys()
    storage.close()
    file = tmp_path / "account.key"
    assert AccountKey(file).write(first.verifier, key)
    assert file.stat().st_mode & 0o077 == 0
    worker, storage = open_served(begun_url, account_key=file)
    assert worker.account_key() == key
    assert worker.storage.desk is None
    for wrong, said in {
        file.read_text().replace(first.verifier, "other.example+00000000+AAAA"): "is another log's",
        "consent/account/v1\n": "can't be read",
        file.read_text().replace("account/v1", "account/v2"): "can't be read",
    }.items():
        file.write_text(wrong)
        with pytest.raises(LedgerUnavailable, match=said):
            worker.account_key()
    storage.close()


def test_triggers_that_were_switched_off_are_noticed_and_put_back(
    recorded: Ledger, server: Cluster, begun_url: URL
) -> None:
    server.run(
        "ALTER TABLE consent.entry DISABLE TRIGGER entry_stays",
        "DROP TRIGGER tile_stays ON consent.tile",
        database=begun_url.database,
    )
    (problem,) = recorded.problems()
    assert "switched off on entry, tile. Run: flask consent db roles --apply" in problem
    assert isinstance(recorded.storage, GuardedStorage)
    recorded.storage.apply(roles.statements())
    assert recorded.problems() == []


def login(server: Cluster, url: URL, *granted: str) -> URL:
    """Connects as a new role that is a member of *granted*."""
    name = f"consent_test_{uuid.uuid4().hex}"
    server.run(
        f"CREATE ROLE {name} LOGIN PASSWORD 'for-tests'", *(f"GRANT {role} TO {name}" for role in granted)
    )
    return url.set(username=name, password="for-tests")


@pytest.mark.requirement("REC-05")
def test_each_role_does_its_task_and_no_other(served: Ledger, server: Cluster, begun_url: URL) -> None:
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    (site, site_storage), (sealer, sealer_storage), (reader, reader_storage) = (
        open_served(login(server, begun_url, role)) for role in (roles.APP, roles.SEALER, roles.READER)
    )
    event = new_event()
    record(site, event, merge_within=60, documents=[Document.of("notice", b"<p>")])
    again = record(site, new_event(), merge_within=60)
    assert (again.id, again.merged, again.index) == (event.id, True, None)
    assert site.size() == 1  # in passing it seals nothing, and is no worse for it
    with pytest.raises(LedgerUnavailable, match="refuses this role a right"):
        site.seal()
    assert sealer.seal() == 1
    with pytest.raises(LedgerUnavailable, match="refuses this role a right"):
        record(sealer)
    found = reader.get(event.id)
    assert found is not None
    assert (found.index, found.event()) == (1, event)
    with pytest.raises(LedgerUnavailable, match="refuses this role a right"):
        record(reader)
    assert reader.problems() == site.problems() == sealer.problems() == []
    eraser = login(server, begun_url, roles.ERASER)
    with psycopg.connect(
        eraser.set(drivername="postgresql").render_as_string(hide_password=False)
    ) as connection:
        connection.execute("DELETE FROM consent.opening WHERE uid = %s", [event.id])
        connection.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM consent.entry")
    found = site.get(event.id)
    assert found is not None
    assert found.event() is None
    for storage in (site_storage, sealer_storage, reader_storage):
        storage.close()


@pytest.mark.requirement("REC-05")
def test_what_the_database_runs_by_itself_takes_nothing_of_those_who_have_it_run(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    """Neither a type nor an operator that a role has made for itself."""
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    record(served)
    seal_all(served)
    before = list(served.records())
    with psycopg.connect(libpq(login(server, begun_url, roles.SEALER))) as sealer:
        sealer.execute(
            "CREATE FUNCTION pg_temp.turn(text) RETURNS boolean LANGUAGE plpgsql AS "
            "'BEGIN EXECUTE ''ALTER TABLE consent.entry DISABLE TRIGGER USER''; RETURN true; END'"
        )
        sealer.execute("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.turn(VALUE))")
        sealer.execute("SELECT consent.make_room()")
    pruning = login(server, begun_url, roles.PRUNER)
    server.run(f"CREATE SCHEMA theirs AUTHORIZATION {pruning.username}", database=begun_url.database)
    with psycopg.connect(libpq(pruning)) as pruner:
        for operator, left, right in (
            ("<", "bigint", "int"),
            (">=", "bigint", "bigint"),
            ("=", "uuid", "uuid"),
        ):
            pruner.execute(
                f"CREATE FUNCTION theirs.no({left}, {right}) RETURNS boolean LANGUAGE sql AS 'SELECT false'"
            )
            pruner.execute(
                f"CREATE OPERATOR theirs.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = theirs.no)"
            )
        pruner.execute("SET search_path = theirs, pg_catalog")
        with pytest.raises(psycopg.errors.RestrictViolation, match="refuses DELETE"):
            pruner.execute("DELETE FROM consent.entry WHERE leaf_index > 0")
    assert list(served.records()) == before
    assert served.problems() == []


def test_who_may_not_make_tables_is_told_so(empty: URL, server: Cluster) -> None:
    _, storage = open_served(login(server, empty))
    with pytest.raises(LedgerUnavailable, match=r"refuses this role a right .*permission denied"):
        storage.upgrade()
    storage.close()


def test_the_log_of_another_site_is_read_but_not_written_on_the_server(
    served: Ledger, begun_url: URL
) -> None:
    record(served)
    seal_all(served)
    name = "other.example/privacy-choices"
    other = open_storage(begun_url.render_as_string(hide_password=False), origin=name)
    staging = Ledger(other, name)
    with pytest.raises(LedgerUnavailable, match=f"holds the log {ORIGIN}.*CONSENT_SITE"):
        record(staging, new_event())
    (found,) = staging.problems()
    assert "holds the log" in found
    assert staging.size() == 2
    other.close()


@pytest.mark.parametrize(
    "url", ["postgresql://host/consent", "postgresql+psycopg2://host/consent", "mysql://host/db"]
)
def test_what_names_neither_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg://"):
        open_storage(url, origin=ORIGIN)


def test_without_the_driver_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "import importlib.util; importlib.util.find_spec = lambda name: None\n"
        "from consent.storage import open_storage\n"
        "open_storage('postgresql+psycopg://host/consent', origin='a/b')\n"
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=path)
    assert "ConfigurationError" in run.stderr
    assert "pip install 'flask-assent[postgres]'" in run.stderr


def test_neither_driver_nor_alembic_is_imported_where_they_are_not_used(
    begun_url: URL, tmp_path: Path
) -> None:
    process = start(
        """
        assert "psycopg" in sys.modules
        record(ledger)
        assert not [name for name in sys.modules if name.startswith("alembic")]
        storage.close()
        """,
        tmp_path,
        begun_url,
    )
    assert process.communicate("\n") == ("", "")
    (other := tmp_path / "other").mkdir()
    process = start('assert "psycopg" not in sys.modules; record(ledger); storage.close()', other)
    assert process.communicate("\n") == ("", "")


def test_a_password_is_in_no_message(begun_url: URL) -> None:
    ledger, storage = open_served(begun_url.set(username="nobody", password="a secret"))
    with pytest.raises(LedgerUnavailable, match=r"doesn't let this site in|can't be reached") as caught:
        ledger.size()
    assert "a secret" not in str(caught.value)
    storage.close()
