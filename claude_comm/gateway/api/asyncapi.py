"""The AsyncAPI 3 document of the gateway's WebSocket, written from the types of its frames.

Law: each frame of `frames` and `answered` is a message here, and nothing else is. What a client sends, the gateway
receives: actions are those of the gateway.
"""

from __future__ import annotations

import inspect
from typing import Any, get_args

import msgspec

from claude_comm.gateway.api.answers import CloudEvent
from claude_comm.gateway.live.answered import Answered
from claude_comm.gateway.live.frames import Frame
from claude_comm.version import __version__

VERSION = "3.0.0"
FRAMES, EVENTS = "frames", "events"
# Which frame answers which; what is refused is answered by an error.
REPLIES = {
    "hello": "welcome",
    "publish": "published",
    "request": "reply",
    "subscribe": "subscribed",
    "unsubscribe": "unsubscribed",
}


def document(address: str) -> dict[str, Any]:
    """The whole; `address` is the path of the WebSocket."""
    received, sent = _by_kind(get_args(Frame)), _by_kind(get_args(Answered))
    # Both ways have a frame `reply`.
    names = {**{f"client.{kind}": type_ for kind, type_ in received.items()},
             **{f"gateway.{kind}": type_ for kind, type_ in sent.items()}}  # fmt: skip
    written, schemas = msgspec.json.schema_components(
        [*names.values(), CloudEvent], ref_template="#/components/schemas/{name}"
    )
    payloads = dict(zip((*names, "event"), written, strict=True))
    types = {**names, "event": CloudEvent}
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "claude-comm gateway",
            "version": __version__,
            "description": "The WebSocket of the gateway; /openapi.json describes its HTTP side.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            FRAMES: _channel(address, "The subprotocol `claude-comm.v1`: frames of JSON, or of MessagePack.", names),
            EVENTS: _channel(address, "The subprotocol `cloudevents.json`: one event a text frame.", ["event"]),
        },
        "operations": {**_received(received), **_sent(sent), **_events()},
        "components": {
            "schemas": schemas,
            "messages": {name: _message(name, payloads[name], types[name]) for name in payloads},
        },
    }


def _by_kind(types: tuple[Any, ...]) -> dict[str, Any]:
    return {type_.__struct_config__.tag: type_ for type_ in types}


def _channel(address: str, description: str, names: Any) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _message(name: str, payload: dict[str, Any], type_: Any) -> dict[str, Any]:
    lines = type_.__doc__ and inspect.cleandoc(type_.__doc__)
    return {"name": name, "payload": payload, **({"summary": lines.partition("\n")[0]} if lines else {})}


def _received(received: dict[str, Any]) -> dict[str, Any]:
    operations = {}
    for kind in received:
        operation = _operation("receive", FRAMES, f"client.{kind}")
        if kind in REPLIES:
            names = (f"gateway.{REPLIES[kind]}", "gateway.error")
            operation["reply"] = {"channel": {"$ref": f"#/channels/{FRAMES}"}, "messages": _named(FRAMES, *names)}
        operations[f"receive.{kind}"] = operation
    return operations


def _sent(sent: dict[str, Any]) -> dict[str, Any]:
    answers = {*REPLIES.values()}
    return {f"send.{kind}": _operation("send", FRAMES, f"gateway.{kind}") for kind in sent if kind not in answers}


def _events() -> dict[str, Any]:
    return {
        "receive.event": _operation("receive", EVENTS, "event"),
        "send.event": _operation("send", EVENTS, "event"),
    }


def _operation(action: str, channel: str, name: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": _named(channel, name),
    }


def _named(channel: str, *names: str) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
