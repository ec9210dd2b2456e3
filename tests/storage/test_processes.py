"""A ledger outlives the processes that use it: killed ones, and forked ones."""

import os
import signal
from pathlib import Path

import pytest

from .events import go, open_ledger, record, rows, start


@pytest.mark.requirement("REC-01")
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for _ in range(3):
        process = start(
            """
            while True:
                print(record(ledger, new_event(subject=uuid.uuid4())).id, flush=True)
            """,
            tmp_path,
        )
        go(process)
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().strip() for _ in range(40)]
        process.send_signal(signal.SIGKILL)
        # What is in the pipe was acknowledged; a line without end wasn't printed whole.
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.communicate()

    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    recorded = list(ledger.records())
    assert [each.index for each in recorded] == list(range(len(recorded)))
    assert set(acknowledged) <= {str(each.id) for each in recorded}
    # At most one event per killed process was written and not acknowledged; entry 0 and the last are ours.
    assert len(recorded) <= len(acknowledged) + 3 + 2
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    storage.close()


def test_a_forked_child_uses_connections_of_its_own(tmp_path: Path) -> None:
    process = start(
        """
        def locks():
            inode = f":{os.stat(sys.argv[1]).st_ino} "
            found = [line.split() for line in Path("/proc/locks").read_text().splitlines() if inode in line]
            return [pid for _, kind, _, _, pid, *_ in found if kind == "POSIX"]

        def work():
            record(ledger, new_event(subject=uuid.uuid4()), patience=30)
            assert str(os.getpid()) in locks(), "the child holds no lock of its own on the database"

        sys.argv.append(str(storage._database.name))
        record(ledger)
        assert str(os.getpid()) in locks()
        assert fork(3, work)
        print(ledger.size())
        """,
        tmp_path,
    )
    answer, error = process.communicate("\n")
    assert (answer, error) == ("5\n", "")


def test_a_write_that_a_child_makes_survives_its_parent_and_any_other_reader(tmp_path: Path) -> None:
    # With the parent's connections still open in it, a child would hold no lock, and whoever is the last to
    # close the database by the locks there are would take the write-ahead log away under it.
    process = start(
        """
        record(ledger)
        if os.fork():
            os._exit(0)
        record(ledger)
        print("recorded", flush=True)
        sys.stdin.readline()
        record(ledger)
        storage.close()
        print("done", flush=True)
        """,
        tmp_path,
    )
    go(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "recorded\n"
    assert rows(tmp_path, "SELECT count(*) FROM entry") == [(3,)]
    go(process)
    assert process.stdout.readline() == "done\n"
    process.communicate()
    assert rows(tmp_path, "SELECT count(*) FROM entry") == [(4,)]


def test_a_closed_storage_keeps_no_file_open_and_opens_again(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    record(ledger)
    storage.close()
    open_files = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
    assert not [path for path in open_files if path.startswith(str(tmp_path))]
    assert record(ledger).index == 2
    storage.close()
