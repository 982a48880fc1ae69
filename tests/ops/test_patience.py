"""Trying again: what is attempted, how long the pauses are, and when the error is raised after all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from claude_comm.effects import Command, Effect, Operation, Pause
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.ops.patience import patiently

PING = Command(("PING",))
AWAY = ServerUnreachable("nowhere", "no")


def attempt() -> Operation[str]:
    return (yield PING)


def play(operation: Operation[Any], answers: Iterator[Any]) -> tuple[Any, list[Effect]]:
    """The result of an operation whose commands are answered by these, and what it yielded."""
    seen: list[Effect] = []
    reply: Any = None
    try:
        effect = next(operation)
        while True:
            seen.append(effect)
            reply = None if isinstance(effect, Pause) else next(answers)
            effect = operation.throw(reply) if isinstance(reply, TransportError) else operation.send(reply)
    except StopIteration as end:
        return end.value, seen


def test_an_operation_is_tried_again_after_the_pauses_it_is_given() -> None:
    waits = iter([0.1, 0.2])
    result, seen = play(patiently(attempt, lambda _: next(waits)), iter([AWAY, AWAY, "PONG"]))
    assert result == "PONG"
    assert seen == [PING, Pause(0.1), PING, Pause(0.2), PING]


def test_what_is_not_to_be_tried_again_is_raised_at_once() -> None:
    def never(error: TransportError) -> float:
        raise error

    with pytest.raises(ServerRefused):
        play(patiently(attempt, never), iter([ServerRefused("WRONGTYPE", code="WRONGTYPE"), "PONG"]))


def test_no_pause_where_nothing_fails() -> None:
    assert play(patiently(attempt, lambda _: 1.0), iter(["PONG"])) == ("PONG", [PING])
