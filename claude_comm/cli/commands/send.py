"""The command `send`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError, UnknownMessage
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.terminal.output import emit, emit_json, say


def send(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The module that sends.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The module, or topic:NAME, that it is sent to.")],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="JSON, or text; - reads it from stdin.")],
    type_: Annotated[str, typer.Option("--type", help="The type of message.")] = DEFAULT_TYPE,
    session: Annotated[str, typer.Option("--session", help="The session that it belongs to.")] = "",
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
            number = None  # the projection is another process's, and not that far yet
    if as_json:
        emit_json({"id": id_, "number": number})
    else:
        emit(id_)
        say(f"message {number}" if number else "the projection does not have it yet.")


def payload(text: str) -> Any:
    """The value that this text is as JSON, or the text itself."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text


def message_text(message: str) -> str:
    """The argument itself, or what stdin holds."""
    if message != "-":
        return message
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"stdin is not UTF-8 text (byte {error.start}).") from None
