"""What answers said is counted by itself: it is what the events say, also after erasures, upgrades and a new count."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from consent.canonical import canonical
from consent.errors import LedgerError
from consent.ledger import Document, Facets, Kind, Ledger
from consent.ledger.replies import NO, SOME, VALUES, YES, Outline, Reply, outcome, replies_of
from consent.ledger.tile import WIDTH

from .events import change, open_ledger, open_served, owner, record, seal_all
from .test_counting import EVERY_DAY, answer, erase, read

POLICY = Document.of(
    "policy",
    canonical(
        {
            "revision": 3,
            "categories": [
                {"key": "essential", "always_on": True},
                {"key": "performance"},
                {"key": "media"},
                {"key": "unused"},
            ],
            "services": [
                {"key": "session", "category": "essential"},
                {"key": "statistics", "category": "performance"},
                {"key": "reach", "category": "performance"},
                {"key": "videos", "category": "media"},
            ],
        }
    ),
)
OUTLINE = Outline.read(POLICY.body)


@pytest.fixture
def log(url: URL | None, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger that has its key, and the policy on record."""
    ledger, storage = (
        open_ledger(tmp_path) if url is None else open_served(url, signing_key=tmp_path / "consent.key")
    )
    ledger.size()
    ledger.keep([POLICY])
    yield ledger
    storage.close()


def fill(ledger: Ledger, size: int) -> None:
    """Answers up to *size* entries, sealed."""
    made = [replace(answer(number), policy=POLICY.hash) for number in range(ledger.size(), size)]
    ledger.record_all([(each, bytes(32)) for each in made])
    seal_all(ledger)


def said(facets: Facets) -> tuple[Reply, ...]:
    return replies_of(facets, OUTLINE if facets.policy == POLICY.hash else None)


