"""Handlers: a message type, the function for it, and what it accepts.

Law: the schema that a module declares for a type is the one that its handler's first parameter is annotated with,
or the one given beside it; a payload is held to both before the handler sees it.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm.client.opening import as_json
from claude_comm.client.shapes import reader_of, schema_of
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.errors import ClaudeCommError, ConfigurationError, DecodeError
from claude_comm.registry.contracts import Schema
from claude_comm.schema.validate import Validator, compile_validator

_PLACE = re.compile(r" - at `(?P<path>\$[^`]*)`")


class Refused(ClaudeCommError):
    """A payload that does not have the accepted shape: it can never be handled.

    `path` is where in the payload, `schema_path` where in the schema; a type refuses without a schema.
    """

    def __init__(self, sentence: str, path: str, schema_path: str = "") -> None:
        self.path, self.schema_path = path, schema_path
        super().__init__(sentence)


class Handler(msgspec.Struct, frozen=True):
    """A function for one type of message. `takes_context` tells whether it has a second parameter; `retry` is what
    happens when it raises."""

    type: str
    function: Callable[..., Any]
    schema: Schema
    read: Callable[[Any], Any]
    validator: Validator | None
    takes_context: bool
    retry: RetryPolicy

    def argument(self, payload: Any) -> Any:
        """What the function is called with. Raises Refused."""
        for breach in self.validator.validate(as_json(payload))[:1] if self.validator else ():
            raise Refused(f"{breach.sentence} (at {breach.path})", breach.path, breach.schema_path)
        try:
            return self.read(payload)
        except DecodeError as error:
            place = _PLACE.search(str(error))
            raise Refused(str(error), place["path"] if place else "$") from None


def handler(type: str, function: Callable[..., Any], accepts: Any, retry: RetryPolicy) -> Handler:
    """Raises ConfigurationError for a function of another form, SchemaError for a schema that cannot be used."""
    parameters = list(inspect.signature(function).parameters.values())
    if not 1 <= len(parameters) <= 2:
        name = getattr(function, "__qualname__", repr(function))
        raise ConfigurationError(
            f"the handler {name} takes {len(parameters)} parameters: it needs (payload) or (payload, context)."
        )
    hints = typing.get_type_hints(function)
    shape = hints.get(parameters[0].name, Any)
    declared = schema_of(shape if accepts is None else accepts)
    # A Python type is its own validator; only a schema that was written out needs another.
    validator = None if accepts is None else compile_validator(declared)
    return Handler(type, function, declared, reader_of(shape), validator, len(parameters) == 2, retry)
