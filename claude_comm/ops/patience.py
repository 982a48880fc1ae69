"""Trying again, and not for ever: operations over another one.

Law: what is not executed, or has its id, may be sent again; the caller knows that, and when to give up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from claude_comm.effects import Append, Batch, Command, Effect, Operation, Pause
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


def bounded(operation: Operation[T], until: float) -> Operation[T]:
    """The same operation, in which the server has until then (monotonic seconds) for all that it is asked."""
    return operation if until == math.inf else _bounded(operation, until)


def _bounded(operation: Operation[T], until: float) -> Operation[T]:
    try:
        effect = next(operation)
        while True:
            try:
                reply = yield _within(effect, until)
            except TransportError as error:
                effect = operation.throw(error)
            else:
                effect = operation.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        operation.close()


def _within(effect: Effect, until: float) -> Effect:
    left_ms = max(int((until - time.monotonic()) * 1000), 1)
    if isinstance(effect, Append | Batch | Command) and left_ms < effect.within_ms:
        return msgspec.structs.replace(effect, within_ms=left_ms)
    return effect
