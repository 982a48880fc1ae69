"""A small MCP server, as another project would write one: a process of its own, over stdin and stdout.

The file named by ECHO_TOOLS, where there is one, has the list of tools; else there is the one below. A call
with the text "wait" makes the file named by ECHO_WAITS, and lasts until that is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

COUNTED = {"type": "object", "properties": {"words": {"type": "integer"}}, "required": ["words"]}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS: list[dict[str, Any]] = [
    {"name": "count_words", "description": "Counts words.", "inputSchema": TEXT, "outputSchema": COUNTED},
    {"name": "shout", "description": "Shouts.", "inputSchema": TEXT},
]


def tools() -> list[dict[str, Any]]:
    file = Path(os.environ.get("ECHO_TOOLS", ""))
    listed: list[dict[str, Any]] = json.loads(file.read_text()) if file.is_file() else TOOLS
    return listed


async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool.model_validate(tool) for tool in tools()])


async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    text = (params.arguments or {}).get("text", "")
    if text == "wait":
        waits = Path(os.environ["ECHO_WAITS"])
        waits.write_text(str(os.getpid()))
        while waits.exists():
            await asyncio.sleep(0.02)
    if text == "fail":
        return types.CallToolResult(content=[types.TextContent(text="it is told to fail")], is_error=True)
    if params.name == "count_words":
        count = len(text.split())
        return types.CallToolResult(content=[types.TextContent(text=str(count))], structured_content={"words": count})
    return types.CallToolResult(content=[types.TextContent(text=text.upper())])


async def main() -> None:
    server: Server[Any] = Server("echo", version="1", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
