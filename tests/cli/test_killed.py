"""Commands that are killed at any step: run again, each completes what was begun, on either database.

A run of ``dev.py test`` tries some of the steps, ``--full`` each of them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from consent.ledger import Checkpoint, KeyState, Ledger, Outcome, Receipt, check_receipt
from consent.ledger.note import sign
from consent.storage import OwnStorage
from tests.audit.clinic import site_of, visit
from tests.steps import killed

from .conftest import run_for
from .test_checkpoint import published
from .test_keys import newest_index, receipt

#: Every how many steps somebody is killed: on a server each takes longer.
STRIDES = {"app": 10, "waiting": 20}


@pytest.fixture(
    params=[
        pytest.param((name, start), marks=pytest.mark.full if start else (), id=f"{name} {start}")
        for name, stride in STRIDES.items()
        for start in range(stride)
    ]
)
def chosen(request: pytest.FixtureRequest) -> tuple[Flask, range]:
    """The site with its log in a file or on a server, and the steps at which somebody is killed."""
    name, start = request.param
    app: Flask = request.getfixturevalue(name)
    visit(app, "all")
    return app, range(start, 1000, STRIDES[name])


def ledger_of(site: Flask) -> Ledger:
    return site_of(site).recorder.ledger


def kill_at_steps(
    site: Flask, steps: range, *command: str, before: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Run *command* in processes that are killed, each at a later one of *steps*, until one comes through.

    *before* each of them that is done; after each that was killed the caller goes on.
    """
    ledger, run = ledger_of(site), run_for(site)

    def complete() -> None:
        assert run(*command).exit_code == 0

    for step in steps:
        before()
        assert isinstance(ledger.storage, OwnStorage)
        ledger.storage.close()  # whoever is forked inherits no connection
        if not killed(step, complete, first=ledger.head):
            assert step > 10
            return
        yield


def states(ledger: Ledger) -> list[KeyState]:
    known = ledger.keys()
    return [key.state for key in known]


def files(site: Flask, pattern: str) -> int:
    return len(list(Path(site.instance_path).glob(pattern)))


def test_a_rotation_that_was_killed_is_completed_by_the_next(chosen: tuple[Flask, range]) -> None:
    site, steps = chosen
    ledger, run = ledger_of(site), run_for(site)
    first = receipt_of_newest(ledger)
    for _ in kill_at_steps(site, steps, "keys", "rotate", before=lambda: run("keys", "rotate", "--finish")):
        begun = states(ledger)[-2:] == [KeyState.CURRENT] * 2
        assert run("keys", "rotate").exit_code == (3 if begun else 0)
        assert states(ledger)[-2:] == [KeyState.CURRENT] * 2
        # Each key that was made is one that the log announces.
        assert files(site, "*.key") == len(states(ledger))
        ledger.sign()
    for _ in kill_at_steps(site, steps, "keys", "rotate", "--finish", before=lambda: run("keys", "rotate")):
        done = states(ledger)[-2:] == [KeyState.OLD, KeyState.CURRENT]
        assert run("keys", "rotate", "--finish").exit_code == (3 if done else 0)
        assert states(ledger)[-2:] == [KeyState.OLD, KeyState.CURRENT]
        ledger.sign()
    assert ledger.problems() == []
    for each in (first, receipt_of_newest(ledger)):
        assert check_receipt(each, ledger.verifier_keys(), ledger.origin) is Outcome.VALID
    assert run("verify").exit_code == 0


def receipt_of_newest(ledger: Ledger) -> Receipt:
    while ledger.seal(patience=30):
        pass
    ledger.sign()
    return receipt(ledger, newest_index(ledger))


def test_a_recovery_that_was_killed_is_completed_by_the_next_and_recorded_once(
    chosen: tuple[Flask, range],
) -> None:
    site, steps = chosen
    ledger, run, lost = ledger_of(site), run_for(site), 0

    def lose_entries() -> None:
        """As if a larger tree had been signed than the one that is there."""
        nonlocal lost
        visit(site, "none")
        run("seal")
        desk, size = ledger.storage.desk, ledger.size()
        assert desk is not None
        desk.replace_guard(sign(Checkpoint(ledger.origin, size + 9, bytes(32)).to_text(), *desk.signers()))
        lost += 1

    for _ in kill_at_steps(site, steps, "keys", "recover", "--yes", before=lose_entries):
        assert run("keys", "recover", "--yes").exit_code == 0
        assert ledger.problems() == []
    told = [event for each in ledger.records() if (event := each.event()) and event.detail]
    assert sum("recovered" in (event.detail or {}) for event in told) == lost
    assert ledger.problems() == []
    assert run("verify").exit_code == 0


def test_wherever_publishing_is_killed_what_lies_there_holds(
    chosen: tuple[Flask, range], tmp_path: Path
) -> None:
    site, steps = chosen
    ledger, run, there = ledger_of(site), run_for(site), tmp_path / "published"
    run("seal")
    assert run("checkpoint", "--publish-to", str(there)).exit_code == 0

    def answer() -> None:
        visit(site, "none")
        run("seal")

    before = published(there, ledger)
    for _ in kill_at_steps(site, steps, "checkpoint", "--publish-to", str(there), before=answer):
        assert published(there, ledger).size in (before.size, ledger.size())
        assert run("checkpoint", "--publish-to", str(there)).exit_code == 0
        before = published(there, ledger)
        assert before.size == ledger.size()
        assert not list(there.rglob(".*"))
    assert published(there, ledger).size == ledger.size()
