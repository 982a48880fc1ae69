"""Tokens at the door of the HTTP server."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("mcp", reason="the MCP server is an extra")

from claude_comm.errors import ConfigurationError
from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.exposure import Exposure
from claude_comm.mcp_server.protocol.tokens import ModuleTokens
from claude_comm.settings import Settings
from tests.support.gateways import token_of


def test_a_server_that_could_check_no_token_does_not_start(settings: Settings) -> None:
    async def holder(token: str) -> str:
        async with Desk(settings, Exposure()) as desk:
            known = await ModuleTokens(desk).verify_token(token)
            return known.client_id if known else ""

    with pytest.raises(ConfigurationError, match="no token can be checked"):
        asyncio.run(holder("ccm_guess"))
    assert asyncio.run(holder(token_of(settings, "web"))) == "web"
