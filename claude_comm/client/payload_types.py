"""Python types as schemas and as readers of payloads.

Law: the schema is the type's own library's export: msgspec for Structs, dataclasses, TypedDicts and builtins,
pydantic for its models. A JSON Schema given as a mapping stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from claude_comm.envelope import UNREADABLE, Envelope
from claude_comm.errors import DecodeError, SchemaError
from claude_comm.registry.contracts import Schema


def schema_of(shape: Any) -> Schema:
    """The JSON Schema of a type, or the schema itself. Raises SchemaError for a type that has none."""
    if isinstance(shape, bool):
        return shape
    if isinstance(shape, Mapping):
        return dict(shape)
    if is_pydantic(shape):
        exported: dict[str, Any] = shape.model_json_schema()
        return exported
    if shape in (Any, object):
        return {}
    try:
        return msgspec.json.schema(shape)
    except TypeError as error:
        raise SchemaError(
            f"{shape!r} has no JSON Schema ({error}); give a msgspec Struct, a model or a schema"
        ) from None


def reader_of(shape: Any) -> Callable[[Any], Any]:
    """A function from a decoded payload to a value of that type; it raises DecodeError, naming the place."""
    if isinstance(shape, Mapping | bool) or shape in (Any, object):
        return lambda payload: payload
    if is_pydantic(shape):
        return _pydantic_reader(shape)
    return _msgspec_reader(shape)


def decoders_of(shape: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """From MessagePack and from JSON bytes straight to a value of that type; they raise what is in UNREADABLE."""
    if isinstance(shape, Mapping | bool) or shape is object:
        shape = Any
    if is_pydantic(shape):
        return (lambda data: shape.model_validate(msgspec.msgpack.decode(data))), shape.model_validate_json
    return msgspec.msgpack.Decoder(shape).decode, msgspec.json.Decoder(shape).decode


def payload_of(envelope: Envelope, shape: Any) -> Any:
    """The payload decoded: of JSON, too, unless its bytes are what is wanted. Raises DecodeError."""
    if not is_json(envelope.content_type) or shape is bytes:
        return envelope.payload()
    try:
        return msgspec.json.decode(bytes_of(envelope))
    except UNREADABLE as error:
        raise DecodeError(f"the payload of {envelope.id} is no JSON: {error}.") from None


def bytes_of(envelope: Envelope) -> bytes:
    """The payload of a content type that is not ours: as bytes or as text. Raises DecodeError."""
    payload = envelope.payload()
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogatepass")
    if not isinstance(payload, bytes):
        raise DecodeError(f"the payload of {envelope.id} is neither bytes nor text, as {envelope.content_type} has it.")
    return payload


def is_json(content_type: str) -> bool:
    """Whether payloads of this type are JSON, such as `application/json; charset=utf-8`."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def is_pydantic(shape: Any) -> bool:
    return isinstance(shape, type) and hasattr(shape, "model_json_schema") and hasattr(shape, "model_validate")


def _msgspec_reader(shape: Any) -> Callable[[Any], Any]:
    def read(payload: Any) -> Any:
        try:
            return msgspec.convert(payload, shape, str_keys=True, builtin_types=None)
        except msgspec.ValidationError as error:
            raise DecodeError(f"the payload is not a {_name(shape)}: {error}.") from None

    return read


def _pydantic_reader(shape: Any) -> Callable[[Any], Any]:
    def read(payload: Any) -> Any:
        try:
            return shape.model_validate(payload)
        # pydantic's ValidationError is a ValueError; naming its class would import pydantic for everyone.
        except ValueError as error:
            raise DecodeError(f"the payload is not a {_name(shape)}: {error}.") from None

    return read


def _name(shape: Any) -> str:
    return getattr(shape, "__name__", str(shape))
