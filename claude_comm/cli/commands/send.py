"""The command `send`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli.message_argument import message_text, payload
from claude_comm.cli.options import AsJson
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import UnknownMessage
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.terminal.output import emit, emit_json, say


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The sending module.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The receiving module, or topic:NAME.")],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="JSON, or text; - reads it from stdin.")],
    type_: Annotated[str, typer.Option("--type", help="The type of message.")] = DEFAULT_TYPE,
    session: Annotated[str, typer.Option("--session", help="The session of the message.")] = "",
    as_json: AsJson = False,
) -> None:
    """Send one message and print its id.

    A MESSAGE that is JSON is sent as JSON ('{"n": 1}', 3, true), any other as text. Its number in `claude-comm list`
    goes to stderr.
    """
    settings = settings_of_process()
    with Publisher(source, settings=settings) as publisher, open_database(settings.database) as database:
        id_ = publisher.publish(target, payload(message_text(message)), type=type_, session=session)
        catch_up(publisher.client, database, publisher.identity.keys, max_bytes=settings.max_envelope_bytes)
        try:
            number = queries.message(database, id_).number
        except UnknownMessage:
            number = None  # another process is projecting, and has not stored it yet
    if as_json:
        emit_json({"id": id_, "number": number})
    else:
        emit(id_)
        say(f"message {number}" if number else "the projection does not have it yet.")
