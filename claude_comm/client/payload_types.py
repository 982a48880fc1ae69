"""Python types as schemas, one a direction, and as readers of payloads.

Law: what a type accepts, in its schema, is what its reader takes of messages that go under an agreement; the schemas
are made in `schema/types`, and the tests hold the two together. A JSON Schema given as a mapping stands for itself.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm import json_form
from claude_comm.client.identity import BUFFER_MODULES
from claude_comm.envelope import BLOB, MSGPACK, UNREADABLE, Envelope, is_json
from claude_comm.errors import ConfigurationError, DecodeError, shown
from claude_comm.json_form import UNFIT, is_pydantic, pydantic_validator
from claude_comm.registry.contracts import Schema
from claude_comm.schema.types.exact import accepts, is_schema, produces, reads_forms

__all__ = ["accepted", "bytes_of", "check_type", "payload_of", "produced", "reader_of", "value_reader_of"]


def accepted(shape: Any) -> Schema:
    """The schema of what a reader of this type takes, or the schema itself. Raises SchemaError for a type without."""
    if is_blob(shape):
        return True
    if content_type := content_type_of(shape):
        return {"contentMediaType": content_type}
    return _itself(shape) if is_schema(shape) else accepts(shape)


def produced(shape: Any) -> Schema:
    """The schema of what is written of values of this type, or the schema itself. Raises SchemaError likewise."""
    if content_type := content_type_of(shape):
        return {"contentMediaType": content_type}
    return _itself(shape) if is_schema(shape) else produces(shape)


def is_blob(shape: Any) -> bool:
    """Whether a payload is to be given as a blob, to read from. A program that asks for one has imported it."""
    transfer = sys.modules.get("claude_comm.blobs.transfer")
    return transfer is not None and shape is transfer.Blob


def content_type_of(shape: Any) -> str:
    """The content type of a type whose values are buffers, such as an array; empty for any other type."""
    if getattr(shape, "__module__", "") not in BUFFER_MODULES:
        return ""
    from claude_comm.client import buffers

    return buffers.content_type_of(shape)


def check_type(name: str, shape: Any) -> None:
    """Raises ConfigurationError for what is no type that a payload could be read as."""
    if shape is Any:
        return
    try:
        _readable(shape)
    except TypeError as error:
        raise ConfigurationError(f"{name} is {shown(shape)}: it is a type to read the payload as ({error}).") from None


def _readable(shape: Any) -> None:
    """Raises TypeError for what neither library reads."""
    try:
        _read_once(shape)
    except TypeError:  # also where it is not hashable
        _read_now(shape)


def _read_now(shape: Any) -> None:
    if is_schema(shape):
        raise TypeError("a schema is no type")
    if not is_pydantic(shape):
        msgspec.msgpack.Decoder(shape)


# Every request of a program names one of a few types.
_read_once = functools.lru_cache(maxsize=1024)(_read_now)


def _itself(schema: Any) -> Schema:
    return schema if isinstance(schema, bool) else dict(schema)


def reader_of(shape: Any) -> Callable[[Envelope], Any]:
    """From an envelope to its payload as a value of that type; it raises DoesNotFit, naming the place, or DecodeError.

    What nearly every message takes is one call from its bytes to the value. What that refuses is read as a payload
    first: there 1.0 is 1, and text is what MessagePack could have written as bytes.
    """
    if is_blob(shape):
        from claude_comm.blobs.large import blob_of

        return blob_of
    if content_type_of(shape):
        from claude_comm.client import buffers

        return buffers.reader_of(shape)
    own, agreed, json = _decoders(shape)
    value = value_reader_of(shape)

    def read(envelope: Envelope) -> Any:
        try:
            if envelope.content_type == MSGPACK:
                return agreed(envelope.data) if envelope.agreement else own(envelope.data)
            if is_json(envelope.content_type) and shape is not bytes:
                return json(bytes_of(envelope))
        except (*UNFIT, DecodeError):
            pass
        if envelope.content_type == BLOB:
            return _large(envelope, shape, read)
        return value(payload_of(envelope, shape))

    return read


def _large(envelope: Envelope, shape: Any, read: Callable[[Envelope], Any]) -> Any:
    """The payload that was too large for its message."""
    from claude_comm.blobs.large import whole

    if shape is bytes:
        return envelope.payload(bytes)
    return read(whole(envelope))


def value_reader_of(shape: Any) -> Callable[[Any], Any]:
    """From a payload that is decoded to a value of that type; it raises DoesNotFit, naming the place."""
    if is_schema(shape) or shape in (Any, object):
        return lambda payload: payload
    return lambda payload: json_form.read(payload, shape)


def _decoders(shape: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]:
    """Straight to a value: from MessagePack of one's own, from a JSON form as MessagePack, and from JSON."""
    if is_schema(shape) or shape is object:
        shape = Any
    if is_pydantic(shape):
        validator = pydantic_validator(shape)
        validate, validate_json = validator.validate_python, validator.validate_json
        return (
            lambda data: validate(_decode_any(data)),
            lambda data: validate_json(_encode_json(_decode_any(data))),
            validate_json,
        )
    own, json = msgspec.msgpack.Decoder(shape).decode, msgspec.json.Decoder(shape).decode
    if not reads_forms(shape):
        return own, own, json
    return own, lambda data: msgspec.convert(_decode_any(data), shape, str_keys=True, builtin_types=None), json


_decode_any = msgspec.msgpack.Decoder().decode
_encode_json = msgspec.json.Encoder().encode


def payload_of(envelope: Envelope, shape: Any) -> Any:
    """The payload decoded: of JSON, too, unless its bytes are what is wanted. Raises DecodeError."""
    if envelope.content_type == BLOB:
        from claude_comm.blobs.large import whole

        envelope = whole(envelope)
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
