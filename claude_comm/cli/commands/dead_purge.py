"""The command `dead purge`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli.dead_letters import BuryingModule, Conditions
from claude_comm.cli.options import AsJson
from claude_comm.client.dead_letters import walk
from claude_comm.delivery import burial as burials
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys, check_name
from claude_comm.ops import dead
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    module: BuryingModule,
    where: Conditions = [],  # noqa: B006  (typer's way)
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what is purged is gone.")] = False,
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
        keys = Keys(settings.namespace)
        purged = client.run(dead.purge(keys, check_name(module), chosen, max_bytes=settings.max_envelope_bytes))
    if as_json:
        emit_json({"module": module, "purged": purged})
    else:
        emit(f"{purged} purged")
