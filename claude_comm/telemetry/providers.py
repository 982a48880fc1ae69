"""The tracer of the provider that a program has set."""

from __future__ import annotations

from claude_comm.telemetry.tracer import AnyTracer, Tracer


def tracer_of_process() -> Tracer | None:
    """None where the program has set no provider."""
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    try:
        from opentelemetry.sdk.trace import TracerProvider

        from claude_comm.telemetry.light_tracer import light_tracer
    except ImportError:  # another implementation of the API
        return AnyTracer(provider)
    # Not a class below it: that may do something else.
    light = light_tracer(provider) if type(provider) is TracerProvider else None
    return light or AnyTracer(provider)
