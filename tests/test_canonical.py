"""Canonical JSON: one spelling for each value, and the same as another implementation of RFC 8785."""

import json
import unicodedata
from types import MappingProxyType
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.canonical import canonical, digest

LARGEST = 2**53 - 1

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.text(st.characters()).map(lambda text: unicodedata.normalize("NFC", text)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=20,
)


def test_golden_bytes() -> None:
    value = {"b": [1, True, None], "a": "x", "": '\x00\x1f"\\\b\f\n\r\t/\x7f€😀', "A": -7}
    expected = '{"":"\\u0000\\u001f\\"\\\\\\b\\f\\n\\r\\t/\x7f€😀","A":-7,"a":"x","b":[1,true,null]}'
    assert canonical(value) == expected.encode()


@settings(deadline=None)
@given(values)
def test_another_implementation_writes_the_same_bytes(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@settings(deadline=None)
@given(values)
def test_what_is_written_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value


def test_the_order_of_keys_and_the_kind_of_mapping_or_list_do_not_matter() -> None:
    assert canonical({"b": (1, 2), "a": 0}) == canonical(MappingProxyType({"a": 0, "b": [1, 2]}))


@pytest.mark.parametrize("value", [1.0, 0.0, float("nan"), b"x", {1, 2}, object(), {1: "x"}, {None: "x"}])
def test_what_programs_spell_differently_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical([value])


@pytest.mark.parametrize("value", [2**53, -(2**53), "e\u0301", "\ud800", {"é": 1}])
def test_values_outside_of_the_subset_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"canonical form|NFC|ASCII|surrogate"):
        canonical({"x": [value]})


def test_a_digest_is_sha_256_in_hexadecimal() -> None:
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
