"""The command `contract approve`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.client.acts import act, recorded
from claude_comm.client.identity import micros
from claude_comm.escaping import clean
from claude_comm.names import Keys, check_name
from claude_comm.ops import registration
from claude_comm.runtime.environment import settings_of_process, user_of_process
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    module: Annotated[str, typer.Argument(metavar="MODULE", help="A module.", autocompletion=completions.modules)],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A pending version, or the start of its digest.")],
    partner: Annotated[
        str,
        typer.Option(
            "--for", help="The partner that it breaks and that accepts the change.", autocompletion=completions.modules
        ),
    ],
    by: Annotated[str, typer.Option("--by", help="Who approves, for the history; by default the partner itself.")] = "",
    as_json: AsJson = False,
) -> None:
    """Approve a pending version of a contract, for a partner that it breaks.

    Nobody negotiates with a version that was registered with --hold until each partner that it breaks has approved it.
    The history of the module (`module show`) names who approved.
    """
    settings = settings_of_process()
    keys = Keys(settings.namespace)
    check_name(module)
    check_name(partner)
    with connect(settings) as client:
        release = recorded(
            client,
            keys,
            act("approve", module, by or user_of_process(), f"version {version} {partner}"),
            lambda: client.run(registration.approve(keys, module, version, partner, now_us=micros(), by=by)),
            lambda approved: f"{approved.version} is {approved.state}",
        )
    if as_json:
        emit_json(release)
        return
    waiting = sorted(release.unapproved)
    state = f"pending, waits for {', '.join(waiting)}" if waiting else "live"
    emit(clean(f"{module} {release.version} {release.digest[:12]} {state}"))
