"""Spans of the SDK that cost a fifth: what a message's span does not need is made when it is asked for.

Law: whoever reads one sees what the SDK would have made; a test compares the two. It is used only where nobody could
tell the difference: with a provider of the SDK whose processors do nothing when a span starts (all of the SDK's own),
with its own samplers, and of the release that the test compares: it rests on that release's inner names. Otherwise
the SDK makes the span itself.

Theory of operation. A span of the SDK guards its attributes, events and links with bounds and copies, and copies itself
when it ends: 30 to 50 microseconds on the machine where this was measured. A light span keeps what its maker gave: the
attributes that all spans of its kind share, four texts of its message, and a function that makes its links. Attributes
and links stand in no field until a reader asks for one that is missing (`__getattr__`), which an exporter does in its
own thread; its context is made from its numbers in the same way, and that of its parent from the text that a message
carries. One that is asked before it has ended, or that a handler adds something to, becomes a whole one at that moment
(`_unfold`). What all spans of one tracer have in common are fields of a class made for that tracer; the lock is one of
them. So a span is one object for the garbage collector, which looks at what waits for the exporter again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import getrandbits
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, TraceFlags, TraceState

from claude_comm.telemetry.conventions import SCHEMA_URL
from claude_comm.telemetry.sampling import as_parent, sampling_of
from claude_comm.telemetry.tracer import (
    MAX_LINKS,
    NAME,
    NO_STATE,
    AnyTracer,
    Links,
    Message,
    about,
    context_of,
    headers_of,
    link_to_parent,
    no_links,
    read_context,
)
from claude_comm.version import __version__

# The minor release of the SDK whose spans these are. Raised on purpose, once the test that compares them passes.
RELEASE = "1.45"
_UNSET = Status()
_SAMPLED, _RANDOM = TraceFlags.SAMPLED, 2
# Of a trace that began here.
_USUAL_FLAGS = 3
# What a span of ours has at most: attributes, and characters in one of them.
_MOST_NOTES, _LONGEST = 16, 256
_SILENT_STARTS = (SpanProcessor.on_start, BatchSpanProcessor.on_start, SimpleSpanProcessor.on_start)

_SILENT_ENDINGS = (SpanProcessor._on_ending, BatchSpanProcessor._on_ending, SimpleSpanProcessor._on_ending)

# A sampled context as we write it, which no reader refuses.
_USUAL = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[13]").fullmatch
# Made from what the message carries, when they are asked for.
_OF_PARENT = frozenset(("_parent", "_trace_id", "_flags", "_state"))

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
        self._random = _makes_random_ids(provider)
        self._trace_id, self._span_id = provider.id_generator.generate_trace_id, provider.id_generator.generate_span_id
        # Numbers by chance, none of them 0, which that class makes in three calls each.
        self._by_chance = type(provider.id_generator) is RandomIdGenerator
        self._others = AnyTracer(provider)
        common = {
            "_tracer": self,
            "_resource": provider.resource,
            "_limits": provider._span_limits,
            "_instrumentation_scope": InstrumentationScope(NAME, __version__, SCHEMA_URL),
            "_span_processor": self._processor,
            "_lock": Lock(),
        }
        self._span: type[LightSpan] = type("LightSpan", (LightSpan,), common)
        self._fit()

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
            trace_id = (self._by_chance and getrandbits(128)) or self._trace_id()
            flags, state = self._random | _SAMPLED, NO_STATE
        else:
            trace_id, _, _, flags, state, _ = parent
        if not self._as_parent:
            flags = flags & _RANDOM | (_SAMPLED if self._sampled(parent, trace_id) else 0)
        span_id = (self._by_chance and getrandbits(64)) or self._span_id()
        if not flags & _SAMPLED:
            return NonRecordingSpan(context_of(trace_id, span_id, False, flags & _RANDOM, state))
        # Not by calling its class: the SDK's `__new__` takes as long as all that is done here.
        span = _new(self._span)
        span._name, span._parent, span._kind = name, parent, kind
        span._trace_id, span._span_id, span._flags, span._state = trace_id, span_id, flags & 3, state
        span._shared, span._message, span._linking = shared, message, links
        span._start_time = time_ns() if began_ns is None else began_ns
        return span

    def below(
        self, name: str, kind: SpanKind, carried: tuple[str, str], shared: Mapping[str, Any], message: Message
    ) -> Span:
        parent, state = carried
        usual = not state and self._as_parent and self._by_chance and self.fits and _USUAL(parent)
        if not usual or self._processor._span_processors is not self.processors:
            return self.start(name, kind, read_context(parent, state), shared, message, link_to_parent)
        span = _new(self._span)
        span._name, span._carried, span._kind = name, parent, kind
        span._span_id = getrandbits(64) or self._span_id()
        span._shared, span._message, span._linking = shared, message, link_to_parent
        span._start_time = time_ns()
        return span


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
        return processor._batch_processor.emit
    return processor.on_end


def _makes_random_ids(provider: TracerProvider) -> int:
    """The flag of a new trace whose id is random, where this SDK knows it."""
    asked = getattr(provider.id_generator, "is_trace_id_random", None)
    return _RANDOM if asked is not None and asked() else 0


class LightSpan(SdkSpan):
    """A span as the SDK's, without attributes and links until somebody asks for them or adds to them."""

    _sampler = None
    _trace_config = None
    _instrumentation_info = None
    _record_exception = True
    _set_status_on_exception = True
    _record_end_metrics = None

    # What most spans have when they end.
    _events = ()
    _status = _UNSET
    _end_time = None
    # Whether it is as the SDK would have made it.
    _whole = False
    # Of the class that each tracer makes.
    _tracer: LightTracer
    _span_processor: SynchronousMultiSpanProcessor | ConcurrentMultiSpanProcessor

    # Of its own, set by the tracer: the parts of its context, and what its maker gave.
    _trace_id: int
    _span_id: int
    _flags: int
    _carried: str
    _state: TraceState
    _shared: Mapping[str, Any]
    _message: Message | None
    _linking: Links

    def headers(self) -> tuple[str, str]:
        """Its context as W3C headers: `traceparent` and `tracestate`."""
        if self._state is NO_STATE and self._flags == _USUAL_FLAGS:
            # As `headers_of`, written out: this runs for every message.
            return "00-%032x-%016x-03" % (self._trace_id, self._span_id), ""  # noqa: UP031
        return headers_of(self._trace_id, self._span_id, self._flags, self._state)

    def get_span_context(self) -> SpanContext:
        context = self._context
        assert context is not None
        return context

    def describe(self, message: Message) -> None:
        """Says which message it is about."""
        if self._whole:
            super().set_attributes(about(message))
        else:
            self._message = message

    def note(self, attributes: Mapping[str, Any]) -> None:
        """Attributes that its maker adds: names of the conventions, plain values."""
        if self._whole:
            super().set_attributes(attributes)
        else:
            self._shared = {**self._shared, **attributes}

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
            light = not self._whole and self._end_time is None
            if light:
                self._end_time = time_ns() if end_time is None else end_time
        if not light:
            super().end(end_time)
        elif self._span_processor._span_processors is self._tracer.processors:
            for tell in self._tracer.ends:
                tell(self)
        else:
            self._span_processor.on_end(self)

    def __getattr__(self, name: str) -> Any:
        """Of what is made when it is asked for."""
        if name in _OF_PARENT:
            parent = self._parent = read_context(self._carried)
            assert parent is not None, "a text that is no context has no span like this"
            self._trace_id, _, _, flags, self._state, _ = parent
            self._flags = flags & _RANDOM | _SAMPLED
            return self.__dict__[name]
        if name == "_context":
            self._context = context_of(self._trace_id, self._span_id, False, self._flags, self._state)
            return self._context
        if name not in ("_attributes", "_links"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._end_time is None:
            self._unfold()
        with self._lock:
            if not self._whole:
                self._attributes = {**self._shared, **about(self._message)}
                self._links = self._linking(self._parent)
        return self.__dict__[name]

    def _unfold(self) -> None:
        """Makes it whole, before something is added."""
        with self._lock:
            if not self._whole and self._end_time is None:
                limits = self._limits
                self._attributes = BoundedAttributes(
                    limits.max_span_attributes,
                    {**self._shared, **about(self._message)},
                    immutable=False,
                    max_value_len=limits.max_span_attribute_length,
                )
                self._events = self._new_events()  # type: ignore[no-untyped-call]
                self._links = self._new_links(self._linking(self._parent))
                self._whole = True
