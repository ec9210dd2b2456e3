"""An event and its bytes: what it may say, and that nothing is lost or doubtful on the way."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import LedgerError
from consent.ledger import Event, Kind, Leaf, commitment, operated

from .strategies import UNHURRIED, events

ORIGIN = "clinic.example/privacy-choices"
NOW = datetime(2026, 11, 21, 18, 4, 5, 123000, UTC)
SALT = bytes(32)
#: Nested more deeply than anything that is recorded.
DEEP = b"[" * 5_000 + b"]" * 5_000
SUBJECT = uuid.UUID("c1a5e0de-0000-4000-8000-00000000abcd")


def event(**fields: Any) -> Event:
    usual: dict[str, Any] = {"id": uuid.UUID(int=1), "kind": Kind.GIVEN, "time": NOW, "policy": "9f" * 32}
    return Event(**(usual | fields))


@UNHURRIED
@given(events(), st.binary(min_size=32, max_size=32))
def test_leaf_and_opening_hold_the_whole_event(made: Event, salt: bytes) -> None:
    assert Event.from_bytes(made.leaf(ORIGIN, salt), made.body()) == made


@UNHURRIED
@given(events())
def test_leaf_and_opening_are_canonical_json(made: Event) -> None:
    for data in (made.leaf(ORIGIN, SALT), made.body()):
        assert rfc8785.dumps(json.loads(data)) == data


@pytest.mark.requirement("REC-03")
@UNHURRIED
@given(events())
def test_an_opening_states_every_member_and_both_answers(made: Event) -> None:
    members = json.loads(made.body())
    assert list(members) == [
        *("account", "before", "detail", "granted", "language", "notice", "opted_out", "profile"),
        *("refused", "signal", "source", "subject", "time"),
    ]
    assert list(members["before"]) == ["granted", "refused"]


@pytest.mark.requirement("LOG-06")
@UNHURRIED
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_the_same_opening_under_another_salt_has_another_commitment(one: bytes, other: bytes) -> None:
    assert (commitment(one, b"{}") == commitment(other, b"{}")) == (one == other)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_salt_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="expected 32 random"):
        commitment(bytes(length), b"{}")


def test_the_time_is_kept_in_utc_to_the_millisecond() -> None:
    east = datetime(2026, 11, 21, 20, 4, 5, 123999, timezone(timedelta(hours=2)))
    assert event(time=east).time == NOW


def test_answers_are_kept_sorted_and_once_each() -> None:
    assert event(granted=("b", "a", "b")).granted == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"time": datetime(2026, 11, 21)}, "no zone"),
        ({"granted": ("a",), "refused": ("a",)}, "a: both granted and refused"),
        ({"before_granted": ("a",), "before_refused": ("a",)}, "both granted and refused"),
        ({"policy": "9F" * 32}, "64 lower-case hex"),
        ({"notice": "none"}, "64 lower-case hex"),
        ({"key": "k"}, "only operated announces one"),
        ({"kind": "granted"}, "not a valid Kind"),
    ],
)
def test_what_no_record_may_say_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        event(**fields)


LEAF, BODY = event(subject=SUBJECT).leaf(ORIGIN, SALT), event(subject=SUBJECT).body()


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b"\xff",
        LEAF + b" ",
        LEAF.replace(b'"format":1', b'"format":2'),
        LEAF.replace(b'"format":1', b'"format":true'),
        LEAF.replace(b'"format":1,', b""),
        LEAF.replace(b'"format":1', b'"extra":1,"format":1'),
        LEAF.replace(b'"kind":"given"', b'"kind":"given","kind":"given"'),
        LEAF.replace(b"T18:00:00Z", b"T18:04:00Z"),
        LEAF.replace(b"T18:00:00Z", b"T18:00:00+00:00"),
        LEAF.replace(b'"given"', b'"agreed"'),
        b"[" * 100_000,
        LEAF.replace(b'"given"', DEEP),
    ],
)
def test_bytes_that_are_no_leaf_of_this_format_are_refused(leaf: bytes) -> None:
    with pytest.raises(LedgerError):
        Event.from_bytes(leaf, BODY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        BODY + b"\n",
        BODY.replace(b"18:04", b"19:04"),
        BODY.replace(b'.123Z"', b'Z"'),
        BODY.replace(b'"account":null,', b""),
        BODY.replace(b'"account":null', b'"accounts":null'),
        BODY.replace(b'"granted":[]', b'"granted":["b","a"]'),
        BODY.replace(b'"detail":null', b'"detail":[]'),
        *(
            BODY.replace(b'"%s":null' % name, b'"%s":5' % name)
            for name in (b"account", b"language", b"notice")
        ),
        *(BODY.replace(b'"%s":null' % name, b'"%s":5' % name) for name in (b"profile", b"source")),
        BODY.replace(b'"signal":false', b'"signal":0'),
        BODY.replace(b'"opted_out":false', b'"opted_out":null'),
        BODY.replace(b'"granted":[]', b'"granted":[5]'),
        BODY.replace(b'"granted":[]', b'"granted":[null]'),
        b"[" * 100_000,
        BODY.replace(b'"detail":null', b'"detail":{"a":%s}' % DEEP),
    ],
)
def test_bytes_that_are_no_opening_of_the_leaf_are_refused(body: bytes) -> None:
    with pytest.raises(LedgerError, match="can't be read"):
        Event.from_bytes(LEAF, body)


def test_a_leaf_too_long_for_the_published_format_is_refused() -> None:
    with pytest.raises(ValueError, match="65535 at most"):
        event().leaf("x" * 65_535, SALT)


def test_a_leaf_alone_still_says_who_what_and_when_to_the_hour() -> None:
    leaf = Leaf.from_bytes(LEAF)
    assert (leaf.origin, leaf.id, leaf.kind) == (ORIGIN, uuid.UUID(int=1), "given")
    assert leaf.hour == datetime(2026, 11, 21, 18, tzinfo=UTC)


def test_equal_fingerprints_have_one_id_and_others_another() -> None:
    def of(fingerprint: dict[str, str], origin: str = ORIGIN) -> uuid.UUID:
        return operated(fingerprint, origin=origin, time=NOW, policy="9f" * 32).id

    assert of({"a": "1", "b": "2"}) == of({"b": "2", "a": "1"})
    assert len({of({"a": "1"}), of({"a": "2"}), of({"a": "1"}, "other.example/privacy-choices")}) == 3
    assert of({}).variant == uuid.RFC_4122
    assert of({}).version == 8


ANSWER = event(subject=SUBJECT, granted=("a",), refused=("b",))


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"id": uuid.UUID(int=2), "kind": Kind.WITHDRAWN, "language": "de", "before_granted": ("a",)}, True),
        ({"time": NOW + timedelta(seconds=60)}, True),
        ({"time": NOW - timedelta(seconds=60)}, True),
        ({"time": NOW + timedelta(seconds=60, milliseconds=1)}, False),
        ({"granted": ("a", "c")}, False),
        ({"refused": ()}, False),
        ({"opted_out": True}, False),
        ({"policy": "8e" * 32}, False),
        ({"subject": uuid.UUID(int=3)}, False),
        ({"kind": Kind.ACCESSED}, False),
    ],
)
def test_only_the_same_answers_to_the_same_policy_within_a_minute_repeat_an_event(
    changed: dict[str, Any], same: bool
) -> None:
    assert replace(ANSWER, **changed).repeats(ANSWER, 60) is same
    assert ANSWER.repeats(replace(ANSWER, **changed), 60) is same


def test_an_answer_without_subject_never_repeats_another() -> None:
    refusal = event(kind=Kind.REFUSED, refused=("a",))
    assert not refusal.repeats(refusal, 60)
