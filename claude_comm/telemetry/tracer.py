"""Starting spans, and their contexts as W3C Trace Context, which is what an envelope carries.

Law: what cannot be read there is no context, and never an error. Imported in a process that traces, and in no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from claude_comm.telemetry.conventions import SCHEMA_URL
from claude_comm.version import __version__

NAME = "claude_comm"
# Version 00, and whatever a later version has after these four parts.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# Sampled, random, both, neither: made once, as each costs as much as a context.
FLAGS = tuple(TraceFlags(flags) for flags in range(4))
_NO_STATE = TraceState()


class Tracer(Protocol):
    """Starts spans."""

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        attributes: dict[str, Any],
        links: Sequence[Link] = (),
        began_ns: int | None = None,
    ) -> Span: ...


class AnyTracer:
    """Spans of whatever implements OpenTelemetry."""

    def __init__(self, provider: Any) -> None:
        self._tracer = provider.get_tracer(NAME, __version__, schema_url=SCHEMA_URL)

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        attributes: Mapping[str, Any],
        links: Sequence[Link] = (),
        began_ns: int | None = None,
    ) -> Span:
        context = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
        span: Span = self._tracer.start_span(name, context, kind, attributes, links, began_ns)
        return span


def traceparent(context: SpanContext) -> str:
    """The context as a W3C header."""
    # As the tuple that it is: each property would be a call.
    trace_id, span_id, _, flags, *_ = context
    return f"00-{trace_id:032x}-{span_id:016x}-{flags & 3:02x}"


def tracestate(context: SpanContext) -> str:
    return context.trace_state.to_header() if context.trace_state else ""


def read_context(parent: str, state: str = "") -> SpanContext | None:
    """The context in these W3C headers; None where there is none, or none that can be read."""
    match = _TRACEPARENT.fullmatch(parent) if parent else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return None
    states = TraceState.from_header([state]) if state else _NO_STATE
    context = SpanContext(int(trace_id, 16), int(span_id, 16), True, FLAGS[int(flags, 16) & 3], states)
    return context if context.is_valid else None
