"""The server's own tools that are not in the list of three: found, described and called as messages of `@server`.

Law: only where agents find what they call (`--tools search`). Whoever names tools one by one, or all, has these in the
list or not at all. No module can have this name, which is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_comm.mcp_server.desk.answers import breaches, example, refused, refused_arguments
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.exposure import SERVER, Exposure
from claude_comm.mcp_server.desk.modules import Outcome
from claude_comm.mcp_server.tools import messages, proofs, work
from claude_comm.mcp_server.tools.definition import FixedTool

TOOLS: Mapping[str, FixedTool] = {tool.name: tool for tool in (*messages.TOOLS, *proofs.TOOLS, *work.TOOLS)}


def reachable(exposure: Exposure) -> dict[str, FixedTool]:
    """Those that are called through `call_module`, by name."""
    if not exposure.searched:
        return {}
    named = set(exposure.tools)
    return {
        name: tool
        for name, tool in TOOLS.items()
        if name not in named and exposure.offers(name) and (tool.hints.read_only or not exposure.read_only)
    }


def description(exposure: Exposure, type: str = "") -> dict[str, Any]:
    """As a module is described."""
    tools = [tool for name, tool in reachable(exposure).items() if type in ("", name)]
    accepts = {
        tool.name: {"description": tool.description, "schema": tool.schema, "example": example(tool.schema)}
        for tool in tools
    }
    return {"module": SERVER, "description": "Tools of this server.", "accepts": accepts}


async def call_own(call: Call, type: str, message: Any) -> Outcome:
    """What comes of calling one of them."""
    tools = reachable(call.desk.exposure)
    if type not in tools:
        return refused(f"{SERVER} has no {type!r}, but {', '.join(tools) or 'nothing'}.")
    tool = tools[type]
    if broken := breaches(tool.schema, message):
        return refused_arguments(f"{SERVER} {type}", tool.schema, broken, message)
    return await tool.run(call, message)
