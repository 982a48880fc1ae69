"""The command `show`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import cloudevent, readable
from claude_comm.json_form import json_form
from claude_comm.schema.evolution.adapter import apply, read
from claude_comm.store import adaptations, queries
from claude_comm.store.adaptations import Adaptation
from claude_comm.store.outcomes import deliveries_of
from claude_comm.store.records import HANDLING, DeliveryRow, MessageRow
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_fields, emit_json, emit_table
from claude_comm.terminal.tables import Column, Columns, numbers

_DELIVERIES: Columns = [
    "consumer",
    "status",
    *numbers("attempts", "latency", "waited"),
    Column("reason", "wrap"),
]


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

    If a consumer adapted the message, both forms are shown: as it was sent, and as the consumer received it. With
    --json it is a CloudEvents object; its extension `adapters` has CONSUMER=DIGEST for each adapter. An unknown ID
    exits with 3.
    """
    with reading() as database:
        row = queries.message(database, message)
        deliveries = deliveries_of(database, [row.number])[row.number]
        adapted = adaptations.of_message(database, row.id, row.source)
    if as_json:
        applied = " ".join(f"{adaptation.consumer}={adaptation.adapter}" for adaptation in adapted)
        emit_json(cloudevent(row.envelope, row.timestamp, number=row.number, status=row.status, adapters=applied))
        return
    emit_fields(_fields(row))
    if deliveries:
        emit("")
        emit_table(_DELIVERIES, map(_cells, deliveries))
    for adaptation in adapted:
        emit("")
        emit_fields(_adapted(row, adaptation))


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


def _adapted(row: MessageRow, adaptation: Adaptation) -> dict[str, object]:
    """What a consumer had in the place of the message."""
    fields: dict[str, object] = {"adapted for": adaptation.consumer, "adapter": adaptation.adapter}
    if adaptation.steps:
        form = apply(read(adaptation.steps), json_form(row.envelope.payload()))
        fields |= {"steps": adaptation.steps, "data": msgspec.json.format(msgspec.json.encode(form)).decode()}
    return fields


def _cells(delivery: DeliveryRow) -> list[object]:
    reason = f"{delivery.reason} (at {delivery.path})" if delivery.path else delivery.reason
    latency = formats.milliseconds(delivery.latency_ms)
    if delivery.status == HANDLING:
        return [delivery.consumer, delivery.status, "", "", latency, f"since {formats.moment(delivery.held_us)}"]
    waited = formats.took(delivery.waited_ms)
    return [delivery.consumer, delivery.status, delivery.attempts, latency, waited, reason]
