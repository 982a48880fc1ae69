"""CloudEvents 1.0 as they come in: binary, structured and batched, to messages.

Law: an event's own id is kept in the header `ce-id` of the message, whose id is ours. Extension attributes of ours say
where it goes: `target`, `session`, `correlation`, `causation`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from claude_comm.envelope import DEFAULT_TYPE, MSGPACK
from claude_comm.gateway.core.errors import GatewayRefusal, unusable
from claude_comm.gateway.core.options import Limits
from claude_comm.gateway.core.requests import decode_json
from claude_comm.gateway.live.sender import Message

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_JSON = ("application/json", "text/json")


def from_structured(body: bytes, limits: Limits) -> Message:
    """Raises GatewayRefusal."""
    return _event(decode_json(body, limits.json_depth))


def from_batch(body: bytes, limits: Limits) -> list[Message | GatewayRefusal]:
    """Each event as a message, or why it is none. Raises GatewayRefusal for what is no batch at all."""
    events = decode_json(body, limits.json_depth)
    if not isinstance(events, list) or len(events) > limits.batch_messages:
        raise unusable(f"a batch is an array of at most {limits.batch_messages} events.")
    return [_read(event) for event in events]


def _read(event: Any) -> Message | GatewayRefusal:
    try:
        return _event(event)
    except GatewayRefusal as refusal:
        return refusal


def from_binary(headers: Mapping[str, str], body: bytes, limits: Limits) -> Message:
    """Attributes in `ce-` headers, the data in the body. Raises GatewayRefusal."""
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    kind = headers.get("content-type", _JSON[0]).partition(";")[0].strip().lower()
    if kind in _JSON:
        return _message(attributes, decode_json(body, limits.json_depth) if body else None, MSGPACK)
    return _message(attributes, body, kind)


def _event(event: Any) -> Message:
    if not isinstance(event, dict):
        raise unusable("a CloudEvent is a JSON object.")
    attributes = {name: value for name, value in event.items() if name not in ("data", "data_base64")}
    if any(not isinstance(value, str | int | bool) for value in attributes.values()):
        raise unusable("the attributes of a CloudEvent are text, numbers and booleans.")
    texts = {name: str(value) for name, value in attributes.items()}
    kind = texts.get("datacontenttype", _JSON[0]).partition(";")[0].strip().lower()
    if "data_base64" not in event:
        return _message(texts, event.get("data"), MSGPACK)
    try:
        data = base64.b64decode(event["data_base64"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise unusable("data_base64 is no base64.") from None
    return _message(texts, data, kind)


def _message(attributes: Mapping[str, str], data: Any, content_type: str) -> Message:
    if attributes.get("specversion", "1.0") != "1.0":
        raise unusable("specversion: 1.0 is the one that is known.")
    if "target" not in attributes:
        raise unusable("say to whom it goes in the extension attribute `target`: a module, or topic:NAME.")
    return Message(
        target=attributes["target"],
        data=data,
        type=attributes.get("type", DEFAULT_TYPE),
        source=attributes.get("source", ""),
        session=attributes.get("session", ""),
        correlation=attributes.get("correlation", ""),
        causation=attributes.get("causation", ""),
        headers={"ce-id": attributes["id"]} if attributes.get("id") else {},
        content_type=content_type,
    )
