"""What happens to a delivery whose handler raised.

Law: pure; chance is an argument. A failure is tried again with growing waits, then buried; what can never succeed is
buried at once.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from claude_comm.errors import ConfigurationError, shown

# A year: beyond it a wait is a mistake in the unit.
_LONGEST_S = 365 * 86_400.0
_LARGEST = 1e308

ErrorClasses: TypeAlias = tuple[type[BaseException], ...]


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a message is tried, and how long the waits between attempts are (seconds).

    The first wait is `first_wait_s`; each next one is `factor` times as long, but at most `longest_wait_s`. `jitter` is
    the share of a wait that is random, so that messages that failed together are not retried together. An exception of
    a class in `retried` is retried; one of a class in `never` buries the message at once.
    """

    attempts: int = 3
    first_wait_s: float = 0.5
    factor: float = 4.0
    longest_wait_s: float = 60.0
    jitter: float = 0.25
    retried: ErrorClasses = (Exception,)
    never: ErrorClasses = ()

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        for name in ("retried", "never"):
            msgspec.structs.force_setattr(self, name, _classes(name, getattr(self, name)))
        for name in ("attempts", "first_wait_s", "factor", "longest_wait_s", "jitter"):
            value = getattr(self, name)
            kind = int if name == "attempts" else int | float
            if isinstance(value, bool) or not isinstance(value, kind):
                raise ConfigurationError(f"a retry policy: {name} is {shown(value)}, which is no number of that kind.")
        for holds, must in (
            (self.attempts >= 1, "attempts is at least 1"),
            (0 <= self.first_wait_s <= _LONGEST_S, "first_wait_s is from 0 to a year"),
            (0 <= self.longest_wait_s <= _LONGEST_S, "longest_wait_s is from 0 to a year"),
            (1 <= self.factor <= _LARGEST, "factor is a number from 1 up"),
            (0 <= self.jitter <= 1, "jitter is from 0 to 1"),
        ):
            if not holds:
                raise ConfigurationError(f"a retry policy: {must}.")


def _classes(name: str, given: object) -> ErrorClasses:
    """A class of exceptions, or several in whatever holds them, as a tuple."""
    found: list[type[BaseException]] = []
    for kind in given if isinstance(given, tuple | list | set | frozenset) else (given,):
        if not isinstance(kind, type) or not issubclass(kind, BaseException):
            raise ConfigurationError(f"a retry policy: {name} has {shown(kind)}: it is a tuple of exception classes.")
        found.append(kind)
    return tuple(found)


class Retry(msgspec.Struct, frozen=True):
    """Try again after this wait, as this attempt."""

    wait_s: float
    attempt: int


class Bury(msgspec.Struct, frozen=True):
    """Give up: the reason is kept with the message."""

    reason: str


Outcome: TypeAlias = Retry | Bury


def after_failure(attempt: int, error: BaseException, words: str, policy: RetryPolicy, *, chance: float) -> Outcome:
    """What happens to a delivery whose handler raised; `words` is the error as text, which the error may fail to give.

    Attempts count from 1; `chance` is from 0 to 1.
    """
    # What is no Exception (a cancellation) is retried where every Exception is.
    retried = isinstance(error, policy.retried) or (not isinstance(error, Exception) and Exception in policy.retried)
    if isinstance(error, policy.never) or not retried:
        return Bury(f"failed with {words}, which is not tried again")
    if attempt >= policy.attempts:
        return Bury(f"failed {attempt} times, last with {words}")
    return Retry(_grown_s(attempt, policy) * (1 - policy.jitter * chance), attempt + 1)


def _grown_s(attempt: int, policy: RetryPolicy) -> float:
    """The wait after this attempt before chance takes of it; the power of a large number may be past all floats."""
    try:
        return min(policy.first_wait_s * policy.factor ** (attempt - 1), policy.longest_wait_s)
    except OverflowError:
        return policy.longest_wait_s
