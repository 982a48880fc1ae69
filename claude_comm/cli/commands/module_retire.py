"""The command `module retire`."""

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
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="One version, or the start of its digest; all where none is given.")
    ] = "",
    by: Annotated[str, typer.Option("--by", help="Who does it, for the history.")] = "",
    as_json: AsJson = False,
) -> None:
    """Retire a version of a module's contract, or all.

    Other modules no longer negotiate with a retired version. Without this command, a contract stays after its last
    instance has stopped, because its inbox may still contain messages. A version that an instance runs is not retired
    (exit code 1). `forget` removes a module completely.
    """
    settings = settings_of_process()
    keys = Keys(settings.namespace)
    check_name(module)
    with connect(settings) as client:
        retired = recorded(
            client,
            keys,
            act("retire", module, by or user_of_process(), f"version {version or 'any'}"),
            lambda: client.run(registration.retire(keys, module, version, now_us=micros(), by=by)),
            lambda releases: f"{len(releases)} retired",
        )
    if as_json:
        emit_json(retired)
        return
    for release in retired:
        emit(clean(f"{module} {release.version} {release.digest[:12]} retired"))
