"""Starting spans, and their contexts as W3C Trace Context, which is what an envelope carries.

Law: what cannot be read there is no context, and never an error. Imported in a process that traces, and in no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

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

from claude_comm.telemetry import conventions as names
from claude_comm.version import __version__

NAME = "claude_comm"
# Version 00, and whatever a later version has after these four parts.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?").fullmatch
# Sampled, random, both, neither: made once, as each costs as much as a context.
FLAGS = tuple(TraceFlags(flags) for flags in range(4))
# The flag of a trace whose id is random.
RANDOM = 2
_FLAG_TEXTS = ("00", "01", "02", "03")
NO_STATE = TraceState()
# A context is a tuple of these. Made as one it costs a third; an API in which it is something else makes its own.
_CONTEXTS_ARE_TUPLES = isinstance(SpanContext(1, 2, True, FLAGS[1], NO_STATE), tuple) and tuple(
    SpanContext(1, 2, True, FLAGS[1], NO_STATE)
) == (1, 2, True, FLAGS[1], NO_STATE, True)

# The name of a span, and the attributes that it shares with others.
Prepared: TypeAlias = tuple[str, Mapping[str, Any]]
# What the SDK keeps by default. An ack of hundreds of messages that were sent one by one links to the first of them.
MAX_LINKS = 128
# The message that a span is about: its id, type, correlation and session. Texts, so that no span keeps a payload.
Message: TypeAlias = tuple[str, str, str, str]
# The links of a span, given its parent: made when somebody asks for them.
Links: TypeAlias = Callable[[SpanContext | None], Sequence[Link]]


def no_links(_parent: SpanContext | None) -> Sequence[Link]:
    return ()


def link_to_parent(parent: SpanContext | None) -> Sequence[Link]:
    return () if parent is None else (Link(parent, {}),)


class Begun(Protocol):
    """A send that has begun. `message` is which one it is, set once that has an id."""

    message: Message | None

    # What its messages carry: empty without spans.
    @property
    def traceparent(self) -> str: ...

    @property
    def tracestate(self) -> str: ...

    def batch(self, count: int) -> None:
        """Says how many messages it is."""
        ...

    def finish(self, error: BaseException | None = None) -> None:
        """Ends it, as failed where there was an error."""
        ...


class Tracer(Protocol):
    """Starts spans. `shared` are attributes that other spans have as well: they are not changed."""

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        shared: Mapping[str, Any],
        message: Message | None = None,
        links: Links = no_links,
        began_ns: int | None = None,
    ) -> Span: ...

    def below(
        self,
        name: str,
        kind: SpanKind,
        traceparent: str,
        tracestate: str,
        shared: Mapping[str, Any],
        message: Message,
    ) -> Span:
        """A span below the one whose context a message carries in these headers, to which it links as well."""
        ...

    def begins(
        self, known: Mapping[str, Prepared], prepare: Callable[[str], Prepared], otherwise: Callable[[str], Begun]
    ) -> Callable[[str], Begun]:
        """What begins a send to a destination, below the current span: `otherwise`, or what is quicker."""
        ...


class AnyTracer:
    """Spans of whatever implements OpenTelemetry."""

    def __init__(self, provider: Any) -> None:
        self._tracer = provider.get_tracer(NAME, __version__, schema_url=names.SCHEMA_URL)

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
        context = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
        attributes = {**shared, **about(message)}
        span: Span = self._tracer.start_span(name, context, kind, attributes, links(parent), began_ns)
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
        return self.start(name, kind, read_context(traceparent, tracestate), shared, message, link_to_parent)

    def begins(
        self, known: Mapping[str, Prepared], prepare: Callable[[str], Prepared], otherwise: Callable[[str], Begun]
    ) -> Callable[[str], Begun]:
        return otherwise


def about(message: Message | None) -> dict[str, Any]:
    """A message as attributes."""
    if message is None:
        return {}
    id_, type, correlation, session = message
    attributes = {names.MESSAGE_ID: id_, names.MESSAGE_TYPE: type}
    if correlation:
        attributes[names.CONVERSATION] = correlation
    if session:
        attributes[names.SESSION] = session
    return attributes


def context_of(trace_id: int, span_id: int, remote: bool, flags: int, state: TraceState) -> SpanContext:
    """A context with these ids, neither of which is 0; `flags` is a number below 4."""
    if _CONTEXTS_ARE_TUPLES:
        return tuple.__new__(SpanContext, (trace_id, span_id, remote, FLAGS[flags], state, True))
    return SpanContext(trace_id, span_id, remote, FLAGS[flags], state)


def headers(context: SpanContext) -> tuple[str, str]:
    """The context as W3C headers: `traceparent` and `tracestate`."""
    # As the tuple that it is: each property would be a call.
    trace_id, span_id, _, flags, state, *_ = context
    return headers_of(trace_id, span_id, flags, state)


def headers_of(trace_id: int, span_id: int, flags: int, state: TraceState) -> tuple[str, str]:
    """The same, of the parts of a context."""
    # Quicker than a formatted string, for numbers as long as these.
    parent = "00-%032x-%016x-%s" % (trace_id, span_id, _FLAG_TEXTS[flags & 3])  # noqa: UP031
    return parent, state.to_header() if state is not NO_STATE and state else ""


def read_context(parent: str, state: str = "") -> SpanContext | None:
    """The context in these W3C headers; None where there is none, or none that can be read."""
    global _last_read  # noqa: PLW0603  (the pair is replaced whole: what another thread reads is one of them)
    if not parent:
        return None
    headers, context = _last_read
    # Messages that were sent together carry one context, and are read one after another.
    if headers != (parent, state):
        context = _parsed(parent, state)
        _last_read = (parent, state), context
    return context


def _parsed(parent: str, state: str) -> SpanContext | None:
    match = _TRACEPARENT(parent)
    if match is None:
        return None
    version, trace_text, span_text, flags, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return None
    trace_id, span_id = int(trace_text, 16), int(span_text, 16)
    if not (trace_id and span_id):
        return None
    states = TraceState.from_header([state]) if state else NO_STATE
    return context_of(trace_id, span_id, True, int(flags, 16) & 3, states)


_last_read: tuple[tuple[str, str], SpanContext | None] = ("", ""), None
