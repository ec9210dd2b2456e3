"""Leaves go below a bound that the log itself names, and nothing else does; everything else still verifies."""

import os
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from consent.audit.live import verify_live
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Event, Kind, Ledger, erasure
from consent.ledger.merkle import check_inclusion, inclusion_proof
from consent.ledger.pruning import Span, declare, drop, pruning, raise_bound
from consent.storage import GuardedStorage, roles
from consent.verify import Key, Report

from .cluster import Cluster
from .events import (
    NOW,
    ORIGIN,
    change,
    grow,
    new_event,
    open_ledger,
    open_served,
    owner,
    record,
    seal_all,
    start,
)
from .test_server import login

OTHER = uuid.UUID("c1a5e0de-0000-4000-8000-00000000ffff")


def erase_all(ledger: Ledger) -> None:
    """Erase what visitors did."""
    ids = [each.id for each in ledger.records() if each.outline().kind == Kind.REFUSED]
    erased = erasure("retention", id=uuid.uuid4(), time=NOW)
    ledger.erase(erased, salt=os.urandom(32), ids=ids, listed=False, patience=30)
    seal_all(ledger)


def bound(ledger: Ledger, min_index: int) -> None:
    """Say that all below *min_index* is pruned, have it signed, and raise the bound."""
    raise_bound(ledger, declare(ledger, said(ledger, min_index), salt=os.urandom(32)))


def said(ledger: Ledger, min_index: int) -> Event:
    """What goes on record of a pruning below *min_index* two hours after all of it."""
    span, time = Span(cookies=0, retention=0), NOW + timedelta(hours=2)
    return pruning(
        min_index,
        ledger.records(),
        ledger.storage,
        origin=ORIGIN,
        time=time,
        policy=None,
        span=span,
        pruned=ledger.pruned(),
    )


def checked(ledger: Ledger, *outside: str) -> Report:
    """What verification says of the database."""
    keys = [Key.parse(key) for key in ledger.verifier_keys()]
    return verify_live(
        ledger,
        keys,
        [(f"kept {number}", each) for number, each in enumerate(outside)],
        progress=lambda records, total: records,
        now=datetime.now(UTC),
    )


def found(report: Report) -> dict[str, str]:
    """What was found, by place."""
    return {each.place: each.verdict for each in report.findings}


