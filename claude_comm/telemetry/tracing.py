"""What a client tells of its messages while they are sent, handled and settled: as spans, as metrics, or as both.

Law: one decision, when a client is made: without spans and without instruments there is no `Telemetry`, and no line of
this file runs. A message has no span of receiving before it is handed over.

Theory of operation. A client that has a `Telemetry` gets its methods wrapped once, in its constructor. Sending runs
within a `Sending`, which holds the span; the publisher's `TracedOutgoing` finds it there (a context variable) and
writes its context into the envelope. Handling runs within a `Processing`, whose span is the current one of its thread
or task: so spans of the handler's own, and those of the messages that it sends, are its children. What is passed on
along a route after the handler returned finds the context of its span under the id of the message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Protocol

from claude_comm.envelope import Envelope
from claude_comm.telemetry import conventions as names
from claude_comm.telemetry.current import current_message, current_session
from claude_comm.telemetry.instruments import Instruments

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from claude_comm.telemetry.spans import Spans
    from claude_comm.telemetry.tracer import Begun, Message


class Telemetry:
    """What the clients of one module tell. `spans` or `instruments` may be None, not both."""

    def __init__(self, module: str, spans: Spans | None, instruments: Instruments | None) -> None:
        self.module, self.spans, self.instruments = module, spans, instruments
        if spans is not None:
            # What these need is installed and imported by now, and imported by a process without spans never.
            from claude_comm.telemetry import spans as functions

            self.finish, self.enter, self.leave = functions.finish, functions.enter, functions.leave
            self.describe, self.note = functions.describe, functions.note
            self.carried = functions.carried

    def begins(self, operation: str) -> Callable[[str], Begun]:
        """What begins a send to a destination, below the current span."""
        otherwise = partial(Sending, self, operation=operation)
        if self.spans is None or self.instruments is not None:
            return otherwise
        return self.spans.begins(operation, otherwise)

    def known(self, operation: str) -> Collection[str]:
        """Destinations of this operation that no call has refused."""
        return () if self.spans is None else self.spans.known(operation)


class Sending:
    """One send, of one message or of a batch; or the creation of one that is queued, and sent with others. It begins
    when it is made, below the current span. Where a span alone can tell all of it, that span stands for it."""

    __slots__ = (
        "_begun", "_count", "_destination", "_operation", "_span", "_telemetry", "message", "traceparent", "tracestate",
    )  # fmt: skip

    def __init__(self, telemetry: Telemetry, destination: str, operation: str = names.SEND) -> None:
        self._telemetry, self._destination, self._operation, self._count = telemetry, destination, operation, 0
        self.message: Message | None = None
        if telemetry.instruments is not None:
            self._begun = time.perf_counter()
        if telemetry.spans is not None:
            span = telemetry.spans.send(operation, destination)
            self._span: Span | None = span
            self.traceparent, self.tracestate = telemetry.carried(span)
        else:
            self._span, self.traceparent, self.tracestate = None, "", ""

    def batch(self, count: int) -> None:
        """Says how many messages it is."""
        self._count = count
        if self._span is not None:
            self._telemetry.note(self._span, {names.BATCH_COUNT: count})

    def finish(self, error: BaseException | None = None) -> None:
        telemetry, span = self._telemetry, self._span
        if span is not None:
            if self.message is not None:
                telemetry.describe(span, self.message)
            telemetry.finish(span, error)
        if telemetry.instruments is not None:
            # What creating takes is not what an operation on the server takes.
            seconds = time.perf_counter() - self._begun if self._operation == names.SEND else None
            failed = names.error_type(error)
            telemetry.instruments.sent(self._operation, self._destination, self._count or 1, seconds, failed)


# The send that this thread or task is at.
current_sending: ContextVar[Begun | None] = ContextVar("claude_comm_sending", default=None)


class HandledDelivery(Protocol):
    """A delivery, as far as it is told of."""

    @property
    def envelope(self) -> Envelope: ...

    @property
    def attempts(self) -> int: ...


class Processing:
    """The handling of one message, or of several at once, in their session. A context manager, one for each: written
    out, because each message goes through one."""

    __slots__ = (
        "_attached",
        "_begun",
        "_first",
        "_in_session",
        "_message",
        "_others",
        "_session",
        "_span",
        "_telemetry",
    )

    def __init__(self, telemetry: Telemetry, session: str, delivery: HandledDelivery, *others: HandledDelivery) -> None:
        self._telemetry, self._session = telemetry, session
        self._first = first = delivery.envelope
        self._others = [other.envelope for other in others] if others else ()
        if telemetry.spans is None:
            self._span = None
        elif others:
            self._span = telemetry.spans.process_all([first, *self._others])
        else:
            self._span = telemetry.spans.process(first, delivery.attempts)

    def __enter__(self) -> None:
        telemetry = self._telemetry
        if telemetry.instruments is not None:
            self._begun = time.perf_counter()
        if self._session:
            self._in_session = current_session.set(self._session)
        self._message = current_message.set(self._first.id)
        if self._span is not None:
            self._attached = telemetry.enter(self._span)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        telemetry, first, span = self._telemetry, self._first, self._span
        if span is not None:
            telemetry.leave(self._attached)
            if first.route or self._others:
                self._keep(span)
            if error is None:
                span.end()
            else:
                telemetry.finish(span, error)
        current_message.reset(self._message)
        if self._session:
            current_session.reset(self._in_session)
        if telemetry.instruments is not None:
            seconds, failed = time.perf_counter() - self._begun, names.error_type(error)
            telemetry.instruments.processed(first.target, telemetry.module, 1 + len(self._others), seconds, failed)

    def _keep(self, span: Span) -> None:
        """What goes on along their routes is to be below this."""
        spans = self._telemetry.spans
        for envelope in (self._first, *self._others):
            if spans is not None and envelope.route:
                spans.keep(envelope.id, span)


class Settling:
    """The ack of several deliveries, the retry or the burial of one. A context manager, one for each."""

    __slots__ = ("_begun", "_destination", "_operation", "_span", "_telemetry")

    def __init__(self, telemetry: Telemetry, operation: str, envelopes: Sequence[Envelope]) -> None:
        self._telemetry, self._operation, self._destination = telemetry, operation, envelopes[0].target
        self._begun = time.perf_counter()
        self._span = None if telemetry.spans is None else telemetry.spans.work(operation, envelopes)

    def __enter__(self) -> None:
        """It began when it was made."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._span is not None:
            self._telemetry.finish(self._span, error)
        if (instruments := self._telemetry.instruments) is not None:
            seconds, failed = time.perf_counter() - self._begun, names.error_type(error)
            instruments.settled(self._operation, self._destination, seconds, failed)


def received(telemetry: Telemetry, envelopes: Sequence[Envelope], began_ns: int) -> None:
    """A span for messages that are handed over now to who reads them; it began when they were asked for."""
    if telemetry.spans is not None and envelopes:
        telemetry.spans.work(names.RECEIVE, envelopes, began_ns).end()
