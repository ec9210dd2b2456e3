"""The queue in front of the database: in order, in time, across threads and processes."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consent.storage.queue import Line, OutOfPatienceError, Queue

from .events import open_ledger, start
from .trees import check_tree


def soon(seconds: float = 10.0) -> float:
    """The deadline so many seconds from now."""
    return time.monotonic() + seconds


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Another process has the lock on *path*, as far as the system can tell; its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def free(path: Path) -> bool:
    """Whether nobody has the lock on *path*."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def waiting_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "consent-ledger-queue"]


def test_threads_get_their_turns_in_the_order_they_came() -> None:
    line, order, threads = Line(), [], []
    assert line.enter(soon())

    def wait(number: int) -> None:
        assert line.enter(soon())
        order.append(number)
        line.leave()

    for number in range(20):
        thread = threading.Thread(target=wait, args=(number,))
        thread.start()
        threads.append(thread)
        while len(line._waiting) <= number:
            time.sleep(0.001)
    line.leave()
    for thread in threads:
        thread.join()
    assert order == list(range(20))


def test_who_loses_patience_leaves_the_line_to_the_others() -> None:
    line = Line()
    assert line.enter(soon())
    assert not line.enter(soon(0.05))
    line.leave()
    assert line.enter(soon(0))
    line.leave()


def test_one_turn_at_a_time(tmp_path: Path) -> None:
    queues = [Queue(tmp_path / "lock") for _ in range(3)]  # as three processes have them
    inside: list[int] = []
    most = []

    def work(queue: Queue) -> None:
        for _ in range(30):
            with queue.turn(soon(30)):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work, args=(queue,)) for queue in queues * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for queue in queues:
        queue.close()
    assert (len(most), max(most)) == (180, 1)


def test_a_turn_is_given_back_when_its_block_fails(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "lock")
    with pytest.raises(RuntimeError), queue.turn(soon()):
        raise RuntimeError
    assert free(tmp_path / "lock")
    with queue.turn(soon(0)):
        assert not free(tmp_path / "lock")
    queue.close()


def test_patience_is_kept_however_often_and_costs_one_waiting_thread(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "lock")
    with locked(tmp_path / "lock"):
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(OutOfPatienceError), queue.turn(soon(0.05)):
                pass
            assert time.monotonic() - began < 1
        (waiting,) = waiting_threads()
    waiting.join(10)
    assert not waiting_threads()
    assert free(tmp_path / "lock")
    with queue.turn(soon()):
        assert not free(tmp_path / "lock")
    queue.close()


def test_a_place_in_the_queue_that_was_given_up_is_taken_over(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "lock")
    with locked(tmp_path / "lock") as holder:
        with pytest.raises(OutOfPatienceError), queue.turn(soon(0.05)):
            pass
        threading.Timer(0.2, fcntl.flock, (holder, fcntl.LOCK_UN)).start()
        with queue.turn(soon()):
            assert not free(tmp_path / "lock")
        assert not waiting_threads()
    queue.close()


def test_a_lock_file_that_was_deleted_is_left_for_the_new_one(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "lock")
    with queue.turn(soon()):
        pass
    (tmp_path / "lock").unlink()
    with queue.turn(soon()):
        assert not free(tmp_path / "lock")
    queue.close()


def test_a_closed_queue_can_be_used_again(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "lock")
    for _ in range(2):
        with queue.turn(soon()):
            pass
        queue.close()


def test_a_child_forked_during_a_turn_doesnt_keep_it(tmp_path: Path) -> None:
    process = start(
        """
        import time
        from consent.storage.queue import Queue

        queue = Queue(Path(sys.stdin.readline().strip()))
        with queue.turn(time.monotonic() + 10):
            if os.fork() == 0:
                sys.stdin.readline()
                os._exit(0)
        print("over", flush=True)
        os.wait()
        """,
        tmp_path,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"\n{tmp_path / 'lock'}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "over\n"
    assert free(tmp_path / "lock")
    process.communicate("\n")


@pytest.mark.parametrize(
    ("writers", "seconds"),
    [(4, 1.5), pytest.param(4, 60, marks=pytest.mark.full), pytest.param(16, 60, marks=pytest.mark.full)],
)
def test_writers_of_several_processes_get_on_alike(tmp_path: Path, writers: int, seconds: float) -> None:
    process = start(
        f"""
        import time
        from multiprocessing import get_context

        ledger.size()
        storage.close()
        all_there = get_context("fork").Barrier({writers})

        def work():
            count, longest = 0, 0.0
            ledger.size()
            all_there.wait(60)
            begin = time.time()
            while (before := time.time()) < begin + {seconds}:
                record(ledger, new_event(subject=uuid.uuid4()), patience=30)
                count += 1
                longest = max(longest, time.time() - before)
            sys.stdout.write(f"{{count}} {{longest}}\\n")
            storage.close()

        assert fork({writers}, work)
        """,
        tmp_path,
    )
    answer, error = process.communicate("\n")
    assert (error, process.returncode) == ("", 0)
    counts, longest = zip(*(map(float, line.split()) for line in answer.splitlines()), strict=True)
    assert len(counts) == writers
    assert min(counts) / max(counts) >= 0.5
    # Nobody waited for longer than some rounds of all others, on a machine that does other things, too.
    assert max(longest) < 2
    ledger, storage = open_ledger(tmp_path)
    assert check_tree(ledger).size == 1 + sum(counts)
    storage.close()
