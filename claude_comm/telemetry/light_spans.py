"""Spans of the SDK that cost a tenth: what a message's span does not need is made when it is asked for.

Law: whoever reads one sees what the SDK would have made; a test compares the two. `light_tracer` says where they are
used.

Theory of operation. A span of the SDK guards its attributes, events and links with bounds and copies, and copies itself
when it ends: 30 to 50 microseconds on the machine where this was measured. A light span keeps what its maker gave: the
attributes that all spans of its kind share, four texts of its message, and a function that makes its links. Attributes
and links stand in no field until a reader asks for one that is missing (`_Late`), which an exporter does in its
own thread. Its context is one text, which its message carries, or numbers; that of its parent is the text that a
message carried, or the span itself: each is read when it is asked for. One that is asked before it has ended, or that a
handler adds something to, becomes a whole one at that moment (`_unfold`). What all spans of one tracer have in common
are fields of a class made for that tracer; the lock is one of them. So a span is one object for the garbage collector,
which looks at what waits for the exporter again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    SynchronousMultiSpanProcessor,
)
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import Link, SpanContext, Status, TraceFlags

from claude_comm.telemetry import conventions as names
from claude_comm.telemetry.tracer import (
    NO_STATE,
    RANDOM,
    Links,
    Message,
    about,
    context_of,
    headers_of,
    link_to_parent,
    no_links,
    read_context,
)

_UNSET = Status()
# Where the ids and the flags stand in a context as a text.
_TRACE, _SPAN, _FLAGS = slice(3, 35), slice(36, 52), slice(53, 55)


class _Late:
    """A field that is made when it is asked for and missing, with others. No `__getattr__`, which would slow down the
    reading of all fields."""

    def __init__(self, make: Callable[[Any], None]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Any, owner: type | None = None) -> Any:
        if span is None:
            return self
        self._make(span)
        return span.__dict__[self._name]


class Origin(Protocol):
    """The tracer of a light span, as far as a new trace begins with the span."""

    # The flag of such a trace.
    random: int

    def new_trace_id(self) -> int: ...


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
    _end_time: int | None = None
    # Whether it is as the SDK would have made it.
    _whole = False
    # Of the class that each tracer makes.
    _tracer: Origin
    # Ends it, as failed where there was an error, while nobody but its maker has it.
    finish: Callable[..., None]
    _span_processor: SynchronousMultiSpanProcessor | ConcurrentMultiSpanProcessor

    # Of its own, set by the tracer: its context, as a text that its messages carry or as numbers; the text that its
    # parent's message carried, or the span that is its parent; and what its maker gave.
    traceparent: str
    tracestate = ""
    _carried: str
    _above: LightSpan
    _shared: Mapping[str, Any]
    # Which message it is about: set once that has an id.
    message: Message | None = None
    _linking: Links

    def get_span_context(self) -> SpanContext:
        context: SpanContext = self._context
        return context

    def headers(self) -> tuple[str, str]:
        """Its context as W3C headers: `traceparent` and `tracestate`."""
        own = self.__dict__
        if "traceparent" not in own:
            self.traceparent, _ = headers_of(self._trace_id, self._span_id, self._flags, self._state)
        return self.traceparent, self.tracestate

    def describe(self, message: Message) -> None:
        """Says which message it is about."""
        if self._whole:
            super().set_attributes(about(message))
        else:
            self.message = message

    def batch(self, count: int) -> None:
        """Says how many messages it is."""
        self.note({names.BATCH_COUNT: count})

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

    def _read_context(self) -> None:
        """The numbers of its context, and its parent, from the texts that stand for them."""
        own = self.__dict__
        if "_carried" in own:
            with self._lock:
                if "_parent" not in own:
                    self._read_carried()
            return
        if "_trace_id" not in own:
            text = self.traceparent
            self._trace_id, self._span_id, self._flags = (int(text[part], 16) for part in (_TRACE, _SPAN, _FLAGS))
            self._state = NO_STATE
        self._parent = self._above.get_span_context() if "_above" in own else None

    def _read_carried(self) -> None:
        parent = read_context(self._carried)
        # What looks like a context and is none is no parent.
        trace_id = parent.trace_id if parent else self._tracer.new_trace_id()
        flags = parent.trace_flags & RANDOM if parent else self._tracer.random
        self._trace_id, self._flags, self._state = trace_id, flags | TraceFlags.SAMPLED, NO_STATE
        self._parent = parent

    def _make_context(self) -> None:
        self._context = context_of(self._trace_id, self._span_id, False, self._flags, self._state)

    def _links_to(self, parent: SpanContext | None) -> Sequence[Link]:
        usual = link_to_parent if "_carried" in self.__dict__ else no_links
        links: Links = self.__dict__.get("_linking", usual)
        return links(parent)

    def _describe_fully(self) -> None:
        """Its attributes and links, as they are to stay."""
        if self._end_time is None:
            self._unfold()
        parent = self._parent
        with self._lock:
            if not self._whole:
                self._attributes = {**self._shared, **about(self.message)}
                self._links = self._links_to(parent)

    def _unfold(self) -> None:
        """Makes it whole, before something is added."""
        parent = self._parent
        with self._lock:
            if not self._whole and self._end_time is None:
                limits = self._limits
                self._attributes = BoundedAttributes(
                    limits.max_span_attributes,
                    {**self._shared, **about(self.message)},
                    immutable=False,
                    max_value_len=limits.max_span_attribute_length,
                )
                self._events = self._new_events()  # type: ignore[no-untyped-call]
                self._links = self._new_links(self._links_to(parent))
                self._whole = True

    _trace_id, _span_id, _flags = _Late(_read_context), _Late(_read_context), _Late(_read_context)
    _state, _parent = _Late(_read_context), _Late(_read_context)
    _context = _Late(_make_context)
    _attributes, _links = _Late(_describe_fully), _Late(_describe_fully)
