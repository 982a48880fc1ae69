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
from collections.abc import Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Protocol

from claude_comm.envelope import Envelope
from claude_comm.telemetry import conventions as names
from claude_comm.telemetry.current import current_message, current_session
from claude_comm.telemetry.instruments import Instruments

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from claude_comm.telemetry.spans import Spans


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


class Sending:
    """One send, of one message or of a batch; or the creation of one that is queued, and sent with others. It begins
    when it is made, below the current span. A context manager, one for each: written out, because each message goes
    through one."""

    __slots__ = (
        "_begun", "_count", "_destination", "_operation", "_span", "_telemetry", "_token", "traceparent", "tracestate",
    )  # fmt: skip

    def __init__(self, telemetry: Telemetry, destination: str, operation: str = names.SEND) -> None:
        self._telemetry, self._destination, self._operation, self._count = telemetry, destination, operation, 0
        if telemetry.instruments is not None:
            self._begun = time.perf_counter()
        if telemetry.spans is not None:
            span = telemetry.spans.send(operation, destination)
            self._span: Span | None = span
            # What its messages carry: empty without spans.
            self.traceparent, self.tracestate = telemetry.carried(span)
        else:
            self._span, self.traceparent, self.tracestate = None, "", ""

    def message(self, id_: str, type: str, session: str, correlation: str = "") -> None:
        """Says which message it is."""
        if (span := self._span) is not None:
            # As `spans.describe`, written out: this runs for every message.
            if (quick := getattr(span, "describe", None)) is not None:
                quick((id_, type, correlation, session))
            else:
                self._telemetry.describe(span, (id_, type, correlation, session))

    def batch(self, count: int) -> None:
        """Says how many messages it is."""
        self._count = count
        if self._span is not None:
            self._telemetry.note(self._span, {names.BATCH_COUNT: count})

    def end(self, error: BaseException | None = None) -> None:
        telemetry = self._telemetry
        if self._span is not None:
            if error is None:
                self._span.end()
            else:
                telemetry.finish(self._span, error)
        if telemetry.instruments is not None:
            # What creating takes is not what an operation on the server takes.
            seconds = time.perf_counter() - self._begun if self._operation == names.SEND else None
            failed = names.error_type(error)
            telemetry.instruments.sent(self._operation, self._destination, self._count or 1, seconds, failed)

    def __enter__(self) -> Sending:
        self._token = current_sending.set(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        current_sending.reset(self._token)
        if error is None and self._span is not None and self._telemetry.instruments is None:
            self._span.end()
        else:
            self.end(error)


# The send that this thread or task is at.
current_sending: ContextVar[Sending | None] = ContextVar("claude_comm_sending", default=None)


class HandledDelivery(Protocol):
    """A delivery, as far as it is told of."""

    @property
    def envelope(self) -> Envelope: ...

    @property
    def attempts(self) -> int: ...


class Processing:
    """The handling of one message, or of several at once, in their session. A context manager, one for each: written
    out, because each message goes through one."""

    __slots__ = ("_attached", "_begun", "_envelopes", "_in_session", "_message", "_session", "_span", "_telemetry")

    def __init__(self, telemetry: Telemetry, session: str, *deliveries: HandledDelivery) -> None:
        self._telemetry, self._session = telemetry, session
        if len(deliveries) == 1:
            (delivery,) = deliveries
            envelopes: Sequence[Envelope] = (delivery.envelope,)
            attempt = delivery.attempts
        else:
            envelopes, attempt = [delivery.envelope for delivery in deliveries], 1
        self._envelopes = envelopes
        self._span = None if telemetry.spans is None else telemetry.spans.process(envelopes, attempt)
        self._attached: Token[Any] | None = None

    def __enter__(self) -> None:
        telemetry = self._telemetry
        if telemetry.instruments is not None:
            self._begun = time.perf_counter()
        if self._session:
            self._in_session = current_session.set(self._session)
        self._message = current_message.set(self._envelopes[0].id)
        if self._span is not None:
            self._attached = telemetry.enter(self._span)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        telemetry = self._telemetry
        if self._span is not None and self._attached is not None and telemetry.spans is not None:
            telemetry.leave(self._attached)
            for envelope in self._envelopes:
                if envelope.route:
                    telemetry.spans.keep(envelope.id, self._span)
            if error is None:
                self._span.end()
            else:
                telemetry.finish(self._span, error)
        current_message.reset(self._message)
        if self._session:
            current_session.reset(self._in_session)
        if telemetry.instruments is not None:
            seconds, failed = time.perf_counter() - self._begun, names.error_type(error)
            target, count = self._envelopes[0].target, len(self._envelopes)
            telemetry.instruments.processed(target, telemetry.module, count, seconds, failed)


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
