"""One budget for many checks.

Law: several checks together are bounded by one number of milliseconds, as a single check is; time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable


def remaining(budget_ms: float, clock: Callable[[], float] | None) -> Callable[[], float]:
    """A function that returns how many of `budget_ms` are left. `clock` gives seconds."""
    if clock is None:
        return lambda: budget_ms
    end = clock() + budget_ms / 1_000
    return lambda: max(0.0, (end - clock()) * 1_000)
