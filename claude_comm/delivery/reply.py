"""What answers a request: a reply with the handler's result, or a failure with the reason.

Law: pure. An answer is an ordinary envelope to the module that asked; its `causation` is the request's id, by which it
is matched, and it keeps the request's session and correlation. An address names a publisher, never a key: whoever
writes `reply_to` cannot make anybody write elsewhere than to a stream of replies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.errors import DecodeError, InvalidName, RequestFailed
from claude_comm.names import check_name

REPLY_TYPE = "comm.reply"
FAILURE_TYPE = "comm.failure"


class Failure(msgspec.Struct, frozen=True):
    """Why a request has no result: the class and the words of what was raised, both empty where nothing was, and the
    reason under which the request was buried; `path` is where in its payload."""

    reason: str
    error: str = ""
    text: str = ""
    path: str = ""


class ReplyAddress(msgspec.Struct, frozen=True):
    """Where the replies to one publisher go."""

    module: str
    instance: str

    def __str__(self) -> str:
        return f"{self.module}/{self.instance}"


@lru_cache(maxsize=1024)
def address(reply_to: str) -> ReplyAddress | None:
    """The publisher that waits for an answer; None where the field is empty or means something else to its sender."""
    module, slash, instance = reply_to.partition("/")
    try:
        return ReplyAddress(check_name(module), check_name(instance, "instance")) if slash else None
    except InvalidName:
        return None


def result(answer: Envelope, target: str, shape: Any) -> Any:
    """The payload of a reply as `shape`. Raises RequestFailed for a failure, DecodeError for another shape."""
    if answer.type != FAILURE_TYPE:
        return answer.payload(shape)
    try:
        failure = answer.payload(Failure)
    except DecodeError as error:
        failure = Failure(f"it answered with a failure that cannot be read: {error}")
    raise RequestFailed(
        target, answer.causation, failure.reason, error=failure.error, text=failure.text, path=failure.path
    )
