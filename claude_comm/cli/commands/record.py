"""The command `record`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli.projection import reading
from claude_comm.errors import NotFound
from claude_comm.terminal.output import OutputFailed, say
from claude_comm.testing import recording


def command(
    session: Annotated[str, typer.Option("--session", help="Only deliveries of this session.")] = "",
    module: Annotated[str, typer.Option("--module", help="Only deliveries of this module.")] = "",
    redact: Annotated[
        list[str] | None,
        typer.Option(
            "--redact", metavar="PATH", help="Hide what is at this path, as $.user.email; may be given several times."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; else stdout.")] = None,
) -> None:
    """Write recorded deliveries as lines of JSON, for tests and for `replay`.

    Each line has a message, how its delivery ended, the reply, and what the module sent because of it. A redacted value
    keeps its type and its length. Exits with 3 if nothing was recorded.
    """
    hidden = recording.marks_of_paths(redact or ())
    with reading() as database:
        deliveries = [
            recording.redacted(delivery, hidden)
            for delivery in recording.recorded(database, module=module, session=session)
        ]
    if not deliveries:
        raise NotFound("no delivery was recorded there; `claude-comm list` and `claude-comm sessions` show what was.")
    text = recording.write(deliveries)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputFailed(f"{output} cannot be written: {error.strerror}.") from None
    say(f"{len(deliveries)} deliveries in {output}")
