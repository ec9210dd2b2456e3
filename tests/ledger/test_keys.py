"""Which keys are a log's: the first, and those that an entry announces and an older key vouches for."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from consent.ledger import Document, Event, KeyState
from consent.ledger.keys import announcement, ending, known_keys, voucher
from consent.ledger.note import sign

from .memory import ORIGIN, signer_of

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
FIRST, SECOND, THIRD, FOREIGN = (signer_of(bytes([number]) * 32) for number in range(4))


def known(events: Sequence[Event], vouchers: Sequence[Document]) -> list[tuple[str, KeyState]]:
    entries = {event.id: (index, event.leaf(ORIGIN, bytes(32))) for index, event in enumerate(events, 1)}

    def place(id: uuid.UUID) -> tuple[int, bytes] | None:
        return entries.get(id)

    return [(key.verifier, key.state) for key in known_keys(FIRST.key, vouchers, place, ORIGIN)]


def announced(key: str) -> Event:
    return announcement(key, origin=ORIGIN, time=NOW)


def ended(key: str, *, revoked: bool = False) -> Event:
    return ending(key, revoked=revoked, origin=ORIGIN, time=NOW)


BY_FIRST = voucher(SECOND.key, ORIGIN, [FIRST, SECOND])
BY_SECOND = voucher(THIRD.key, ORIGIN, [SECOND, THIRD])


def test_a_log_begins_with_the_key_that_entry_0_names() -> None:
    assert known([], []) == [(FIRST.key, KeyState.CURRENT)]


@pytest.mark.parametrize("vouchers", [[BY_FIRST, BY_SECOND], [BY_SECOND, BY_FIRST]])
def test_each_key_is_vouched_for_by_one_before_it_in_whatever_order_that_is_read(
    vouchers: list[Document],
) -> None:
    events = [announced(SECOND.key), ended(FIRST.key), announced(THIRD.key)]
    assert known(events, vouchers) == [
        (FIRST.key, KeyState.OLD),
        (SECOND.key, KeyState.CURRENT),
        (THIRD.key, KeyState.CURRENT),
    ]


def test_a_revoked_key_speaks_for_those_before_its_end_and_for_no_later_one() -> None:
    before = [announced(SECOND.key), ended(FIRST.key, revoked=True)]
    assert known(before, [BY_FIRST]) == [(FIRST.key, KeyState.REVOKED), (SECOND.key, KeyState.CURRENT)]
    assert known(before[::-1], [BY_FIRST]) == [(FIRST.key, KeyState.REVOKED)]


@pytest.mark.parametrize(
    ("events", "vouchers"),
    [
        ([announced(SECOND.key)], []),
        ([], [BY_FIRST]),
        ([announced(FOREIGN.key)], [voucher(FOREIGN.key, ORIGIN, [FOREIGN])]),
        ([announced(SECOND.key)], [voucher(SECOND.key, ORIGIN, [FIRST])]),
        ([announced(SECOND.key)], [voucher(SECOND.key, ORIGIN, [FOREIGN, SECOND])]),
        ([announced(SECOND.key)], [voucher(SECOND.key, "other.example/privacy-choices", [FIRST, SECOND])]),
        ([announced(FOREIGN.key)], [Document.of("key", BY_FIRST.body.replace(b"+", b"-"))]),
        ([announced(SECOND.key)], [Document.of("key", b"\xff"), Document.of("key", b"?")]),
        # What was signed as a checkpoint vouches for nothing.
        (
            [announced(SECOND.key)],
            [Document.of("key", sign(f"{ORIGIN}\n{SECOND.key}\n", FIRST, SECOND).encode())],
        ),
        ([announced(THIRD.key)], [BY_SECOND]),
    ],
)
def test_what_isnt_both_announced_and_vouched_for_is_no_key(
    events: list[Event], vouchers: list[Document]
) -> None:
    assert known(events, vouchers) == [(FIRST.key, KeyState.CURRENT)]
