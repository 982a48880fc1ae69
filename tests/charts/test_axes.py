"""Ticks and labels: round values within the axis, never more than asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.charts import axes

FINITE = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)
NOON_US = 1_800_000_000_000_000


@given(FINITE, st.floats(min_value=1e-6, max_value=1e12), st.integers(2, 12))
def test_ticks_are_few_and_within_the_axis(low: float, length: float, count: int) -> None:
    high = low + length
    if high > low + abs(low) * 1e-9:
        ticks = axes.ticks(low, high, count)
        assert len(ticks) <= count
        assert all(low - length * 1e-6 <= tick <= high + length * 1e-6 for tick in ticks)


@given(st.integers(0, 4 * 10**15), st.integers(1_000, 10**15), st.integers(2, 12))
def test_times_are_few_and_within_the_axis(low_us: int, length_us: int, count: int) -> None:
    ticks = axes.time_ticks(low_us, low_us + length_us, count)
    assert len(ticks) <= count
    assert all(low_us <= tick <= low_us + length_us for tick in ticks)


def test_ticks_are_round() -> None:
    assert axes.ticks(0, 1_240, 5) == [0, 500, 1_000]
    assert axes.ticks(0.13, 0.47, 5) == [0.2, 0.3, 0.4]
    assert axes.log_ticks(3, 2_000) == [10, 100, 1_000]
    assert axes.log_ticks(8, 120) == [10, 20, 50, 100]


@pytest.mark.parametrize(
    ("length_us", "label"),
    [
        (500_000, "08:00:00.000"),
        (60_000_000, "08:00:00"),
        (3_600_000_000, "08:00"),
        (2 * 86_400_000_000, "Jan 15 08:00"),
        (90 * 86_400_000_000, "2027-01-15"),
    ],
)
def test_a_moment_is_written_as_far_as_the_axis_tells_moments_apart(length_us: int, label: str) -> None:
    assert axes.time_label(NOON_US, NOON_US + length_us)(NOON_US) == label


@pytest.mark.parametrize("time_us", [-5.0, 0.0, 1e30])
def test_a_moment_that_no_calendar_has_is_the_nearest_that_it_has(time_us: float) -> None:
    assert axes.moment(time_us).year in (1970, 9999)


@pytest.mark.parametrize(
    ("value", "count", "duration"),
    [(0, "0", "0 ms"), (0.25, "0.25", "0.25 ms"), (950, "950", "950 ms"), (12_500, "12.5k", "12.5 s"),
     (3e6, "3M", "50 min"), (2.5e9, "2.5G", "28.9 d")],
)  # fmt: skip
def test_values_are_written_short(value: float, count: str, duration: str) -> None:
    assert (axes.count_label(value), axes.duration_label(value)) == (count, duration)


def test_a_scale_of_one_value_stands_in_the_middle() -> None:
    assert axes.Scale(5, 5, 0, 10)(5) == 5


@pytest.mark.parametrize("step", [0.0, -1.0, float("inf"), float("nan")])
def test_a_length_that_is_none_has_a_step_all_the_same(step: float) -> None:
    assert axes._round_step(step) == 1.0
