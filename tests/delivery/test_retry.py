"""The decision after a failure, as a function of values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from claude_comm.delivery.retry import Bury, Retry, RetryPolicy, after_failure


def test_waits_grow_by_the_factor_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=10, first_wait_s=1, factor=3, longest_wait_s=10)
    outcomes = [after_failure(attempt, "x", policy) for attempt in (1, 2, 3, 4)]
    assert outcomes == [Retry(1, 2), Retry(3, 3), Retry(9, 4), Retry(10, 5)]


@given(st.integers(1, 20), st.integers(1, 25))
def test_the_last_attempt_is_followed_by_a_burial_with_the_error(attempts: int, attempt: int) -> None:
    outcome = after_failure(attempt, "ValueError: x", RetryPolicy(attempts=attempts))
    assert isinstance(outcome, Bury) == (attempt >= attempts)
    if isinstance(outcome, Bury):
        assert "ValueError: x" in outcome.reason
