"""The command `sql`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import opened, refresh
from claude_comm.cloudevents import readable
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store.read_only import Selection, ask
from claude_comm.terminal.output import emit_json, emit_table, say


def command(
    statement: Annotated[str, typer.Argument(metavar="SELECT", help="One statement; docs/tables.md has the tables.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many rows.")] = 1_000,
    within: Annotated[float, typer.Option("--within", min=0.001, help="Seconds that the statement may take.")] = 10.0,
    stored: Annotated[
        bool, typer.Option("--stored", help="Query what is stored, without reading new messages from the server.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Query the projection in SQL, read-only."""
    settings = settings_of_process()
    if not stored:
        with opened(settings) as database:
            refresh(settings, database)
    answer = ask(settings.database, statement, limit=limit, within_s=within)
    if as_json:
        emit_json([dict(zip(answer.columns, map(_shown, row), strict=False)) for row in answer.rows])
    elif answer.columns:
        emit_table(answer.columns, [[_text(value) for value in row] for row in answer.rows])
    _say_more(answer, limit)


def _say_more(answer: Selection, limit: int) -> None:
    if answer.more:
        say(f"these are the first {limit:,} rows; --limit shows more.")


def _shown(value: Any) -> Any:
    return readable(value) if isinstance(value, bytes) else value


def _text(value: Any) -> Any:
    return "" if value is None else _shown(value)
