"""Log events say what they are about: session, message and trace."""

from __future__ import annotations

import io
import json
from typing import Any

import structlog
from opentelemetry import trace

from claude_comm import Module, Publisher, RetryPolicy, Settings
from claude_comm.names import Keys
from claude_comm.telemetry.logs import message_context
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.spans import tracing
from tests.support.streams import dead
from tests.support.waiting import wait_until


def test_events_in_and_about_a_handler_say_trace_session_and_message(settings: Settings, client: Client) -> None:
    out, seen = io.StringIO(), list[trace.SpanContext]()
    structlog.configure(
        processors=[message_context, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    made = Module("marker", settings=settings, retry=RetryPolicy(attempts=1))

    @made.handles("page")
    def mark(page: int) -> None:
        seen.append(trace.get_current_span().get_span_context())
        structlog.get_logger().info("marked", page=page)
        raise LookupError("no such page")

    try:
        with tracing(), Publisher("reader", settings=settings) as publisher, running(made):
            id_ = publisher.publish("marker", 1, type="page", session="s")
            wait_until(lambda: len(dead(client, Keys(settings.namespace), "marker")) == 1)
    finally:
        structlog.reset_defaults()
    events: dict[str, Any] = {event["event"]: event for event in map(json.loads, out.getvalue().splitlines())}
    trace_id = f"{seen[0].trace_id:032x}"
    marked = events["marked"]
    assert (marked["session"], marked["message"], marked["trace_id"]) == ("s", id_, trace_id)
    assert marked["span_id"] == f"{seen[0].span_id:016x}"
    failed = events["delivery.failed"]
    assert (failed["session"], failed["id"], failed["trace_id"]) == ("s", id_, trace_id)
