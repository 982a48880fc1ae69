"""The frames of `claude-comm.v1` that the gateway sends, as types.

Law: types alone, from which the AsyncAPI document is made: a frame has these fields and no others. They are written
where what they say is known, as bytes where many follow one stream.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from claude_comm.gateway.core.problems import Problem

# By stream, where the client is: ENTRY/ADDED/EPOCH.
Positions: TypeAlias = dict[str, str]


class _Sent(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True, forbid_unknown_fields=True):
    # That of the frame that is answered.
    ref: str | int = ""


class FrameLimits(msgspec.Struct, frozen=True):
    """What the gateway takes in one frame."""

    frame_bytes: int
    batch_messages: int


class Welcome(_Sent, tag="welcome", frozen=True, kw_only=True):
    """The answer to hello: who the client is, and what it may do."""

    module: str
    scopes: list[str]
    limits: FrameLimits


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message: the id that it has, or why it was not sent."""

    id: str = ""
    error: Problem | None = None


class Published(_Sent, tag="published", frozen=True, kw_only=True):
    """What became of each message, in their order."""

    results: list[Result]


class Replied(_Sent, tag="reply", frozen=True, kw_only=True):
    data: Any


class Subscribed(_Sent, tag="subscribed", frozen=True, kw_only=True):
    """`missing` is how many entries are gone of a stream since the position that was named; null where nobody knows."""

    sub: str
    positions: Positions = {}
    missing: dict[str, int | None] = {}
    recovered: bool = True


class Deliver(_Sent, tag="deliver", frozen=True, kw_only=True):
    """Messages, as CloudEvents; those of an inbox have `delivery`, which an ack names, and `attempts`. `positions` are
    those of a feed after these messages."""

    sub: str
    messages: list[dict[str, Any]]
    positions: Positions = {}


class Unsubscribed(_Sent, tag="unsubscribed", frozen=True, kw_only=True):
    sub: str


class Error(_Sent, tag="error", frozen=True, kw_only=True):
    """A refusal, with the fields of a problem document; `resume` where the connection ends and may go on from there."""

    status: int
    code: str
    detail: str
    title: str = ""
    path: str | None = None
    rule: str | None = None
    witness: Any = None
    reasons: list[dict[str, Any]] = []
    retry_s: float | None = None
    sub: str = ""
    resume: dict[str, Positions] = {}


class Goodbye(_Sent, tag="goodbye", frozen=True, kw_only=True):
    """The gateway ends: connect again after so long, and resume."""

    resume: dict[str, Positions]
    retry_s: float


Answered: TypeAlias = Welcome | Published | Replied | Subscribed | Deliver | Unsubscribed | Error | Goodbye
