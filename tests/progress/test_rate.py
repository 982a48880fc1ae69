"""The rate of a task is that of its last reports."""

from __future__ import annotations

import pytest

from claude_comm.progress.rate import HALF_LIFE_S, Meter, eta_s

S = 1_000_000


def test_a_steady_task_has_its_rate_from_the_second_report_on() -> None:
    meter = Meter(0)
    assert [meter.report(4.0 * n, n * S) for n in range(4)] == pytest.approx([0, 4, 4, 4])
    assert meter.started_us == 0


def test_a_task_that_became_slower_is_not_promised_too_early() -> None:
    meter = Meter(0)
    meter.report(0, 0)
    meter.report(100, 10 * S)
    # Half a life later the old rate counts half.
    assert meter.report(100 + HALF_LIFE_S, int((10 + HALF_LIFE_S) * S)) == pytest.approx((10 + 1) / 2)


def test_a_task_that_goes_back_begins_anew() -> None:
    meter = Meter(0)
    meter.report(0, 0)
    meter.report(10, S)
    assert meter.report(0, 2 * S) == 0
    assert meter.started_us == 2 * S
    assert meter.report(1, 3 * S) == 1


def test_two_reports_of_one_moment_count_as_the_later_one() -> None:
    meter = Meter(0)
    meter.report(0, 0)
    meter.report(5, 0)
    assert meter.report(10, 2 * S) == 5


@pytest.mark.parametrize(("rate", "left_s"), [(2.0, 3.0), (0.0, None)])
def test_the_rest_takes_as_long_as_the_rate_says(rate: float, left_s: float | None) -> None:
    assert eta_s(4, 10, rate) == left_s


def test_nobody_knows_how_long_a_task_without_a_total_takes() -> None:
    assert eta_s(4, 0, 2.0) is None
    assert eta_s(12, 10, 2.0) == 0
