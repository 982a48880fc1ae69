"""Patterns of whole numbers, held to the numbers themselves."""

from __future__ import annotations

import re

import pytest

from claude_comm.schema.types.numerals import at_most, between

BOUNDS = (None, -120, -100, -99, -10, -9, -1, 0, 1, 7, 9, 10, 11, 20, 29, 99, 100, 105, 199)


@pytest.mark.parametrize("low", BOUNDS)
def test_a_range_holds_its_integers_and_no_other(low: int | None) -> None:
    for high in BOUNDS:
        written = re.compile(between(low, high))
        for number in (*range(-21, 31), -230, -121, -120, -119, -101, -100, -99, -98, *range(97, 110), 198, 199, 200):
            within = (low is None or low <= number) and (high is None or number <= high)
            assert bool(written.fullmatch(str(number))) is within, (low, high, number)
        for text in ("", "00", "01", "-01", "+1", "1.0", "\u0661"):
            assert not written.fullmatch(text)


@pytest.mark.parametrize("limit", [0, 3, 9, 10, 29, 100, 255, 360, 1000])
def test_at_most_a_limit(limit: int) -> None:
    written = re.compile(at_most(limit))
    assert [number for number in range(1200) if written.fullmatch(str(number))] == [*range(limit + 1)]


def test_a_minus_may_stand_before_zero_where_zero_is_within() -> None:
    assert re.fullmatch(between(0, 5), "-0")
    assert re.fullmatch(between(-5, 0), "-0")
    assert re.fullmatch(between(-5, None), "-0")
    assert not re.fullmatch(between(1, 5), "-0")
