"""Messages with their deliveries, as several commands show them: on one line, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_comm.cloudevents import shown
from claude_comm.store.records import HANDLING, DeliveryRow, MessageRow

_ENDED = ("handled", "buried")


def took_ms(deliveries: Sequence[DeliveryRow]) -> float | None:
    """How long the slowest of them took; None while none has ended."""
    return max((delivery.latency_ms for delivery in deliveries if delivery.status in _ENDED), default=None)


def waited_ms(deliveries: Sequence[DeliveryRow]) -> float | None:
    """How long of that it waited until its consumer had it; None where that is not known."""
    slowest = max(deliveries, key=lambda delivery: delivery.latency_ms, default=None)
    return slowest.waited_ms if slowest else None


def status(row: MessageRow, deliveries: Sequence[DeliveryRow]) -> str:
    """What has become of the message, or that a consumer has it."""
    open_ = row.status in ("sent", "retrying") and any(delivery.status == HANDLING for delivery in deliveries)
    return HANDLING if open_ else row.status


def reasons(deliveries: Sequence[DeliveryRow]) -> str:
    """Why deliveries failed; empty where none did."""
    return "; ".join(
        f"{delivery.consumer}: {delivery.reason}{f' (at {delivery.path})' if delivery.path else ''}"
        for delivery in deliveries
        if delivery.reason and delivery.status != "handled"
    )


def as_document(row: MessageRow, deliveries: Sequence[DeliveryRow], **more: object) -> dict[str, Any]:
    """A message as JSON, with what became of it."""
    return {
        "number": row.number,
        **more,
        "id": row.id,
        "source": row.source,
        "target": row.target,
        "type": row.type,
        "session": row.session,
        "timestamp": row.timestamp,
        "status": status(row, deliveries),
        "took_ms": took_ms(deliveries),
        "waited_ms": waited_ms(deliveries),
        "data": shown(row.data),
        "deliveries": list(deliveries),
    }
