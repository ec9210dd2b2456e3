"""What holds for every policy and for every text."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.errors import PolicyError
from consent.policy import Policy, compare, lint, parse
from consent.policy.shape import PolicyTable, ServiceTable

from .example import FULL, GERMAN
from .strategies import as_files, document, policies

#: A machine that also runs something else is no fault of ours.
UNHURRIED = settings(deadline=None, max_examples=60)


@UNHURRIED
@given(policies())
def test_every_policy_survives_its_canonical_form(policy: Policy) -> None:
    again = Policy.from_canonical(policy.canonical())
    assert again == policy
    assert again.digest == policy.digest
    assert again.terms == policy.terms


@UNHURRIED
@given(policies())
def test_every_policy_can_be_written_as_files_and_read_again(policy: Policy) -> None:
    text, wordings = as_files(policy)
    assert parse(text, wordings) == policy


@UNHURRIED
@given(policies(), policies())
def test_two_policies_are_equal_when_their_digests_are_and_differ_when_something_does(
    one: Policy, other: Policy
) -> None:
    assert (one == other) == (one.digest == other.digest)
    difference = compare(one, other)
    assert bool(difference.changes) == (one != other)
    assert difference.material == (one.terms != other.terms)
    assert str(difference)
    assert compare(one, one).changes == ()


@UNHURRIED
@given(policies())
def test_short_names_are_nine_characters_and_warnings_are_sentences(policy: Policy) -> None:
    assert all(len(terms) == 9 and terms.isascii() for terms in policy.terms.values())
    assert len({terms[:4] for terms in policy.terms.values()}) == len(policy.services)
    assert all(fault.place and fault.problem and fault.fix for fault in lint(policy))


# -- whatever a file holds, nothing but PolicyError is raised


def judged(text: str, wordings: dict[str, str]) -> None:
    """Reads it, and sees to it that a refusal has its faults and a policy its digest."""
    try:
        policy = parse(text, wordings)
    except PolicyError as refusal:
        faults = refusal.faults
    else:
        assert Policy.from_canonical(policy.canonical()) == policy
        return
    assert faults
    assert all(fault.place and fault.problem and fault.fix for fault in faults)


@UNHURRIED
@given(
    st.text(st.characters()),
    st.dictionaries(st.text(st.characters(), max_size=8), st.text(st.characters()), max_size=2),
)
def test_no_text_raises_anything_else(text: str, wordings: dict[str, str]) -> None:
    judged(text, wordings)


@UNHURRIED
@given(st.data())
def test_no_spoilt_file_raises_anything_else(data: st.DataObject) -> None:
    texts = {}
    for name, text in {"": FULL, "de": GERMAN}.items():
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        texts[name] = (
            text[:start]
            + data.draw(st.text(st.characters(), max_size=6) | st.sampled_from(FULL.split()))
            + text[end:]
        )
    judged(texts[""], {"de": texts["de"]})


KEYS = st.sampled_from(
    sorted({*PolicyTable.model_fields, *ServiceTable.model_fields, "name", "lifetime", "x"})
)
WORDS = st.sampled_from(
    ["self", "essential", "performance", "session", "maps", "13 months", "https://a.example", ""]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.dates() | WORDS | st.text(st.characters(), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS | st.text(st.characters(), max_size=3), inner, max_size=6)
    ),
    max_leaves=25,
)


@UNHURRIED
@given(st.dictionaries(KEYS, VALUES, max_size=8), st.dictionaries(KEYS, VALUES, max_size=3))
def test_no_table_raises_anything_else(main: dict[str, Any], wording: dict[str, Any]) -> None:
    judged(document(main), {"de": document(wording)})


@UNHURRIED
@given(st.binary() | st.dictionaries(KEYS, VALUES).map(lambda value: json.dumps(value, default=str).encode()))
def test_no_bytes_make_from_canonical_raise_anything_else(data: bytes) -> None:
    with pytest.raises(PolicyError):
        Policy.from_canonical(data)


@UNHURRIED
@given(st.data())
def test_no_spoilt_bytes_make_from_canonical_raise_anything_else(data: st.DataObject) -> None:
    good = parse(FULL).canonical()
    start = data.draw(st.integers(0, len(good)))
    spoilt = good[:start] + data.draw(st.binary(max_size=4)) + good[start + data.draw(st.integers(0, 9)) :]
    try:
        policy = Policy.from_canonical(spoilt)
    except PolicyError:
        return
    assert policy.canonical() == spoilt
