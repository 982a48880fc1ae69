"""The command `list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import readable, shown
from claude_comm.store import queries
from claude_comm.store.records import MessageRow
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say, shorten
from claude_comm.terminal.tables import Column, Columns

# How much of a payload a row has in a pipe; a terminal shows what there is room for.
_PREVIEW_CHARACTERS = 240
_COLUMNS: Columns = [
    Column("number", "number"),
    Column("sent", "whole", rank=1),
    Column("source", least=14),
    Column("target", least=14),
    Column("type", rank=2),
    Column("session", rank=3),
    Column("status", "whole"),
    Column("data", least=18),
]


def command(
    target: Annotated[
        str,
        typer.Option(
            "--target", "-t", help="Only messages to this module or topic:NAME.", autocompletion=completions.modules
        ),
    ] = "",
    source: Annotated[
        str, typer.Option("--source", "-s", help="Only messages from this module.", autocompletion=completions.modules)
    ] = "",
    session: Annotated[
        str, typer.Option("--session", help="Only messages of this session.", autocompletion=completions.sessions)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List messages, the newest first.

    `claude-comm show` takes the number in the first column.
    """
    with reading() as database:
        rows = queries.messages(database, target=target, source=source, session=session, limit=limit)
    if as_json:
        emit_json([_as_json(row) for row in rows])
    elif rows:
        emit_table(_COLUMNS, map(_cells, rows, formats.moments([row.time_us for row in rows])))
    else:
        say("no messages" + (" like that." if target or source or session else " yet."))


def _as_json(row: MessageRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "id": row.id,
        "source": row.source,
        "target": row.target,
        "type": row.type,
        "session": row.session,
        "timestamp": row.timestamp,
        "status": row.status,
        "size_bytes": row.size_bytes,
        "data": shown(row.data),
    }


def _cells(row: MessageRow, sent: str) -> list[object]:
    text = shorten(readable(row.data), _PREVIEW_CHARACTERS)
    return [row.number, sent, row.source, row.target, row.type, row.session, row.status, text]
