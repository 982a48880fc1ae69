"""The command `dead show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.dead_letters import walk_all
from claude_comm.cloudevents import cloudevent, readable
from claude_comm.delivery.burial import Burial
from claude_comm.envelope import Envelope
from claude_comm.errors import NotBuried
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.store.timestamps import iso
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_fields, emit_json
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client


def command(
    buried: Annotated[str, typer.Argument(metavar="ID", help="An id from `dead list`, a message id or its start.")],
    module: Annotated[
        str, typer.Option("--module", "-m", help="The module that buried it.", autocompletion=completions.modules)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show one whole buried message and the reason why it was buried.

    An unknown ID exits with 3.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        burial = _find(client, settings, module, buried)
    if as_json:
        emit_json(_as_json(burial))
        return
    emit_fields(_fields(burial))
    if burial.traceback:
        emit("")
        emit_fields({"traceback": burial.traceback})


def _find(client: Client, settings: Settings, module: str, reference: str) -> Burial:
    """By the id on the dead stream, by a message's whole id, or by the start of one. Raises NotBuried."""
    matching = [
        burial
        for burial in walk_all(client, settings, module)
        if reference and (burial.id == reference or _message_id(burial).startswith(reference))
    ]
    exact = [burial for burial in matching if reference in (burial.id, _message_id(burial))]
    burials = exact or matching
    if len(burials) != 1:
        raise NotBuried(reference, len(burials))
    return burials[0]


def _message_id(burial: Burial) -> str:
    return burial.envelope.id if burial.envelope else ""


def _fields(burial: Burial) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": burial.id,
        "module": burial.module,
        "buried": formats.moment(burial.buried_ms * 1000),
        "reason": burial.reason,
        "path": burial.path,
        "schema path": burial.schema_path,
        "attempts": burial.attempts,
        "read from": f"{burial.stream} {burial.entry}",
        "size": formats.size(burial.size_bytes),
    }
    if burial.envelope is not None:
        fields |= _message_fields(burial.envelope)
    return {name: value for name, value in fields.items() if value != ""}


def _message_fields(envelope: Envelope) -> dict[str, object]:
    return {
        "message": envelope.id,
        "source": envelope.source,
        "target": envelope.target,
        "type": envelope.type,
        "sent": formats.moment(envelope.time),
        "session": envelope.session,
        "data": readable(envelope.data, indent=2),
    }


def _as_json(burial: Burial) -> dict[str, Any]:
    return {
        "id": burial.id,
        "module": burial.module,
        "buried": iso(burial.buried_ms * 1000),
        "reason": burial.reason,
        "path": burial.path,
        "schema_path": burial.schema_path,
        "attempts": burial.attempts,
        "stream": burial.stream,
        "entry": burial.entry,
        "size_bytes": burial.size_bytes,
        "traceback": burial.traceback,
        "message": cloudevent(burial.envelope, iso(burial.envelope.time)) if burial.envelope else None,
    }
