"""FastStream on Redis streams: a message at a time, and pipelined or batched; in JSON, which its batches need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from faststream.redis import RedisBroker, StreamSub

from benchmarks.actors import Act
from benchmarks.messages import PAUSE_S, Handler, payload
from benchmarks.place import Place

PIPELINE = 500


@contextmanager
def publish(place: Place) -> Iterator[Act]:
    with _broker(place) as (runner, broker):

        async def send(count: int) -> None:
            for number in range(count):
                await broker.publish(payload(number), stream="fs")

        yield lambda count: runner.run(send(count))


@contextmanager
def publish_pipelined(place: Place) -> Iterator[Act]:
    with _broker(place) as (runner, broker):
        yield lambda count: runner.run(_pipelined(broker, "fs", count))


@contextmanager
def fill(place: Place, stream: str) -> Iterator[Act]:
    with _broker(place) as (runner, broker):
        yield lambda count: runner.run(_pipelined(broker, stream, count))


@contextmanager
def send_paced(place: Place) -> Iterator[Act]:
    with _broker(place) as (runner, broker):

        async def send(count: int) -> None:
            for number in range(count):
                await broker.publish(payload(number), stream="fs-single")
                await asyncio.sleep(PAUSE_S)

        yield lambda count: runner.run(send(count))


@contextmanager
def consume(place: Place) -> Iterator[Act]:
    _group(place, "fs-single")
    yield lambda count: asyncio.run(_consume(place, count)).seconds


@contextmanager
def consume_batched(place: Place) -> Iterator[Act]:
    _group(place, "fs-batched")
    yield lambda count: asyncio.run(_consume_batched(place, count)).seconds


@contextmanager
def consume_now(place: Place) -> Iterator[Act]:
    _group(place, "fs-single")
    yield lambda count: asyncio.run(_consume(place, count)).handler.latencies_ns


class _Run:
    """One run of a broker until `count` messages were handled; timed from the first."""

    def __init__(self, count: int) -> None:
        self.handler, self.count, self.seconds = Handler(), count, 0.0
        self.over = asyncio.Event()

    def take(self, data: dict[str, Any]) -> None:
        self.handler(data)
        if self.handler.count == self.count:
            self.seconds = self.handler.seconds()
            self.over.set()


async def _consume(place: Place, count: int) -> _Run:
    run, broker = _Run(count), RedisBroker(f"unix://{place.socket}", logger=None)

    @broker.subscriber(stream=StreamSub("fs-single", group="g", consumer="c", max_records=PIPELINE))
    async def handle(data: dict[str, Any]) -> None:
        run.take(data)

    return await _until_over(broker, run)


async def _consume_batched(place: Place, count: int) -> _Run:
    run, broker = _Run(count), RedisBroker(f"unix://{place.socket}", logger=None)

    @broker.subscriber(stream=StreamSub("fs-batched", group="g", consumer="c", batch=True, max_records=PIPELINE))
    async def handle(datas: list[dict[str, Any]]) -> None:
        for data in datas:
            run.take(data)

    return await _until_over(broker, run)


async def _until_over(broker: RedisBroker, run: _Run) -> _Run:
    await broker.start()
    await run.over.wait()
    await broker.stop()
    return run


async def _pipelined(broker: RedisBroker, stream: str, count: int) -> None:
    client: Any = broker._connection
    for start in range(0, count, PIPELINE):
        async with client.pipeline(transaction=False) as pipeline:
            for number in range(start, min(start + PIPELINE, count)):
                await broker.publish(payload(number), stream=stream, pipeline=pipeline)
            await pipeline.execute()


@contextmanager
def _broker(place: Place) -> Iterator[tuple[asyncio.Runner, RedisBroker]]:
    with asyncio.Runner() as runner:
        broker = RedisBroker(f"unix://{place.socket}", logger=None)
        runner.run(broker.connect())
        yield runner, broker
        runner.run(broker.stop())


def _group(place: Place, stream: str) -> None:
    redis.Redis(unix_socket_path=place.socket).xgroup_create(stream, "g", id="0", mkstream=True)
