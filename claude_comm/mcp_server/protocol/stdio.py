"""Serving one client over standard input and output."""

from __future__ import annotations

from mcp.server.stdio import stdio_server

from claude_comm.mcp_server.desk.desk import Desk, Exposure
from claude_comm.mcp_server.protocol.server import build
from claude_comm.settings import Settings


async def serve(settings: Settings, exposure: Exposure) -> None:
    """Returns when the client has gone."""
    async with Desk(settings, exposure) as desk, stdio_server() as (reading, writing):
        server = build(desk)
        await server.run(reading, writing, server.create_initialization_options())
