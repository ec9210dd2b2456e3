"""Whoever records, seals, signs or erases may be killed at any step: the next goes on from what is left."""

import itertools
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from consent.ledger import Kind, Ledger, erasure, leaf_hash
from consent.ledger.tile import WIDTH
from consent.storage import OwnStorage
from tests.steps import killed

from .cluster import libpq
from .events import NOW, ORIGIN, new_event, open_ledger, open_served, record, seal_all
from .trees import check_growth, check_notes, check_tree, opened

#: An event as it lies in a database: index, id, leaf, leaf hash.
Row = tuple[int, uuid.UUID, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Site:
    """An empty ledger where its key is, and how events get into its database under no tree."""

    ledger: Ledger
    leave: Callable[[list[Row]], None]

    def close(self) -> None:
        """Close all connections, so that whoever is forked inherits none."""
        assert isinstance(self.ledger.storage, OwnStorage)
        self.ledger.storage.close()

    def leave_unsealed(self, count: int) -> None:
        """Put so many events into the database that are under no tree."""
        first, rows = self.ledger.size(), list[Row]()
        for index in range(first, first + count):
            event = new_event(kind=Kind.REFUSED, subject=None, granted=())
            leaf = event.leaf(ORIGIN, bytes(32))
            rows.append((index, event.id, leaf, leaf_hash(leaf)))
        self.leave(rows)


@pytest.fixture(params=["file", "server"])
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """One of each kind; on the server nothing is sealed in passing."""

    def into_file(rows: list[Row]) -> None:  # as a release did that knew no tree
        values = [(index, id.hex, leaf, hash) for index, id, leaf, hash in rows]
        with closing(sqlite3.connect(tmp_path / "consent.sqlite3")) as connection, connection:
            connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", values)

    def into_inbox(rows: list[Row]) -> None:
        values = [(id, leaf) for _, id, leaf, _ in rows]
        with psycopg.connect(libpq(url)) as connection:
            connection.cursor().executemany("INSERT INTO consent.inbox (uid, leaf) VALUES (%s, %s)", values)

    if request.param == "file":
        ledger, storage = open_ledger(tmp_path)
        made = Site(ledger, into_file)
    else:
        monkeypatch.setattr("consent.storage.postgres.PostgresStorage._seal_in_passing", lambda *_: None)
        url: URL = request.getfixturevalue("begun_url")
        ledger, storage = open_served(url, signing_key=tmp_path / "consent.key")
        made = Site(ledger, into_inbox)
    ledger.size()
    yield made
    storage.close()


def kill_at_each_step(
    site: Site, work: Callable[[int], Callable[[], object]], *, every: bool = True
) -> Iterator[int]:
    """Do what *work* returns in processes of which each comes one step further, until one does all of it.

    What is a step where not *every* statement is one: ``killed``.

    After each that was killed: the number of the step that it was killed before.
    """
    for step in itertools.count():
        doing = work(step)
        site.close()
        if not killed(step, doing, first=site.ledger.head, every=every):
            assert (
                step > 2
            )  # a server is asked to record by one message, and before it once to prepare for that
            return
        yield step


def all_or_nothing(done: list[bool]) -> None:
    """Up to some step nothing of it is there, and from then on all."""
    assert done == sorted(done)
    assert (done[0], done[-1]) == (False, True)


@pytest.mark.requirement("REC-01")
def test_an_event_whose_recorder_was_killed_is_there_whole_or_not_at_all_and_once_if_it_is_sent_again(
    site: Site,
) -> None:
    ledger, salt = site.ledger, bytes(32)
    events = [new_event(subject=uuid.uuid4()) for _ in range(200)]
    there = []
    for step in kill_at_each_step(site, lambda step: lambda: record(ledger, events[step], salt=salt)):
        found = ledger.get(events[step].id)
        assert found is None or found.event() == events[step]
        there.append(found is not None)
        assert record(ledger, events[step], salt=salt).id == events[step].id
    all_or_nothing(there)
    seal_all(ledger)
    # Besides entry 0 one for each that was killed, and the one of whoever was not.
    assert check_tree(ledger).size == 1 + len(there) + 1
    assert ledger.problems() == []


@pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=pytest.mark.full)], ids=["some steps", "every step"]
)
def test_whoever_is_killed_while_sealing_leaves_all_of_it_sealed_or_everything_as_it_was(
    site: Site, every: bool
) -> None:
    ledger, done = site.ledger, []
    heads = [ledger.head()]

    def sealing(step: int) -> Callable[[], object]:
        site.leave_unsealed(WIDTH)  # so that each time a tile gets full
        return lambda: ledger.seal(patience=30)

    for _ in kill_at_each_step(site, sealing, every=every):
        left = ledger.head()
        done.append(left != heads[-1])
        seal_all(ledger)
        heads += [left, ledger.head()]
    all_or_nothing(done)
    check_growth(ledger, [*heads, check_tree(ledger)])
    assert ledger.problems() == []


@pytest.mark.requirement("REC-05")
def test_whatever_a_killed_signer_has_shown_is_in_its_guard_and_the_next_continues_it(
    site: Site, tmp_path: Path
) -> None:
    ledger, shown, signed = site.ledger, list[str](), []

    def signing(step: int) -> Callable[[], object]:
        record(ledger, new_event(subject=uuid.uuid4()))
        seal_all(ledger)
        return ledger.sign

    for _ in kill_at_each_step(site, signing):
        guard = (tmp_path / "consent.guard").read_text()
        kept = ledger.storage.note(ledger.size())
        signed.append(opened(guard, ledger).size == ledger.size())
        if kept is not None:
            assert opened(kept, ledger).size <= opened(guard, ledger).size
            shown.append(kept)
        now = ledger.sign()
        assert opened(now, ledger).size == ledger.size()
        # Ed25519 makes one signature of one text: who saw the note that was in the guard saw this one.
        assert not signed[-1] or now == guard
        shown += [guard, now]
        assert not list(tmp_path.glob(".consent.guard.*"))
    all_or_nothing(signed)
    check_notes(ledger, shown)
    assert ledger.problems() == []


@pytest.mark.requirement("LOG-05")
def test_a_person_whose_erasure_was_killed_is_erased_whole_or_not_at_all_and_whole_if_it_is_tried_again(
    site: Site,
) -> None:
    ledger, gone = site.ledger, []
    subjects = [uuid.uuid4() for _ in range(200)]
    acts = [erasure("operator", id=uuid.uuid4(), time=NOW) for _ in subjects]

    def erase(step: int) -> int:
        return ledger.erase(acts[step], salt=bytes(32), subject=subjects[step])

    def erasing(step: int) -> Callable[[], object]:
        for _ in range(2):
            record(ledger, new_event(subject=subjects[step]))
        return lambda: erase(step)

    for step in kill_at_each_step(site, erasing):
        left = len(ledger.of_subject(subjects[step]))
        assert left in (0, 2)
        gone.append(left == 0)
        assert erase(step) == left
        assert ledger.of_subject(subjects[step]) == []
    all_or_nothing(gone)
    seal_all(ledger)
    assert len(list(ledger.storage.tombstones())) == 2 * (len(gone) + 1)
    told = {each.id for each in ledger.records()}
    assert {act.id for act, before in zip(acts, gone, strict=False) if not before} <= told
    check_tree(ledger)
    assert ledger.problems() == []
