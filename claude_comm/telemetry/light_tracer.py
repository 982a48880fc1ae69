"""A tracer whose spans are light, for a provider of the SDK.

Law: it is used only where nobody could tell its spans from the SDK's: with processors that do nothing when a span
starts (all of the SDK's own), with the SDK's own samplers, and with the release that the test compares: it rests on
that release's inner names. Otherwise the SDK makes the span itself.

Theory of operation. Whether it may be used is seen once (`_fit`), and again when a processor or another sampler was
set. A send is begun by a closure (`begins`) and handed to its messages as the span itself, whose context is one text
from the start: each call that this runs through for every message costs as much as a field of the span. A single
batch processor is told of an end by what its `emit` comes to while its queue has room: that asks the system for the
id of its process each time, which the SDK renews in a fork by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from random import getrandbits
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from claude_comm.telemetry.conventions import SCHEMA_URL
from claude_comm.telemetry.light_spans import LightSpan
from claude_comm.telemetry.runtime_context import current
from claude_comm.telemetry.sampling import as_parent, sampling_of
from claude_comm.telemetry.spans import SPAN_KEY
from claude_comm.telemetry.spans import finish as finish_span
from claude_comm.telemetry.tracer import (
    MAX_LINKS,
    NAME,
    NO_STATE,
    RANDOM,
    AnyTracer,
    Begun,
    Links,
    Message,
    Prepared,
    context_of,
    link_to_parent,
    no_links,
    read_context,
)
from claude_comm.version import __version__

# The minor release of the SDK whose spans these are. Raised on purpose, once the test that compares them passes.
RELEASE = "1.45"
_SAMPLED = TraceFlags.SAMPLED
# What a span of ours has at most: attributes, and characters in one of them.
_MOST_NOTES, _LONGEST = 16, 256
_SILENT_STARTS = (SpanProcessor.on_start, BatchSpanProcessor.on_start, SimpleSpanProcessor.on_start)
_SILENT_ENDINGS = (SpanProcessor._on_ending, BatchSpanProcessor._on_ending, SimpleSpanProcessor._on_ending)

# A context of this length with such an end is sampled, or none that can be read: in full it is read when asked for.
_USUAL_LENGTH, _USUAL_ENDS = 55, frozenset(("-01", "-03"))
_ZERO = "0" * 16

_new = object.__new__


def light_tracer(provider: TracerProvider) -> LightTracer | None:
    """A tracer for this provider; None where its spans have to be made by the SDK."""
    if not sdk_version.startswith(f"{RELEASE}."):
        return None
    tracer = LightTracer(provider)
    return tracer if tracer.fits else None


class LightTracer:
    """Starts light spans for one provider, and the SDK's own where one of its processors was added that needs them."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._processor = provider._active_span_processor
        # The flag of a trace that begins here.
        self.random = _makes_random_ids(provider)
        self._trace_id, self._span_id = provider.id_generator.generate_trace_id, provider.id_generator.generate_span_id
        # Numbers by chance, none of them 0, which that class makes in three calls each.
        self._by_chance = type(provider.id_generator) is RandomIdGenerator
        self._others = AnyTracer(provider)
        lock = Lock()
        common = {
            "_tracer": self,
            "finish": self._finish(),
            "end": self._end(lock),
            "_resource": provider.resource,
            "_limits": provider._span_limits,
            "_instrumentation_scope": InstrumentationScope(NAME, __version__, SCHEMA_URL),
            "_span_processor": self._processor,
            "_lock": lock,
        }
        self._span: type[LightSpan] = type("LightSpan", (LightSpan,), common)
        self._fit()

    def _finish(self) -> Callable[..., None]:
        """The `finish` of its spans. A closure: what is a field of their class is read in ten times the time."""
        processor = self._processor

        def finish(span: LightSpan, error: BaseException | None = None) -> None:
            if error is not None:
                finish_span(span, error)
                return
            span._end_time = time_ns()
            if processor._span_processors is self.processors:
                for tell in self.ends:
                    tell(span)
            else:
                processor.on_end(span)

        return finish

    def _end(self, lock: AbstractContextManager[Any]) -> Callable[..., None]:
        """The `end` of its spans."""
        processor = self._processor

        def end(span: LightSpan, end_time: int | None = None) -> None:
            with lock:
                light = not span._whole and span._end_time is None
                if light:
                    span._end_time = time_ns() if end_time is None else end_time
            if not light:
                SdkSpan.end(span, end_time)
            elif processor._span_processors is self.processors:
                for tell in self.ends:
                    tell(span)
            else:
                processor.on_end(span)

        return end

    def new_trace_id(self) -> int:
        return (self._by_chance and getrandbits(128)) or self._trace_id()

    def _fit(self) -> None:
        """Sees whether nobody could tell a light span from the SDK's, and who is told of its end."""
        self.processors = self._processor._span_processors
        self._sampler = self._provider.sampler
        sampling, limits = sampling_of(self._sampler), self._provider._span_limits
        self._sampled = sampling or _no
        self._as_parent = sampling is as_parent
        self.fits = (
            sampling is not None
            and all(_silent(processor) for processor in self.processors)
            and _holds(limits.max_span_attributes, _MOST_NOTES)
            and _holds(limits.max_span_attribute_length, _LONGEST)
            and _holds(limits.max_links, MAX_LINKS)
            and not self._provider._disabled
        )
        # Whether a span is sampled as its parent is, and its ids are numbers by chance, which the flags of a trace say.
        self._usual = self.fits and self._as_parent and self._by_chance and self.random == RANDOM
        # One after another, as that class does; another one tells them in its own way.
        synchronous = type(self._processor) is SynchronousMultiSpanProcessor
        self.ends = tuple(map(_end_of, self.processors)) if synchronous else (self._processor.on_end,)

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        shared: Mapping[str, Any],
        message: Message | None = None,
        links: Links = no_links,
        began_ns: int | None = None,
    ) -> Span:
        provider = self._provider
        if self._processor._span_processors is not self.processors or provider.sampler is not self._sampler:
            self._fit()
        if not self.fits:
            return self._others.start(name, kind, parent, shared, message, links, began_ns)
        if parent is None:
            trace_id, flags, state = self.new_trace_id(), self.random | _SAMPLED, NO_STATE
        else:
            trace_id, _, _, flags, state, _ = parent
        if not self._as_parent:
            flags = flags & RANDOM | (_SAMPLED if self._sampled(parent, trace_id) else 0)
        span_id = (self._by_chance and getrandbits(64)) or self._span_id()
        if not flags & _SAMPLED:
            return NonRecordingSpan(context_of(trace_id, span_id, False, flags & RANDOM, state))
        # Not by calling its class: the SDK's `__new__` takes as long as all that is done here.
        span = _new(self._span)
        span._name, span._parent, span._kind = name, parent, kind
        span._trace_id, span._span_id, span._flags, span._state = trace_id, span_id, flags & 3, state
        if state:
            span.tracestate = state.to_header()
        span._shared, span.message, span._linking = shared, message, links
        span._start_time = time_ns() if began_ns is None else began_ns
        return span

    def below(
        self,
        name: str,
        kind: SpanKind,
        traceparent: str,
        tracestate: str,
        shared: Mapping[str, Any],
        message: Message,
    ) -> Span:
        usual = self._usual and len(traceparent) == _USUAL_LENGTH and traceparent[52:] in _USUAL_ENDS and not tracestate
        if not usual or self._processor._span_processors is not self.processors:
            return self.start(name, kind, read_context(traceparent, tracestate), shared, message, link_to_parent)
        span = _new(self._span)
        span._name, span._carried, span._kind = name, traceparent, kind
        span._span_id = getrandbits(64) or self._span_id()
        span._shared, span.message = shared, message
        # As the class says: it is read in a tenth of the time where a span has it itself.
        span._whole, span._end_time = False, None
        span._start_time = time_ns()
        return span

    def begins(
        self, known: Mapping[str, Prepared], prepare: Callable[[str], Prepared], otherwise: Callable[[str], Begun]
    ) -> Callable[[str], Begun]:
        provider, processor, cls = self._provider, self._processor, self._span

        take = _contexts.pop

        def begin(destination: str) -> Begun:
            changed = processor._span_processors is not self.processors or provider.sampler is not self._sampler
            if changed or not self._usual:
                return otherwise(destination)
            span = _new(cls)
            surrounding = current()
            if SPAN_KEY not in surrounding:
                try:
                    span.traceparent = take()
                except IndexError:
                    span.traceparent = _draw()
            else:
                above = surrounding[SPAN_KEY]
                if not isinstance(above, LightSpan) or above.tracestate:
                    return otherwise(destination)
                context, _ = above.headers()
                span.traceparent = f"{context[:36]}{getrandbits(64) or self._span_id():016x}{context[52:]}"
                span._above = above
            span._name, span._shared = known.get(destination) or prepare(destination)
            span._kind, span.tracestate = SpanKind.PRODUCER, ""
            span._start_time = time_ns()
            return span

        return begin


