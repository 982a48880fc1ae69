"""The scope of a handler in a process that traces: the session of its message, and the span of its handling."""

from __future__ import annotations

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.telemetry.current import InSession
from claude_comm.telemetry.tracing import Processing, Telemetry


class InTrace:
    """As `InSession`, and within a `Processing`."""

    __slots__ = ("_processing", "_session")

    def __init__(self, telemetry: Telemetry, session: str, *deliveries: Delivery) -> None:
        self._session = InSession(session)
        attempt = deliveries[0].attempts if len(deliveries) == 1 else 1
        self._processing = Processing(telemetry, [delivery.envelope for delivery in deliveries], attempt)

    def __enter__(self) -> None:
        self._session.__enter__()
        self._processing.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._processing.__exit__(kind, error, trace)
        self._session.__exit__(kind, error, trace)
