"""The command `list`."""

from __future__ import annotations

import shutil
from typing import Annotated, Any

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import readable, shown
from claude_comm.store import queries
from claude_comm.store.records import MessageRow
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, on_terminal, say, shorten

# How much of a payload a row shows: with the other columns it fits a wide terminal; in a pipe there is more room.
_PREVIEW_CHARACTERS = 60
_PIPED_PREVIEW_CHARACTERS = 240
_LEAST_PREVIEW_CHARACTERS, _OTHER_COLUMNS = 18, 72


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

    The number in the first column is what `claude-comm show` takes.
    """
    with reading() as database:
        rows = queries.messages(database, target=target, source=source, session=session, limit=limit)
    if as_json:
        emit_json([_as_json(row) for row in rows])
    elif rows:
        emit_table(
            ["number", "sent", "source", "target", "type", "session", "status", "data"],
            [_cells(row) for row in rows],
            right=["number"],
            whole=["sent", "status"],
        )
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


def _preview_characters() -> int:
    """At most two lines of what the other columns leave of a terminal."""
    if not on_terminal():
        return _PIPED_PREVIEW_CHARACTERS
    left = shutil.get_terminal_size().columns - _OTHER_COLUMNS
    return min(max(2 * left, _LEAST_PREVIEW_CHARACTERS), _PREVIEW_CHARACTERS)


def _cells(row: MessageRow) -> list[object]:
    text = shorten(readable(row.data), _preview_characters())
    sent = formats.short_moment(row.time_us) if on_terminal() else formats.moment(row.time_us)
    return [row.number, sent, row.source, row.target, row.type, row.session, row.status, text]
