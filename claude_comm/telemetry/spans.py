"""The spans of messages by the conventions: their names, kinds, parents, links and attributes.

Law: imported in a process that traces, and in no other. A single message's `process` span is the child of its `send`
span and links to it; of a batch, links alone. Everything that is known of a span when it starts is given to it then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token
from functools import partial
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)

from claude_comm.envelope import Envelope
from claude_comm.telemetry import conventions as names
from claude_comm.telemetry.runtime_context import attach, current, detach
from claude_comm.telemetry.tracer import (
    MAX_LINKS,
    Begun,
    Message,
    Prepared,
    Tracer,
    about,
    headers,
    read_context,
)

# Destinations whose names and attributes are kept ready, and messages whose context waits for what follows them.
_MAX_KEPT = 1_000


class Spans:
    """The spans of one module's clients."""

    def __init__(self, tracer: Tracer, module: str, instance: str) -> None:
        self._tracer, self._module, self._instance = tracer, module, instance
        # By operation, and by destination, which so is a name: what such spans share.
        self._prepared: dict[str, dict[str, Prepared]] = {operation: {} for operation in names.TYPES}
        self._processes = self._prepared[names.PROCESS]
        # The contexts of messages that others are to follow.
        self._processed: dict[str, SpanContext] = {}

    def known(self, operation: str) -> Mapping[str, Prepared]:
        """What is ready, by destination."""
        return self._prepared[operation]

    def begins(self, operation: str, otherwise: Callable[[str], Begun]) -> Callable[[str], Begun]:
        """What begins a send to a destination, below the current span."""
        return self._tracer.begins(self.known(operation), partial(self._prepare, operation), otherwise)

    def send(self, operation: str, destination: str) -> Span:
        """A send, or the creation of what is sent later, that begins below the current span."""
        name, shared = self._prepare(operation, destination)
        # Its context is that of the messages, each of which it creates: so it is a producer, with a batch as well.
        return self._tracer.start(name, SpanKind.PRODUCER, _current(), shared)

    def create(self, message: Envelope) -> Span:
        """The creation of a message that follows another, and is sent later."""
        name, shared = self._prepare(names.CREATE, message.target)
        # What a join lets go on was not handled here: what it carries is the nearest.
        parent = self._processed.get(message.causation) or read_context(message.traceparent, message.tracestate)
        return self._tracer.start(name, SpanKind.PRODUCER, parent, shared, _message(message))

    def process(self, message: Envelope, attempt: int) -> Span:
        """The handling of one message."""
        target = message.target
        name, shared = self._processes.get(target) or self._prepare(names.PROCESS, target)
        if attempt > 1:
            shared = {**shared, names.ATTEMPT: attempt}
        about = message.id, message.type, message.correlation, message.session
        return self._tracer.below(name, SpanKind.CONSUMER, message.traceparent, message.tracestate, shared, about)

    def process_all(self, messages: Sequence[Envelope]) -> Span:
        """The handling of several at once."""
        name, shared = self._prepare(names.PROCESS, messages[0].target)
        several = {**shared, names.BATCH_COUNT: len(messages)}
        return self._tracer.start(name, SpanKind.CONSUMER, None, several, None, _links_to(messages))

    def work(self, operation: str, envelopes: Sequence[Envelope], began_ns: int | None = None) -> Span:
        """What a client does with messages, to each of which the span links."""
        name, shared = self._prepare(operation, envelopes[0].target)
        message = _message(envelopes[0]) if len(envelopes) == 1 else None
        if message is None:
            shared = {**shared, names.BATCH_COUNT: len(envelopes)}
        links = _links_to(envelopes)
        return self._tracer.start(name, SpanKind.CLIENT, _current(), shared, message, links, began_ns)

    def keep(self, message: str, span: Span) -> None:
        """Keeps the context of a message that something is to follow."""
        if len(self._processed) >= _MAX_KEPT:
            self._processed.clear()
        self._processed[message] = span.get_span_context()

    def _prepare(self, operation: str, destination: str) -> Prepared:
        """The name of a span, and the attributes that all such spans share."""
        prepared = self._prepared[operation]
        known = prepared.get(destination)
        if known is None:
            if len(prepared) >= _MAX_KEPT:
                prepared.clear()
            shared = {
                names.SYSTEM: names.SYSTEM_NAME,
                names.OPERATION_NAME: operation,
                names.OPERATION_TYPE: names.TYPES[operation],
                names.DESTINATION: destination,
                names.CLIENT: self._instance,
            }
            if operation not in (names.SEND, names.CREATE):
                shared[names.GROUP] = self._module
            known = prepared[destination] = names.span_name(operation, destination), shared
        return known


def enter(span: Span) -> Token[Context]:
    """Makes it the current span of this thread or task; `leave` ends that."""
    context = current()
    return attach(set_span_in_context(span, context) if context else Context({SPAN_KEY: span}))


leave = detach


def carried(span: Span) -> tuple[str, str]:
    """Its context as W3C headers, which what it sends carries."""
    quick = getattr(span, "headers", None)
    return headers(span.get_span_context()) if quick is None else quick()


def finish(span: Span, error: BaseException | None) -> None:
    """Ends a span, as failed where there was an error."""
    if error is not None:
        span.set_attribute(names.ERROR_TYPE, names.error_type(error))
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        span.record_exception(error)
    span.end()


def describe(span: Span, message: Message) -> None:
    """Says which message a span is about, once that has an id. A light span takes it as it is."""
    quick = getattr(span, "describe", None)
    if quick is not None:
        quick(message)
    else:
        span.set_attributes(about(message))


def note(span: Span, attributes: dict[str, Any]) -> None:
    """Attributes of ours. A light span takes them as they are."""
    quick = getattr(span, "note", None)
    if quick is not None:
        quick(attributes)
    else:
        span.set_attributes(attributes)


def links_to(carried: Iterable[tuple[str, str]], _parent: SpanContext | None = None) -> list[Link]:
    """A link to each of these contexts in W3C headers that can be read."""
    contexts = (read_context(parent, state) for parent, state in carried)
    return [Link(context, {}) for context in contexts if context is not None]


def _links_to(envelopes: Sequence[Envelope]) -> partial[list[Link]]:
    """Links to the context of each of these, once (those that were sent together share one), as far as there is room
    for links."""
    carried: dict[tuple[str, str], None] = {}
    for envelope in envelopes:
        carried[envelope.traceparent, envelope.tracestate] = None
        if len(carried) == MAX_LINKS:
            break
    return partial(links_to, list(carried))


def _message(envelope: Envelope) -> Message:
    return envelope.id, envelope.type, envelope.correlation, envelope.session


# Under which name the API keeps the current span.
(SPAN_KEY,) = set_span_in_context(INVALID_SPAN, Context())


def _current() -> SpanContext | None:
    surrounding = current()
    if SPAN_KEY not in surrounding:
        return None
    context = get_current_span(surrounding).get_span_context()
    return context if context.is_valid else None
