"""Messages of pipelines, in a process that traces: each carries the context of a span of its own.

Law: what follows a message is below the span of its handling. What a step passes on is created here and sent later,
with others: it has a span of its creation, and none of its sending.
"""

from __future__ import annotations

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.telemetry.conventions import CREATE
from claude_comm.telemetry.tracing import Sending, Telemetry


def created(telemetry: Telemetry, message: Envelope) -> Envelope:
    """The message with the context of its creation."""
    if telemetry.instruments is not None:
        telemetry.instruments.sent(CREATE, message.target, 1, None, "")
    if telemetry.spans is None:
        return message
    span = telemetry.spans.create(message)
    span.end()
    traceparent, tracestate = telemetry.carried(span)
    return msgspec.structs.replace(message, traceparent=traceparent, tracestate=tracestate)


def begun(telemetry: Telemetry, message: Envelope) -> Sending:
    """The send of one message that is about to be made."""
    sending = Sending(telemetry, message.target)
    sending.message = message.id, message.type, message.correlation, message.session
    return sending


def carrying(message: Envelope, sending: Sending) -> Envelope:
    """The message with the context of its send."""
    if not sending.traceparent:
        return message
    return msgspec.structs.replace(message, traceparent=sending.traceparent, tracestate=sending.tracestate)
