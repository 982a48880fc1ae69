"""Messages as CloudEvents 1.0 in JSON.

Law: pure. The attributes that CloudEvents names keep its names; ours become extension attributes, whose names are
lower-case letters and digits as the specification asks. A payload that JSON cannot carry travels as `data_base64`,
in the form in which it was sent.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from claude_comm.envelope import MSGPACK, Envelope

SPEC_VERSION = "1.0"
JSON = "application/json"
OCTETS = "application/octet-stream"


def cloudevent(envelope: Envelope, time: str, **extensions: str | int) -> dict[str, Any]:
    """The message as a CloudEvents object; `time` is its time as RFC 3339 text."""
    ours = {
        "target": envelope.target,
        "session": envelope.session,
        "correlation": envelope.correlation,
        "causation": envelope.causation,
        "replyto": envelope.reply_to,
        "agreement": envelope.agreement,
        "traceparent": envelope.traceparent,
        **extensions,
    }
    return {
        "specversion": SPEC_VERSION,
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "time": time,
        **{name: value for name, value in ours.items() if value != ""},
        **_data(envelope),
    }


def json_of(data: bytes | msgspec.Raw) -> msgspec.Raw | None:
    """A MessagePack payload as JSON text; None for one that JSON cannot carry, or that is not MessagePack."""
    try:
        payload = msgspec.msgpack.decode(data)
        # Bytes are base64 text within JSON; alone they are no JSON document.
        return None if isinstance(payload, bytes) else msgspec.Raw(msgspec.json.encode(payload))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, TypeError):
        return None


def shown(data: bytes | msgspec.Raw) -> msgspec.Raw:
    """The payload as JSON text; one that JSON cannot carry as the base64 text of its bytes."""
    if (text := json_of(data)) is not None:
        return text
    raw = _bytes(data)
    return msgspec.Raw(msgspec.json.encode(bytes(data) if raw is None else raw))


def _data(envelope: Envelope) -> dict[str, Any]:
    if envelope.content_type == MSGPACK and (text := json_of(envelope.data)) is not None:
        return {"datacontenttype": JSON, "data": text}
    raw = _bytes(envelope.data)
    kind = OCTETS if raw is not None and envelope.content_type == MSGPACK else envelope.content_type
    return {
        "datacontenttype": kind,
        "data_base64": base64.b64encode(bytes(envelope.data) if raw is None else raw).decode(),
    }


def _bytes(data: bytes | msgspec.Raw) -> bytes | None:
    """The payload itself where it is bytes, as a payload of another content type is."""
    try:
        return msgspec.msgpack.decode(data, type=bytes)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
