"""The command `export cloudevents`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions, published
from claude_comm.cli.projection import reading
from claude_comm.cli.published import Output
from claude_comm.cloudevents import cloudevent
from claude_comm.store import queries


def command(
    target: Annotated[
        str,
        typer.Option(
            "--target", "-t", help="Only messages to this module or topic:NAME.", autocompletion=completions.modules
        ),
    ] = "",
    source: Annotated[
        str, typer.Option("--source", "-s", help="Only messages from this module.", autocompletion=completions.modules)
    ] = "",
    session: Annotated[
        str, typer.Option("--session", help="Only messages of this session.", autocompletion=completions.sessions)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 1_000,
    output: Output = None,
) -> None:
    """Write messages as a batch of CloudEvents in JSON.

    The newest first, as an array (application/cloudevents-batch+json). Extensions contain what CloudEvents has no
    attribute for: target, session, correlation, causation, agreement, status. A payload that was too large to be stored
    is represented by its digest.
    """
    with reading() as database:
        rows = queries.messages(database, target=target, source=source, session=session, limit=limit)
    events = [
        cloudevent(row.envelope, row.timestamp, number=row.number, status=row.status, payloadsha256=row.digest)
        for row in rows
    ]
    published.write(events, output)
