"""Many tasks, several batches in flight on one connection: in order, bounded, each with its own outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from claude_comm import AsyncPublisher, Settings
from claude_comm.client.publisher.async_batching import HALVED, LARGE_BATCH, MAX_IN_FLIGHT, NEXT_BATCH, AsyncBatcher
from claude_comm.client.publisher.outbox_sender import OnFull
from claude_comm.errors import (
    PublisherClosed,
    PublisherFull,
    ServerUnreachable,
)
from claude_comm.transport.driver import Client
from tests.support.batches import Connection, Server, Wire, post
from tests.support.streams import sent


def test_asyncio_tasks_share_batches_and_keep_their_order() -> None:
    server = Server()

    async def scenario() -> list[str]:
        batcher = AsyncBatcher(Wire(server, Connection(open_=False)), 10**6, "wait")
        return await asyncio.gather(*(batcher.send(str(n), post(b"%d" % n)) for n in range(300)))

    assert asyncio.run(scenario()) == [str(n) for n in range(300)]
    assert len(server.batches) < 10
    assert [body for batch in server.batches for body in batch] == [b"%d" % n for n in range(300)]


def test_a_cancelled_asyncio_caller_does_not_disturb_the_others(settings: Settings, client: Client) -> None:
    async def scenario() -> None:
        async with AsyncPublisher("src", settings=settings) as publisher:
            tasks = [asyncio.create_task(publisher.publish("sink", n)) for n in range(50)]
            await asyncio.sleep(0)
            for task in tasks[::5]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(outcome, str) for outcome in outcomes) == 40

    asyncio.run(scenario())
    payloads = [envelope.payload() for envelope in sent(client, settings, "sink")]
    assert set(range(50)) - set(range(0, 50, 5)) <= set(payloads)


@pytest.mark.parametrize("on_full", ["wait", "refuse", "drop_oldest"])
def test_the_asyncio_publisher_is_bounded_too(settings: Settings, on_full: OnFull) -> None:
    async def scenario() -> list[object]:
        async with AsyncPublisher("src", settings=settings, max_waiting_bytes=2_000, on_full=on_full) as publisher:
            sending = (publisher.publish("sink", "x" * 400) for _ in range(100))
            return await asyncio.gather(*sending, return_exceptions=True)

    outcomes = asyncio.run(scenario())
    full = sum(isinstance(outcome, PublisherFull) for outcome in outcomes)
    assert full == 0 if on_full == "wait" else full > 50
    assert full + sum(isinstance(outcome, str) for outcome in outcomes) == 100


def on_loop(scenario: Callable[[Connection, Server, AsyncBatcher], Awaitable[None]]) -> None:
    async def run() -> None:
        connection, server = Connection(), Server()
        await scenario(connection, server, AsyncBatcher(Wire(server, connection), 10**6, "wait"))

    asyncio.run(run())


def test_a_lone_message_of_a_task_goes_at_once_and_the_next_batch_while_it_is_in_flight() -> None:
    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        futures = [await batcher.send_soon(str(n), post(b"%d" % n)) for n in range(1 + LARGE_BATCH + 3)]
        assert [len(bodies) for bodies, _ in connection.in_flight] == [1, LARGE_BATCH]
        connection.answer()
        assert [len(bodies) for bodies, _ in connection.in_flight] == [LARGE_BATCH, 3]
        connection.answer()
        connection.answer()
        assert [await future for future in futures] == [str(n) for n in range(1 + LARGE_BATCH + 3)]
        assert connection.bodies == [b"%d" % n for n in range(1 + LARGE_BATCH + 3)]
        assert server.batches == []

    on_loop(scenario)


def test_what_tasks_send_in_one_turn_of_the_loop_travels_together_beside_what_is_in_flight() -> None:
    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        futures = [await batcher.send_soon(str(n), post(b"%d" % n)) for n in range(1 + NEXT_BATCH + 3)]
        assert [len(bodies) for bodies, _ in connection.in_flight] == [1]
        await asyncio.sleep(0)
        assert [len(bodies) for bodies, _ in connection.in_flight] == [1, NEXT_BATCH + 3]
        connection.answer()
        futures.append(await batcher.send_soon("few", post(b"few")))
        await asyncio.sleep(0)
        assert [len(bodies) for bodies, _ in connection.in_flight] == [NEXT_BATCH + 3]
        connection.answer()
        connection.answer()
        assert (await asyncio.gather(*futures))[-1] == "few"

    on_loop(scenario)


def test_once_several_travelled_together_those_of_the_next_turn_do_and_a_lone_one_ends_that() -> None:
    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        async def send(*bodies: bytes) -> None:
            await asyncio.gather(*[await batcher.send_soon(body.decode(), post(body)) for body in bodies])

        def sizes() -> list[int]:
            return [len(bodies) for bodies, _ in connection.in_flight]

        first = asyncio.ensure_future(send(b"1", b"2", b"3"))
        await asyncio.sleep(0)
        assert sizes() == [1]
        connection.answer()
        assert sizes() == [2]
        connection.answer()
        await first
        for bodies, turns in ((b"4", b"5", b"6"), [0, 3]), ((b"7",), [0, 1]), ((b"8", b"9"), [1]):
            sending = asyncio.ensure_future(send(*bodies))
            await asyncio.sleep(0)
            for size in turns:
                assert sizes() == ([size] if size else [])
                if not size:
                    await asyncio.sleep(0)
            while connection.in_flight:
                connection.answer()
            await sending

    on_loop(scenario)


@pytest.mark.parametrize(
    ("woken", "waiting", "sizes"),
    [
        (HALVED, 0, [HALVED // 2, HALVED // 2]),
        # One half waits already.
        (HALVED // 2, HALVED // 2, [HALVED // 2]),
        (HALVED - 4, 4, [HALVED // 2]),
        (HALVED - 1, 0, [HALVED - 1]),
        (10 * LARGE_BATCH, 0, [LARGE_BATCH] * MAX_IN_FLIGHT),
    ],
)
def test_tasks_that_were_woken_together_send_in_halves(woken: int, waiting: int, sizes: list[int]) -> None:
    """The server has the one half while they make the other; what is too little for a batch goes with the next."""

    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        batcher.woke(woken, waiting)
        for n in range(woken):
            await batcher.send_soon(str(n), post(b"x"))
        await asyncio.sleep(0)
        assert [len(bodies) for bodies, _ in connection.in_flight] == sizes

    on_loop(scenario)


def test_batches_in_flight_are_bounded() -> None:
    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        for n in range(LARGE_BATCH * (MAX_IN_FLIGHT + 3)):
            await batcher.send_soon(str(n), post(b"x"))
        assert len(connection.in_flight) == MAX_IN_FLIGHT
        while connection.in_flight:
            connection.answer()
        assert len(connection.bodies) == LARGE_BATCH * (MAX_IN_FLIGHT + 3)

    on_loop(scenario)


def test_what_a_lost_connection_carried_is_sent_again_in_order_before_anything_newer() -> None:
    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        futures = [await batcher.send_soon(str(n), post(b"%d" % n)) for n in range(1 + LARGE_BATCH)]
        first, second = ([*bodies] for bodies, _ in connection.in_flight)
        connection.answer(ServerUnreachable("u", "gone"))
        connection.answer(ServerUnreachable("u", "gone"))
        futures.append(await batcher.send_soon("last", post(b"last")))
        flushing = asyncio.ensure_future(batcher.flush())
        while not connection.in_flight:
            await asyncio.sleep(0)
        assert server.batches == [first, second]
        assert [bodies for bodies, _ in connection.in_flight] == [[b"last"]]
        connection.answer()
        await flushing
        assert [future.result() for future in futures] == [*(str(n) for n in range(1 + LARGE_BATCH)), "last"]

    on_loop(scenario)


def test_what_one_batch_had_to_wait_for_holds_up_none_behind_it() -> None:
    """The first message on a stream takes the long way: the stream is announced. Those behind it are begun again."""

    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        connection.open = False
        first = await batcher.send_soon("0", post(b"0"))
        await asyncio.sleep(0)
        connection.open = True
        later = [await batcher.send_soon(str(n), post(b"%d" % n)) for n in range(1, 4)]
        assert await first == "0"
        for _ in range(5):
            await asyncio.sleep(0)
        assert [bodies for bodies, _ in connection.in_flight] == [[b"1", b"2", b"3"]]
        connection.answer()
        assert await asyncio.gather(*later) == ["1", "2", "3"]
        assert server.batches == [[b"0"]]

    on_loop(scenario)


def test_nothing_overtakes_a_batch_in_flight() -> None:
    """A batch, or a message that needs the long way, waits until none is in flight; later messages wait behind it."""

    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        await batcher.send_soon("0", post(b"0"))
        batch = asyncio.create_task(batcher.send_all([post(b"batch")]))
        connection.open = False
        later = [await batcher.send_soon(str(n), post(b"%d" % n)) for n in range(1, 1 + LARGE_BATCH)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert server.batches == []
        connection.answer()
        assert [await future for future in later] == [str(n) for n in range(1, 1 + LARGE_BATCH)]
        await batch
        assert server.batches == [[b"%d" % n for n in range(1, 1 + LARGE_BATCH)], [b"batch"]]

    on_loop(scenario)


def test_a_task_that_gives_up_takes_no_other_message_of_its_batch_with_it() -> None:
    async def scenario(connection: Connection, server: Server, batcher: AsyncBatcher) -> None:
        futures = [await batcher.send_soon(str(n), post(b"x")) for n in range(3)]
        futures[0].cancel()
        connection.answer()
        connection.answer()
        assert [future.result() for future in futures[1:]] == ["1", "2"]

    on_loop(scenario)


def test_a_flush_sends_what_was_queued_in_its_own_turn_of_the_loop() -> None:
    connection = Connection()

    async def scenario() -> None:
        batcher = AsyncBatcher(Wire(Server(), connection), 10**6, "wait")
        several = [await batcher.send_soon(str(n), post(b"%d" % n)) for n in range(3)]
        connection.answer()
        connection.answer()
        assert all(future.done() for future in several)
        last = await batcher.send_soon("3", post(b"3"))
        assert not connection.in_flight, "the next batch is what comes in one turn, which has not ended"
        await batcher.flush()
        assert last.done()

    asyncio.run(scenario())


def test_a_closed_publisher_queues_nothing(settings: Settings) -> None:
    async def scenario() -> None:
        async with AsyncPublisher("src", settings=settings) as publisher:
            await publisher.publish_soon("sink", 1)
        with pytest.raises(PublisherClosed):
            await publisher.publish_soon("sink", 2)

    asyncio.run(scenario())
