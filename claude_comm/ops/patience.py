"""Trying again: an operation over another one.

Law: what is not executed, or has its id, may be sent again; the caller knows that, and when to give up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from claude_comm.effects import Operation, Pause
from claude_comm.errors import TransportError

T = TypeVar("T")


def patiently(attempt: Callable[[], Operation[T]], wait_s: Callable[[TransportError], float]) -> Operation[T]:
    """The result of the first attempt that has one. After an error it pauses for the seconds that `wait_s` returns,
    which raises the error instead where the same is not to be tried again."""
    while True:
        try:
            return (yield from attempt())
        except TransportError as error:
            pause = Pause(wait_s(error))
        yield pause
