"""NATS JetStream with file storage, over nats-py."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import nats
from nats.js.api import StorageType

from benchmarks.actors import Act
from benchmarks.messages import PAUSE_S, SIZE_BYTES, Handler, decode, encode, payload, payloads
from benchmarks.place import Place

BATCH = 500


@contextmanager
def publish(place: Place, size: str = str(SIZE_BYTES)) -> Iterator[Act]:
    yield from _publishing(place, "published", int(size))


@contextmanager
def fill(place: Place) -> Iterator[Act]:
    yield from _publishing(place, "consumed")


@contextmanager
def send_paced(place: Place) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        client, stream = runner.run(_stream(place, "consumed"))

        async def send(count: int) -> None:
            for number in range(count):
                await stream.publish("consumed.in", encode(payload(number)))
                await asyncio.sleep(PAUSE_S)

        yield lambda count: runner.run(send(count))
        runner.run(client.close())


@contextmanager
def consume(place: Place) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        client, stream = runner.run(_stream(place, "consumed"))
        reader = runner.run(stream.pull_subscribe("consumed.in", durable="g"))

        async def read(count: int) -> list[int]:
            handler = Handler()
            while handler.count < count:
                for message in await reader.fetch(min(BATCH, count - handler.count), timeout=10):
                    handler(decode(message.data))
                    await message.ack()
            await client.flush()
            return handler.latencies_ns

        yield lambda count: runner.run(read(count))
        runner.run(client.close())


@contextmanager
def consume_now(place: Place) -> Iterator[Act]:
    """For latency: a push subscription, which hands out each message as it comes, acked one by one."""
    with asyncio.Runner() as runner:
        client, stream = runner.run(_stream(place, "consumed"))
        reader = runner.run(stream.subscribe("consumed.in", durable="pushed", manual_ack=True))

        async def read(count: int) -> list[int]:
            handler = Handler()
            while handler.count < count:
                message = await reader.next_msg(timeout=10)
                handler(decode(message.data))
                await message.ack()
            return handler.latencies_ns

        yield lambda count: runner.run(read(count))
        runner.run(client.close())


def _publishing(place: Place, name: str, size: int = SIZE_BYTES) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        client, stream = runner.run(_stream(place, name))

        async def send(count: int) -> None:
            bodies = map(encode, payloads(count, size))
            promises = [await stream.publish_async(f"{name}.in", body) for body in bodies]
            await asyncio.gather(*promises)

        yield lambda count: runner.run(send(count))
        runner.run(client.close())


@contextmanager
def answer_core(place: Place) -> Iterator[Act]:
    """Core NATS, which keeps nothing: for as long as the process lives, on a loop of its own."""
    with _loop_on_a_thread() as loop:
        client = asyncio.run_coroutine_threadsafe(_answering(place), loop).result()
        yield lambda _: None
        asyncio.run_coroutine_threadsafe(client.close(), loop).result()


@contextmanager
def ask_core(place: Place, together: str) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        client = runner.run(_connected(place))

        async def ask(numbers: range) -> None:
            for number in numbers:
                answer = await client.request("asked", encode(payload(number)), timeout=10)
                if decode(answer.data) != number:
                    raise RuntimeError(f"request {number} was answered with {answer.data!r}")

        async def all_tasks(count: int) -> None:
            await asyncio.gather(*(ask(range(first, count, int(together))) for first in range(int(together))))

        yield lambda count: runner.run(all_tasks(count))
        runner.run(client.close())


@contextmanager
def ask_core_from_threads(place: Place, together: str) -> Iterator[Act]:
    """Its client is asyncio's: threads hand their requests to its loop."""
    with _loop_on_a_thread() as loop, ThreadPoolExecutor(int(together)) as threads:
        client = asyncio.run_coroutine_threadsafe(_connected(place), loop).result()

        def ask(numbers: range) -> None:
            for number in numbers:
                asking = client.request("asked", encode(payload(number)), timeout=10)
                answer = asyncio.run_coroutine_threadsafe(asking, loop).result()
                if decode(answer.data) != number:
                    raise RuntimeError(f"request {number} was answered with {answer.data!r}")

        def act(count: int) -> None:
            for _ in threads.map(ask, [range(first, count, int(together)) for first in range(int(together))]):
                pass

        yield act
        asyncio.run_coroutine_threadsafe(client.close(), loop).result()


@contextmanager
def _loop_on_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


async def _answering(place: Place) -> Any:
    client = await _connected(place)

    async def answer(message: Any) -> None:
        await message.respond(encode(decode(message.data)["n"]))

    await client.subscribe("asked", cb=answer)
    return client


async def _connected(place: Place) -> Any:
    return await nats.connect(place.nats)


async def _stream(place: Place, name: str) -> tuple[Any, Any]:
    client = await nats.connect(place.nats)
    # As wide as nats-py allows without a stall: its default waits for half of the messages in flight.
    stream = client.jetstream(publish_async_max_pending=20_000)
    await stream.add_stream(name=name, subjects=[f"{name}.in"], storage=StorageType.FILE)
    return client, stream
