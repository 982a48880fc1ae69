"""The command `export agent-card`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions, published
from claude_comm.cli.published import Output
from claude_comm.errors import ConfigurationError
from claude_comm.interchange.agent_card import Interface, agent_card
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process


def command(
    module: Annotated[str, typer.Argument(metavar="MODULE", help="A module.", autocompletion=completions.modules)],
    url: Annotated[
        str, typer.Option("--url", help="Where a gateway of yours speaks A2A for it; it is the preferred interface.")
    ] = "",
    binding: Annotated[
        str, typer.Option("--binding", help="The protocol at --url: JSONRPC, GRPC, HTTP+JSON, or a URI.")
    ] = "JSONRPC",
    output: Output = None,
) -> None:
    """Write a module as an A2A 1.0 agent card.

    The card has one skill for each type that the newest version accepts. The extension
    urn:claude-comm:extension:contract:1 contains the schemas with their digests. The module's stream is an interface
    with a binding of our own.
    """
    settings = settings_of_process()
    releases, server = published.read(settings, module)
    if not releases:
        raise ConfigurationError(f"{module!r} has no live version; `claude-comm module show {module}` lists all.")
    keys = Keys(settings.namespace)
    stream = Interface(server or "urn:claude-comm:server:private")
    interfaces = [Interface(url, binding), stream] if url else [stream]
    published.write(agent_card(keys, releases[0], interfaces), output)
