"""claude-comm's own ways."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.actors import Act
from benchmarks.messages import PAUSE_S, SCHEMA, SHAPE, SIZE_BYTES, Handler, paced, payload, payloads, shaped
from benchmarks.place import Place
from claude_comm import AsyncConsumer, AsyncPublisher, Consumer, Module, Publisher
from claude_comm.client.module.async_context import AsyncContext
from claude_comm.client.module.context import Context
from claude_comm.ops import registration
from claude_comm.registry.contracts import contract

BATCH = 500
TASKS = 100


@contextmanager
def publish_many(place: Place, size: str = str(SIZE_BYTES)) -> Iterator[Act]:
    with Publisher("plain", settings=place.settings()) as publisher:
        yield lambda count: publisher.publish_many("sink", payloads(count, int(size)))


@contextmanager
def publish_agreed(place: Place) -> Iterator[Act]:
    with _agreed(place, "agreeing", SCHEMA) as publisher:
        yield lambda count: publisher.publish_many("agreeing", payloads(count), type="fits")


@contextmanager
def publish_shaped(place: Place) -> Iterator[Act]:
    """Under a schema of the kind that types give."""
    with _agreed(place, "shaping", SHAPE) as publisher:
        yield lambda count: publisher.publish_many("shaping", shaped(count), type="fits")


@contextmanager
def publish_unshaped(place: Place) -> Iterator[Act]:
    """The same messages, held to nothing."""
    with Publisher("unshaped", settings=place.settings()) as publisher:
        yield lambda count: publisher.publish_many("sink", shaped(count))


@contextmanager
def _agreed(place: Place, target: str, schema: dict[str, Any]) -> Iterator[Publisher]:
    with Publisher(f"to-{target}", settings=place.settings()) as publisher:
        publisher.client.run(registration.register(publisher.identity.keys, contract(target, accepts={"fits": schema})))
        publisher.negotiate(target, schema, type="fits")
        yield publisher


@contextmanager
def publish_one_by_one(place: Place) -> Iterator[Act]:
    with Publisher("single", settings=place.settings()) as publisher:

        def act(count: int) -> None:
            for number in range(count):
                publisher.publish("sink", payload(number))

        yield act


@contextmanager
def publish_soon(place: Place) -> Iterator[Act]:
    with Publisher("soon", settings=place.settings()) as publisher:

        def act(count: int) -> None:
            promises = [publisher.publish_soon("sink", payload(number)) for number in range(count)]
            publisher.flush()
            for promise in promises:
                promise.result()

        yield act


@contextmanager
def publish_many_kept(place: Place) -> Iterator[Act]:
    """With an outbox, and nobody who stores: it grows, and every commit reaches the disk."""
    with Publisher("kept", settings=place.settings(), outbox=Path(place.home) / "kept.outbox") as publisher:
        yield lambda count: publisher.publish_many("sink", payloads(count))


@contextmanager
def publish_tasks(place: Place, outbox: str = "") -> Iterator[Act]:
    """100 tasks, each awaiting one message after another."""
    with asyncio.Runner() as runner:
        publisher = runner.run(_async_publisher(place, outbox))

        async def send(numbers: range) -> None:
            for number in numbers:
                await publisher.publish("sink", payload(number))

        async def all_tasks(count: int) -> None:
            await asyncio.gather(*(send(range(first, count, TASKS)) for first in range(TASKS)))

        yield lambda count: runner.run(all_tasks(count))
        runner.run(publisher.close())


@contextmanager
def fill(place: Place, reader: str, size: str = str(SIZE_BYTES)) -> Iterator[Act]:
    with Publisher("filler", settings=place.settings()) as publisher:
        yield lambda count: publisher.publish_many(reader, payloads(count, int(size)))


@contextmanager
def consume(place: Place, reader: str, batch: str) -> Iterator[Act]:
    with Consumer(reader, settings=place.settings(), batch=int(batch)) as consumer:
        consumer.read(wait_s=0)
        yield lambda count: _consume(consumer, count)


@contextmanager
def consume_topic(place: Place, reader: str, *topics: str) -> Iterator[Act]:
    """What comes over the first of its topics."""
    with Consumer(reader, topics=topics, settings=place.settings()) as consumer:
        consumer.read(wait_s=0)
        yield lambda count: _consume(consumer, count)


@contextmanager
def consume_async(place: Place) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        consumer = runner.run(_async_consumer(place))
        yield lambda count: runner.run(_consume_async(consumer, count))
        runner.run(consumer.close())


@contextmanager
def consume_module(place: Place, name: str = "module", kind: str = "plain") -> Iterator[Act]:
    """A module with a typed handler; timed from its first message, because it starts anew for each round.

    `kind` is `plain`, `validated` (by a JSON Schema), `dedup` (no copy is handled twice) or `async`.
    """

    def act(count: int) -> float:
        handler, seconds = Handler(), 0.0
        module = Module(name, settings=place.settings(), dedup=count if kind == "dedup" else 0)

        def handle(data: dict[str, Any], context: Context) -> None:
            nonlocal seconds
            handler(data)
            if handler.count == count:
                seconds = handler.seconds()
                context.stop()

        async def handle_async(data: dict[str, Any], context: AsyncContext) -> None:
            nonlocal seconds
            handler(data)
            if handler.count == count:
                seconds = handler.seconds()
                context.stop()

        register = module.handles(accepts=SCHEMA) if kind == "validated" else module.handles()
        register(handle_async if kind == "async" else handle)  # type: ignore[type-var]
        module.run()
        return seconds

    yield act


@contextmanager
def send_paced(place: Place, target: str = "reader") -> Iterator[Act]:
    with Publisher("pacer", settings=place.settings()) as publisher:
        yield lambda count: paced(count, lambda data: publisher.publish(target, data))


@contextmanager
def send_paced_async(place: Place) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        publisher = runner.run(_async_publisher(place))

        async def send(count: int) -> None:
            for number in range(count):
                await publisher.publish("async-reader", payload(number))
                await asyncio.sleep(PAUSE_S)

        yield lambda count: runner.run(send(count))
        runner.run(publisher.close())


def _consume(consumer: Consumer, count: int) -> list[int]:
    handler = Handler()
    for delivery in consumer:
        handler(delivery.payload())
        consumer.ack(delivery)
        if handler.count == count:
            break
    consumer.flush()
    return handler.latencies_ns


async def _consume_async(consumer: AsyncConsumer, count: int) -> list[int]:
    handler = Handler()
    async for delivery in consumer:
        handler(delivery.payload())
        consumer.ack(delivery)
        if handler.count == count:
            break
    await consumer.flush()
    return handler.latencies_ns


async def _async_publisher(place: Place, outbox: str = "") -> AsyncPublisher:
    path = Path(place.home) / outbox if outbox else None
    return AsyncPublisher("tasks", settings=place.settings(), outbox=path)


async def _async_consumer(place: Place) -> AsyncConsumer:
    consumer = AsyncConsumer("async-reader", settings=place.settings(), batch=BATCH)
    await consumer.read(wait_s=0)
    return consumer
