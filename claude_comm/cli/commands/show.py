"""The command `show`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import cloudevent, readable
from claude_comm.envelope import Envelope
from claude_comm.store import queries
from claude_comm.store.records import DeliveryRow, MessageRow
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_fields, emit_json, emit_table


def command(
    message: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A number from `list`, a message id or its start.", autocompletion=completions.messages
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show one whole message and the outcome of its deliveries.

    With --json it is a CloudEvents object. An unknown ID exits with 3.
    """
    with reading() as database:
        row = queries.message(database, message)
        deliveries = queries.deliveries(database, row)
    if as_json:
        emit_json(cloudevent(_envelope(row), row.timestamp, number=row.number, status=row.status))
        return
    emit_fields(_fields(row))
    if deliveries:
        emit("")
        emit_table(["consumer", "status", "attempts", "latency", "reason"], map(_cells, deliveries))


def _envelope(row: MessageRow) -> Envelope:
    return Envelope(
        id=row.id,
        source=row.source,
        target=row.target,
        type=row.type,
        time=row.time_us,
        session=row.session,
        correlation=row.correlation,
        causation=row.causation,
        reply_to=row.reply_to,
        agreement=row.agreement,
        traceparent=row.traceparent,
        content_type=row.content_type,
        headers=row.headers,
        data=msgspec.Raw(row.data),
    )


def _fields(row: MessageRow) -> dict[str, object]:
    fields = {
        "number": row.number,
        "id": row.id,
        "source": row.source,
        "target": row.target,
        "type": row.type,
        "sent": formats.moment(row.time_us),
        "status": row.status,
        "session": row.session,
        "agreement": row.agreement,
        "correlation": row.correlation,
        "causation": row.causation,
        "reply to": row.reply_to,
        "trace": row.traceparent,
        "headers": "\n".join(f"{name}: {value}" for name, value in row.headers.items()),
        "stream": f"{row.stream} {row.entry_id}",
        "size": formats.size(row.size_bytes),
        "data": readable(row.data, indent=2),
    }
    return {name: value for name, value in fields.items() if value != ""}


def _cells(delivery: DeliveryRow) -> list[object]:
    reason = f"{delivery.reason} (at {delivery.path})" if delivery.path else delivery.reason
    latency = formats.milliseconds(delivery.latency_ms)
    return [delivery.consumer, delivery.status, delivery.attempts, latency, reason]
