"""The command `dead list`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.dead_letters import walk_all
from claude_comm.delivery.burial import DeadGroup, groups
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say, shorten
from claude_comm.terminal.tables import Column, Columns
from claude_comm.transport.connect import connect

# Of a reason in a table: enough to recognise it.
_REASON_CHARACTERS = 120
_COLUMNS: Columns = [
    Column("count", "number"),
    Column("module", least=14),
    Column("types", rank=2),
    Column("reason", "wrap", least=32),
    Column("path", rank=1),
    Column("latest", "whole", rank=3),
    Column("id", "whole"),
]


def command(
    module: Annotated[
        str,
        typer.Argument(metavar="[MODULE]", help="Only what this module buried.", autocompletion=completions.modules),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the buried messages, grouped by reason and place.

    Numbers and ids in a reason are shown as #, so that the same failure is one line. The id is that of the latest
    burial in the group; `claude-comm dead show` takes it.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        grouped = groups(walk_all(client, settings, module))
    if as_json:
        emit_json(grouped)
    elif grouped:
        emit_table(_COLUMNS, map(_cells, grouped, formats.moments([group.last_ms * 1000 for group in grouped])))
    else:
        say(f"nothing is buried by {module!r}." if module else "nothing is buried.")


def _cells(group: DeadGroup, latest: str) -> list[object]:
    return [
        group.count,
        group.module,
        ", ".join(group.types),
        shorten(group.reason, _REASON_CHARACTERS),
        group.path,
        latest,
        group.example,
    ]
