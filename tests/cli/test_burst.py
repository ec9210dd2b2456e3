"""What a burst has left uncounted: who counts it and when, and what figures say meanwhile."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import URL, make_url

from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.span import Span
from consent.audit.tally import tally
from consent.cli.seal import count_rest, keep_sealing
from consent.errors import LedgerConflict, LedgerError, LedgerUnavailable
from consent.ledger import Counts, Ledger
from consent.ledger.tile import WIDTH
from consent.storage import sequencer
from tests.audit.clinic import record, site_of
from tests.storage.events import NOW, new_event, owner, wait

from .conftest import run_for

Cut = Callable[[date, date], Sequence[Span]]


@pytest.fixture
def url(waiting: Flask) -> URL:
    """The database in which the site's log is."""
    return make_url(waiting.config["CONSENT_DATABASE"])


@pytest.fixture
def burst(waiting: Flask, url: URL) -> Ledger:
    """A log with four tiles, of a burst that has just been sealed: none of it is counted."""
    ledger = site_of(waiting).recorder.ledger
    wait(url, [new_event() for _ in range(4 * WIDTH - ledger.size())])
    with owner(url) as connection:
        connection.exec_driver_sql("SET search_path = consent")
        sequencer.seal(connection, 4 * WIDTH - ledger.size())
    assert ledger.size() == 4 * WIDTH
    assert ledger.counted() == 0
    return ledger


def test_seal_counts_what_a_burst_has_left_uncounted(waiting: Flask, burst: Ledger) -> None:
    assert run_for(waiting)("seal").exit_code == 0
    assert burst.counted() == 4 * WIDTH


