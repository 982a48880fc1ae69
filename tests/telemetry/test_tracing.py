"""Spans of messages on a real server: names, kinds, parents, links and attributes, by the conventions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from claude_comm import AsyncPublisher, Consumer, Context, InvalidName, Module, Publisher, RetryPolicy, Settings
from claude_comm.client.publisher.outgoing import Outgoing
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.pipelines import document, module, results, step, up
from tests.support.spans import Collected, attributes, id_of, linked, tracing
from tests.support.streams import dead, sent
from tests.support.waiting import wait_until

ONCE = RetryPolicy(attempts=1)


def marker(settings: Settings, **options: Any) -> Module:
    made = Module("marker", settings=settings, **options)

    @made.handles("page")
    def mark(page: int, context: Context) -> None:
        with trace.get_tracer("own").start_as_current_span("thinking"):
            context.send("indexer", page, type="found")

    return made


def test_a_message_its_handling_and_what_that_sends_are_one_trace(settings: Settings) -> None:
    with tracing() as spans:
        with Publisher("reader", settings=settings) as publisher, running(marker(settings)):
            id_ = publisher.publish("marker", 1, type="page", session="s", correlation="c")
            wait_until(lambda: spans.named("ack marker") != [])
        send, process, ack = spans.one("send marker"), spans.one("process marker"), spans.one("ack marker")
        thinking, onward = spans.one("thinking"), spans.one("send indexer")
    assert (send.kind, process.kind, ack.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.CLIENT)
    # A single message's handling is the child of its sending, and links to it; of what it sends it is the parent.
    assert process.parent is not None
    assert (process.parent.span_id, linked(process)) == (id_of(send), [id_of(send)])
    assert thinking.parent is not None
    assert thinking.parent.span_id == id_of(process)
    assert onward.parent is not None
    assert onward.parent.span_id == id_of(thinking)
    assert linked(ack) == [id_of(send)]
    assert {span.context.trace_id for span in (send, process, thinking, onward) if span.context} == {
        send.context.trace_id if send.context else 0
    }
    shared = {
        "messaging.system": "claude_comm",
        "messaging.destination.name": "marker",
        "messaging.message.id": id_,
        "messaging.message.conversation_id": "c",
        "claude_comm.message.type": "page",
        "claude_comm.session": "s",
    }
    for span, name, kind in ((send, "send", "send"), (process, "process", "process"), (ack, "ack", "settle")):
        told = attributes(span)
        assert told.pop("messaging.client.id")
        if span is not send:
            assert told.pop("messaging.consumer.group.name") == "marker"
        assert told == {**shared, "messaging.operation.name": name, "messaging.operation.type": kind}
    assert onward.start_time is not None
    assert process.start_time is not None
    assert process.start_time <= onward.start_time


def test_the_messages_of_a_batch_share_the_context_of_its_send_and_a_batch_handler_links_to_it(
    settings: Settings, client: Client
) -> None:
    made, sizes = Module("marker", settings=settings), list[int]()

    @made.handles_batch("page", max=10)
    def mark(pages: list[int]) -> None:
        sizes.append(len(pages))

    with tracing() as spans, Publisher("reader", settings=settings) as publisher:
        publisher.publish_many("marker", [1, 2, 3], type="page")
        publisher.publish("marker", 4, type="page")
        with running(made):
            wait_until(lambda: sum(sizes) == 4)
        batch, single = spans.named("send marker")
        assert attributes(batch)["messaging.batch.message_count"] == 3
        assert "messaging.message.id" not in attributes(batch)
        together = [
            span for span in spans.named("process marker") if attributes(span).get("messaging.batch.message_count")
        ]
    assert sizes == [4]
    (process,) = together
    assert process.parent is None
    assert linked(process) == [id_of(batch), id_of(single)]
    assert len({envelope.traceparent for envelope in sent(client, settings, "marker")}) == 2


def test_an_array_travels_with_a_context_as_it_does_without(settings: Settings, client: Client) -> None:
    array = pytest.importorskip("numpy").arange(4)
    with Publisher("reader", settings=settings) as publisher:
        publisher.publish("marker", array)
    with tracing() as spans, Publisher("reader", settings=settings) as publisher:
        publisher.publish("marker", array)
        send = spans.one("send marker")
    plain, traced = sent(client, settings, "marker")
    assert (traced.content_type, traced.data) == (plain.content_type, plain.data)
    assert traced.traceparent.split("-")[2] == f"{id_of(send):016x}"


def test_nothing_is_received_before_it_is_handed_over(settings: Settings) -> None:
    with tracing() as spans:
        with Publisher("reader", settings=settings) as publisher:
            publisher.publish_many("sink", [1, 2, 3])
        with Consumer("sink", settings=settings, batch=2) as consumer:
            assert spans.named("receive sink") == []
            deliveries = consumer.read()
            (receive,) = spans.named("receive sink")
            assert (receive.kind, attributes(receive)["messaging.batch.message_count"]) == (SpanKind.CLIENT, 2)
            assert linked(receive) == [id_of(spans.one("send sink"))]
            for delivery in deliveries:
                consumer.ack(delivery)
            consumer.flush()
            assert attributes(spans.one("ack sink"))["messaging.batch.message_count"] == 2
            iteration = iter(consumer)
            consumer.ack(next(iteration))
            assert len(spans.named("receive sink")) == 2
            assert consumer.read(wait_s=0) == []
            assert len(spans.named("receive sink")) == 2


def test_failures_are_told_with_their_error_and_end_as_retry_or_burial(
    settings: Settings, client: Client, keys: Keys
) -> None:
    made = Module("marker", settings=settings, retry=RetryPolicy(attempts=2, first_wait_s=0.01))

    @made.handles("page")
    def mark(page: int) -> None:
        raise LookupError("no such page")

    with tracing() as spans:
        with Publisher("reader", settings=settings) as publisher, running(made):
            publisher.publish("marker", 1, type="page")
            wait_until(lambda: len(dead(client, keys, "marker")) == 1)
            wait_until(lambda: spans.named("bury marker") != [])
        first, second = spans.named("process marker")
        assert first.status.status_code is StatusCode.ERROR
        assert attributes(first)["error.type"] == "LookupError"
        assert [event.name for event in first.events] == ["exception"]
        assert attributes(second)["claude_comm.delivery.attempt"] == 2
        for name in ("retry", "bury"):
            settle = spans.one(f"{name} marker")
            assert attributes(settle)["messaging.operation.type"] == "settle"
            assert linked(settle) == [id_of(spans.one("send marker"))]


def test_a_send_that_fails_is_told_as_failed(settings: Settings) -> None:
    with tracing() as spans, Publisher("reader", settings=settings) as publisher:
        with pytest.raises(InvalidName):
            publisher.publish("not a name", 1)
        assert spans.all() == []
        with pytest.raises(Exception, match="cannot be"):
            publisher.publish("marker", object())
        span = spans.one("send marker")
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == "claude_comm.errors.EncodeError"
        # What is queued has a span of its creation: it is sent with others.
        publisher.publish_soon("marker", 1).result()
        assert (spans.one("create marker").kind, len(spans.named("send marker"))) == (SpanKind.PRODUCER, 1)


def test_asyncio_publishers_trace_as_well(settings: Settings, client: Client) -> None:
    async def send() -> None:
        async with AsyncPublisher("reader", settings=settings) as publisher:
            await asyncio.gather(*(publisher.publish("marker", number) for number in range(3)))
            await (await publisher.publish_soon("marker", 3))
            await publisher.publish_many("marker", [4, 5])

    with tracing() as spans:
        asyncio.run(send())
        ids = {id_of(span) for name in ("send", "create") for span in spans.named(f"{name} marker")}
    assert len(ids) == 5
    assert {int(envelope.traceparent[36:52], 16) for envelope in sent(client, settings, "marker")} == ids


def test_an_async_handler_is_in_its_span_and_leaves_none_behind(settings: Settings) -> None:
    seen: list[trace.SpanContext] = []
    made = Module("marker", settings=settings, concurrency=4)

    @made.handles("page")
    async def mark(page: int) -> None:
        await asyncio.sleep(0)
        seen.append(trace.get_current_span().get_span_context())

    with tracing() as spans:
        with Publisher("reader", settings=settings) as publisher, running(made):
            for number in range(6):
                publisher.publish("marker", number, type="page")
            wait_until(lambda: len(spans.named("process marker")) == 6)
        assert {context.span_id for context in seen} == {id_of(span) for span in spans.named("process marker")}
        parents = {span.parent.span_id for span in spans.named("process marker") if span.parent}
        assert parents == {id_of(span) for span in spans.named("send marker")}


def test_a_run_of_a_pipeline_is_one_trace_for_each_input(settings: Settings, client: Client) -> None:
    def same(payload: Any) -> Any:
        return payload

    with tracing() as spans:
        modules = [module(settings, name, same) for name in ("one", "two")]
        with up(client, settings, *modules):
            assert len(results(client, settings, document(step("one"), step("two")), [{"n": 1}])) == 1
        wait_until(lambda: len(spans.named("ack two")) == 1)
        begun, handled, onward = spans.one("send one"), spans.one("process one"), spans.one("create two")
        last = spans.one("process two")
    assert handled.parent is not None
    assert (begun.kind, handled.parent.span_id) == (SpanKind.PRODUCER, id_of(begun))
    assert onward.parent is not None
    assert (onward.kind, onward.parent.span_id) == (SpanKind.PRODUCER, id_of(handled))
    assert last.parent is not None
    assert last.parent.span_id == id_of(onward)
    assert linked(last) == [id_of(onward)]


def test_what_a_sampler_leaves_out_is_not_told_and_its_context_travels(settings: Settings, client: Client) -> None:
    from opentelemetry.sdk.trace.sampling import DEFAULT_OFF

    with tracing(sampler=DEFAULT_OFF) as spans, Publisher("reader", settings=settings) as publisher:
        publisher.publish("marker", 1)
        assert spans.all() == []
    (envelope,) = sent(client, settings, "marker")
    assert envelope.traceparent[-1] in "02"


def test_without_a_provider_or_with_tracing_off_a_client_is_the_one_that_it_always_was(settings: Settings) -> None:
    import msgspec

    with tracing():
        off = Publisher("reader", settings=msgspec.structs.replace(settings, tracing="off"))
    with off, Publisher("reader", settings=settings) as none:
        for publisher in (off, none):
            assert type(publisher._outgoing) is Outgoing
            assert "publish" not in vars(publisher)


def test_a_process_without_opentelemetry_imports_nothing_of_it(environ: dict[str, str]) -> None:
    code = """
import sys
from claude_comm import Consumer, Publisher
Publisher("a").publish("b", 1)
Consumer("b").read()
print([name for name in sys.modules if name.startswith(("opentelemetry", "prometheus", "claude_comm.telemetry.t"))])
"""
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_collected_span_has_the_place_of_its_maker(settings: Settings) -> None:
    with tracing() as spans, Publisher("reader", settings=settings) as publisher:
        publisher.publish("marker", 1)
        scope = only(spans).instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.schema_url) == ("claude_comm", "https://opentelemetry.io/schemas/1.44.0")


def only(spans: Collected) -> Any:
    (span,) = spans.all()
    return span
