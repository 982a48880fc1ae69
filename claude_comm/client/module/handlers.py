"""Handlers: a message type, the function for it, and what it accepts.

Law: the schema that a module declares for a type is the one that its handler's first parameter is annotated with,
or the one given beside it; a payload is held to both before the handler sees it. What can be decided about a function
is decided once, when it is registered.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm.client.payload_types import accepted, payload_of, reader_of, value_reader_of
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.envelope import Envelope
from claude_comm.errors import ClaudeCommError, ConfigurationError, DoesNotFit, EncodeError
from claude_comm.json_form import json_form, refuse_not_finite
from claude_comm.registry.contracts import Schema
from claude_comm.schema.validation.validator import Validator, compile_validator

_PLACE = re.compile(r" - at `(?P<path>\$[^`]*)`")


class Refused(ClaudeCommError):
    """A payload that does not have the accepted shape: it can never be handled.

    `path` is where in the payload, `schema_path` where in the schema; a type refuses without a schema.
    """

    def __init__(self, sentence: str, path: str, schema_path: str = "") -> None:
        self.path, self.schema_path = path, schema_path
        super().__init__(sentence)


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A function for one type of message, `(payload)` or, where it `takes_context`, `(payload, context)`.

    `argument` is from an envelope to the payload that the function is given; it raises Refused or DecodeError.
    `retry` is what happens when the function raises. With `most` its payload is a list of up to so many.
    """

    type: str
    function: Callable[..., Any]
    schema: Schema
    argument: Callable[[Envelope], Any]
    takes_context: bool
    is_async: bool
    retry: RetryPolicy
    most: int = 0


def make_handler(
    type: str, function: Callable[..., Any], accepts: Any, retry: RetryPolicy, *, most: int = 0
) -> Handler:
    """`most` is for a function that takes a list of payloads; 0 for one that takes a payload.

    Raises ConfigurationError for a function of another form, SchemaError for a schema that cannot be used.
    """
    name = getattr(function, "__qualname__", repr(function))
    parameters = list(inspect.signature(function).parameters.values())
    if not 1 <= len(parameters) <= 2:
        raise ConfigurationError(
            f"the handler {name} takes {len(parameters)} parameters: it needs (payload) or (payload, context)."
        )
    shape = typing.get_type_hints(function).get(parameters[0].name, Any)
    if most:
        shape = _element(shape, name)
    declared = accepted(shape if accepts is None else accepts)
    return Handler(
        type=type,
        function=function,
        schema=declared,
        # A Python type is its own validator; only a schema that was written out needs another.
        argument=_typed(shape) if accepts is None else _validated(shape, compile_validator(declared)),
        takes_context=len(parameters) == 2,
        is_async=is_async(function),
        retry=retry,
        most=most,
    )


def is_async(function: Callable[..., Any]) -> bool:
    """Whether its result is to be awaited."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _element(shape: Any, name: str) -> Any:
    """What the list holds that a batch handler's first parameter is annotated as."""
    if shape is Any or shape is list:
        return Any
    if typing.get_origin(shape) is not list:
        raise ConfigurationError(f"the batch handler {name} is given a list: annotate its payload as list[...].")
    return typing.get_args(shape)[0]


def _typed(shape: Any) -> Callable[[Envelope], Any]:
    read = reader_of(shape)

    def argument(envelope: Envelope) -> Any:
        try:
            return read(envelope)
        except DoesNotFit as error:
            raise _refused(error) from None

    return argument


def _validated(shape: Any, validator: Validator) -> Callable[[Envelope], Any]:
    read = value_reader_of(shape)

    def argument(envelope: Envelope) -> Any:
        payload = payload_of(envelope, shape)
        try:
            form = json_form(payload)
            refuse_not_finite(envelope.data, form)
        except EncodeError as error:
            raise Refused(str(error), "$") from None
        for breach in validator.validate(form)[:1]:
            raise Refused(f"{breach.sentence} (at {breach.path})", breach.path, breach.schema_path)
        try:
            return read(payload)
        except DoesNotFit as error:
            raise _refused(error) from None

    return argument


def _refused(error: DoesNotFit) -> Refused:
    place = _PLACE.search(str(error))
    return Refused(str(error), place["path"] if place else "$")
