"""The command `audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.terminal.tables import Column, numbers
from claude_comm.transport.connect import connect


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE|topic:NAME]...",
            help="Modules and topics whose streams are audited; by default all of the namespace.",
            autocompletion=completions.modules,
        ),
    ] = None,
    file: Annotated[str, typer.Option("--file", metavar="FILE", help="Audit a saved file; no server is needed.")] = "",
    admin: Annotated[
        str, typer.Option("--admin", metavar="KEY", help="The admin's public key, with --file; else the setting.")
    ] = "",
    save: Annotated[
        str, typer.Option("--save", metavar="FILE", help="Write the streams and the keyring into a new file.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check the signature of every entry: who sent it, and that nobody changed it.

    Exits with 1 if an entry is not signed by its source. `missing` counts absent messages that were signed together
    with others that are present: they were trimmed, moved to another stream, or deleted.
    """
    from claude_comm.client import audits

    settings = settings_of_process()
    if save:
        with connect(settings) as client:
            count = audits.save(client, settings, Path(save), names or ())
        if as_json:
            emit_json({"file": save, "entries": count})
        else:
            say(f"{count:,} entries written; audit them with `claude-comm audit --file {save}`.")
        return
    if file:
        streams = audits.audit_file(Path(file), settings, admin)
    else:
        with connect(settings) as client:
            streams = audits.audit(client, settings, names or ())
    if as_json:
        emit_json(streams)
    else:
        cells = [
            [audit.stream, audit.entries, audit.signed, sum(audit.doubts.values()), audit.missing] for audit in streams
        ]
        emit_table(["stream", *numbers("entries", "signed", "doubtful", "missing")], cells)
        rows = [[audit.stream, doubt.entry, doubt.source, doubt.reason] for audit in streams for doubt in audit.named]
        if rows:
            say("")
            emit_table(["stream", "entry", "source", Column("why", "wrap")], rows)
    raise typer.Exit(1 if any(audit.doubts for audit in streams) else 0)
