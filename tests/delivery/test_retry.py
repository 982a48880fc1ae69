"""The decision after a failure, as a function of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.delivery.retry import Bury, Retry, RetryPolicy, after_failure
from claude_comm.errors import ConfigurationError


def test_waits_grow_by_the_factor_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=10, first_wait_s=1, factor=3, longest_wait_s=10)
    outcomes = [after_failure(attempt, ValueError(), "x", policy, chance=0) for attempt in (1, 2, 3, 4)]
    assert outcomes == [Retry(1, 2), Retry(3, 3), Retry(9, 4), Retry(10, 5)]


def test_a_power_beyond_all_floats_is_the_longest_wait() -> None:
    policy = RetryPolicy(attempts=10_000, first_wait_s=1, factor=1e9, longest_wait_s=7)
    assert after_failure(9_000, ValueError(), "x", policy, chance=0) == Retry(7, 9_001)


@given(st.floats(0, 1), st.floats(0, 1))
def test_chance_takes_at_most_the_jitter_off_a_wait(jitter: float, chance: float) -> None:
    outcome = after_failure(1, ValueError(), "x", RetryPolicy(first_wait_s=8, jitter=jitter), chance=chance)
    assert isinstance(outcome, Retry)
    assert 8 * (1 - jitter) - 1e-9 <= outcome.wait_s <= 8
    assert outcome.wait_s == pytest.approx(8 * (1 - jitter * chance))


@given(st.integers(1, 20), st.integers(1, 25))
def test_the_last_attempt_is_followed_by_a_burial_with_the_error(attempts: int, attempt: int) -> None:
    outcome = after_failure(attempt, ValueError(), "ValueError: x", RetryPolicy(attempts=attempts), chance=0.5)
    assert isinstance(outcome, Bury) == (attempt >= attempts)
    if isinstance(outcome, Bury):
        assert "ValueError: x" in outcome.reason


@pytest.mark.parametrize(
    ("policy", "error", "tried_again"),
    [
        (RetryPolicy(), KeyError("k"), True),
        (RetryPolicy(never=(KeyError,)), KeyError("k"), False),
        (RetryPolicy(never=(LookupError,)), KeyError("k"), False),
        (RetryPolicy(retried=(OSError,)), ConnectionResetError(), True),
        (RetryPolicy(retried=(OSError,)), KeyError("k"), False),
        (RetryPolicy(retried=(LookupError,), never=(KeyError,)), IndexError(), True),
    ],
)
def test_the_class_of_an_exception_decides_whether_it_is_tried_again(
    policy: RetryPolicy, error: Exception, tried_again: bool
) -> None:
    outcome = after_failure(1, error, "x", policy, chance=0)
    assert isinstance(outcome, Retry) is tried_again
    if isinstance(outcome, Bury):
        assert outcome.reason.endswith("which is not tried again")


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"first_wait_s": -1},
        {"first_wait_s": float("nan")},
        {"longest_wait_s": float("inf")},
        {"factor": 0.5},
        {"jitter": 1.5},
        {"jitter": -0.1},
        {"attempts": True},
        {"attempts": 2.5},
        {"factor": "4"},
        {"factor": float("inf")},
        {"first_wait_s": 366 * 86_400},
        {"longest_wait_s": -1},
        {"never": (KeyError, "ValueError")},
        {"retried": int},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_when_it_is_written(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


def test_the_bounds_of_a_policy_themselves_are_allowed() -> None:
    year_s = 365 * 86_400
    for policy in (
        RetryPolicy(attempts=1, first_wait_s=0, factor=1, longest_wait_s=0, jitter=0),
        RetryPolicy(first_wait_s=year_s, longest_wait_s=year_s, jitter=1),
    ):
        assert isinstance(after_failure(1, ValueError(), "x", policy, chance=1), Bury | Retry)


def test_one_class_or_several_in_whatever_holds_them_are_a_tuple() -> None:
    assert RetryPolicy(never=KeyError).never == (KeyError,)  # type: ignore[arg-type]
    assert RetryPolicy(retried=[KeyError, OSError]).retried == (KeyError, OSError)  # type: ignore[arg-type]


def test_a_cancellation_is_tried_again_where_every_exception_is() -> None:
    assert isinstance(after_failure(1, KeyboardInterrupt(), "x", RetryPolicy(), chance=0), Retry)
    assert isinstance(after_failure(1, KeyboardInterrupt(), "x", RetryPolicy(retried=(OSError,)), chance=0), Bury)


def test_without_a_word_a_message_is_handed_out_three_times_within_a_few_seconds() -> None:
    waits = [after_failure(attempt, ValueError(), "x", RetryPolicy(), chance=0) for attempt in (1, 2, 3)]
    assert waits[:2] == [Retry(0.5, 2), Retry(2.0, 3)]
    assert isinstance(waits[2], Bury)
    policy = RetryPolicy(attempts=99)
    assert after_failure(50, ValueError(), "x", policy, chance=0) == Retry(60.0, 51)
    assert after_failure(1, ValueError(), "x", policy, chance=1) == Retry(0.375, 2)