def from_events(ledger: Ledger) -> Counter[tuple[int, Reply]]:
    """The replies of the entries that are counted, as the entries say them now."""
    found = Counter[tuple[int, Reply]]()
    for each in ledger.records():
        if each.index < ledger.counted():
            hour, facets = read(each)
            found.update((hour // 24, reply) for reply in said(facets))
    return found


def from_counts(ledger: Ledger, dimension: str) -> tuple[Counter[tuple[int, Reply]], Counter[Reply]]:
    """What was counted as a whole, and under *dimension*, without what has faded."""
    found, known = ledger.replies(dimension, *EVERY_DAY), ledger.facets()
    whole = Counter({(day, Reply("", "", key, each)): many for day, key, each, many in found.whole})
    apart = Counter({Reply(dimension, *each): many for each, many in found.apart.items()})
    for day, id, many in found.faded:
        for reply in said(known[id]):
            if reply.dimension == dimension:
                apart[reply] -= many
            elif not reply.dimension:
                whole[day, reply] -= many
    return +whole, +apart


def require_equal(ledger: Ledger) -> None:
    """See that what was counted is what the events say."""
    events = from_events(ledger)
    for dimension in VALUES:
        whole, apart = from_counts(ledger, dimension)
        assert whole == {key: many for key, many in events.items() if not key[1].dimension}
        assert (
            apart.total()
            == sum(many for (_, reply), many in events.items() if reply.dimension == dimension)
            > 0
        )
        for reply, many in apart.items():
            assert many == sum(others for (_, other), others in events.items() if other == reply)


def replied(ledger: Ledger) -> int:
    """Of how many entries the replies are counted."""
    return ledger.replies("language", *EVERY_DAY).size


def test_replies_are_counted_with_the_tiles_and_are_what_the_events_say(log: Ledger) -> None:
    fill(log, WIDTH - 1)
    assert log.replies("language", *EVERY_DAY).whole == []
    fill(log, 2 * WIDTH + 3)
    assert replied(log) == log.counted() == 2 * WIDTH
    require_equal(log)


@pytest.mark.requirement("LOG-05")
def test_what_is_erased_is_no_reply_any_more_before_the_next_count_and_after(log: Ledger) -> None:
    fill(log, WIDTH)
    erase(log, [each.id for each in log.records() if each.index in (3, 7, 8, 90)])
    assert sum(many for *_, many in log.replies("source", *EVERY_DAY).faded) == 4
    require_equal(log)
    fill(log, 2 * WIDTH)
    assert log.replies("source", *EVERY_DAY).faded == []
    require_equal(log)


@pytest.mark.requirement("LOG-05")
def test_of_much_that_was_erased_each_count_takes_out_a_part(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.storage.tally.FADED", 5)
    fill(log, WIDTH)
    erase(log, [each.id for each in log.records() if 0 < each.index < 100])
    rows = len(log.replies("source", *EVERY_DAY).faded)
    fill(log, 2 * WIDTH)
    assert len(log.replies("source", *EVERY_DAY).faded) == rows - 5 > 5
    require_equal(log)
    assert log.count(patience=30) == 0
    assert log.replies("source", *EVERY_DAY).faded == []
    require_equal(log)


@pytest.mark.requirement("LOG-05")
def test_what_is_erased_before_it_is_counted_is_never_a_reply(log: Ledger) -> None:
    fill(log, 9)
    erase(log, [each.id for each in log.records() if each.index in (3, 7)])
    fill(log, WIDTH)
    assert log.replies("source", *EVERY_DAY).faded == []
    require_equal(log)


def test_counted_anew_they_are_the_same(log: Ledger) -> None:
    fill(log, 2 * WIDTH)
    erase(log, [each.id for each in log.records() if each.index == 5])
    before = [from_counts(log, dimension) for dimension in VALUES]
    log.recount(patience=30)
    while log.count(patience=30):
        pass
    assert [from_counts(log, dimension) for dimension in VALUES] == before
    require_equal(log)


def test_what_an_older_release_has_counted_is_summed_up_by_who_counts_next(
    log: Ledger, url: URL | None, tmp_path: Path
) -> None:
    fill(log, WIDTH)
    left = ("DELETE FROM {0}replies WHERE day > 0", "DELETE FROM {0}replied")
    if url is None:
        change(tmp_path, *(statement.format("") for statement in left))
    else:
        with owner(url) as connection:
            for statement in left:
                connection.execute(text(statement.format("consent.")))
    fill(log, 2 * WIDTH)
    assert (replied(log), log.counted()) == (0, 2 * WIDTH)
    assert log.count(patience=30) == 0
    assert replied(log) == 2 * WIDTH
    require_equal(log)


def test_without_its_policy_an_answer_is_a_reply_to_no_category(log: Ledger) -> None:
    log.record_all([(answer(number), bytes(32)) for number in range(WIDTH)])
    seal_all(log)
    found = log.replies("language", *EVERY_DAY)
    assert found.size == WIDTH
    assert {key for _, key, *_ in found.whole} == {""}
    assert found.apart == {}


def test_counts_that_were_altered_are_said_to_be(tmp_path: Path) -> None:
    ledger, storage = open_ledger(tmp_path)
    fill(ledger, WIDTH)
    change(tmp_path, "UPDATE replies SET events = 'many' WHERE category = ''")
    with pytest.raises(LedgerError, match="Somebody altered the counts"):
        ledger.replies("language", *EVERY_DAY)
    storage.close()


@pytest.mark.parametrize(
    ("granted", "refused", "whole", "performance", "media"),
    [
        (("reach", "statistics", "videos"), (), YES, YES, YES),
        (("reach", "videos"), ("statistics",), SOME, SOME, YES),
        (("statistics",), ("videos",), SOME, SOME, NO),
        ((), ("reach", "statistics", "videos"), NO, NO, NO),
        (("videos",), (), YES, None, YES),
    ],
)
def test_a_category_counts_as_yes_only_when_all_its_services_do(
    granted: tuple[str, ...], refused: tuple[str, ...], whole: str, performance: str | None, media: str
) -> None:
    facets = Facets.of(replace(answer(1), policy=POLICY.hash, granted=granted, refused=refused))
    assert outcome(facets) == whole
    found = {reply.category: reply.said for reply in replies_of(facets, OUTLINE) if not reply.dimension}
    assert found == {
        key: each for key, each in (("", whole), ("performance", performance), ("media", media)) if each
    }
    by_revision = {reply.value for reply in replies_of(facets, OUTLINE) if reply.dimension == "revision"}
    assert by_revision == {"3"}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"\xff", b'{"categories":[],"services":[]}', b'{"categories":[1]}', b"9" * 5000],
)
def test_what_is_no_policy_has_no_outline(body: bytes) -> None:
    assert Outline.read(body) is None


@pytest.mark.parametrize("key", [7, "", "\ud800", "\0", "k" * 101])
def test_a_policy_with_a_category_that_none_can_have_has_no_outline(key: object) -> None:
    assert (
        Outline.read(json.dumps({"revision": 1, "categories": [{"key": key}], "services": []}).encode())
        is None
    )


def test_what_no_text_of_a_database_holds_is_counted_as_unknown_and_keeps_nothing_from_being_counted(
    log: Ledger,
) -> None:
    long = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(3000))
    policy = json.dumps({"revision": "\ud800", "categories": [{"key": "a"}], "services": []}).encode()
    odd = Document.of("policy", policy.replace(b'"a"', b'"\\ud800"'))
    revised = Document.of("policy", policy)
    log.keep([odd, revised])
    for number, (name, value) in enumerate(
        [
            ("language", "\0"),
            ("profile", long),
            ("source", "\0" + long),
            ("policy", odd.hash),
            ("policy", revised.hash),
        ]
    ):
        fields: dict[str, Any] = {"policy": POLICY.hash, name: value}
        record(log, replace(answer(number), **fields))
    fill(log, WIDTH)
    assert log.counted() == WIDTH
    counted = log.replies("language", *EVERY_DAY)
    assert {value for value, *_ in counted.apart} == {"en", "de", "ar", "unknown"}


def test_what_is_no_answer_is_no_reply(log: Ledger) -> None:
    record(log, replace(answer(1), kind=Kind.INVALIDATED, granted=(), refused=("statistics",)))
    facets = [read(each)[1] for each in log.records()]
    assert [replies_of(each, OUTLINE) for each in facets] == [()] * len(facets)