@pytest.fixture
def signed(url: URL | None, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of 600 entries whose key is here."""
    ledger, storage = (
        open_ledger(tmp_path) if url is None else open_served(url, signing_key=tmp_path / "consent.key")
    )
    grow(ledger, 600, url)
    yield ledger
    storage.close()


@pytest.mark.requirement("LOG-09")
def test_pruning_drops_the_leaves_below_the_bound_and_every_proof_still_holds(signed: Ledger) -> None:
    record(signed, new_event(subject=OTHER))
    seal_all(signed)
    kept = signed.sign(patience=30)
    early = [signed.receipt(record.id) for record in signed.newest(300, 2)]
    erase_all(signed)
    size, roots = signed.size(), {size: signed.root(size) for size in (1, 255, 256, 300, 512, 600)}
    gone = signed.newest(300, 1)[0]
    bound(signed, 512)
    assert sum(drop(signed)) == 511
    assert [record.index for record in signed.records()] == [0, *range(512, size + 1)]
    assert {size: signed.root(size) for size in roots} == roots
    for receipt in early:
        assert receipt is not None
        assert signed.check(receipt) == "valid"
    head = signed.head()
    for index in (1, 299, 511, 512):
        proof = inclusion_proof(index, head.size, signed.tree)
        tile = signed.storage.tile(0, index // 256)
        own = tile[index % 256 * 32 :][:32]
        check_inclusion(proof, index=index, size=head.size, leaf_hash=own, root=head.root)
    report = checked(signed, kept)
    assert (report.verdict, found(report)["entries 0 to 511"]) == ("pruned", "pruned")
    assert signed.was_pruned(gone.id)
    assert not signed.was_pruned(signed.newest(limit=1)[0].id)
    assert not signed.was_pruned(uuid.uuid4())
    assert list(drop(signed)) == []
    assert signed.problems() == []


@pytest.mark.requirement("LOG-09")
def test_what_still_has_its_opening_stays_below_the_bound_and_goes_with_the_next_time(signed: Ledger) -> None:
    needed = signed.newest(100, 1)[0]
    ids = [each.id for each in signed.records() if each.index and each.id != needed.id]
    erased = erasure("retention", id=uuid.uuid4(), time=NOW)
    signed.erase(erased, salt=os.urandom(32), ids=ids, listed=False, patience=30)
    seal_all(signed)
    bound(signed, 512)
    assert sum(drop(signed)) == 510
    report = checked(signed)
    assert "pruned" in found(report).values()
    assert report.right
    assert [each.index for each in signed.records()][:3] == [0, 99, 512]
    erase_all(signed)
    assert sum(drop(signed)) == 1
    assert checked(signed).right


@pytest.mark.requirement("LOG-09")
def test_nothing_is_pruned_where_the_key_that_signs_what_says_so_is_not(begun_url: URL) -> None:
    ledger, storage = open_served(begun_url)
    grow(ledger, 300, begun_url)
    erase_all(ledger)
    event, size = said(ledger, 256), ledger.size()
    with pytest.raises(LedgerUnavailable, match="key isn't kept here"):
        declare(ledger, event, salt=os.urandom(32))
    ledger.record(event, salt=os.urandom(32))
    with pytest.raises(LedgerUnavailable, match="key isn't kept here"):
        raise_bound(ledger, event)
    assert (ledger.pruned(), list(drop(ledger))) == (0, [])
    seal_all(ledger)
    assert ledger.size() == size + 1
    storage.close()


@pytest.mark.requirement("LOG-09")
def test_off_a_boundary_is_refused_and_the_next_is_named(filed: Ledger) -> None:
    for index, near in ((1, 256), (0, 256), (257, 512), (511, 512)):
        with pytest.raises(ValueError, match=f"the next is {near}"):
            said(filed, index)
    with pytest.raises(LedgerError, match="0 to 255 isn't stored: fewer entries are sealed"):
        said(filed, 256)
    assert filed.size() == 1


@pytest.mark.requirement("LOG-09")
def test_pruning_again_finds_what_was_done_and_the_bound_never_falls(signed: Ledger) -> None:
    erase_all(signed)
    bound(signed, 512)
    size = signed.size()
    bound(signed, 512)
    assert (signed.pruned(), signed.size()) == (512, size)
    bound(signed, 256)
    assert signed.pruned() == 512


def statements(ledger: Ledger, tmp_path: Path, url: URL | None, *lines: str) -> None:
    """Run *lines* as somebody who owns the tables."""
    if url is None:
        change(tmp_path, *lines)
        return
    with owner(url) as connection:
        connection.execute(text("SET search_path = consent"))
        for line in lines:
            connection.execute(text(line))


@pytest.mark.requirement("LOG-09")
def test_the_database_itself_lets_nothing_else_go(signed: Ledger, tmp_path: Path, url: URL | None) -> None:
    needed = signed.newest(100, 1)[0]
    ids = [each.id for each in signed.records() if each.index and each.id != needed.id]
    erased = erasure("retention", id=uuid.uuid4(), time=NOW)
    signed.erase(erased, salt=os.urandom(32), ids=ids, listed=False, patience=30)
    with pytest.raises((sqlite3.IntegrityError, DBAPIError), match=r"never|refuses"):
        statements(
            signed, tmp_path, url, "DELETE FROM entry WHERE leaf_index = 1"
        )  # nothing says that it may
    bound(signed, 256)
    assert sum(drop(signed)) == 254
    for line in (
        "DELETE FROM entry WHERE leaf_index = 0",
        "DELETE FROM entry WHERE leaf_index = 300",  # above the bound
        "DELETE FROM entry WHERE leaf_index = 99",  # its opening is there
        "UPDATE bound SET min_index = 0",
        "UPDATE bound SET min_index = 512",
        "UPDATE bound SET min_index = 512, uid = (SELECT uid FROM entry WHERE leaf_index = 599)",
        "INSERT INTO bound SELECT 1, 512, uid FROM bound",
        "DELETE FROM bound",
    ):
        with pytest.raises((sqlite3.IntegrityError, DBAPIError), match=r"never|refuses"):
            statements(signed, tmp_path, url, line)
    report = checked(signed)
    assert report.right
    assert found(report)["entries 0 to 255"] == "pruned"


#: Prunes below 512, a hundred entries at a time, and is killed where the driver gets the statement number {number} that
#: begins so.
KILLED = """
    import signal
    from consent.storage import pruner, pruning
    from tests.storage.test_pruning import bound, drop

    for room, statement in ((pruning, "_GOING"), (pruner, "_PRUNE")):
        few = str(getattr(room, statement)).replace("LIMIT 2000", "LIMIT 100")
        setattr(room, statement, few if room is pruning else type(pruner._PRUNE)(few))
        room.BATCH = 100
    left = {number}

    def killing(work):
        def killed(*arguments, **options):
            global left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(*arguments, **options)
        return killed

    storage.{step} = killing(storage.{step})
    bound(ledger, 512)
    print(sum(drop(ledger)), flush=True)
"""


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize(
    ("step", "number", "left"),
    [
        ("prune", 3, 311),
        pytest.param("raise_bound", 1, 511, marks=pytest.mark.full),
        pytest.param("prune", 1, 511, marks=pytest.mark.full),
    ],
)
def test_a_pruning_that_is_killed_leaves_a_log_that_verifies_and_is_done_again(
    signed: Ledger, tmp_path: Path, url: URL | None, step: str, number: int, left: int
) -> None:
    erase_all(signed)
    process = start(KILLED.format(step=step, number=number), tmp_path, url)
    process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    assert checked(signed).right
    assert signed.pruned() == (0 if step == "raise_bound" else 512)
    bound(signed, 512)
    assert sum(drop(signed)) == left
    assert [each.index for each in signed.records()][:2] == [0, 512]
    assert checked(signed).right


@pytest.mark.requirement("LOG-09")
def test_pruning_in_the_middle_of_a_transaction_is_undone_by_a_kill(filed: Ledger, tmp_path: Path) -> None:
    grow(filed, 600, None)
    erase_all(filed)
    bound(filed, 512)
    before = filed.size(), len(list(filed.records()))
    process = start(
        """
        import signal
        from consent.storage import engine
        connected = engine._connected

        def tracing(connection, record):
            connected(connection, record)
            seen = []
            def trace(line):
                seen.extend([line] if line.startswith("DELETE FROM entry") else [])
                if len(seen) == 50:
                    os.kill(os.getpid(), signal.SIGKILL)
            connection.set_trace_callback(trace)

        engine._connected = tracing
        ledger, storage = open_ledger(Path(storage._database.name).parent)
        storage.prune(0, patience=30)
        """,
        tmp_path,
    )
    process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    assert (filed.size(), len(list(filed.records()))) == before
    assert sum(drop(filed)) == 511


@pytest.mark.requirement("LOG-09")
def test_on_a_server_a_role_of_its_own_prunes(begun_url: URL, server: Cluster, tmp_path: Path) -> None:
    owned, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    assert isinstance(storage, GuardedStorage)
    storage.apply(roles.statements())
    grow(owned, 300, begun_url)
    erase_all(owned)
    others = (roles.APP, roles.SEALER, roles.ERASER)
    for granted, may in ((others, False), ((*others, roles.PRUNER), True)):
        ledger, other = open_served(login(server, begun_url, *granted), signing_key=tmp_path / "consent.key")
        if may:
            bound(ledger, 256)
            assert sum(drop(ledger)) == 255
        else:
            with pytest.raises(LedgerUnavailable, match="refuses this role a right"):
                bound(ledger, 256)
        other.close()
    assert checked(owned).right
    storage.close()


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize("said_before", [True, False])
def test_nothing_is_pruned_below_a_tile_that_is_not_stored_as_it_was(
    signed: Ledger, tmp_path: Path, url: URL | None, said_before: bool
) -> None:
    erase_all(signed)
    event = said(signed, 512)
    if said_before:
        declare(signed, event, salt=os.urandom(32))
    unguarded = "DROP TRIGGER tile_stays" if url is None else "ALTER TABLE tile DISABLE TRIGGER tile_stays"
    statements(signed, tmp_path, url, unguarded)
    for hashes in ("substr(hashes, 33)", "substr(hashes, 1, 0)"):
        statements(signed, tmp_path, url, f"UPDATE tile SET hashes = {hashes} WHERE level = 0 AND n = 1")
        assert found(checked(signed))["tile/0/001"] == "tampered"
        with pytest.raises(LedgerError, match="The tile of entries 256 to 511 is stored with"):
            raise_bound(signed, event) if said_before else said(signed, 512)
    assert len(signed.storage.tile(0, 1)) == 8192  # what its leaves are shown by, as long as these are there
    assert (signed.pruned(), list(drop(signed))) == (0, [])


@pytest.mark.requirement("LOG-09")
def test_what_is_to_be_pruned_has_its_tiles(signed: Ledger, tmp_path: Path, url: URL | None) -> None:
    erase_all(signed)
    event = said(signed, 512)
    declare(signed, event, salt=os.urandom(32))
    drops = "DROP TRIGGER tile_remains" if url is None else "ALTER TABLE tile DISABLE TRIGGER tile_stays"
    statements(signed, tmp_path, url, drops, "DELETE FROM tile WHERE level = 0 AND n = 1")
    with pytest.raises(LedgerError, match="1 whole tiles of the entries below 512 where 2 belong"):
        signed.storage.raise_bound(512, event.id, patience=30)
    assert signed.pruned() == 0


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize("opening_alone", [True, False])
def test_who_takes_the_id_of_a_pruning_beforehand_keeps_nothing_from_being_pruned(
    signed: Ledger, tmp_path: Path, url: URL | None, opening_alone: bool
) -> None:
    erase_all(signed)
    event = said(signed, 512)
    if opening_alone:
        line = f"INSERT INTO opening (uid, salt, body) VALUES ('{event.id.hex}', '', '')"
        statements(signed, tmp_path, url, line)
    else:
        record(signed, new_event(id=event.id))
    stands = declare(signed, event, salt=os.urandom(32))
    size = signed.size()
    assert declare(signed, said(signed, 512), salt=os.urandom(32)) == stands
    assert (stands.id != event.id, signed.size()) == (True, size)
    raise_bound(signed, stands)
    assert sum(drop(signed)) == 511
    tampered = [place for place, verdict in found(checked(signed)).items() if verdict == "tampered"]
    assert tampered == ([f"opening of {event.id}"] if opening_alone else [])


@pytest.mark.requirement("LOG-09")
def test_what_is_to_be_pruned_is_on_record_once_also_where_it_waits_under_another_id(
    begun_url: URL, tmp_path: Path
) -> None:
    ledger, storage = open_served(begun_url, signing_key=tmp_path / "consent.key")
    grow(ledger, 600, begun_url)
    erase_all(ledger)
    record(ledger, new_event(id=said(ledger, 512).id))
    seal_all(ledger)
    with owner(begun_url) as sealing:
        sealing.execute(text("SELECT FROM consent.head FOR UPDATE"))
        for _ in range(2):
            with pytest.raises(LedgerUnavailable, match="somebody else is sealing"):
                declare(ledger, said(ledger, 512), salt=os.urandom(32))
    stands = declare(ledger, said(ledger, 512), salt=os.urandom(32))
    named = [each.id for each in ledger.records(511) if each.outline().kind == Kind.PRUNED]
    assert named == [stands.id]
    storage.close()


@pytest.mark.requirement("LOG-09")
def test_a_bound_beyond_all_entries_is_a_problem_and_one_within_is_none(
    signed: Ledger, tmp_path: Path, url: URL | None
) -> None:
    size = signed.head().size
    drops = ["DROP TRIGGER bound_named", "DROP TRIGGER bound_grows"]
    unguarded = drops if url is None else ["ALTER TABLE bound DISABLE TRIGGER bound_grows"]
    put = f"INSERT INTO bound SELECT 1, {{}}, uid FROM entry WHERE leaf_index = {size - 1}"
    statements(signed, tmp_path, url, *unguarded, put.format(size // 256 * 256))
    assert not [each for each in signed.problems() if "pruned" in each]
    statements(signed, tmp_path, url, "UPDATE bound SET min_index = 1024")
    (said,) = (each for each in signed.problems() if "pruned" in each)
    assert said.startswith(
        f"The bound below which leaves were pruned is 1024, and the tree has {size} entries:"
    )
    assert found(checked(signed))["bound"] == "tampered"
