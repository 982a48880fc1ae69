"""The command `progress`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.store.records import ProgressRow
from claude_comm.store.tasks import tasks
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.terminal.tables import Column, Columns, numbers

_COLUMNS: Columns = [
    Column("module", least=12),
    Column("task", least=12),
    Column("state", "whole", rank=2),
    *numbers("completed", "total", "percent"),
    Column("per second", "number", rank=2),
    *numbers("left"),
    Column("session", rank=3),
    Column("updated", "whole", rank=1),
]


def command(
    module: Annotated[
        str, typer.Option("--module", "-m", help="Only tasks of this module.", autocompletion=completions.modules)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show the progress that modules have reported, by task.

    `per second` is the rate of the last reports, in the task's own units; `left` is how long the rest takes at that
    rate. A part of a task is listed with the name of that task before its own. A task that has reached its total is
    `completed`. It is `stopped` if its loop, its session or its module ended before. It is `silent` if it has reported
    nothing for five minutes: its process has died, or needs long for one unit.
    """
    with reading() as database:
        rows = tasks(database, module=module)
    if as_json:
        emit_json([_as_json(row) for row in rows])
    elif rows:
        emit_table(_COLUMNS, map(_cells, rows, formats.moments([row.time_us for row in rows])))
    else:
        say(f"no progress of {module!r} yet." if module else "no progress yet.")


def _as_json(row: ProgressRow) -> dict[str, Any]:
    return {**msgspec.structs.asdict(row), "percentage": row.percentage, "eta_s": row.eta_s}


def _cells(row: ProgressRow, updated: str) -> list[object]:
    return [
        row.module,
        f"{row.parent} / {row.task}" if row.parent else row.task,
        row.state,
        f"{row.completed:g}",
        f"{row.total:g}",
        f"{row.percentage:.0f}%",
        f"{row.rate:.1f}" if row.rate else "",
        "" if row.eta_s is None else formats.span(row.eta_s),
        row.session,
        updated,
    ]
