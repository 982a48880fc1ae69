"""The command `record`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli.projection import reading
from claude_comm.errors import NotFound
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import OutputFailed, say
from claude_comm.testing import recording
from claude_comm.testing.redaction import MarkedInContracts, marks_of_paths
from claude_comm.transport.connect import connect


def command(
    session: Annotated[str, typer.Option("--session", help="Only deliveries of this session.")] = "",
    module: Annotated[str, typer.Option("--module", help="Only deliveries of this module.")] = "",
    redact: Annotated[
        list[str] | None,
        typer.Option(
            "--redact",
            metavar="PATH",
            help="Hide the value at this path, such as $.user.email; may be given several times.",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; else stdout.")] = None,
) -> None:
    """Write recorded deliveries as lines of JSON, for tests and for `replay`.

    Each line has a message, the outcome of its delivery, the reply, and what the module sent because of it. The
    contracts of the modules come first. Values that a contract marks with `x-sensitive: true` or that --redact names
    are hidden: a hidden value keeps its type and its length. Exits with 3 if nothing was recorded.
    """
    paths = marks_of_paths(redact or ())
    settings = settings_of_process()
    with reading(settings) as database, connect(settings) as client:
        marked = MarkedInContracts(client, Keys(settings.namespace))
        deliveries = [
            marked.redacted(delivery, paths)
            for delivery in recording.recorded(database, module=module, session=session)
        ]
        names = sorted({delivery.consumer for delivery in deliveries})
        contracts = [contract for name in names if (contract := marked.contract(name)) is not None]
    if not deliveries:
        raise NotFound("no delivery was recorded there; `claude-comm list` and `claude-comm sessions` show what was.")
    text = recording.write(deliveries, contracts)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputFailed(f"{output} cannot be written: {error.strerror}.") from None
    say(f"{len(deliveries)} deliveries in {output}")
