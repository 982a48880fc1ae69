"""The command `projection verify`."""

from __future__ import annotations

import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store.verify import StreamCheck, Verification, verify
from claude_comm.terminal.output import emit, emit_json, emit_table, say
from claude_comm.terminal.tables import Column, numbers
from claude_comm.transport.connect import connect


def command(as_json: AsJson = False) -> None:
    """Check that the projection has everything in the streams, once.

    It compares every entry that the streams still hold with its row, and the totals with the rows. Exits with 1 if
    anything is missing, differs or does not add up.
    """
    settings = settings_of_process()
    with reading(settings) as database, connect(settings) as client:
        verification = verify(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
    if as_json:
        emit_json({"ok": verification.ok, "streams": verification.streams, "problems": verification.problems})
    else:
        _show(verification)
    if not verification.ok:
        raise typer.Exit(1)


def _show(verification: Verification) -> None:
    if verification.streams:
        emit_table(
            ["stream", *numbers("entries", "pruned", "missing", "differing"), Column("digest", rank=1)],
            [_cells(check) for check in verification.streams],
        )
    for problem in verification.problems:
        emit(problem)
    entries = sum(check.entries for check in verification.streams)
    say(
        f"{entries:,} entries compared: "
        + ("nothing is lost, nothing is doubled." if verification.ok else "not all is well.")
    )


def _cells(check: StreamCheck) -> list[object]:
    return [check.stream, check.entries, check.pruned, len(check.missing), len(check.differing), check.digest[:12]]
