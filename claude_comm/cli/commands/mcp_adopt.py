"""The command `mcp adopt`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated, Any

import typer

from claude_comm.cli.commands.mcp import NEEDS
from claude_comm.errors import ConfigurationError
from claude_comm.escaping import clean
from claude_comm.names import check_name
from claude_comm.runtime.environment import settings_of_process
from claude_comm.runtime.signals import STOPPING
from claude_comm.terminal.output import say


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="COMMAND|URL", help="The command that starts the server, in quotes, or its HTTP address."
        ),
    ],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="The name of the new module.")],
) -> None:
    """Run the tools of another MCP server as a module, until SIGTERM or SIGINT.

    Each tool becomes a type of message, validated against the tool's own schema; the reply is what the tool returns. So
    pipelines, proofs and `impact` cover it. A changed list of tools waits until each partner that it would break has
    approved it. At a signal, running calls finish first.
    """
    check_name(name)
    settings = settings_of_process()
    try:
        from claude_comm.mcp_server.adopted.serving import adopt
    except ModuleNotFoundError as error:
        raise ConfigurationError(NEEDS.format(error.name)) from None
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_until_signalled(adopt(settings, name, source, lambda words: say(clean(words)))))


async def _until_signalled(adopting: Coroutine[Any, Any, None]) -> None:
    """The first SIGTERM or SIGINT cancels it; the next one ends the process at once."""
    task, loop = asyncio.ensure_future(adopting), asyncio.get_running_loop()

    def ask() -> None:
        for number in STOPPING:
            loop.remove_signal_handler(number)
        say("Ending after the calls under way; once more ends it at once.")
        task.cancel()

    for number in STOPPING:
        loop.add_signal_handler(number, ask)
    await task
