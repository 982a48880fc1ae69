"""An iterated consumer has the next batch on its way while it handles one; nothing of that is lost or counted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from claude_comm import AsyncConsumer, Consumer, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.transport.async_pool import AsyncConnectionPool
from claude_comm.transport.connect import connect
from claude_comm.transport.pool import ConnectionPool

COUNT, BATCH = 60, 10


@pytest.fixture(autouse=True)
def _filled(settings: Settings) -> None:
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("sink", range(COUNT))


def take(consumer: Consumer, count: int) -> list[int]:
    """Handles and acks so many."""
    handled: list[int] = []
    for delivery in consumer:
        handled.append(delivery.payload())
        consumer.ack(delivery)
        if len(handled) == count:
            break
    return handled


def rest(settings: Settings) -> list[tuple[int, int]]:
    """What another instance gets at once, and at which attempt."""
    with Consumer("sink", settings=settings, instance="other", batch=COUNT) as other:
        found = [*other.read(wait_s=0.2), *other.read(wait_s=0.2), *other.read(wait_s=0)]
        for delivery in found:
            other.ack(delivery)
    return sorted((delivery.payload(), delivery.attempts) for delivery in found)


def test_all_come_once_and_in_order(settings: Settings) -> None:
    with Consumer("sink", settings=settings, batch=BATCH) as consumer:
        assert take(consumer, COUNT) == list(range(COUNT))
    assert rest(settings) == []


@pytest.mark.parametrize("length", [10, 3_000])
def test_replies_that_go_abreast_and_such_that_are_too_long_for_it_come_once_and_in_order(
    settings: Settings, length: int
) -> None:
    sent = [f"{number:0{length}}" for number in range(800)]
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("large", sent)
    with Consumer("large", settings=settings, batch=400) as consumer:
        handled = []
        for delivery in consumer:
            handled.append(delivery.payload())
            consumer.ack(delivery)
            if len(handled) == len(sent):
                break
        assert handled == sent
        assert consumer._subscription.reads_abreast() is (length == 10)


def large(settings: Settings) -> list[str]:
    """Messages in an inbox whose replies do not go abreast."""
    sent = [f"{number:03000}" for number in range(800)]
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("large", sent)
    return sent


def test_a_read_and_its_acks_are_made_while_the_one_before_is_on_its_way(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, on_its_way = ConnectionPool.post, set[bool]()

    def post(*args: Any, **more: Any) -> Any:
        behind = args[3] if len(args) > 3 else None
        if behind is not None and not more["abreast"]:
            on_its_way.add(behind._landed is None)
        return plain(*args, **more)

    monkeypatch.setattr(ConnectionPool, "post", post)
    sent = large(settings)
    with Consumer("large", settings=settings, batch=64) as consumer:
        for text, delivery in zip(sent, consumer, strict=False):
            assert delivery.payload() == text
            consumer.ack(delivery)
            if text == sent[-1]:
                break
    assert on_its_way == {True}


def test_where_the_read_before_fails_none_is_sent_behind_it_and_its_acks_are_kept(settings: Settings) -> None:
    sent = large(settings)
    with Consumer("large", settings=settings, batch=64) as consumer:
        consumer.read(most=1)
        (first, *_) = consumer.read(most=64)
        reads = consumer._read_ahead
        assert reads.begin(64)
        consumer.ack(first)
        requested = consumer._subscription.requested
        reads._begun[0]._replies._connection._socket.shutdown(socket.SHUT_RDWR)
        assert not reads.begin(64)
        assert (consumer._subscription.requested, consumer._subscription.in_flight.has_acks()) == (requested, True)
        with pytest.raises(ServerUnreachable):
            consumer.read()
        seen = {delivery.payload() for delivery in consumer.read()}
    assert seen <= set(sent)


def test_of_asyncio_where_the_read_before_fails_none_is_sent_behind_it(settings: Settings) -> None:
    large(settings)

    async def scenario() -> None:
        async with AsyncConsumer("large", settings=settings, batch=64) as consumer:
            await consumer.read(most=1)
            (first, *_) = await consumer.read(most=64)
            reads = consumer._read_ahead
            assert await reads.begin(64)
            consumer.ack(first)
            reads._begun[0]._replies.drop()
            assert not await reads.begin(64)
            assert consumer._subscription.in_flight.has_acks()
            with pytest.raises(ServerUnreachable):
                await consumer.read()

    asyncio.run(scenario())


def test_the_next_batch_is_on_its_way_while_one_is_handled(settings: Settings) -> None:
    with Consumer("sink", settings=settings, batch=BATCH) as consumer:
        assert take(consumer, 2 * BATCH + 1)[-1] == 2 * BATCH
        with Consumer("sink", settings=settings, instance="other", batch=COUNT) as other:
            assert other.read()[0].payload() == 4 * BATCH


def test_what_was_on_its_way_at_the_end_is_given_back_and_was_no_attempt(settings: Settings) -> None:
    with Consumer("sink", settings=settings, batch=BATCH) as consumer:
        take(consumer, 2 * BATCH + 1)
    assert rest(settings) == [(number, 1) for number in range(2 * BATCH + 1, COUNT)]


def test_a_pause_gives_back_what_was_on_its_way(settings: Settings) -> None:
    with Consumer("sink", settings=settings, batch=BATCH) as consumer:
        take(consumer, 3 * BATCH)
        consumer.pause()
        assert consumer.read(wait_s=0) == []
        assert rest(settings) == [(number, 1) for number in range(3 * BATCH, COUNT)]


def test_a_read_after_an_iteration_has_what_was_on_its_way_and_no_more_than_asked_for(settings: Settings) -> None:
    with Consumer("sink", settings=settings, batch=BATCH) as consumer:
        take(consumer, 3 * BATCH)
        found = [one.payload() for _ in range(2) for one in consumer.read(most=BATCH // 2)]
        assert found == list(range(3 * BATCH, 4 * BATCH))


def test_a_server_that_is_gone_costs_no_delivery_that_was_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Consumer("sink", settings=settings, batch=BATCH) as consumer:

        def gone(most: int) -> bool:
            raise ServerUnreachable("redis://somewhere", "the link was cut")

        monkeypatch.setattr(consumer._read_ahead, "begin", gone)
        assert take(consumer, 3 * BATCH) == list(range(3 * BATCH))


def test_order_holds_where_a_read_fails_that_another_follows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, failing = ConnectionPool.one, True

    def one(self: ConnectionPool, command: Command) -> Any:
        if failing and command.args[0] == "EVALSHA":
            raise ServerUnreachable("redis://somewhere", "the link was cut")
        return plain(self, command)

    poison(settings)
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("sink", range(COUNT, 2 * COUNT))
    with Consumer("sink", settings=settings, batch=BATCH) as consumer:
        deliveries = iter(consumer)
        for _ in range(COUNT):
            consumer.ack(next(deliveries))
        monkeypatch.setattr(ConnectionPool, "one", one)
        with pytest.raises(ServerUnreachable):
            next(deliveries)
        failing = False
        assert take(consumer, COUNT) == list(range(COUNT, 2 * COUNT))


def poison(settings: Settings) -> None:
    """An entry that has to be buried."""
    with connect(settings) as client:
        client.data.one(Command(("XADD", Keys(settings.namespace).inbox("sink"), "*", "e", b"\xc1")))


async def take_async(consumer: AsyncConsumer, count: int) -> list[int]:
    """Handles and acks so many."""
    handled: list[int] = []
    async for delivery in consumer:
        handled.append(delivery.payload())
        consumer.ack(delivery)
        if len(handled) == count:
            break
    return handled


def with_consumer(settings: Settings, act: Callable[[AsyncConsumer], Awaitable[None]]) -> None:
    """What `act` does with a consumer on an event loop, and its end."""

    async def run() -> None:
        async with AsyncConsumer("sink", settings=settings, batch=BATCH) as consumer:
            await act(consumer)

    asyncio.run(run())


def test_of_asyncio_all_come_once_and_in_order(settings: Settings) -> None:
    async def act(consumer: AsyncConsumer) -> None:
        assert await take_async(consumer, COUNT) == list(range(COUNT))

    with_consumer(settings, act)
    assert rest(settings) == []


def test_of_asyncio_the_next_batch_is_on_its_way_and_given_back_at_the_end(settings: Settings) -> None:
    async def act(consumer: AsyncConsumer) -> None:
        assert (await take_async(consumer, 2 * BATCH + 1))[-1] == 2 * BATCH
        with Consumer("sink", settings=settings, instance="third", batch=COUNT) as other:
            assert other.read()[0].payload() == 4 * BATCH

    with_consumer(settings, act)
    assert rest(settings) == [(number, 1) for number in range(2 * BATCH + 1, COUNT)]


def test_of_asyncio_a_pause_gives_back_and_a_read_has_what_was_on_its_way(settings: Settings) -> None:
    async def act(consumer: AsyncConsumer) -> None:
        await take_async(consumer, 2 * BATCH)
        found = [one.payload() for _ in range(2) for one in await consumer.read(most=BATCH // 2)]
        assert found == list(range(2 * BATCH, 3 * BATCH))
        consumer.pause()
        assert await consumer.read(wait_s=0) == []

    with_consumer(settings, act)
    assert rest(settings) == [(number, 1) for number in range(2 * BATCH, COUNT)]


def test_of_asyncio_order_holds_where_a_read_fails_that_another_follows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, failing = AsyncConnectionPool.one, True

    async def one(self: AsyncConnectionPool, command: Command) -> Any:
        if failing and command.args[0] == "EVALSHA":
            raise ServerUnreachable("redis://somewhere", "the link was cut")
        return await plain(self, command)

    poison(settings)
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("sink", range(COUNT, 2 * COUNT))

    async def act(consumer: AsyncConsumer) -> None:
        nonlocal failing
        deliveries = aiter(consumer)
        for _ in range(COUNT):
            consumer.ack(await anext(deliveries))
        monkeypatch.setattr(AsyncConnectionPool, "one", one)
        with pytest.raises(ServerUnreachable):
            await anext(deliveries)
        failing = False
        assert await take_async(consumer, COUNT) == list(range(COUNT, 2 * COUNT))

    with_consumer(settings, act)


def test_of_asyncio_a_cancelled_read_leaves_what_was_on_its_way(settings: Settings) -> None:
    async def act(consumer: AsyncConsumer) -> None:
        await take_async(consumer, 2 * BATCH)
        reading = asyncio.create_task(consumer.read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert [one.payload() for one in await consumer.read()] == list(range(2 * BATCH, 3 * BATCH))

    with_consumer(settings, act)
    assert [number for number, _ in rest(settings)] == list(range(2 * BATCH, COUNT))
