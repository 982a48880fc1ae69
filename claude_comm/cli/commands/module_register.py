"""The command `module register`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from claude_comm.cli import contract_files
from claude_comm.cli.options import AsJson
from claude_comm.client.identity import micros
from claude_comm.escaping import clean
from claude_comm.names import Keys
from claude_comm.ops import registration
from claude_comm.ops.registration import Registration
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json, say
from claude_comm.transport.connect import connect


def command(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A contract as JSON, - for stdin, or PACKAGE.FILE:MODULE.")
    ],
    hold: Annotated[
        bool,
        typer.Option("--hold", help="Keep a version that would break partners pending until each of them approves."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register a contract from a file, or from a Module object of yours.

    FILE contains {module, version, accepts, produces, replies, aliases, defaults, passes, topics, compatibility,
    formats}. First, what `compatibility` promises about earlier versions is proved. A contract that breaks the promise
    is refused, with a message that shows why (exit code 1; 4 if it cannot be decided). Registering the same contract
    again changes nothing. With --hold, `contract approve` makes a pending version live.
    """
    settings = settings_of_process()
    declared = msgspec.structs.replace(contract_files.read(source), registered_us=micros())
    with connect(settings) as client:
        done = client.run(registration.register(Keys(settings.namespace), declared, hold=hold))
    if as_json:
        facts = {"change": done.change, "lost": done.lost, "broken": done.broken, "release": done.release}
        emit_json({"module": declared.module, **facts})
        return
    emit(clean(f"{declared.module} {done.release.version} {done.release.digest[:12]} {_told(done)}"))
    for broken in done.broken:
        say(f"Note: {f'it waits for {broken.partner}: ' if done.pending else ''}{broken.sentence}")
    for breach in done.lost:
        say(f"Note: nothing asks for it, but it is not kept: {breach.sentence}")


def _told(done: Registration) -> str:
    state, change = done.release.state, done.change or "as it was"
    return state if change == state else f"{state}, {change}"
