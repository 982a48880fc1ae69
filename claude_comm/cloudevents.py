"""Messages as CloudEvents 1.0 in JSON.

Law: pure. The attributes that CloudEvents names keep its names; ours become extension attributes, whose names are
lower-case letters and digits as the specification asks. A payload that JSON cannot carry travels as `data_base64`,
in the form in which it was sent; NaN and the infinities are such values.
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import msgspec

from claude_comm.envelope import MSGPACK, Envelope, pack

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
        "tracestate": envelope.tracestate,
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
        # Bytes are base64 text within JSON; alone they are no JSON document. NaN and the infinities are no JSON at all.
        if isinstance(payload, bytes) or (_NOT_FINITE.search(data) and not _all_finite(payload)):
            return None
        return msgspec.Raw(msgspec.json.encode(payload))
    except UNREADABLE_AS_JSON:
        return None


def shown(data: bytes | msgspec.Raw) -> msgspec.Raw:
    """The payload as JSON text, for programs: NaN and the infinities as the texts "NaN", "Infinity" and "-Infinity", a
    payload that JSON cannot carry as the base64 text of its bytes."""
    if (text := json_of(data)) is not None:
        return text
    if (text := _without_not_finite(data, "{}")) is not None:
        return text
    raw = _bytes(data)
    return msgspec.Raw(msgspec.json.encode(bytes(data) if raw is None else raw))


def value_shown(value: object) -> msgspec.Raw:
    """As `shown`, of a payload that was read."""
    return shown(pack(value))


def readable(data: bytes | msgspec.Raw, *, indent: int = -1) -> str:
    """The payload for people: as `shown`, with NaN and the infinities as they are written in Python and JavaScript."""
    marked = _without_not_finite(data, _MARK + "{}") if _NOT_FINITE.search(data) else None
    text = bytes(shown(data) if marked is None else marked)
    laid_out = (msgspec.json.format(text, indent=indent) if indent >= 0 else text).decode()
    return laid_out if marked is None else _MARKED.sub(r"\1", laid_out)


UNREADABLE_AS_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, TypeError)

# In front of what is written without quotes: a private-use character, which says nothing in a text that has it too.
_MARK = "\ue0cc"
_MARKED = re.compile(f'"{_MARK}([^"]+)"')
# A float of 64 or 32 bits with all bits of its exponent set. Other bytes may look so: then the payload is walked.
_NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]|\xca[\x7f\xff][\x80-\xff]")


def _all_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_all_finite, value.keys())) and all(map(_all_finite, value.values()))
    return all(map(_all_finite, value)) if isinstance(value, list | tuple) else True


def _without_not_finite(data: bytes | msgspec.Raw, form: str) -> msgspec.Raw | None:
    """The payload as JSON text, with each number that is not finite as a text of this form."""
    try:
        payload = msgspec.msgpack.decode(data)
        return None if isinstance(payload, bytes) else msgspec.Raw(msgspec.json.encode(_named(payload, form)))
    except UNREADABLE_AS_JSON:
        return None


def _named(value: Any, form: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return form.format("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {_named(key, form): _named(item, form) for key, item in value.items()}
    return [_named(item, form) for item in value] if isinstance(value, list) else value


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
