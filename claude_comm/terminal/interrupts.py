"""SIGINT and SIGTERM, heard at chosen moments only.

A program that starts others must not be interrupted between starting one and taking note of it: what it does not
know of, it cannot stop.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """While the block lasts, a first signal is noted, and the function given here raises KeyboardInterrupt for it.

    A second one interrupts at once, for whoever does not want to wait for the end of what is being stopped.
    """
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    def check() -> None:
        if noted:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
