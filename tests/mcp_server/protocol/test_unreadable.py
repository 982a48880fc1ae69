"""Lines that are no message are answered, and the messages after them are read."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from io import BytesIO, TextIOWrapper
from typing import Any, cast

import pytest

pytest.importorskip("mcp")

import anyio
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

from claude_comm.mcp_server.protocol.unreadable import AnsweringStream

PING = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
START = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
LINES = ["{not json", '{"id": 1}', "[]", "\u0000", json.dumps(PING)]


def answered(lines: list[str]) -> list[dict[str, Any]]:
    """What a server of the SDK writes for these lines, from a client that waits for an answer to each."""
    written = BytesIO()
    out = TextIOWrapper(written, write_through=True)

    async def stdin() -> AsyncIterator[str]:
        for line in lines:
            yield line + "\n"
        while written.getvalue().count(b"\n") < len(lines):
            await anyio.sleep(0.01)

    async def serve() -> None:
        stdout = anyio.wrap_file(out)
        server: Server[Any] = Server("t")
        async with stdio_server(cast(Any, stdin()), stdout) as (reading, writing):
            await server.run(AnsweringStream(reading, writing), writing, server.create_initialization_options())

    asyncio.run(serve())
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_each_line_that_is_no_message_is_answered_and_the_next_is_read() -> None:
    *errors, pong = answered(LINES)
    assert [(error["id"], error["error"]["code"]) for error in errors] == [
        (None, -32700), (None, -32600), (None, -32600), (None, -32700),
    ]  # fmt: skip
    assert (pong["id"], pong["result"]) == (7, {})


@pytest.mark.long
def test_the_command_does_so(environ: dict[str, str]) -> None:
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": START}
    lines = "\n".join(["{not json", json.dumps(first), ""])
    done = subprocess.run(
        [sys.executable, "-m", "claude_comm", "mcp"],
        input=lines, capture_output=True, text=True, env={**os.environ, **environ}, timeout=100, check=False,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [None, 1]
    assert answers[0]["error"]["code"] == -32700
