"""The pairwise choice leaves no two values untried that can come together."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from .pairwise import pairs_of, pairwise

tables = st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=60, unique=True)


@given(tables)
def test_every_pair_of_values_that_some_case_has_occurs(cases: list[tuple[int, int, int, int]]) -> None:
    chosen = pairwise(cases)
    assert set(chosen) <= set(cases)
    assert set().union(*map(pairs_of, chosen)) == set().union(*map(pairs_of, cases))


def test_far_fewer_cases_are_left_than_all() -> None:
    everything = list(product(range(6), range(3), range(3), range(2), range(2), range(2)))
    assert len(everything) == 432
    assert 18 <= len(pairwise(everything)) <= 24
