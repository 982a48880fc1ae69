"""Waiting for a condition, and never for a time.

Law: no test fails because the machine is slow. A condition that comes true ends the wait at once, so that the bound
costs nothing and may be wide: it is there for what hangs. What the product promises by a clock is shown with a clock
that the test holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

# What hangs is told after so long. The slowest machine that the tests were seen on was twenty times slower than idle.
PATIENCE_S = 120.0


def wait_until(condition: Callable[[], bool], *, what: str = "the condition") -> None:
    """Polls until it holds; fails the test when it never does."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {PATIENCE_S:g} s")
        time.sleep(0.01)