def test_what_comes_while_the_rest_is_counted_is_sealed_meanwhile(
    waiting: Flask, burst: Ledger, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = Ledger.count

    def while_another_comes(ledger: Ledger, **options: float) -> int:
        wait(url, [new_event()])
        return count(ledger, **options)

    monkeypatch.setattr(sequencer.count, "__defaults__", (1,))  # a tile at a time
    monkeypatch.setattr(Ledger, "count", while_another_comes)
    assert run_for(waiting)("seal").exit_code == 0
    assert (burst.size(), burst.counted()) == (4 * WIDTH + 3, 4 * WIDTH)


class Pauses:
    """Stops at the last of so many pauses; what was counted at each."""

    def __init__(self, ledger: Ledger, many: int) -> None:
        self.ledger, self.many, self.counted = ledger, many, list[int]()

    def is_set(self) -> bool:
        return len(self.counted) == self.many

    def wait(self, timeout: float) -> bool:
        self.counted.append(self.ledger.counted())
        return self.is_set()


@pytest.fixture
def batch_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One event is as much as a batch takes."""
    monkeypatch.setitem(
        keep_sealing.__globals__, "BATCH", 1
    )  # in its package the module is hidden by its command


@pytest.mark.usefixtures("batch_of_one")
def test_what_a_burst_has_left_is_counted_in_the_pauses_once_it_is_over(burst: Ledger) -> None:
    record(burst)
    pauses = Pauses(burst, 2)
    keep_sealing(burst, 1.0, pauses)
    assert pauses.counted == [0, 4 * WIDTH]


@pytest.mark.usefixtures("batch_of_one")
def test_in_a_long_pause_more_than_a_batch_before_it_keeps_nobody_from_counting(burst: Ledger) -> None:
    record(burst)
    record(burst)
    pauses = Pauses(burst, 1)
    keep_sealing(burst, 60.0, pauses)
    assert pauses.counted == [4 * WIDTH]


def away(*_: object, **__: object) -> int:
    raise LedgerUnavailable("The server is away.", retry_after=1)


def test_where_sealing_fails_nothing_is_counted_either(
    burst: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Ledger, "seal", away)
    pauses = Pauses(burst, 2)
    keep_sealing(burst, 1.0, pauses)
    assert pauses.counted == [0, 0]
    assert capsys.readouterr().err.count("Nothing was sealed or signed: The server is away.") == 1


def other(*_: object, **__: object) -> int:
    raise LedgerError("Somebody else sealed the same events at the same time; nothing was changed here.")


def conflicting(*_: object, **__: object) -> str:
    raise LedgerConflict("In the database is a signed checkpoint of another tree.")


@pytest.mark.parametrize(("method", "fails"), [("seal", other), ("sign", conflicting)])
def test_whatever_keeps_it_from_sealing_or_signing_ends_nobody_who_seals_again_and_again(
    burst: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    fails: Callable[..., object],
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(Ledger, method, fails)
        keep_sealing(burst, 1.0, Pauses(burst, 2))
    assert capsys.readouterr().err.count("Nothing was sealed or signed: ") == 1
    size = burst.size()
    record(burst)
    keep_sealing(burst, 1.0, Pauses(burst, 1))
    assert burst.size() == size + 1
    assert burst.checkpoint(size) is not None


@pytest.mark.parametrize(("due", "stops"), [(0.0, False), (float("inf"), True)])
def test_counting_ends_when_the_pause_does_and_when_it_is_stopped(
    burst: Ledger, monkeypatch: pytest.MonkeyPatch, due: float, stops: bool
) -> None:
    monkeypatch.setattr(sequencer.count, "__defaults__", (1,))
    assert count_rest(burst, due, Pauses(burst, 0 if stops else 1))
    assert burst.counted() == WIDTH


def test_what_cant_be_counted_is_told_once_a_minute_and_not_in_each_pause(
    burst: Ledger, url: URL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with owner(url) as connection:
        connection.exec_driver_sql("ALTER TABLE consent.tally ADD CONSTRAINT never CHECK (events < 0)")
    keep_sealing(burst, 1.0, Pauses(burst, 3))
    assert caplog.text.count("could not be counted") == 1
    monkeypatch.setitem(keep_sealing.__globals__, "_PAUSE", 0.0)
    keep_sealing(burst, 1.0, Pauses(burst, 3))
    assert caplog.text.count("could not be counted") == 4


def test_while_the_server_is_away_nothing_is_counted_and_that_is_no_error(
    burst: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "count", away)
    assert not count_rest(burst, float("inf"), Pauses(burst, 1))


def test_seal_says_what_it_left_uncounted_as_somebody_else_is_sealing(
    waiting: Flask, burst: Ledger, url: URL
) -> None:
    with owner(url) as connection:
        connection.exec_driver_sql("SELECT FROM consent.head FOR UPDATE")
        result = run_for(waiting)("seal")
    assert (result.exit_code, result.stdout) == (0, "Sealed 0 events; the tree has 1,024.\n")
    assert "Events that aren't counted yet: 1,024." in result.stderr
    assert run_for(waiting)("seal").stderr == ""


@pytest.mark.parametrize("cut", [None, lambda first, last: (Span(first, last),)])
def test_facets_that_others_count_just_then_are_counted_here_too(
    burst: Ledger, monkeypatch: pytest.MonkeyPatch, cut: Cut | None
) -> None:
    monkeypatch.setattr(Reader, "catch_up", lambda reader: reader.ledger.counted())

    def just_then(read: Callable[..., Counts]) -> Callable[..., Counts]:
        def reading(*asked: Any) -> Counts:
            burst.count()
            return read(*asked)

        return reading

    for name in ("counts", "sums"):
        monkeypatch.setattr(burst.storage, name, just_then(getattr(burst.storage, name)))
    assert tally(Reader(burst), Search(), cut=cut).events == 4 * WIDTH
    assert burst.counted() == 4 * WIDTH


def test_what_others_count_just_then_is_not_counted_twice(
    burst: Ledger, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "catch_up", lambda reader: reader.ledger.counted())
    with owner(url) as connection:
        sequencer.count(connection, 1)
    # Hours of a part of a day: of what is counted the index says how many events they have.
    search = Search(since=NOW.replace(hour=1), until=NOW.replace(hour=23))
    many = tally(Reader(burst), search).events
    assert many > 3 * WIDTH
    read = burst.storage.counts

    def and_count(first: int, beyond: int) -> Counts:
        found = read(first, beyond)
        burst.count()
        return found

    monkeypatch.setattr(burst.storage, "counts", and_count)
    assert tally(Reader(burst), search).events == many
    assert burst.counted() == 4 * WIDTH
