"""Fuzzing a module from its own contract: the messages that it says it accepts, handed to its handlers.

Law: each message is one that the contract allows, so that each defect is a defect of the module or of what it
declares. First come the edges of the contract, in a fixed order, then messages by chance from a seed. Each defect is
reported once, with the smallest message that shows it: hypothesis shrinks what it can draw, and `smallest` ends it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from claude_comm.client.module.handlers import Handler
from claude_comm.client.module.module import Module
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Json
from claude_comm.testing.edges import edges
from claude_comm.testing.near import outside
from claude_comm.testing.recorder import AnswerNeeded, Answers
from claude_comm.testing.smallest import size, smallest
from claude_comm.testing.trial import LIMIT_S, Defect, Trial

EXAMPLES = 300
# Different defects of one handler that are made smaller; the others would most likely be the same.
MAX_DEFECTS = 10
# Messages that hypothesis may draw to meet a defect again, before it is made smaller without it.
_SEARCH = 100


class Fuzzed(msgspec.Struct, frozen=True, kw_only=True):
    """What fuzzing one handler found: how many messages it was given, and each defect once. `needs` says why it
    could not be called: it asks a module for which no answer was given."""

    type: str
    tried: int
    defects: Sequence[Defect] = ()
    needs: str = ""


def fuzz(
    module: Module,
    *,
    types: Sequence[str] = (),
    examples: int = EXAMPLES,
    seed: int = 0,
    answers: Answers | None = None,
    allow: Sequence[type[BaseException]] = (),
    limit_s: float = LIMIT_S,
) -> list[Fuzzed]:
    """Hands each handler messages that its contract allows: every edge, then `examples` by chance.

    A defect is an exception that is not in `allow`, a reply or a message sent that is not what the module declares, a
    message that is not decoded, or a handler that takes longer than `limit_s` seconds. `answers` are the replies to
    what handlers ask: by target, or by (target, type), a value or a function of the payload.
    """
    with Trial(module, answers=answers, allow=allow, limit_s=limit_s) as trial:
        return [_fuzzed(trial, handler, examples, seed) for handler in _chosen(module, types)]


def fuzz_refuse(module: Module, *, types: Sequence[str] = (), limit_s: float = LIMIT_S) -> list[Fuzzed]:
    """Hands each handler messages just outside its contract; a defect is one that is let in. No handler is called."""
    with Trial(module, limit_s=limit_s) as trial:
        return [_refused(trial, handler) for handler in _chosen(module, types)]


def _chosen(module: Module, types: Sequence[str]) -> list[Handler]:
    from claude_comm.testing.strategies import handler_of

    return [handler_of(module, type) for type in types] if types else list(module.handlers)


def _fuzzed(trial: Trial, handler: Handler, examples: int, seed: int) -> Fuzzed:
    found: dict[tuple[str, ...], Defect] = {}
    tried = 0

    def hand(message: Json) -> None:
        nonlocal tried
        tried += 1
        outcome = trial.hand(handler.type, message)
        if isinstance(outcome, Defect):
            known = found.get(outcome.failure)
            if known is None or size(message) < size(known.message):
                found[outcome.failure] = outcome

    try:
        for message in edges(handler.schema):
            hand(message)
        _draw(handler, hand, examples, seed)
        defects = [_shrunk(trial, handler, defect, seed) for defect in list(found.values())[:MAX_DEFECTS]]
    except AnswerNeeded as needed:
        return Fuzzed(type=handler.type, tried=tried, needs=str(needed))
    return Fuzzed(type=handler.type, tried=tried, defects=sorted(defects, key=lambda defect: size(defect.message)))


def _draw(handler: Handler, hand: Callable[[Json], None], examples: int, seed: int) -> None:
    """Messages by chance, as hypothesis draws them."""
    import hypothesis
    from hypothesis import Phase, strategies

    from claude_comm.testing.strategies import messages

    if not examples:
        return

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=examples, phases=[Phase.generate], **_quiet())
    @hypothesis.given(messages(handler.schema) if isinstance(handler.schema, dict) else strategies.none())
    def each(message: Json) -> None:
        hand(message)

    each()


def _quiet() -> dict[str, Any]:
    from hypothesis import HealthCheck, Verbosity

    return {
        "database": None,
        "deadline": None,
        "suppress_health_check": list(HealthCheck),
        "verbosity": Verbosity.quiet,
    }


def _shrunk(trial: Trial, handler: Handler, defect: Defect, seed: int) -> Defect:
    """The same defect with the smallest message that shows it."""
    accepts = compile_validator(handler.schema).accepts

    def shows(message: Json) -> bool:
        if not accepts(message):
            return False
        outcome = trial.hand(handler.type, message)
        return isinstance(outcome, Defect) and outcome.failure == defect.failure

    if defect.kind == "hung":
        # Each try takes the whole limit.
        return defect
    message = _hypothesis_smallest(handler, shows, seed)
    if message is None or size(defect.message) < size(message[0]):
        message = (defect.message,)
    outcome = trial.hand(handler.type, smallest(message[0], shows))
    return outcome if isinstance(outcome, Defect) else defect


def _hypothesis_smallest(handler: Handler, shows: Callable[[Json], bool], seed: int) -> tuple[Json] | None:
    """What hypothesis shrinks a message of the same defect to; None where it meets none."""
    import hypothesis
    from hypothesis import Phase
    from hypothesis.errors import NoSuchExample, Unsatisfiable

    from claude_comm.testing.strategies import messages

    settings = hypothesis.settings(max_examples=_SEARCH, phases=[Phase.generate, Phase.shrink], **_quiet())
    try:
        return (hypothesis.find(messages(handler.schema), shows, settings=settings, random=random.Random(seed)),)
    except (NoSuchExample, Unsatisfiable):
        return None


def _refused(trial: Trial, handler: Handler) -> Fuzzed:
    refuses = compile_validator(handler.schema)
    found: dict[str, Defect] = {}
    tried = 0

    def let_in(message: Json) -> bool:
        return not refuses.accepts(message) and trial.takes(handler.type, message)

    for message in outside(handler.schema):
        tried += 1
        if trial.takes(handler.type, message):
            breach = refuses.validate(message)[0]
            if breach.schema_path not in found and len(found) < MAX_DEFECTS:
                found[breach.schema_path] = _admitted(refuses, handler, smallest(message, let_in))
    return Fuzzed(type=handler.type, tried=tried, defects=list(found.values()))


def _admitted(refuses: Any, handler: Handler, message: Json) -> Defect:
    breach = refuses.validate(message)[0]
    return Defect(type=handler.type, kind="let in", message=message, reason=breach.sentence, place=breach.path)
