"""The frames of `claude-comm.v1` that a client sends: JSON in text frames, MessagePack in binary ones.

Law: a frame is decoded once, by its `kind`; what is no frame is an error frame to the client, never the end of others.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.gateway.core.errors import unusable
from claude_comm.gateway.core.requests import check_depth, depth_of
from claude_comm.gateway.live.sender import Message


class _Frame(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True, kw_only=True):
    # Given back in the answer, so that a client knows to what it is one.
    ref: str | int = ""


class Hello(_Frame, tag="hello", frozen=True, kw_only=True):
    """The first frame. `format` is that of the frames that the gateway sends: json, or msgpack."""

    token: str = ""
    format: str = "json"


class Publish(_Frame, tag="publish", frozen=True, kw_only=True):
    messages: list[Message]


class Request(_Frame, tag="request", frozen=True, kw_only=True):
    message: Message
    timeout_s: float = DEFAULT_TIMEOUT_S


class Subscribe(_Frame, tag="subscribe", frozen=True, kw_only=True):
    """One of `inbox`, `topic`, `session` and `feed`. `sub` is the client's own name for it.

    `name` is the instance of an inbox, which another may take over; `topics` are read with it, as the module. `after`
    is where a feed goes on, by stream; `start` is `new` or `oldest` for streams that are not in it.
    """

    sub: str
    inbox: str = ""
    topics: list[str] = []
    name: str = ""
    credit: int = 100
    topic: str = ""
    session: str = ""
    feed: bool = False
    start: str = "new"
    after: dict[str, str] = {}


class Unsubscribe(_Frame, tag="unsubscribe", frozen=True, kw_only=True):
    sub: str


class Ack(_Frame, tag="ack", frozen=True, kw_only=True):
    sub: str
    deliveries: list[str]


class Reply(_Frame, tag="reply", frozen=True, kw_only=True):
    sub: str
    delivery: str
    data: Any = None


class Retry(_Frame, tag="retry", frozen=True, kw_only=True):
    sub: str
    delivery: str
    wait_s: float = 1.0
    reason: str = "the client asked for it"


class Fail(_Frame, tag="fail", frozen=True, kw_only=True):
    sub: str
    delivery: str
    reason: str
    path: str = ""


class Credit(_Frame, tag="credit", frozen=True, kw_only=True):
    sub: str
    count: int


Frame: TypeAlias = Hello | Publish | Request | Subscribe | Unsubscribe | Ack | Reply | Retry | Fail | Credit

_from_json: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
_from_msgpack: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def decode(text: str | None, packed: bytes | None, depth: int) -> Frame:
    """Raises GatewayRefusal."""
    try:
        if text is not None:
            if depth_of(text.encode()) > depth:
                raise unusable(f"the JSON is nested deeper than {depth} levels.")
            return _from_json.decode(text)
        frame = _from_msgpack.decode(packed or b"")
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        raise unusable(f"this is no frame of claude-comm.v1: {error}.") from None
    for data in _data_of(frame):
        check_depth(data, depth)
    return frame


def _data_of(frame: Frame) -> list[Any]:
    """What a frame carries of the client's own."""
    if isinstance(frame, Publish):
        return [message.data for message in frame.messages]
    return [frame.message.data] if isinstance(frame, Request) else [frame.data] if isinstance(frame, Reply) else []
