"""The official client in both eras against the server: every file here that imports `mcp` is this one, once."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import msgspec
import pytest

from claude_comm import Module, Settings
from tests.support.modules import running

pytest.importorskip("mcp")

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

ERAS = ["legacy", "2026-07-28"]


class Order(msgspec.Struct):
    item: str
    count: int


class Price(msgspec.Struct):
    cents: int


def prices(settings: Settings) -> Module:
    module = Module("prices", settings=settings)

    @module.handles("order")
    def price(order: Order) -> Price:
        return Price(order.count * 30)

    return module


def over_stdio(environ: dict[str, str], *options: str) -> Any:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "claude_comm", "mcp", *options], env={**os.environ, **environ}
    )
    return stdio_client(command)


def text_of(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.parametrize("era", ERAS)
def test_an_agent_finds_describes_and_calls_a_module(settings: Settings, environ: dict[str, str], era: str) -> None:
    async def talk() -> None:
        async with Client(over_stdio(environ, "--tools", "search,prices.order"), mode=era) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert list(tools) == ["find_modules", "describe_module", "call_module", "prices__order"]
            assert all(value is not None for tool in tools.values() for value in hints(tool))
            assert "prices" in text_of(await client.call_tool("find_modules", {"query": "ORDER"}))
            described = await client.call_tool("describe_module", {"module": "prices"})
            assert described.structured_content["accepts"]["order"]["example"] == {"item": "", "count": 0}
            wrong = {"module": "prices", "type": "order", "message": {"item": "apple", "count": "many"}}
            refused = await client.call_tool("call_module", wrong)
            assert refused.is_error
            assert "$.count, rule type" in text_of(refused)
            assert refused.structured_content["mend"] == {"item": "", "count": 0}
            answered = await client.call_tool("prices__order", {"item": "apple", "count": 3})
            assert not answered.is_error
            assert answered.structured_content == {"cents": 90}

    with running(prices(settings)):
        asyncio.run(talk())


def hints(tool: Any) -> list[bool | None]:
    said = tool.annotations
    return [said.read_only_hint, said.destructive_hint, said.idempotent_hint, said.open_world_hint]
