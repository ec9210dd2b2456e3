"""What can go wrong between the site and a PostgreSQL server: bounded waits, nothing lost, nothing twice."""

import hashlib
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Head, Kind, Ledger
from consent.storage import inbox, records, sequencer

from .cluster import Cluster, libpq
from .events import ORIGIN, go, new_event, open_served, place, record, seal_all, start
from .test_faults import unavailable
from .trees import check_growth, check_tree


@contextmanager
def held(url: URL, statement: str) -> Iterator[psycopg.Connection]:
    """Another program's transaction has run *statement*, and stays open until the block ends."""
    with psycopg.connect(libpq(url)) as connection:
        connection.execute(statement.encode())
        yield connection
        connection.rollback()


@pytest.fixture
def quiet(served: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger on the server in which nothing is sealed in passing."""
    monkeypatch.setattr("consent.storage.postgres.PostgresStorage._seal_in_passing", lambda *_: None)
    return served


def test_a_locked_table_is_waited_for_and_then_said(quiet: Ledger, begun_url: URL) -> None:
    record(quiet)
    with (
        held(begun_url, "LOCK TABLE consent.inbox IN SHARE MODE"),
        unavailable("was in use by others for too long|took too long", within=0.4),
    ):
        record(quiet, patience=0.4)
    record(quiet)
    assert quiet.seal() == 2


def test_whoever_seals_is_not_waited_for_and_recording_goes_on_beside(quiet: Ledger, begun_url: URL) -> None:
    record(quiet)
    with held(begun_url, "SELECT * FROM consent.head FOR UPDATE"):
        began = time.monotonic()
        assert quiet.seal(patience=10) == 0
        record(quiet)
        assert time.monotonic() - began < 2
    assert quiet.seal() == 2
    check_tree(quiet)


def test_an_event_that_is_committed_late_is_sealed_then_and_not_lost(quiet: Ledger, begun_url: URL) -> None:
    # It has the lower number and comes after one with a higher number was sealed.
    late = new_event(kind=Kind.REFUSED, subject=None, granted=())
    with psycopg.connect(libpq(begun_url)) as connection:
        connection.execute(
            "INSERT INTO consent.inbox (uid, leaf) VALUES (%s, %s)", [late.id, late.leaf(ORIGIN, bytes(32))]
        )
        early = record(quiet)
        assert quiet.seal() == 1
        heads = [check_tree(quiet)]
        connection.commit()
    assert quiet.seal() == 1
    heads.append(check_tree(quiet))
    check_growth(quiet, heads)
    assert place(quiet, early) == 1
    found = quiet.get(late.id)
    assert found is not None
    assert found.index == 2


def test_of_two_who_seal_with_the_lock_broken_one_gives_way_whole(
    quiet: Ledger, begun_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "_HEAD", "SELECT size, frontier FROM consent.head")
    other, storage = open_served(begun_url)
    for _ in range(3):
        record(quiet, new_event(subject=uuid.uuid4()))
    assert other.size() == 1
    both = threading.Barrier(2)
    # Both have read the same head and taken what waits; the second to take finds nothing left.
    read = records.size
    monkeypatch.setattr(records, "size", lambda connection: (read(connection), both.wait(5))[0])
    outcomes: list[int | LedgerError] = []

    def seal(ledger: Ledger) -> None:
        try:
            outcomes.append(ledger.seal(patience=5))
        except LedgerError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=seal, args=[each]) for each in (quiet, other)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert 3 in outcomes
    monkeypatch.undo()
    seal_all(other)
    assert check_tree(other).size == 4
    storage.close()


@pytest.mark.full
def test_processes_that_all_seal_at_once_with_the_lock_broken_make_one_tree(
    quiet: Ledger, begun_url: URL, tmp_path: Path
) -> None:
    program = """
        import time
        from consent.errors import LedgerError
        from consent.storage import postgres, sequencer

        postgres.PostgresStorage._seal_in_passing = lambda *_: None
        sequencer._HEAD = "SELECT size, frontier FROM consent.head"
        sealed, gave_way, end = 0, 0, time.monotonic() + 20
        while time.monotonic() < end:
            record(ledger, new_event(subject=uuid.uuid4()))
            try:
                sealed += ledger.seal()
            except LedgerError:
                gave_way += 1
        print(sealed, gave_way)
        storage.close()
    """
    processes = [start(program, tmp_path, begun_url) for _ in range(3)]
    for each in processes:
        go(each)
    said = [each.communicate() for each in processes]
    assert [error for _, error in said] == [""] * 3
    sealed, gave_way = (
        sum(counts) for counts in zip(*(map(int, out.split()) for out, _ in said), strict=True)
    )
    assert gave_way > 0
    left = quiet.seal()
    assert check_tree(quiet).size == 1 + sealed + left
    assert quiet.problems() == []


def test_the_head_moves_only_from_where_it_was_read(
    quiet: Ledger, begun_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(quiet)
    stale = "SELECT 0 AS size, ''::bytea AS frontier FROM consent.head"
    monkeypatch.setattr(sequencer, "_HEAD", stale)
    with pytest.raises(LedgerError, match="sealed the same events at the same time"):
        quiet.seal()
    monkeypatch.undo()
    seal_all(quiet)
    assert check_tree(quiet).size == 2


def test_one_leaf_that_is_in_the_inbox_again_is_recorded_once_and_another_one_is_kept_aside(
    quiet: Ledger, server: Cluster, begun_url: URL
) -> None:
    event = new_event()
    record(quiet, event, salt=bytes(32))
    seal_all(quiet)
    with psycopg.connect(libpq(begun_url)) as connection:
        insert = "INSERT INTO consent.inbox (uid, leaf) VALUES (%s, %s)"
        connection.execute(insert, [event.id, event.leaf(ORIGIN, bytes(32))])
    assert quiet.seal() == 0
    assert quiet.problems() == []
    forged = event.leaf(ORIGIN, b"\1" * 32)
    with psycopg.connect(libpq(begun_url)) as connection:
        connection.execute(insert, [event.id, forged])
    assert quiet.seal() == 0
    assert server.run("SELECT uid, leaf FROM consent.conflict", database=begun_url.database) == [
        (event.id, forged)
    ]
    assert server.run("SELECT count(*) FROM consent.inbox", database=begun_url.database) == [(0,)]
    (problem,) = quiet.problems()
    assert f"Leaves that came under ids that other leaves have: 1, one of them under {event.id}" in problem
    assert check_tree(quiet).size == 2


def test_appends_of_one_id_at_once_record_it_once(begun_url: URL) -> None:
    event = new_event()
    found = []

    def append() -> None:
        ledger, storage = open_served(begun_url)
        for _ in range(10):
            found.append(record(ledger, event, salt=bytes(32), patience=20).id)
            ledger.seal(patience=20)
        storage.close()

    threads = [threading.Thread(target=append) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [event.id] * 40
    ledger, storage = open_served(begun_url)
    seal_all(ledger)
    assert check_tree(ledger).size == 2
    assert ledger.problems() == []
    storage.close()


#: What stands in the message by which an event is recorded and committed: the name of the prepared statement.
APPENDING = b"consent_" + hashlib.sha256(inbox._AT_ONCE).hexdigest()[:16].encode()


class Wire:
    """A proxy to the server that hangs up when told, between the site's word and the server's answer."""

    def __init__(self, url: URL) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = url.set(port=self.listening.getsockname()[1])
        self.server = (str(url.host), int(url.port or 5432))
        self.cut: Callable[[bytes], bool] = lambda data: False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                site, _ = self.listening.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            ends = (site, server)
            for source, target in (ends, ends[::-1]):
                threading.Thread(
                    target=self.carry, args=[source, target, source is site], daemon=True
                ).start()

    def carry(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        try:
            while data := source.recv(65536):
                cut = asking and self.cut(data)
                if cut:
                    source.shutdown(socket.SHUT_RDWR)  # the server has it all, and the site hears nothing
                target.sendall(data)
                if cut:
                    time.sleep(0.3)
                    break
        except OSError:
            pass
        finally:
            for end in (source, target):
                end.close()


@pytest.fixture
def wire(begun_url: URL) -> Iterator[Wire]:
    """A proxy to the server."""
    made = Wire(begun_url)
    yield made
    made.listening.close()


@pytest.mark.requirement("REC-01")
def test_a_connection_lost_in_the_commit_is_opened_anew_and_the_event_recorded_once(
    wire: Wire, quiet: Ledger
) -> None:
    ledger, storage = open_served(wire.url)
    record(ledger)
    cuts: list[bytes] = []

    def once(data: bytes) -> bool:
        if APPENDING in data and not cuts:
            cuts.append(data)
            return True
        return False

    wire.cut = once
    event = new_event()
    assert record(ledger, event, salt=bytes(32)).id == event.id
    assert len(cuts) == 1
    seal_all(quiet)
    assert [each.id for each in quiet.newest(limit=1)] == [event.id]
    assert check_tree(quiet).size == 3
    wire.cut = lambda data: APPENDING in data
    with pytest.raises(LedgerUnavailable, match="can't be reached"):
        record(ledger)
    wire.cut = lambda data: False
    record(ledger)
    storage.close()


def test_connections_that_the_server_closed_are_opened_anew(
    quiet: Ledger, server: Cluster, begun_url: URL
) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flask-assent'"
    record(quiet)
    server.run(kill, database=begun_url.database)
    record(quiet)
    server.run(kill, database=begun_url.database)
    assert quiet.size() == 1
    server.run(kill, database=begun_url.database)
    assert quiet.seal() == 2


def test_whoever_records_leaves_the_connection_to_the_next_and_all_are_closed_in_the_end(
    server: Cluster, begun_url: URL
) -> None:
    ledger, storage = open_served(begun_url)
    record(ledger)
    there = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'flask-assent'"
    first = server.run(there, database=begun_url.database)
    for _ in range(3):
        record(ledger, new_event(subject=uuid.uuid4()))
    assert server.run(there, database=begun_url.database) == first != [(None,)]
    storage.close()
    until(lambda: server.run(there, database=begun_url.database) == [(None,)])
    record(ledger)
    storage.close()


@contextmanager
def set_up(server: Cluster, name: str, value: str) -> Iterator[None]:
    """The whole server runs with this setting, until the block ends."""
    server.run(f"ALTER SYSTEM SET {name} = '{value}'", "SELECT pg_reload_conf()")
    try:
        until(lambda: server.run(f"SHOW {name}") == [(value,)])
        yield
    finally:
        server.run(f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
        until(lambda: server.run(f"SHOW {name}") != [(value,)])


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_standby_doesnt_confirm_is_not_acknowledged_also_when_it_is_found_again(
    quiet: Ledger, server: Cluster
) -> None:
    event = new_event()
    record(quiet, new_event(subject=uuid.uuid4()))
    with set_up(server, "synchronous_standby_names", "nobody"):
        for _ in range(2):
            with unavailable(r"gave no answer in time|in use by others for too long", within=0.7):
                record(quiet, event, salt=bytes(32), patience=0.5)
        with unavailable(r"gave no answer in time|took too long", within=0.7):
            quiet.seal(patience=0.5)
    assert record(quiet, event, salt=bytes(32)).id == event.id
    seal_all(quiet)
    assert check_tree(quiet).size == 3


def test_without_fsync_nothing_is_recorded(server: Cluster, begun_url: URL) -> None:
    ledger, storage = open_served(begun_url)
    with set_up(server, "fsync", "off"):
        with pytest.raises(LedgerUnavailable, match="runs with fsync = off"):
            record(ledger)
        (problem,) = ledger.problems()
        assert "fsync = off" in problem
        storage.close()
    record(ledger)
    storage.close()


def test_events_that_nobody_seals_are_a_problem(quiet: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    record(quiet)
    assert quiet.problems() == []
    monkeypatch.setattr(sequencer, "LATE", 0)
    (problem,) = quiet.problems()
    assert "Events that have waited to be sealed for more than 0 s: 1." in problem


def test_a_server_that_isnt_there_is_said_in_time(begun_url: URL) -> None:
    ledger, storage = open_served(begun_url.set(port=1))
    with unavailable("can't be reached", within=2):
        record(ledger)
    storage.close()


def test_a_forked_child_uses_connections_of_its_own_and_leaves_the_parents_alone(
    begun_url: URL, tmp_path: Path
) -> None:
    process = start(
        """
        record(ledger)
        if os.fork() == 0:
            record(ledger, new_event(subject=uuid.uuid4()))
            storage.close()
            sys.exit()  # as a worker ends, with all that Python does then
        os.wait()
        record(ledger, new_event(subject=uuid.uuid4()))
        seal_all(ledger)
        print(ledger.size())
        storage.close()
        """,
        tmp_path,
        begun_url,
    )
    assert process.communicate("\n") == ("4\n", "")


def killed(program: str, folder: Path, url: URL | None, after: int) -> list[str]:
    """What a process that runs *program* acknowledged before it was killed, at some moment after *after* lines."""
    process = start(program, folder, url)
    go(process)
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    lines += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.communicate()
    return lines


@pytest.mark.requirement("REC-01")
def test_what_the_server_acknowledged_survives_kill_9_of_who_records_and_who_seals(
    quiet: Ledger, begun_url: URL, tmp_path: Path
) -> None:
    heads, acknowledged = kill_some(quiet, begun_url, tmp_path, rounds=2)
    check_growth(quiet, heads)
    assert acknowledged <= {str(each.id) for each in quiet.records()}


@pytest.mark.full
def test_what_the_server_acknowledged_survives_kill_9_again_and_again(
    quiet: Ledger, begun_url: URL, tmp_path: Path
) -> None:
    heads, acknowledged = kill_some(quiet, begun_url, tmp_path, rounds=15)
    check_growth(quiet, heads)
    assert acknowledged <= {str(each.id) for each in quiet.records()}


def kill_some(ledger: Ledger, url: URL, folder: Path, rounds: int) -> tuple[list[Head], set[str]]:
    """The heads after each round of killing, and the ids that were acknowledged."""
    heads, acknowledged = [check_tree(ledger)], set[str]()
    for turn in range(rounds):
        sealer = start("while True: ledger.seal()", folder, url)
        go(sealer)
        recording = "while True: print(record(ledger, new_event(subject=uuid.uuid4())).id, flush=True)"
        acknowledged |= set(killed(recording, folder, url, 30 + turn))
        sealer.send_signal(signal.SIGKILL)
        sealer.communicate()
        seal_all(ledger)
        heads.append(check_tree(ledger))
    return heads, acknowledged


@pytest.mark.parametrize(
    ("cut", "said", "patience"),
    [
        ("pg_cancel_backend", "a standby didn't confirm it in time", 10),  # and ends the wait
        ("pg_terminate_backend", "gave no answer in time", 2),  # on a new connection it goes on
    ],
)
def test_a_wait_for_a_standby_that_is_cut_short_acknowledges_nothing(
    quiet: Ledger, server: Cluster, begun_url: URL, cut: str, said: str, patience: int
) -> None:
    record(quiet)
    event = new_event()
    waiting = "FROM pg_stat_activity WHERE application_name = 'flask-assent' AND wait_event = 'SyncRep'"

    def cut_short() -> None:
        until(lambda: server.run(f"SELECT {cut}(pid) {waiting}", database=begun_url.database) != [])

    with set_up(server, "synchronous_standby_names", "nobody"):
        cutting = threading.Thread(target=cut_short)
        cutting.start()
        with unavailable(said, within=patience):
            record(quiet, event, salt=bytes(32), patience=patience)
        cutting.join()
        # It was committed all the same, on this server alone.
        assert server.run("SELECT count(*) FROM consent.inbox", database=begun_url.database) == [(2,)]
        # Found, it may still be on no standby.
        with unavailable("gave no answer in time", within=0.5):
            record(quiet, event, salt=bytes(32), patience=0.3)
    assert record(quiet, event, salt=bytes(32)).id == event.id
    seal_all(quiet)
    assert check_tree(quiet).size == 3
