"""The command `agreements`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement, why
from claude_comm.ops import agreements
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.terminal.tables import Column, Columns
from claude_comm.transport.connect import connect

_ID_CHARACTERS = 12
_COLUMNS: Columns = [
    Column("id", "whole"),
    Column("decided", "whole", rank=1),
    *("producer", "consumer", "type"),
    Column("verdict", "whole"),
    Column("by", rank=3),
    Column("why", rank=2, least=20),
]


def command(
    module: Annotated[
        str,
        typer.Option(
            "--module", "-m", help="Only those with this module on one side.", autocompletion=completions.modules
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the agreements and refusals that negotiations have stored.

    The newest first. An id is the digest of the question, so the same question has the same agreement. A record that
    cannot be read is one line; the next negotiation of the same question replaces it.
    """
    settings = settings_of_process()
    with connect(settings) as client:
        everything = client.run(agreements.everything(Keys(settings.namespace)))
    matching = [
        stored for stored in everything.agreements if not module or module in (stored.producer, stored.consumer)
    ]
    # Nobody knows of which modules they are.
    unreadable = {} if module else everything.unreadable
    if as_json:
        emit_json([*matching, *({"id": id_, "unreadable": why_not} for id_, why_not in unreadable.items())])
    elif matching or unreadable:
        decided = formats.moments([stored.decided_us for stored in matching])
        rows = [*map(_cells, matching, decided), *(_unreadable_cells(*pair) for pair in unreadable.items())]
        emit_table(_COLUMNS, rows)
    else:
        say(f"no agreement with {module!r} yet." if module else "no agreement yet.")


def _unreadable_cells(id_: str, why_not: str) -> list[object]:
    return [id_[:_ID_CHARACTERS], "?", "?", "?", "?", "unreadable", "", why_not]


def _cells(stored: Agreement, decided: str) -> list[object]:
    return [
        stored.id[:_ID_CHARACTERS],
        decided,
        stored.producer,
        stored.consumer,
        stored.type,
        stored.verdict.answer,
        stored.decided_by,
        "" if stored.fits else why(stored.verdict),
    ]
