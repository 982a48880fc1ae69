"""The command `progress`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.store import queries
from claude_comm.store.records import ProgressRow
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say


def command(
    module: Annotated[
        str, typer.Option("--module", "-m", help="Only tasks of this module.", autocompletion=completions.modules)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show the progress that modules have reported, by task."""
    with reading() as database:
        rows = queries.progress(database, module=module)
    if as_json:
        emit_json([_as_json(row) for row in rows])
    elif rows:
        columns = ["module", "task", "completed", "total", "percent", "session", "updated"]
        emit_table(columns, map(_cells, rows), right=["completed", "total", "percent"])
    else:
        say(f"no progress of {module!r} yet." if module else "no progress yet.")


def _as_json(row: ProgressRow) -> dict[str, Any]:
    return {**msgspec.structs.asdict(row), "percentage": row.percentage}


def _cells(row: ProgressRow) -> list[object]:
    return [
        row.module,
        row.task,
        f"{row.completed:g}",
        f"{row.total:g}",
        f"{row.percentage:.0f}%",
        row.session,
        formats.moment(row.time_us),
    ]
