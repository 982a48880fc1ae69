"""What happens to a delivery whose handler raised.

Law: pure. A failure is tried again with growing waits, then buried; what can never succeed is buried at once.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a message is handed to its handler, and how long the waits between are (seconds)."""

    attempts: int = 3
    first_wait_s: float = 0.5
    factor: float = 4.0
    longest_wait_s: float = 60.0


class Retry(msgspec.Struct, frozen=True):
    """Try again after this wait, as this attempt."""

    wait_s: float
    attempt: int


class Bury(msgspec.Struct, frozen=True):
    """Give up: the reason is kept with the message."""

    reason: str


Outcome: TypeAlias = Retry | Bury


def after_failure(attempt: int, error: str, policy: RetryPolicy) -> Outcome:
    """What happens to a delivery whose handler raised. Attempts count from 1."""
    if attempt >= policy.attempts:
        return Bury(f"failed {attempt} times, last with {error}")
    wait_s = min(policy.first_wait_s * policy.factor ** (attempt - 1), policy.longest_wait_s)
    return Retry(wait_s, attempt + 1)
