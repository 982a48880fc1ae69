"""The command `mcp`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from claude_comm.errors import ConfigurationError
from claude_comm.mcp_server.desk.exposure import Exposure
from claude_comm.mcp_server.tools.toolbox import check_exposure
from claude_comm.runtime.environment import settings_of_process

NEEDS = "`claude-comm mcp` needs the package {}: pip install 'claude-comm[mcp]'."
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def command(
    tools: Annotated[
        str,
        typer.Option(
            "--tools", help="What agents see: search, all, or names with commas: MODULE.TYPE or a tool of the server."
        ),
    ] = "search",
    allow: Annotated[
        list[str] | None, typer.Option("--allow", help="Only these: MODULE, MODULE.TYPE or a pattern with *.")
    ] = None,
    deny: Annotated[
        list[str] | None, typer.Option("--deny", help="Not these: MODULE, MODULE.TYPE or a pattern with *.")
    ] = None,
    bare: Annotated[
        list[str] | None, typer.Option("--bare", help="Name the tools of this module by their type only.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only tools that change nothing.")] = False,
    http: Annotated[
        str,
        typer.Option(
            "--http", metavar="HOST:PORT", help="Serve over HTTP at this address, instead of stdin and stdout."
        ),
    ] = "",
    require_tokens: Annotated[
        bool, typer.Option("--tokens", help="Over HTTP, answer only holders of a token, within its scopes.")
    ] = False,
    legacy_logging: Annotated[
        bool, typer.Option("--legacy-logging", help="Also send older clients the reports of modules as log messages.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", help="An accepted value of the header Host."),
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        typer.Option("--allowed-origin", help="An origin whose web pages may call the server."),
    ] = None,
) -> None:
    """Serve the registered modules as tools to AI agents, by the Model Context Protocol.

    It speaks over standard input and output, because clients start it as a command, or over HTTP at /mcp. Without
    --tools there are three tools: find, describe and call modules.
    """
    exposure = Exposure(
        tools=tuple(name.strip() for name in tools.split(",")),
        allow=tuple(allow or ()),
        deny=tuple(deny or ()),
        bare=tuple(bare or ()),
        read_only=read_only,
        legacy_logging=legacy_logging,
    )
    check_exposure(exposure)
    settings = settings_of_process()
    try:
        from claude_comm.mcp_server.protocol import serving
    except ModuleNotFoundError as error:
        raise ConfigurationError(NEEDS.format(error.name)) from None
    if not http:
        asyncio.run(serving.over_stdio(settings, exposure))
        return
    host, port = _address(http)
    if host not in _LOOPBACK and not require_tokens:
        raise ConfigurationError(
            f"--http {http}: on an address that other machines reach, agents need tokens. Add --tokens "
            "(`claude-comm module add NAME` makes one), or listen on 127.0.0.1."
        )
    where = serving.Http(
        host=host, port=port, hosts=allowed_host or (), origins=allowed_origin or (), tokens=require_tokens
    )
    asyncio.run(serving.over_http(settings, exposure, where))


def _address(text: str) -> tuple[str, int]:
    """Raises ConfigurationError."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 65536):
        raise ConfigurationError(f"--http {text!r}: it is HOST:PORT, such as 127.0.0.1:8765.")
    return host.strip("[]"), int(port)
