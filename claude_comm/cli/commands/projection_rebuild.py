"""The command `projection rebuild`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import catch_up_lines, opened
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store.rebuild import reread, set_aside
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin with an empty database, and keep the old one beside it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read all streams again, and add what is missing.

    Rows of entries that the streams no longer hold stay. With --anew, only the old file has these rows.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        kept = set_aside(settings.database, time.time_ns() // 1000) if anew and settings.database.exists() else None
        with opened(settings) as database:
            entries = reread(client, database, settings, progress=catch_up_lines(time.monotonic))
    if as_json:
        emit_json({"entries": entries, "kept": str(kept) if kept else None})
    else:
        emit(f"{entries:,} entries read" + (f"; the old database is {kept}" if kept else ""))
