"""Which keys are a log's: the first, and those that an entry announces and an older key vouches for; and their ends."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from consent.ledger import Document, Event, KeyState, Kind
from consent.ledger.keys import announcement, ending, farewell, known_keys, voucher
from consent.ledger.note import Signer, sign

from .memory import ORIGIN, signer_of

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
FIRST, SECOND, THIRD, FOREIGN = (signer_of(bytes([number]) * 32) for number in range(4))
CURRENT, OLD, REVOKED = KeyState.CURRENT, KeyState.OLD, KeyState.REVOKED


def known(
    events: Sequence[Event | tuple[Event, bytes]], said: Sequence[Document]
) -> list[tuple[str, KeyState]]:
    """The keys of a log that begins with the first, with *events* behind entry 0, some with any leaf, and documents."""
    entries = dict[uuid.UUID, tuple[int, bytes]]()
    for index, each in enumerate(events, 1):
        event, leaf = each if isinstance(each, tuple) else (each, each.leaf(ORIGIN, bytes(32)))
        entries[event.id] = index, leaf
    return [(key.verifier, key.state) for key in known_keys(FIRST.key, said, entries.get, ORIGIN)]


def announced(said: Document) -> Event:
    return announcement(said.body.decode().split("\n")[2], said, origin=ORIGIN, time=NOW)


def ended(said: Document) -> Event:
    _, _, act, key, *_ = said.body.decode().split("\n")
    return ending(key, said, revoked=act == "revoked", origin=ORIGIN, time=NOW)


def retired(key: Signer, *signers: Signer) -> Document:
    return farewell(key.key, ORIGIN, signers, revoked=False)


def revoked(key: Signer, *signers: Signer) -> Document:
    return farewell(key.key, ORIGIN, signers, revoked=True)


BY_FIRST = voucher(SECOND.key, ORIGIN, [FIRST, SECOND])
BY_SECOND = voucher(THIRD.key, ORIGIN, [SECOND, THIRD])
#: Vouched for by the first as well, as whoever has got hold of that one can do.
THIEFS = voucher(THIRD.key, ORIGIN, [FIRST, THIRD])


def test_a_log_begins_with_the_key_that_entry_0_names() -> None:
    assert known([], []) == [(FIRST.key, CURRENT)]


@pytest.mark.parametrize("order", [1, -1])
def test_each_key_is_vouched_for_by_one_before_it_in_whatever_order_that_is_read(order: int) -> None:
    end = retired(FIRST, FIRST, SECOND)
    events = [announced(BY_FIRST), ended(end), announced(BY_SECOND)]
    keys = known(events, [BY_FIRST, end, BY_SECOND][::order])
    assert keys == [(FIRST.key, OLD), (SECOND.key, CURRENT), (THIRD.key, CURRENT)]


@pytest.mark.parametrize("end", [retired(FIRST, FIRST, SECOND), revoked(FIRST, FIRST, SECOND)])
def test_a_key_that_is_ended_speaks_for_those_before_its_end_and_for_no_later_one(end: Document) -> None:
    said = [BY_FIRST, end, THIEFS]
    before = known([announced(BY_FIRST), announced(THIEFS), ended(end)], said)
    assert before == [(FIRST.key, before[0][1]), (SECOND.key, CURRENT), (THIRD.key, CURRENT)]
    after = known([announced(BY_FIRST), ended(end), announced(THIEFS)], said)
    assert after == [(FIRST.key, before[0][1]), (SECOND.key, CURRENT)]
    assert before[0][1] in (OLD, REVOKED)


@pytest.mark.parametrize(
    "end",
    [
        # Signed by nobody of the log; by the key alone, behind which there would be none; by one that it didn't vouch
        # for, such as an older one; and a revocation by others alone.
        retired(FIRST, FOREIGN),
        retired(FIRST, FIRST),
        revoked(FIRST, FIRST),
        retired(SECOND, FIRST),
        retired(SECOND, FIRST, SECOND),
        revoked(SECOND, FIRST, SECOND),
        retired(FOREIGN, FIRST, FOREIGN),
        revoked(FIRST, SECOND),
        farewell(FIRST.key, "other.example/privacy-choices", [FIRST, SECOND], revoked=True),
        Document.of(
            "key", sign(f"consent/ending/v1\n{ORIGIN}\nended\n{FIRST.key}\n", FIRST, SECOND).encode()
        ),
    ],
)
def test_a_key_is_ended_by_one_that_it_vouched_for_and_revoked_not_without_itself(end: Document) -> None:
    keys = known([announced(BY_FIRST), ended(end)], [BY_FIRST, end])
    assert keys == [(FIRST.key, CURRENT), (SECOND.key, CURRENT)]


def test_a_key_that_is_gone_can_be_retired_by_the_next() -> None:
    end = retired(FIRST, SECOND)
    assert known([announced(BY_FIRST), ended(end)], [BY_FIRST, end]) == [
        (FIRST.key, OLD),
        (SECOND.key, CURRENT),
    ]


def test_who_has_got_hold_of_a_key_ends_no_other_and_takes_no_revocation_back() -> None:
    theirs = [
        announced(THIEFS),
        *map(ended, hostile := [revoked(SECOND, FIRST, THIRD), retired(SECOND, FIRST, THIRD)]),
    ]
    said = [BY_FIRST, THIEFS, *hostile]
    assert known([announced(BY_FIRST), *theirs], said)[1] == (SECOND.key, CURRENT)
    end, later = revoked(FIRST, FIRST, SECOND), retired(FIRST, FIRST, THIRD)
    keys = known([announced(BY_FIRST), *theirs, ended(end), ended(later)], [*said, end, later])
    assert keys[:2] == [(FIRST.key, REVOKED), (SECOND.key, CURRENT)]


def test_a_retired_key_can_still_be_revoked() -> None:
    said = [BY_FIRST, retired(FIRST, FIRST, SECOND), revoked(FIRST, FIRST, SECOND)]
    events = [announced(BY_FIRST), *map(ended, said[1:])]
    assert known(events, said) == [(FIRST.key, REVOKED), (SECOND.key, CURRENT)]


@pytest.mark.parametrize("end", [retired(FIRST, FIRST, SECOND), revoked(FIRST, FIRST, SECOND)])
def test_an_entry_ends_no_key_without_what_is_signed_nor_a_note_without_its_entry(end: Document) -> None:
    keys = [(FIRST.key, CURRENT), (SECOND.key, CURRENT)]
    assert known([announced(BY_FIRST), ended(end)], [BY_FIRST]) == keys
    assert known([announced(BY_FIRST)], [BY_FIRST, end]) == keys


@pytest.mark.parametrize("said", [BY_FIRST, retired(FIRST, FIRST, SECOND)], ids=["announced", "ended"])
def test_what_somebody_else_put_under_the_id_of_an_event_about_keys_says_nothing(said: Document) -> None:
    event = announced(said) if said is BY_FIRST else ended(said)
    given = Event(id=event.id, kind=Kind.GIVEN, time=NOW, policy=None)
    others = [b"x", b"garbage", b"", given.leaf(ORIGIN, bytes(32)), event.leaf("other.example/x", bytes(32))]
    for leaf in others:
        before = [] if said is BY_FIRST else [announced(BY_FIRST)]
        keys = known([*before, (event, leaf)], [BY_FIRST, said])
        assert keys == [(FIRST.key, CURRENT), (SECOND.key, CURRENT)][: 1 + len(before)]


@pytest.mark.parametrize(
    ("events", "vouchers"),
    [
        ([announced(BY_FIRST)], []),
        ([], [BY_FIRST]),
        *(
            ([announced(said)], [said])
            for said in (
                voucher(FOREIGN.key, ORIGIN, [FOREIGN]),
                voucher(SECOND.key, ORIGIN, [FIRST]),
                voucher(SECOND.key, ORIGIN, [FOREIGN, SECOND]),
                voucher(SECOND.key, "other.example/privacy-choices", [FIRST, SECOND]),
                Document.of("key", BY_FIRST.body.replace(b"+", b"-")),
                Document(kind="key", hash=BY_FIRST.hash, body=BY_FIRST.body + b"\n"),
                # What was signed as a checkpoint vouches for nothing.
                Document.of("key", sign(f"{ORIGIN}\n8\n{SECOND.key}\n", FIRST, SECOND).encode()),
            )
        ),
        ([announced(BY_FIRST)], [Document.of("key", b"\xff"), Document.of("key", b"?")]),
        ([announced(BY_SECOND)], [BY_SECOND]),
    ],
)
def test_what_isnt_both_announced_and_vouched_for_is_no_key(
    events: list[Event], vouchers: list[Document]
) -> None:
    assert known(events, vouchers) == [(FIRST.key, CURRENT)]
