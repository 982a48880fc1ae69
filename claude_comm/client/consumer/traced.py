"""A consumer that traces: a span of receiving for the messages that a read hands over.

Law: made once, in the constructor of a consumer whose process traces. A message that was read ahead has no span before
it is handed over.
"""

from __future__ import annotations

import functools
import time
from typing import Any

from claude_comm.telemetry.tracing import Telemetry, received


def wrap(consumer: Any, telemetry: Telemetry) -> None:
    """Wraps `read`, which an iteration calls as well."""
    read = consumer.read

    @functools.wraps(read)
    def traced(**options: Any) -> Any:
        began_ns = time.time_ns()
        deliveries = read(**options)
        received(telemetry, [delivery.envelope for delivery in deliveries], began_ns)
        return deliveries

    vars(consumer)["read"] = traced


def wrap_async(consumer: Any, telemetry: Telemetry) -> None:
    """The same for asyncio."""
    read = consumer.read

    @functools.wraps(read)
    async def traced(**options: Any) -> Any:
        began_ns = time.time_ns()
        deliveries = await read(**options)
        received(telemetry, [delivery.envelope for delivery in deliveries], began_ns)
        return deliveries

    vars(consumer)["read"] = traced
