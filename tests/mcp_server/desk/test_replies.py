"""Replies of modules as answers of tools: whatever a message can carry, an agent is told."""

from __future__ import annotations

import base64
import math
from typing import Any

import msgspec
import pytest

from claude_comm.mcp_server.desk.answers import ToolReply
from claude_comm.mcp_server.desk.modules import replied
from claude_comm.registry.contracts import contract

PLAIN = contract("prices")
EXTENSION = msgspec.msgpack.Ext(5, b"x")


@pytest.mark.parametrize(
    ("answer", "structured"),
    [
        (b"\xff\x00", "/wA="),
        ({"page": b"\xff"}, {"page": "/w=="}),
        ({1: "one"}, {"1": "one"}),
        (math.nan, "NaN"),
        ([math.inf, 1.5], ["Infinity", 1.5]),
        ({(1, 2): 3}, base64.b64encode(msgspec.msgpack.encode({(1, 2): 3})).decode()),
        ([EXTENSION], base64.b64encode(msgspec.msgpack.encode([EXTENSION])).decode()),
        (None, None),
    ],
)
def test_what_json_does_not_have_is_told_as_text(answer: Any, structured: Any) -> None:
    """The server answered with an error of its own, and null for NaN."""
    reply = replied(PLAIN, "order", answer)
    assert isinstance(reply, ToolReply)
    assert not reply.is_error
    assert reply.structured == (structured if isinstance(structured, dict) else {"value": structured})
    assert msgspec.json.encode(reply.structured)


def test_bytes_are_held_to_what_the_contract_says_of_their_text() -> None:
    declared = contract("prices", accepts={"order": True}, replies={"order": {"type": "string", "maxLength": 4}})
    assert isinstance(replied(declared, "order", b"\xff\x00"), ToolReply)
    assert not isinstance(replied(declared, "order", b"\xff\x00\x00\x00"), ToolReply)
