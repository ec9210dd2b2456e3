"""What a visitor's browser loads keeps the limits of its weight."""

from pathlib import Path

import pytest

from benchmarks import budget, weight

LIGHT = dict.fromkeys((weight.STYLE, weight.SCRIPT, weight.ANSWERS, weight.BANNER, weight.DIALOG), 100)


@pytest.mark.parametrize("part", [weight.STYLE, weight.SCRIPT, weight.ANSWERS, weight.BANNER, weight.DIALOG])
def test_a_part_over_its_limit_fails_the_check_and_says_by_how_much(part: str) -> None:
    assert all(kept for _, kept in budget.judged(LIGHT))
    lines = list(budget.judged(LIGHT | {part: weight.LIMITS.get((part,), 3_000) + 1}))
    [heavy] = [line for line, kept in lines if not kept]
    assert part in heavy
    assert "over by" in heavy


def test_what_is_served_keeps_the_limits(tmp_path: Path) -> None:
    found = budget.weights(tmp_path)
    assert [line for line, kept in budget.judged(found) if not kept] == []
    assert min(found.values()) > 100
