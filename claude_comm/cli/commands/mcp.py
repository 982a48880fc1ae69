"""The command `mcp`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from claude_comm.errors import ConfigurationError
from claude_comm.mcp_server.desk.desk import Exposure
from claude_comm.mcp_server.tools.toolbox import check_exposure
from claude_comm.runtime.environment import settings_of_process


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
        list[str] | None, typer.Option("--bare", help="Name the tools of this module by their type alone.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only tools that change nothing.")] = False,
) -> None:
    """Serve the registered modules as tools to AI agents, by the Model Context Protocol.

    Over standard input and output, as clients start it. Without --tools there are three tools: find, describe and call
    modules.
    """
    exposure = Exposure(
        tools=tuple(name.strip() for name in tools.split(",")),
        allow=tuple(allow or ()),
        deny=tuple(deny or ()),
        bare=tuple(bare or ()),
        read_only=read_only,
    )
    check_exposure(exposure)
    settings = settings_of_process()
    try:
        from claude_comm.mcp_server.protocol import stdio
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"`claude-comm mcp` needs the package {error.name}: pip install 'claude-comm[mcp]'."
        ) from None
    asyncio.run(stdio.serve(settings, exposure))
