"""Whether the clients of this process tell of their messages: decided once, when one is made.

Law: a process in which nobody has set a provider of OpenTelemetry, or asked for metrics, imports nothing here and has
no `Telemetry`: its clients run the code that they always ran.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from claude_comm.settings import Settings

if TYPE_CHECKING:
    from claude_comm.telemetry.spans import Spans
    from claude_comm.telemetry.tracing import Telemetry


def telemetry_of_process(settings: Settings, module: str, instance: str) -> Telemetry | None:
    """What clients of this module tell; None for nothing. Raises ConfigurationError."""
    # Whoever sets a provider has imported the API; importing it here would cost every process that sets none.
    traces = settings.tracing != "off" and "opentelemetry.trace" in sys.modules
    measures = settings.metrics.startswith("prometheus") or (
        settings.metrics != "off" and "opentelemetry.metrics" in sys.modules
    )
    if not traces and not measures:
        return None
    from claude_comm.telemetry.instruments import instruments_of_process
    from claude_comm.telemetry.tracing import Telemetry

    spans = _spans(module, instance) if traces else None
    instruments = instruments_of_process(settings) if measures else None
    return None if spans is None and instruments is None else Telemetry(module, spans, instruments)


def _spans(module: str, instance: str) -> Spans | None:
    from claude_comm.telemetry.providers import tracer_of_process
    from claude_comm.telemetry.spans import Spans

    tracer = tracer_of_process()
    return None if tracer is None else Spans(tracer, module, instance)
