"""Fewer combinations that still try every two values together."""

from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import TypeVar

Case = TypeVar("Case", bound=tuple[Hashable, ...])
Pair = tuple[int, Hashable, int, Hashable]


def pairs_of(case: tuple[Hashable, ...]) -> frozenset[Pair]:
    """Every two values of *case*, each with its place."""
    return frozenset((i, case[i], j, case[j]) for i, j in combinations(range(len(case)), 2))


def pairwise(cases: Sequence[Case]) -> list[Case]:
    """Some of *cases*, in their order, with every pair of values that any of *cases* has; the same at each run.

    Greedy: takes the case that brings most of what is still missing, the first of several.
    """
    pairs = {case: pairs_of(case) for case in cases}
    missing = set().union(*pairs.values())
    chosen = set[Case]()
    while missing:
        best = max(cases, key=lambda case: len(pairs[case] & missing))
        chosen.add(best)
        missing -= pairs[best]
    return [case for case in cases if case in chosen]
