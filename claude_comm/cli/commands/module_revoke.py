"""The command `module revoke`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli.commands.keys import as_document
from claude_comm.cli.options import AsJson
from claude_comm.client.identity import millis
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    named: Annotated[
        str, typer.Argument(metavar="NAME|KEY", help="A module, to revoke all its keys, or the id of one key.")
    ],
    as_json: AsJson = False,
) -> None:
    """Revoke a key: what it signs from now on is not valid.

    Messages that it signed stay valid if the server stored them before this moment. Running readers learn of it within
    seconds.
    """
    from claude_comm.client import keyholders

    settings = settings_of_process()
    with connect(settings) as client:
        revoked = keyholders.revoke(client, settings, named)
    if as_json:
        emit_json([as_document(key, millis()) for key in revoked])
        return
    for key in revoked:
        emit(f"{key.id.hex()} {key.holder} revoked")
