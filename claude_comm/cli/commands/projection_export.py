"""The command `projection export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli.projection import reading
from claude_comm.store import export
from claude_comm.store.export import Format
from claude_comm.terminal.output import say


def command(
    table: Annotated[str, typer.Argument(metavar="TABLE", help=f"One of {', '.join(export.TABLES)}.")],
    format: Annotated[Format, typer.Option("--format", help="What to write; parquet needs pyarrow.")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; else stdout.")] = None,
) -> None:
    """Write a table as CSV, JSON lines or Parquet."""
    with reading() as database:
        rows = export.rows(database, table)
        if output is None:
            count = export.write(rows, format, sys.stdout.buffer)
        else:
            with output.open("wb") as file:
                count = export.write(rows, format, file)
    say(f"{count:,} rows")
