"""Serving a desk: one client over standard input and output, or any number over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings

from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.exposure import Exposure
from claude_comm.mcp_server.protocol.changes import Changes
from claude_comm.mcp_server.protocol.server import build
from claude_comm.mcp_server.protocol.tokens import ModuleTokens, settings_of
from claude_comm.mcp_server.protocol.unreadable import AnsweringStream
from claude_comm.settings import Settings

PATH = "/mcp"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """Where to serve, and for which names: `hosts` are those of the header Host beside the local ones, `origins` those
    of pages in a browser. With `tokens` only holders of a token are answered."""

    host: str
    port: int
    tokens: bool = False
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()


@asynccontextmanager
async def serving(settings: Settings, exposure: Exposure) -> AsyncIterator[Server[Any]]:
    """A server that follows the registry."""
    async with Desk(settings, exposure) as desk, following(desk) as server:
        yield server


@asynccontextmanager
async def following(desk: Desk) -> AsyncIterator[Server[Any]]:
    """The server of a desk, while it follows the registry."""
    changes = Changes(desk)
    task = asyncio.create_task(changes.follow())
    try:
        yield build(desk, changes)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def over_stdio(settings: Settings, exposure: Exposure) -> None:
    """Returns when the client has gone."""
    async with serving(settings, exposure) as server, stdio_server() as (reading, writing):
        await server.run(AnsweringStream(reading, writing), writing, _options(server))


async def over_http(settings: Settings, exposure: Exposure, http: Http) -> None:
    """Returns when a signal asks for it."""
    import uvicorn

    from claude_comm.gateway.core.stopping import StoppedBySignal

    async with Desk(settings, exposure) as desk, following(desk) as server:
        app = application(server, http, ModuleTokens(desk) if http.tokens else None)
        config = uvicorn.Config(app, host=http.host, port=http.port, log_level="warning", access_log=False)
        await StoppedBySignal(config).serve()


def application(server: Server[Any], http: Http, tokens: ModuleTokens | None = None) -> Any:
    """The server as an ASGI application, for the names of `http` alone; with `tokens` for their holders."""
    # Older sessions learn what changes on a stream of their own, which only a session that is kept has.
    server.create_initialization_options = lambda *_, **__: _options(server)  # type: ignore[method-assign]
    names = [*_LOCAL, *http.hosts]
    return server.streamable_http_app(
        streamable_http_path=PATH,
        host=http.host,
        auth=None if tokens is None else settings_of(f"http://{http.host}:{http.port}"),
        token_verifier=tokens,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
            allowed_origins=[*(f"http://{name}:*" for name in _LOCAL), *http.origins],
        ),
    )


def _options(server: Server[Any]) -> InitializationOptions:
    changed = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    return Server.create_initialization_options(server, changed)