def _draw() -> str:
    """The context of a new trace. More are kept for those that come next."""
    while True:
        parts = os.urandom(_DRAWN * 24).hex(" ", 8).split(" ")
        triples = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        # Neither id is 0.
        drawn = [f"00-{a}{b}-{c}-03" for a, b, c in triples if c != _ZERO != a or b != _ZERO != c]
        if drawn:
            context = drawn.pop()
            _contexts.extend(drawn)
            return context


# Drawn together, in a loop that is warm then: for one send alone it takes three times as long. A fork draws its own, or
# both processes would share them.
_DRAWN = 256
_contexts: list[str] = []
os.register_at_fork(after_in_child=_contexts.clear)


def _no(_parent: SpanContext | None, _trace_id: int) -> bool:
    return False


def _holds(limit: int | None, count: int) -> bool:
    return limit is None or limit >= count


def _silent(processor: SpanProcessor) -> bool:
    """Whether it does nothing before a span has ended."""
    return type(processor).on_start in _SILENT_STARTS and type(processor)._on_ending in _SILENT_ENDINGS


def _end_of(processor: SpanProcessor) -> Callable[[ReadableSpan], None]:
    """What tells a processor that a span has ended, which is sampled."""
    if type(processor).on_end is BatchSpanProcessor.on_end and isinstance(processor, BatchSpanProcessor):
        return _queueing(processor._batch_processor)
    return processor.on_end


def _queueing(batch: BatchProcessor[ReadableSpan]) -> Callable[[ReadableSpan], None]:
    """As its `emit`, which is left to do whatever is more than to queue a span."""
    emit, queue, most = batch.emit, batch._queue, batch._max_queue_size - 1
    enough = batch._max_export_batch_size - 1

    def end(span: ReadableSpan) -> None:
        waiting = len(queue)
        if batch._shutdown or waiting >= most or (waiting >= enough and not batch._worker_awaken.is_set()):
            emit(span)
        else:
            queue.appendleft(span)

    return end


def _makes_random_ids(provider: TracerProvider) -> int:
    """The flag of a new trace whose id is random, where this SDK knows it."""
    asked = getattr(provider.id_generator, "is_trace_id_random", None)
    return RANDOM if asked is not None and asked() else 0
