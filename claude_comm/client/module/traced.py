"""The scope of a handler in a process that traces: the session of its message, and the span of its handling."""

from __future__ import annotations

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.telemetry.tracing import Processing, Telemetry


def in_trace(telemetry: Telemetry, session: str, *deliveries: Delivery) -> Processing:
    """As `InSession`, and within the span of these deliveries."""
    if len(deliveries) == 1:
        (delivery,) = deliveries
        return Processing(telemetry, (delivery.envelope,), delivery.attempts, session)
    return Processing(telemetry, [delivery.envelope for delivery in deliveries], 1, session)
