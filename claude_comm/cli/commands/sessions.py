"""The command `sessions`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.store import session_list
from claude_comm.store.session_list import SessionSummary
from claude_comm.store.timestamps import iso_micros
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.terminal.tables import Column, Columns, numbers

_COLUMNS: Columns = [
    Column("session", least=30),
    Column("state", "whole"),
    Column("started", "whole", rank=2),
    Column("last active", "whole"),
    Column("lasted", "number", rank=1),
    *numbers("messages", "failed", "pending"),
    Column("modules", rank=3, least=20),
]


def command(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 20,
    after: Annotated[
        str, typer.Option("--after", help="The last session of the page before.", autocompletion=completions.sessions)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List sessions, the latest active first.

    A session is `open` while a process has it open. Then it is `completed` or `failed`, or `died` if that process died.
    If no process opened it and messages only name it, it is `pending` until all of them are handled or buried, and then
    `settled`.
    """
    with reading() as database:
        rows = session_list.sessions(database, limit=limit, after=after)
    if as_json:
        emit_json(rows)
    elif rows:
        started = formats.moments([iso_micros(row.started) for row in rows])
        active = formats.moments([iso_micros(row.active) for row in rows])
        emit_table(_COLUMNS, map(_cells, rows, started, active))
    else:
        say("no more sessions." if after else "no session yet.")


def _cells(row: SessionSummary, started: str, active: str) -> list[object]:
    lasted = formats.span(max(iso_micros(row.active) - iso_micros(row.started), 0) / 1e6)
    names = ", ".join(row.modules)
    return [row.session, row.state, started, active, lasted, row.messages, row.failed, row.pending, names]
