"""An operation that has until a moment, for all that it asks of the server."""

from __future__ import annotations

import math
import time
from typing import TypeVar

import msgspec

from claude_comm.effects import Append, Batch, Command, Effect, Operation
from claude_comm.errors import TransportError

T = TypeVar("T")


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
