"""The command `request`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.message_argument import message_text, payload
from claude_comm.cli.options import AsJson
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.cloudevents import shown
from claude_comm.envelope import DEFAULT_TYPE, pack
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit_json


def command(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="The module that answers.", autocompletion=completions.modules)
    ],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="JSON, or text; - reads it from stdin.")],
    source: Annotated[
        str, typer.Option("--source", help="The requesting module.", autocompletion=completions.modules)
    ] = "claude-comm",
    type_: Annotated[str, typer.Option("--type", help="The type of message.")] = DEFAULT_TYPE,
    session: Annotated[
        str, typer.Option("--session", help="The session of the message.", autocompletion=completions.sessions)
    ] = "",
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds to wait for the reply.")] = DEFAULT_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Send one message, wait for its reply and print it as JSON.

    Exits with 1 if no reply arrives in time or the target fails to handle the request. Exits with 3 if no instance of
    the target runs; then nothing was sent.
    """
    with Publisher(source, settings=settings_of_process()) as publisher:
        reply = publisher.request(
            target, payload(message_text(message)), type=type_, session=session, timeout_s=timeout_s
        )
    text = shown(pack(reply))
    if as_json:
        emit_json({"target": target, "reply": text})
    else:
        emit_json(text, lines=True)
