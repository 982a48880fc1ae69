"""Messages of a contract as strategies of hypothesis.

Law: each message is one that the contract allows. The structure is drawn as `schema.types.samples` draws it, each
choice and each leaf from hypothesis, whose smallest draw is the plainest choice: so hypothesis shrinks a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from claude_comm.client.module.handlers import Handler
from claude_comm.client.module.module import Module
from claude_comm.client.payload_types import accepted
from claude_comm.errors import ConfigurationError
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.types.samples import MAX_DEPTH, Sampler
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Json
from claude_comm.testing.edges import can_travel

# The integers that a message can carry, and how long a text may become that no schema bounds.
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LONGEST = 200
# Items beyond those that there must be.
_FEW, _MANY = 3, 12
_CHARACTERS = st.characters(codec="utf-8")


def messages(shape: Any, type: str = "") -> st.SearchStrategy[Any]:
    """Messages that a module accepts of one type (its only one, where none is named), or that a JSON Schema or a
    Python type accepts."""
    if isinstance(shape, Module):
        return _of_schema(handler_of(shape, type).schema)
    return _of_schema(accepted(shape))


def handler_of(module: Module, type: str) -> Handler:
    """The handler for a type of message; without a type the only one. Raises ConfigurationError."""
    handlers = {handler.type: handler for handler in module.handlers}
    if not type and len(handlers) == 1:
        return next(iter(handlers.values()))
    if type not in handlers:
        known = ", ".join(sorted(handlers)) or "none"
        raise ConfigurationError(f"{module.name!r} has no handler for {type!r} messages; there are: {known}.")
    return handlers[type]


def _of_schema(schema: Json) -> st.SearchStrategy[Any]:
    accepts = compile_validator(schema).accepts
    document = normalise(schema, dialect_of(schema))

    @st.composite
    def message(draw: Callable[..., Any]) -> Any:
        made = _Drawn(dict(document.definitions), draw).value(document.schema, 0)
        assume(accepts(made) and can_travel(made))
        return made

    return message()


class _Drawn(Sampler):
    """Samples whose choices and leaves hypothesis makes."""

    def __init__(self, definitions: dict[str, Json], draw: Callable[..., Any]) -> None:
        super().__init__(definitions, lambda count: draw(st.integers(0, count - 1)))
        self.draw = draw

    def string(self, schema: dict[str, Any], depth: int) -> str:
        if isinstance(schema.get("pattern"), str):
            return super().string(schema, depth)
        least = int(schema.get("minLength", 0))
        most = int(schema.get("maxLength", max(_LONGEST, least)))
        text: str = self.draw(st.text(_CHARACTERS, min_size=least, max_size=max(most, least)))
        return text

    def array(self, schema: dict[str, Any], depth: int) -> Json:
        """Mostly a few items, and sometimes more."""
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", least + _MANY))
        if self.choose(4) < 3 or most - least <= _FEW or depth >= MAX_DEPTH:
            return super().array(schema, depth)
        count = self.draw(st.integers(least, min(most, least + _MANY)))
        return super().array({**schema, "minItems": count, "maxItems": count}, depth)

    def number(self, schema: dict[str, Any], depth: int) -> Json:
        if schema.get("type") == "integer" or self.choose(2) == 0:
            return self.integer(schema, depth)
        low, high = _bounds(schema)
        return self.draw(st.floats(low, high, allow_nan=False, allow_infinity=False))

    def integer(self, schema: dict[str, Any], depth: int) -> Json:
        low, high = _bounds(schema)
        step = schema.get("multipleOf", 1)
        if not isinstance(step, int) or step <= 0:
            step = 1
        least = -((_LOWEST if low is None else low) // -step)
        most = (_HIGHEST if high is None else high) // step
        if least > most:
            return int(least) * step
        return int(self.draw(st.integers(int(least), int(most)))) * step


def _bounds(schema: dict[str, Any]) -> tuple[Any, Any]:
    lows = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    return (max(lows) if lows else None, min(highs) if highs else None)
