"""The command `dead redrive`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli.dead_letters import BuryingModule, Conditions
from claude_comm.cli.options import AsJson
from claude_comm.client.acts import act, recorded
from claude_comm.client.dead_letters import redrive, walk
from claude_comm.delivery import burial as burials
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process, user_of_process
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    module: BuryingModule,
    where: Conditions = [],  # noqa: B006  (typer's way)
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="At most this many, the oldest first; 0: all.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put buried messages back into the inbox of their module.

    They go back as they were sent, and their attempts count from the beginning. One atomic step moves a message from
    the dead-letter stream to the inbox. If the command is interrupted, run it again: no message is lost or sent twice.
    """
    settings, chosen = settings_of_process(), burials.where(where)
    with connect(settings) as client:
        if dry_run:
            matching = sum(1 for _ in walk(client, settings, module, chosen))
            moved = min(matching, limit or matching)
        else:
            moved = recorded(
                client,
                Keys(settings.namespace),
                act("redrive", module, user_of_process(), chosen.words),
                lambda: redrive(client, settings, module, chosen, limit=limit or None),
                "{:,} put back".format,
            )
    if as_json:
        emit_json({"module": module, "redriven": 0 if dry_run else moved, "would_redrive": moved if dry_run else 0})
    else:
        emit(f"{moved} would be redriven" if dry_run else f"{moved} redriven")
