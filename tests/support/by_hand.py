"""Operations performed without a server: a test gives the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from claude_comm.effects import Effect, Operation
from claude_comm.errors import TransportError


def perform(operation: Operation[Any], answers: Sequence[Any]) -> Any:
    """What the operation returns where the server gives these answers, and no more are asked for."""
    left = list(answers)
    returned = answered(operation, lambda _: left.pop(0))
    assert left == []
    return returned


def answered(operation: Operation[Any], answer: Callable[[Effect], Any]) -> Any:
    """What the operation returns where each of its effects is answered so; an error is raised inside it."""
    try:
        effect = next(operation)
        while True:
            reply = answer(effect)
            effect = operation.throw(reply) if isinstance(reply, TransportError) else operation.send(reply)
    except StopIteration as end:
        return end.value
