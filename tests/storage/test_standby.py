"""A primary with a synchronous standby: what was acknowledged is on both, and the log goes on where one is lost.

Two real servers, always from the system's programs: the one of CONSENT_TEST_PG_URL is not ours to kill.
"""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from . import cluster
from .cluster import Machine
from .events import go, open_served, record, seal_all, start
from .trees import check_notes, check_tree, opened

#: Four threads that record without end, each event until it is acknowledged, and one that seals and signs. Each says
#: what it has: an id, or a note that others could have seen.
PROGRAM = """
    import json, threading, time
    from consent.errors import LedgerUnavailable

    def until_it_can(work):
        while True:
            try:
                return work()
            except LedgerUnavailable:
                time.sleep(0.02)

    def recording():
        while True:
            event, salt = new_event(subject=uuid.uuid4()), os.urandom(32)
            until_it_can(lambda: record(ledger, event, salt=salt, patience=1))
            say("recorded", str(event.id))

    def signing():
        while True:
            until_it_can(ledger.seal)
            say("signed", until_it_can(lambda: ledger.sign(patience=1)))

    def say(*what):
        sys.stdout.write(json.dumps(what) + "\\n")
        sys.stdout.flush()

    for work in (recording, recording, recording, recording, signing):
        threading.Thread(target=work).start()
"""


class Load:
    """A process that runs ``PROGRAM`` on the log at *url*, and what it has said so far."""

    def __init__(self, folder: Path, url: URL) -> None:
        self._process = start(PROGRAM, folder, url)
        self.said: dict[str, list[str]] = {"recorded": [], "signed": []}
        self._heard = threading.Condition()
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()
        go(self._process)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                kind, what = json.loads(line)
                with self._heard:
                    self.said[kind].append(what)
                    self._heard.notify()

    def await_more(self, **counts: int) -> None:
        """Wait until it has said so many more of each kind."""
        wanted = {kind: len(self.said[kind]) + count for kind, count in counts.items()}
        with self._heard:
            assert self._heard.wait_for(
                lambda: all(len(self.said[kind]) >= count for kind, count in wanted.items()), 60
            ), self._process.poll()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._listening.join(10)
        self._process.communicate()


@pytest.fixture
def pair() -> Iterator[tuple[Machine, Machine]]:
    """A primary that acknowledges nothing before its standby has it, and that standby."""
    with cluster.machine() as primary, cluster.machine() as standby:
        primary.make()
        primary.start()
        standby.copy(primary)
        standby.start()
        # Set at the primary alone, once the standby has its copy: that one waits for nobody when it is promoted.
        primary.cluster.run("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        yield primary, standby


def whichever(primary: Machine, standby: Machine) -> URL:
    """The URL of the one of the two that takes what is written."""
    hosts = [f"127.0.0.1:{each.port}" for each in (primary, standby)]
    query = {"host": hosts, "target_session_attrs": "read-write"}
    return URL.create("postgresql+psycopg", "tester", database="postgres", query=query)


def lose_both(primary: Machine, standby: Machine) -> None:
    """The standby hears nothing more while the load goes on; then both lose their power, and it alone comes back."""
    standby.hang()
    time.sleep(0.3)
    primary.kill()
    standby.kill()
    standby.start()


@pytest.mark.requirement("REC-01")
@pytest.mark.parametrize(
    ("events", "both"),
    [
        (50, True),
        pytest.param(3000, False, marks=pytest.mark.full),
        pytest.param(3000, True, marks=pytest.mark.full),
    ],
)
def test_a_primary_lost_under_load_takes_nothing_acknowledged_with_it_and_on_its_standby_the_log_goes_on(
    pair: tuple[Machine, Machine], key: Path, tmp_path: Path, events: int, both: bool
) -> None:
    primary, standby = pair
    url, own = whichever(primary, standby), tmp_path / "consent.key"
    own.write_bytes(key.read_bytes())
    own.chmod(0o600)
    ledger, storage = open_served(url, signing_key=own)
    storage.upgrade()
    record(ledger)
    storage.close()
    load = Load(tmp_path, url)
    try:
        load.await_more(recorded=events, signed=2)
        lose_both(primary, standby) if both else primary.kill()
        standby.promote()
        load.await_more(recorded=10, signed=2)
    finally:
        load.kill()
    seal_all(ledger)
    check_tree(ledger)
    recorded = [str(each.id) for each in ledger.records()]
    assert len(set(recorded)) == len(recorded)
    assert set(load.said["recorded"]) <= set(recorded)
    # Whatever was signed, before and after, is of the one tree that is there.
    check_notes(ledger, load.said["signed"])
    assert opened(ledger.sign(), ledger).size == len(recorded)
    assert ledger.problems() == []
    storage.close()
