"""Clocks that a test holds, and the processor's time of the engine.

Law: what other processes take of the machine is not the product's, so that no test asks the wall. A promise to end by
a deadline is shown with a clock that only the test moves; that no step is long, by the processor's time, with a limit
ten times as wide as the promise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# A machine that is shared gives a process a slower processor as well: caches, turbo, hyper-threads.
TIMES = 10


class HeldClock:
    """In place of the module `time`: it stands still, and whoever sleeps moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class EndingClock:
    """Stands still for so many looks, and is past every deadline from then on. `after` counts the looks since."""

    def __init__(self, looks: int) -> None:
        self._left, self.after = looks, 0

    def __call__(self) -> float:
        if self._left > 0:
            self._left -= 1
            return 0.0
        self.after += 1
        return 1e9


@contextmanager
def processor(budget_ms: float, what: str = "") -> Iterator[None]:
    """Fails when the block takes more than ten times `budget_ms` of this thread's processor time."""
    start = time.thread_time()
    yield
    took_ms = (time.thread_time() - start) * 1_000
    assert took_ms <= TIMES * budget_ms, f"{what}: {took_ms:.0f} ms of the processor, and {budget_ms:g} were allowed"
