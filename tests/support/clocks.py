"""Clocks that a test holds, and the processor's time of the engine.

Law: what other processes take of the machine is not the product's, so that no test asks the wall. A promise to end by
a deadline is shown with a clock that only the test moves; that no step is long, by the processor's time, with a limit
ten times as wide as the promise.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

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


def longest_hold_ms(work: Callable[[], object]) -> float:
    """The longest that `work` kept a second thread from running: ms of this thread's time between two of its turns.

    Where the system does not run the second thread at its turn this is longer than what `work` did, and never shorter
    by more than the interpreter's own turn of 5 ms: a step that holds it for long is as long at every try.
    """
    clock, stop = _clock_of_this_thread(), threading.Event()
    turns = [clock()]

    def take_turns() -> None:
        while not stop.wait(0.002):
            turns.append(clock())

    other = threading.Thread(target=take_turns)
    other.start()
    try:
        work()
    finally:
        turns.append(clock())
        stop.set()
        other.join()
    return max(after - before for before, after in itertools.pairwise(sorted(turns))) * 1_000


def _clock_of_this_thread() -> Callable[[], float]:
    """The processor time of the thread that asks for it, to be read by any; of the process where there is no such."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.process_time
    return partial(time.clock_gettime, time.pthread_getcpuclockid(threading.get_ident()))


@contextmanager
def processor(budget_ms: float, what: str = "") -> Iterator[None]:
    """Fails when the block takes more than ten times `budget_ms` of this thread's processor time."""
    start = time.thread_time()
    yield
    took_ms = (time.thread_time() - start) * 1_000
    assert took_ms <= TIMES * budget_ms, f"{what}: {took_ms:.0f} ms of the processor, and {budget_ms:g} were allowed"
