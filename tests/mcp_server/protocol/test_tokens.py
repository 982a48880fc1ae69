"""Tokens at the door of the HTTP server."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

pytest.importorskip("mcp", reason="the MCP server is an extra")

from claude_comm import Consumer
from claude_comm.errors import ConfigurationError
from claude_comm.mcp_server.desk.answers import ToolReply
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.exposure import Caller, Exposure
from claude_comm.mcp_server.protocol.tokens import ModuleTokens
from claude_comm.mcp_server.tools import work
from claude_comm.names import Keys
from claude_comm.ops import audit, registration
from claude_comm.registry.contracts import contract
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client
from tests.support.gateways import token_of
from tests.support.streams import publish


def test_a_server_that_could_check_no_token_does_not_start(settings: Settings) -> None:
    async def holder(token: str) -> str:
        async with Desk(settings, Exposure()) as desk:
            known = await ModuleTokens(desk).verify_token(token)
            return known.client_id if known else ""

    with pytest.raises(ConfigurationError, match="no token can be checked"):
        asyncio.run(holder("ccm_guess"))
    assert asyncio.run(holder(token_of(settings, "web"))) == "web"


def test_what_an_agent_changes_is_in_the_audit_with_whose_it_is_and_what_it_counts_is_not(
    settings: Settings, client: Client
) -> None:
    keys, ops = Keys(settings.namespace), Caller(owner="ops", scopes=frozenset(("admin",)))
    client.run(registration.register(keys, contract("web", accepts={})))
    publish(settings, "web", 1)
    with Consumer("web", settings=settings) as consumer:
        (delivery,) = consumer.read()
        consumer.fail(delivery, "no")

    async def redriven(module: str, **more: bool) -> ToolReply:
        async with Desk(settings, Exposure()) as desk:
            return await work.redrive(Call(desk, ops), {"module": module, **more})

    assert "would be put back" in asyncio.run(redriven("web")).text
    assert client.run(audit.page(keys, limit=9)).acts == []
    assert "1 message put back" in asyncio.run(redriven("web", confirm=True)).text
    (act,) = client.run(audit.page(keys, limit=9)).acts
    assert (act.act, act.target, act.by, act.outcome) == ("redrive", "web", "an agent of ops", "1 put back")


def test_a_module_may_not_redrive_what_others_buried_and_an_administrator_may(settings: Settings) -> None:
    granted = msgspec.structs.replace(settings, gateway_grants="ops=admin")
    tokens = {name: token_of(settings, name, service=name == "ops") for name in ("web", "ops")}

    async def redriven(name: str) -> ToolReply:
        async with Desk(granted, Exposure()) as desk:
            known = await ModuleTokens(desk).verify_token(tokens[name])
            assert known is not None
            caller = Caller(owner=name, scopes=frozenset(known.scopes))
            return await work.redrive(Call(desk, caller), {"module": "web"})

    assert "scope admin" in asyncio.run(redriven("web")).text
    assert "scope admin" not in asyncio.run(redriven("ops")).text
