"""Recording on a PostgreSQL server by one function of the database: in one message, and with no more rights."""

import uuid
from collections.abc import Callable
from importlib import import_module

import psycopg
import pytest
from sqlalchemy import URL

from consent.errors import LedgerConflict, LedgerUnavailable
from consent.ledger import Document, Ledger, Written
from consent.storage import GuardedStorage, roles, routines
from consent.storage.inbox import Append
from consent.storage.postgres import PostgresStorage
from consent.storage.schema import OPENED, RECORD, SHOWN

from .cluster import Cluster, libpq
from .events import ORIGIN, new_event, open_served, record, seal_all
from .test_server import login
from .trees import check_tree

NOTICE = Document.of("notice", b"<section>")


@pytest.fixture
def messages(served: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By which way each event goes that is recorded: at once, or step by step. Nothing is sealed in passing."""
    monkeypatch.setattr(PostgresStorage, "_seal_in_passing", lambda *_: None)
    sent: list[str] = []

    def noted(name: str) -> Callable[..., Written | None]:
        way = getattr(Append, name)

        def go(*given: object, **options: object) -> Written | None:
            sent.append(name)
            found: Written | None = way(*given, **options)
            return found

        return go

    for name in ("_at_once", "_step_by_step"):
        monkeypatch.setattr(Append, name, noted(name))
    return sent


def test_a_new_visitors_answer_goes_in_one_message_also_with_documents_that_are_stored(
    served: Ledger, messages: list[str]
) -> None:
    for subject in (uuid.uuid4(), uuid.uuid4()):
        record(served, new_event(subject=subject), merge_within=60, documents=[NOTICE])
    assert messages == ["_at_once", "_step_by_step", "_at_once"]
    assert served.document(NOTICE.hash) == NOTICE
    seal_all(served)
    assert check_tree(served).size == 3


def test_what_is_recorded_is_found_by_its_id_in_one_message_before_and_after_it_is_sealed(
    served: Ledger, messages: list[str]
) -> None:
    event = new_event(subject=uuid.uuid4())
    record(served, event, salt=bytes(32))
    again = record(served, event, salt=bytes(32))
    seal_all(served)
    assert again.id == record(served, event, salt=bytes(32)).id == event.id
    assert record(served, event, salt=bytes(32)).index == 1
    with pytest.raises(LedgerConflict, match="is recorded at index 1 with another leaf"):
        record(served, event, salt=bytes([1] * 32))
    assert set(messages) == {"_at_once"}
    assert check_tree(served).size == 2


@pytest.mark.parametrize("isolation", ["serializable", "repeatable read"])
def test_a_role_whose_transactions_are_isolated_otherwise_records_all_the_same(
    served: Ledger, begun_url: URL, server: Cluster, isolation: str, messages: list[str]
) -> None:
    """Where a statement sees what was committed before the transaction began, an id in between is not found."""
    server.run(
        f"ALTER DATABASE {begun_url.database} SET default_transaction_isolation = '{isolation}'",
        database=begun_url.database,
    )
    assert isinstance(served.storage, PostgresStorage)
    served.storage.close()  # the next use opens new sessions
    event = new_event()
    for _ in range(2):
        assert record(served, event, salt=bytes(32)).id == event.id
    assert messages == ["_at_once", "_step_by_step"] * 2
    seal_all(served)
    assert check_tree(served).size == 2


def test_a_pooler_that_gives_each_transaction_another_session_loses_nothing(served: Ledger) -> None:
    """There what one transaction prepared isn't there for the next, or somebody's is there already."""
    assert isinstance(served.storage, PostgresStorage)
    events = [new_event(subject=uuid.uuid4()) for _ in range(5)]
    record(served, events[0])
    served.storage._server.pipeline(lambda connection: connection.execute("DEALLOCATE ALL"), 2.0)
    record(served, events[1])
    record(served, events[2])
    served.storage.close()
    record(served, events[3])
    served.storage._server.pipeline(lambda connection: connection._plans.clear(), 2.0)
    record(served, events[4])
    seal_all(served)
    assert [each.id for each in served.newest(limit=5)][::-1] == [each.id for each in events]


@pytest.mark.requirement("REC-05")
def test_the_function_gives_nobody_a_right_and_only_who_records_may_call_it(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    call = f"SELECT consent.record('{uuid.uuid4()}', '', NULL, '', '', false, NULL, false, NULL, '1000')"
    for role in (roles.SEALER, roles.ERASER, roles.PRUNER, roles.READER):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="for function record"),
            psycopg.connect(libpq(login(server, begun_url, role))) as connection,
        ):
            connection.execute(call.encode())
    reader = login(server, begun_url, roles.READER)
    server.run(f"GRANT EXECUTE ON FUNCTION {RECORD} TO {reader.username}", database=begun_url.database)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="for table"),
        psycopg.connect(libpq(reader)) as connection,
    ):
        connection.execute(call.encode())
    assert served.problems() == []


@pytest.mark.parametrize(
    "change",
    [
        "DROP FUNCTION {}",
        "ALTER FUNCTION {} SECURITY DEFINER",
        "ALTER FUNCTION {} SET search_path = public",
        "GRANT EXECUTE ON FUNCTION {} TO PUBLIC",
    ],
)
def test_a_function_that_was_changed_is_noticed_and_put_back(
    served: Ledger, server: Cluster, begun_url: URL, change: str
) -> None:
    server.run(change.format(RECORD), database=begun_url.database)
    (problem,) = served.problems()
    said = "missing" if change.startswith("DROP") else "not as it was made"
    assert (
        f"Of the database's functions {said}: consent.record. Run: flask consent db roles --apply" in problem
    )
    if change.startswith("DROP"):
        with pytest.raises(LedgerUnavailable, match=r"lacks the function .*flask consent db roles --apply"):
            record(served)
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    assert served.problems() == []
    record(served)


def test_a_database_of_the_release_before_is_upgraded_and_its_workers_go_on_without_new_rights(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    served.storage.apply(roles.statements())
    record(served)
    server.run(
        f"DROP FUNCTION {RECORD}",
        "DROP TABLE consent.facets, consent.indexed, consent.tally, consent.counted",
        "DROP TABLE consent.replies, consent.replied, consent.faded",
        "UPDATE consent.consent_alembic_version SET version_num = '0006'",
        database=begun_url.database,
    )
    site, storage = open_served(login(server, begun_url, roles.APP))
    with pytest.raises(
        LedgerUnavailable, match=r"lacks tables of this release\. Run: flask consent db upgrade"
    ):
        record(site)
    assert (
        "0009: on PostgreSQL, recording by one statement, and openings that are alike counted together"
        in served.storage.upgrade()
    )
    record(site, new_event(subject=uuid.uuid4()))
    seal_all(served)
    assert check_tree(served).size == 3
    storage.close()


def test_what_was_recorded_by_the_function_of_the_release_before_stays_as_it_is_and_the_log_goes_on(
    served: Ledger, server: Cluster, begun_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresStorage, "_seal_in_passing", lambda *_: None)
    before, counting = (
        import_module(f"consent.storage.migrations.versions.{name}")
        for name in ("r0007_append", "r0008_tally")
    )
    server.run(
        f"DROP FUNCTION {RECORD}",
        *before.POSTGRESQL_STATEMENTS,
        *counting.POSTGRESQL_STATEMENTS,
        "DROP TABLE consent.replies, consent.replied, consent.faded",
        "UPDATE consent.consent_alembic_version SET version_num = '0008'",
        database=begun_url.database,
    )
    event, salt = new_event(), bytes(32)
    with psycopg.connect(libpq(begun_url)) as connection:
        connection.execute(
            "SELECT consent.append(%s, %s, %s, %s, %s, true, NULL, false, NULL, 1000)",
            [event.id, event.leaf(ORIGIN, salt), event.subject, salt, event.body()],
        )
    assert isinstance(served.storage, GuardedStorage)
    assert [done[:4] for done in served.storage.upgrade()] == ["0009", "0010", "0011"]
    assert served.problems() == []
    assert record(served, event, salt=salt).index is None
    record(served, new_event(subject=uuid.uuid4()))
    assert served.seal() == 2
    found = served.get(event.id)
    assert found is not None
    assert (found.index, found.event(), found.salt) == (1, event, salt)
    assert check_tree(served).size == 3


def test_roles_that_lack_a_right_of_this_release_are_named_where_they_are_in_use(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    assert served.storage.deprived() == []  # the server may have them, for another database
    served.storage.apply(roles.statements())
    assert served.storage.deprived() == []
    server.run(
        "REVOKE INSERT ON consent.document FROM consent_app",
        "REVOKE EXECUTE ON FUNCTION consent.make_room() FROM consent_sealer",
        database=begun_url.database,
    )
    assert served.storage.deprived() == ["consent_app", "consent_sealer"]


_NOTHING = "LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'"


def test_each_function_and_trigger_that_was_changed_is_named_and_put_back(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    assert isinstance(served.storage, GuardedStorage)
    for change, said in (
        (f"CREATE OR REPLACE FUNCTION consent.refuse() RETURNS trigger {_NOTHING}", "made: consent.refuse."),
        (
            f"CREATE OR REPLACE FUNCTION consent.uncount() RETURNS trigger SECURITY DEFINER {_NOTHING}",
            "made: consent.uncount.",
        ),
        ("ALTER FUNCTION consent.facets_in(bytea) SECURITY DEFINER", "made: consent.facets_in."),
        (f"DROP FUNCTION {OPENED}", "missing: consent.opened."),
        (f"DROP FUNCTION {SHOWN}", "missing: consent.shown."),
        ("ALTER TABLE consent.inbox DROP CONSTRAINT inbox_short", "altered: inbox_short."),
        ("ALTER TABLE consent.entry DROP CONSTRAINT entry_short", "altered: entry_short."),
        (
            "ALTER TABLE consent.opening DROP CONSTRAINT opening_short, "
            "ADD CONSTRAINT opening_short CHECK (octet_length(body) <= 99999999) NOT VALID",
            "altered: opening_short.",
        ),
        ("DROP FUNCTION consent.make_room()", "missing: consent.make_room."),
        ("DROP FUNCTION consent.take_turn() CASCADE", "missing: consent.take_turn."),
        ("DROP TRIGGER opening_uncounted ON consent.opening", "switched off on opening."),
        ("ALTER TABLE consent.bound DISABLE TRIGGER bound_grows", "switched off on bound."),
        (
            "CREATE OR REPLACE TRIGGER tile_stays BEFORE DELETE ON consent.tile "
            "FOR EACH STATEMENT EXECUTE FUNCTION consent.take_turn()",
            "switched off on tile.",
        ),
    ):
        server.run(change, database=begun_url.database)
        found = served.problems()
        assert any(said in each for each in found), (change, found)
        served.storage.apply(roles.statements())
        assert served.problems() == [], change
    server.run(
        "CREATE ROLE somebody",
        "ALTER FUNCTION consent.record OWNER TO somebody",
        database=begun_url.database,
    )
    (problem,) = served.problems()
    assert "another role than the owner of the tables owns consent.record, and can exchange" in problem


def test_triggers_on_a_server_that_the_log_does_not_have_are_named(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    quiet = f"CREATE FUNCTION public.quiet() RETURNS trigger {_NOTHING}"
    on = "BEFORE INSERT ON consent.{} FOR EACH ROW EXECUTE FUNCTION public.quiet()"
    server.run(
        *(quiet, f"CREATE TRIGGER quiet {on.format('account')}"),
        f"CREATE TRIGGER entry_stays {on.format('opening')}",
        database=begun_url.database,
    )
    (problem,) = served.problems()
    assert (
        "triggers on the log's tables that it doesn't have: entry_stays on opening, quiet on account."
        in problem
    )


def test_all_functions_and_triggers_are_looked_at(served: Ledger, server: Cluster, begun_url: URL) -> None:
    of_schema = "WHERE {}namespace = 'consent'::regnamespace"
    functions = server.run(
        f"SELECT proname FROM pg_proc {of_schema.format('pro')}", database=begun_url.database
    )
    assert {name for (name,) in functions} == {*routines.FUNCTIONS}
    triggers = server.run(
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        f"{of_schema.format('rel')} AND NOT tgisinternal",
        database=begun_url.database,
    )
    assert {name for (name,) in triggers} == {*routines.TRIGGERS}
