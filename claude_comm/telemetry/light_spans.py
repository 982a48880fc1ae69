"""Spans of the SDK that cost a quarter: what a message's span does not need is made when it is asked for.

Law: whoever reads one sees what the SDK would have made; a test compares the two. It is used only where nobody could
tell the difference: with a provider of the SDK whose processors do nothing when a span starts (all of the SDK's own),
with its default samplers, and of the release that the test compares: it rests on that release's inner names. Otherwise
the SDK makes the span itself.

A span of the SDK guards its attributes, events and links with bounds and copies, and copies itself when it ends: 30 to
50 microseconds on the machine where this was measured, of which a message needs 9. One that its handler adds something
to becomes a whole one at that moment (`_unfold`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, TraceFlags

from claude_comm.telemetry.conventions import SCHEMA_URL
from claude_comm.telemetry.tracer import FLAGS, NAME, AnyTracer
from claude_comm.version import __version__

# The minor release of the SDK whose spans these are. Raised on purpose, once the test that compares them passes.
RELEASE = "1.45"
_UNSET = Status()
_SAMPLED, _RANDOM = TraceFlags.SAMPLED, 2
# What a span of ours has at most: attributes, and characters in one of them.
_MOST_NOTES, _LONGEST = 16, 256
_SILENT_STARTS = (SpanProcessor.on_start, BatchSpanProcessor.on_start, SimpleSpanProcessor.on_start)


def light_tracer(provider: TracerProvider) -> LightTracer | None:
    """A tracer for this provider; None where its spans have to be made by the SDK."""
    if not sdk_version.startswith(f"{RELEASE}."):
        return None
    tracer = LightTracer(provider)
    return tracer if tracer.fits() else None


class LightTracer:
    """Starts light spans for one provider, and the SDK's own where one of its processors was added that needs them."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self.processor = provider._active_span_processor
        self._processors = self.processor._span_processors
        self._random = _makes_random_ids(provider)
        self.scope = InstrumentationScope(NAME, __version__, SCHEMA_URL)
        self._others = AnyTracer(provider)
        self._light = self.fits()

    def fits(self) -> bool:
        """Whether nobody could tell a light span from the SDK's."""
        self._processors = self.processor._span_processors
        limits = self.provider._span_limits
        silent = all(type(processor).on_start in _SILENT_STARTS for processor in self._processors)
        wide = _holds(limits.max_span_attributes, _MOST_NOTES) and _holds(limits.max_span_attribute_length, _LONGEST)
        known = self.provider.sampler in (ALWAYS_ON, DEFAULT_ON) and not self.provider._disabled
        return silent and wide and known

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        attributes: dict[str, Any],
        links: Sequence[Link] = (),
        began_ns: int | None = None,
    ) -> Span:
        provider = self.provider
        if self.processor._span_processors is not self._processors:
            self._light = self.fits()
        if not self._light or not _holds(provider._span_limits.max_links, len(links)):
            return self._others.start(name, kind, parent, attributes, links, began_ns)
        ids = provider.id_generator
        if parent is None:
            flags = _SAMPLED | self._random
            context = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), False, FLAGS[flags])
        else:
            sampled = provider.sampler is ALWAYS_ON or parent.trace_flags & _SAMPLED
            flags = (_SAMPLED if sampled else 0) | (parent.trace_flags & _RANDOM)
            context = SpanContext(parent.trace_id, ids.generate_span_id(), False, FLAGS[flags], parent.trace_state)
        if not flags & _SAMPLED:
            return NonRecordingSpan(context)
        return LightSpan(self, name, context, parent, kind, attributes, links, began_ns)


def _holds(limit: int | None, count: int) -> bool:
    return limit is None or limit >= count


def _makes_random_ids(provider: TracerProvider) -> int:
    """The flag of a new trace whose id is random, where this SDK knows it."""
    asked = getattr(provider.id_generator, "is_trace_id_random", None)
    return _RANDOM if asked is not None and asked() else 0


class LightSpan(SdkSpan):
    """A span as the SDK's, with plain attributes until somebody adds to it."""

    _sampler = None
    _trace_config = None
    _instrumentation_info = None
    _record_exception = True
    _set_status_on_exception = True
    _record_end_metrics = None

    def __init__(
        self,
        tracer: LightTracer,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
        began_ns: int | None,
    ) -> None:
        self._name, self._context, self._parent, self._kind = name, context, parent, kind
        self._attributes, self._events, self._links = attributes, (), links
        self._status, self._end_time = _UNSET, None
        self._resource, self._limits = tracer.provider.resource, tracer.provider._span_limits
        self._instrumentation_scope, self._span_processor = tracer.scope, tracer.processor
        self._lock = threading.Lock()
        self._plain: dict[str, Any] | None = attributes
        self._start_time = time_ns() if began_ns is None else began_ns

    def note(self, attributes: dict[str, Any]) -> None:
        """Attributes that its maker adds: names of the conventions, plain values."""
        if self._plain is not None:
            self._plain.update(attributes)
        else:
            super().set_attributes(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._unfold()
        super().set_attributes(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._unfold()
        super().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        self._unfold()
        super().add_link(context, attributes)

    def end(self, end_time: int | None = None) -> None:
        with self._lock:
            light = self._plain is not None and self._end_time is None
            if light:
                self._end_time = time_ns() if end_time is None else end_time
        if light:
            self._span_processor.on_end(self)
        else:
            super().end(end_time)

    def _unfold(self) -> None:
        """Makes it whole, before something is added."""
        with self._lock:
            if self._plain is not None and self._end_time is None:
                limits = self._limits
                self._attributes = BoundedAttributes(
                    limits.max_span_attributes,
                    self._plain,
                    immutable=False,
                    max_value_len=limits.max_span_attribute_length,
                )
                self._plain = None
                self._events = self._new_events()  # type: ignore[no-untyped-call]
                self._links = self._new_links(self._links)
