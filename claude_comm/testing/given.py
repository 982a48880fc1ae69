"""Tests of handlers with messages from their own contract, as a decorator.

Law: the edges of the contract come first, in a fixed order, then messages that hypothesis draws. A handler that fails
fails the test, with the smallest message that shows it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from claude_comm.client.module.module import Module
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Json
from claude_comm.testing.edges import edges
from claude_comm.testing.recorder import Answers
from claude_comm.testing.smallest import smallest
from claude_comm.testing.strategies import handler_of, messages
from claude_comm.testing.trial import LIMIT_S, Defect, HandledMessage, Trial

_PARAMETER = "handled"


class HandlerFailed(AssertionError):
    """A handler failed with a message that its contract allows; `defect` says how, with that message."""

    def __init__(self, defect: Defect) -> None:
        self.defect = defect
        super().__init__(f"{defect}\n{defect.traceback}".rstrip())


def given_messages(
    module: Module,
    *,
    type: str = "",
    examples: int = 100,
    answers: Answers | None = None,
    allow: Sequence[type[BaseException]] = (),
    limit_s: float = LIMIT_S,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Runs a test for messages that the module accepts, of one `type` or of all: each is handed to its handler first.

    The test fails where the handler does, as `claude-comm fuzz` would say. Its parameter `handled`, if it has one, is a
    `HandledMessage`: the message, the reply, and what was sent; its other parameters are fixtures. `examples` messages
    of each type are drawn by hypothesis after those at the edges; `answers`, `allow` and `limit_s` are those of `fuzz`.
    """

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        parameters = list(inspect.signature(test).parameters.values())
        takes = any(parameter.name == _PARAMETER for parameter in parameters)

        @functools.wraps(test)
        def run(*arguments: Any, **fixtures: Any) -> None:
            with Trial(module, answers=answers, allow=allow, limit_s=limit_s) as trial:

                def body(handled: HandledMessage) -> None:
                    test(*arguments, **fixtures, **({_PARAMETER: handled} if takes else {}))

                for name in [type] if type else [handler.type for handler in module.handlers]:
                    _check(trial, name, examples, body)

        # Or pytest would ask the test itself for its parameters.
        del run.__wrapped__
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [parameter for parameter in parameters if parameter.name != _PARAMETER]
        )
        return run

    return decorate


def assert_handles(
    module: Module, type: str, message: Json, *, answers: Answers | None = None, limit_s: float = LIMIT_S
) -> HandledMessage:
    """Hands one message, in JSON form, to its handler without a server; returns the reply and what was sent.

    Fails with HandlerFailed where the handler raises or hangs, or where what it sends or returns is not what it
    declares.
    """
    with Trial(module, answers=answers, limit_s=limit_s) as trial:
        return _required(trial.hand(handler_of(module, type).type, message))


def _check(trial: Trial, type: str, examples: int, body: Callable[[HandledMessage], None]) -> None:
    import hypothesis

    handler = handler_of(trial.module, type)
    for message in edges(handler.schema):
        body(_smallest_or_handled(trial, handler.type, message))

    unchecked: Any = list(hypothesis.HealthCheck)

    @hypothesis.settings(max_examples=examples, deadline=None, suppress_health_check=unchecked, database=None)
    @hypothesis.given(messages(trial.module, handler.type))
    def drawn(message: Json) -> None:
        body(_required(trial.hand(handler.type, message)))

    try:
        drawn()
    except HandlerFailed as failed:
        defect = failed.defect
    else:
        return
    _smallest_or_handled(trial, handler.type, defect.message)


def _smallest_or_handled(trial: Trial, type: str, message: Json) -> HandledMessage:
    """What became of the message. Raises HandlerFailed with the smallest that fails alike."""
    outcome = trial.hand(type, message)
    if isinstance(outcome, HandledMessage):
        return outcome
    accepts = compile_validator(handler_of(trial.module, type).schema).accepts

    def shows(smaller: Json) -> bool:
        again = trial.hand(type, smaller) if accepts(smaller) else None
        return isinstance(again, Defect) and again.failure == outcome.failure

    least = message if outcome.kind == "hung" else smallest(message, shows)
    again = trial.hand(type, least)
    raise HandlerFailed(again if isinstance(again, Defect) else outcome)


def _required(outcome: HandledMessage | Defect) -> HandledMessage:
    if isinstance(outcome, Defect):
        raise HandlerFailed(outcome)
    return outcome
