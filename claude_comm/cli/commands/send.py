"""The command `send`.

Law: once the message is in its stream, its id is printed and the exit code is 0, whatever the local database then
does: a script that sees a failure sends again.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import typer

from claude_comm.addresses import public
from claude_comm.cli import completions
from claude_comm.cli.message_argument import message_text, payload
from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ClaudeCommError, ContractBroken, UnknownMessage
from claude_comm.escaping import clean
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import registry
from claude_comm.registry.contracts import UnreadableContract
from claude_comm.runtime.environment import settings_of_process, url_from_file
from claude_comm.settings import Settings
from claude_comm.terminal.output import emit, emit_json, say
from claude_comm.transport.driver import Client


def command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The sending module.", autocompletion=completions.modules)
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="The receiving module, or topic:NAME.", autocompletion=completions.modules
        ),
    ],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="JSON, or text; - reads it from stdin.")],
    type_: Annotated[str, typer.Option("--type", help="The type of message.")] = DEFAULT_TYPE,
    session: Annotated[
        str, typer.Option("--session", help="The session of the message.", autocompletion=completions.sessions)
    ] = "",
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send it even if the target's contract does not accept it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send one message and print its id.

    A MESSAGE that is JSON is sent as JSON ('{"n": 1}', 3, true), any other as text. A message that begins like JSON but
    is not valid JSON is refused. If the target has registered a contract, it must accept the message. Once the message
    is sent, the exit code is 0; its number in `claude-comm list` goes to stderr.
    """
    settings = settings_of_process()
    with Publisher(source, settings=settings) as publisher:
        value = payload(message_text(message))
        if not unchecked:
            _check(publisher.client, publisher.identity.keys, target, type_, value)
        id_ = publisher.publish(target, value, type=type_, session=session)
        if not as_json:
            emit(id_)
        number = _number(publisher.client, settings, id_)
    if as_json:
        emit_json({"id": id_, "number": number})
    elif number:
        say(f"message {number}")
    if file := url_from_file(settings):
        say(clean(f"Note: sent to {public(settings.url)}, the server that {file} names."))


def _check(client: Client, keys: Keys, target: str, type: str, value: Any) -> None:
    """Holds the message to the target's contracts, or names the module that may have been meant.

    Raises ContractBroken.
    """
    if target.startswith(TOPIC_PREFIX):
        return
    try:
        contracts = client.run(registry.offered(keys, target, now_ms=millis()))
    except UnreadableContract as error:
        say(f"Note: the message is sent unchecked: {error}")
        return
    if not contracts:
        near = difflib.get_close_matches(target, client.run(registry.names(keys)), 1)
        if near:
            say(clean(f"Note: no module is registered as {target!r}. Did you mean {near[0]!r}?"))
        return
    # Only where there is a contract: the validator takes longer to import than the rest of the command.
    from claude_comm.delivery.acceptance import require_accepted

    refusals: list[ContractBroken] = []
    for contract in contracts:
        try:
            require_accepted(contract, type, value)
            return
        except ContractBroken as broken:
            refusals.append(broken)
    raise refusals[0]


def _number(client: Client, settings: Settings, id_: str) -> int | None:
    """The number of the message in the projection; None, with a note, where the projection does not have it."""
    try:
        from claude_comm.store import queries
        from claude_comm.store.catch_up import caught_up
        from claude_comm.store.database import open_database

        with open_database(settings.database) as database:
            caught_up(client, database, settings)
            return queries.message(database, id_).number
    except UnknownMessage:
        say("Note: sent; the projection does not have it yet.")  # another process is projecting
    except ClaudeCommError as error:
        say(f"Note: sent; its number is not known, because the projection could not be read: {error}")
    return None
