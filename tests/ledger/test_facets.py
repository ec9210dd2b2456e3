"""Facets: what of an event is searched and counted, read alike from the event and from its bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import LedgerError
from consent.ledger import Event, Facets
from consent.ledger.facets import BITS, LAST, hour_of, place

from .strategies import UNHURRIED, events

ORIGIN = "clinic.example/privacy-choices"
SALT = bytes(32)


@UNHURRIED
@given(events())
def test_an_events_bytes_say_the_same_facets_as_the_event(event: Event) -> None:
    hour, facets, id = Facets.read(event.leaf(ORIGIN, SALT), event.body())
    assert facets == Facets.of(event)
    assert id == facets.id
    assert hour == (hour_of(event.time) if event.time.year <= 2925 else hour)
    assert 0 <= place(hour, 2**BITS - 1) <= LAST
    assert Facets.from_bytes(facets.to_bytes()) == facets
    assert 0 <= facets.id < 2**63


@UNHURRIED
@given(events())
def test_nothing_of_facets_names_anybody(event: Event) -> None:
    said = json.loads(Facets.of(event).to_bytes())
    assert set(said) == {"kind", "policy", "language", "profile", "source", "signal", "granted", "refused"}


@UNHURRIED
@given(events())
def test_without_its_opening_an_event_has_the_facets_of_its_leaf(event: Event) -> None:
    _, facets, _ = Facets.read(event.leaf(ORIGIN, SALT), None)
    assert facets == Facets.of(event).bare
    assert not facets.known
    assert facets.bare == facets


@UNHURRIED
@given(
    st.binary(max_size=40) | st.sampled_from([b"7", b"[]", b'{"hour":7}', b'{"hour":"9999"}', b"[" * 9999]),
    st.none()
    | st.binary(max_size=40)
    | st.sampled_from(
        [b'{"granted":7}', b'{"granted":[],"refused":[7],"signal":true}', b"[" * 9999, b"null"]
    ),
)
def test_bytes_that_are_no_event_have_no_facets_and_raise_nothing(leaf: bytes, said: bytes | None) -> None:
    hour, facets, _ = Facets.read(leaf, said)
    assert hour == 0
    assert not facets.known


def test_what_is_no_facets_is_refused_with_the_fix() -> None:
    for data in (b"", b"{}", b'{"kind":7}', b"[" * 9999):
        with pytest.raises(LedgerError, match="--rebuild"):
            Facets.from_bytes(data)


def test_places_are_in_the_order_of_hours_and_then_of_indexes() -> None:
    assert place(3, 2**BITS - 1) < place(4, 0) < place(4, 1)
