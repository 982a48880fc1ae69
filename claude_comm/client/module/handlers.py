"""Handlers: a message type, the function for it, and what it accepts.

Law: the schema that a module declares for a type is the one of its handler's first parameter, and of what is given
beside it; a payload is held to both before the handler sees it. What can be decided about a function
is decided once, when it is registered.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from claude_comm.client.module.breaches import Breaches
from claude_comm.client.module.signatures import signature_of
from claude_comm.client.payload_types import accepted, payload_of, produced, reader_of
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.envelope import MSGPACK, Envelope
from claude_comm.errors import ClaudeCommError, ConfigurationError, DoesNotFit, EncodeError, SchemaError
from claude_comm.json_form import UNFIT, json_form, may_hold_not_finite, refuse_not_finite
from claude_comm.registry.contracts import Enforcement, Schema
from claude_comm.schema.types.exact import beside
from claude_comm.schema.validation.enforced import may_take_null
from claude_comm.schema.validation.typed_decoder import Decoder, typed_decoder
from claude_comm.schema.validation.validator import Validator, compile_validator

_PLACE = re.compile(r" - at `(?P<path>\$[^`]*)`")


class PayloadRefused(ClaudeCommError):
    """A payload that does not have the accepted shape: it can never be handled.

    `path` is where in the payload, `schema_path` where in the schema; a type refuses without a schema.
    """

    def __init__(self, sentence: str, path: str, schema_path: str = "") -> None:
        self.path, self.schema_path = path, schema_path
        super().__init__(sentence)


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A function for one type of message, `(payload)` or, where it `takes_context`, `(payload, context)`.

    `argument` is from an envelope to the payload that the function is given; it raises PayloadRefused, DoesNotFit or
    DecodeError. `retry` is what happens when the function raises. With `most` its payload is a list of up to so many.
    `reply` is the schema of its results, where their type says it.
    """

    type: str
    function: Callable[..., Any]
    schema: Schema
    argument: Callable[[Envelope], Any]
    takes_context: bool
    is_async: bool
    retry: RetryPolicy
    most: int = 0
    reply: Schema | None = None


def make_handler(
    type: str,
    function: Callable[..., Any],
    accepts: Any,
    retry: RetryPolicy,
    *,
    most: int = 0,
    local: Mapping[str, Any] | None = None,
    mode: Enforcement = "enforce",
    breaches: Breaches | None = None,
) -> Handler:
    """`most` is for a function that takes a list of payloads; 0 for one that takes a payload. Annotations may refer to
    names in `local` beside those of the function's module.

    `mode` is what becomes of a payload that its type takes and the schema in `accepts` refuses: refused, handed over
    and noted in `breaches`, or handed over.

    Raises ConfigurationError for a function of another form, SchemaError for a schema that cannot be used.
    """
    signature = signature_of(function, local)
    shape = _element(signature.shape, signature.name) if most else signature.shape
    declared = accepted(shape if accepts is None else accepts)
    return Handler(
        type=type,
        function=function,
        schema=declared if accepts is None else beside(declared, shape),
        # A Python type is its own validator; only a schema that was written out needs another.
        argument=reader_of(shape)
        if accepts is None or mode == "off"
        else _validated(shape, compile_validator(declared), breaches if mode == "warn" else None),
        takes_context=signature.takes_context,
        is_async=signature.is_async,
        reply=None if most else _reply(signature.result),
        retry=retry,
        most=most,
    )


def _reply(result: Any) -> Schema | None:
    """The schema of what a handler returns; None where its annotation does not say it."""
    if result in (Any, None, type(None), object) or (
        inspect.isclass(result) is False and typing.get_origin(result) is None
    ):
        return None
    try:
        return produced(result)
    except SchemaError:
        return None


def _element(shape: Any, name: str) -> Any:
    """What the list holds that a batch handler's first parameter is annotated as."""
    if shape is Any or shape is list:
        return Any
    if typing.get_origin(shape) is not list:
        raise ConfigurationError(f"the batch handler {name} is given a list: annotate its payload as list[...].")
    return typing.get_args(shape)[0]


def _validated(shape: Any, validator: Validator, breaches: Breaches | None) -> Callable[[Envelope], Any]:
    """Reads what the schema accepts; with `breaches`, what it refuses as well, noted.

    Nearly every message is accepted, and has no more properties than the schema names: to know that takes one pass
    over its bytes.
    """
    read, open_, typed = (
        reader_of(shape),
        may_take_null(validator.schema),
        typed_decoder(validator.schema, closed=False),
    )

    def argument(envelope: Envelope) -> Any:
        return read(envelope) if typed is not None and _decodes(typed, envelope) else looked_at(envelope)

    def looked_at(envelope: Envelope) -> Any:
        payload = payload_of(envelope, shape)
        try:
            form = json_form(payload)
            if open_:
                refuse_not_finite(bytes(envelope.data), form)
        except EncodeError as error:
            raise PayloadRefused(str(error), "$") from None
        if not validator.accepts(form):
            for breach in validator.validate(form)[:1]:
                if breaches is not None:
                    breaches.note(envelope, breach.path, breach.sentence)
                    break
                raise PayloadRefused(f"{breach.sentence} (at {breach.path})", breach.path, breach.schema_path)
        # From its bytes, as without a schema: from the decoded payload it takes four times as long.
        return read(envelope)

    return argument


def _decodes(typed: Decoder, envelope: Envelope) -> bool:
    if envelope.content_type != MSGPACK:
        return False
    try:
        typed.decode(envelope.data)
    except UNFIT:
        return False
    return not (typed.floats and may_hold_not_finite(bytes(envelope.data)))


def refused(error: DoesNotFit) -> PayloadRefused:
    """The same of a payload that the handler's type does not take."""
    place = _PLACE.search(str(error))
    return PayloadRefused(str(error), place["path"] if place else "$")
