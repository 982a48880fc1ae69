"""The command `dead purge`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli.dead_letters import BuryingModule, Conditions
from claude_comm.cli.options import AsJson
from claude_comm.client.acts import act, recorded
from claude_comm.client.dead_letters import purge, walk
from claude_comm.delivery import burial as burials
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process, user_of_process
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    module: BuryingModule,
    where: Conditions = [],  # noqa: B006  (typer's way)
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; this cannot be undone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete buried messages for good.

    Without --yes it only counts what it would delete, and exits with 2.
    """
    settings, chosen = settings_of_process(), burials.where(where)
    with connect(settings) as client:
        if not yes:
            count = sum(1 for _ in walk(client, settings, module, chosen))
            raise ConfigurationError(f"{count} would be deleted for good: say so with --yes.")
        purged = recorded(
            client,
            Keys(settings.namespace),
            act("purge", module, user_of_process(), chosen.words),
            lambda: purge(client, settings, module, chosen),
            "{:,} deleted".format,
        )
    if as_json:
        emit_json({"module": module, "purged": purged})
    else:
        emit(f"{purged} purged")
