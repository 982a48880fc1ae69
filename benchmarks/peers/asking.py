"""Request and reply: who asks and who answers, bare and with claude-comm.

The bare way is the least that a program can do over streams: one stream of requests, one of replies, one request at a
time, nothing acked, checked or bounded in time.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import redis

from benchmarks.actors import Act
from benchmarks.messages import decode, encode, payload
from benchmarks.place import Place
from claude_comm import AsyncPublisher, Consumer, Module, Publisher


@contextmanager
def answer_bare(place: Place) -> Iterator[Act]:
    client = _client(place)
    at = b"0-0"

    def act(count: int) -> None:
        nonlocal at
        for _ in range(count):
            ((_stream, ((at, fields),)),) = client.xread({"bare-requests": at}, count=1, block=10_000)
            client.execute_command("XADD", "bare-replies", "*", "e", encode(decode(fields[b"e"])["n"]))

    yield act


@contextmanager
def ask_bare(place: Place) -> Iterator[Act]:
    client = _client(place)
    at = b"0-0"

    def ask(data: dict[str, Any]) -> object:
        nonlocal at
        client.execute_command("XADD", "bare-requests", "*", "e", encode(data))
        ((_stream, ((at, fields),)),) = client.xread({"bare-replies": at}, count=1, block=10_000)
        return decode(fields[b"e"])

    yield lambda count: _timed(count, ask)


@contextmanager
def answer_module(place: Place, name: str) -> Iterator[Act]:
    """A module answers for as long as its process lives; a round is the asker's."""
    module = Module(name, settings=place.settings())

    @module.handles()
    def number(data: dict[str, Any]) -> int:
        n: int = data["n"]
        return n

    yield from _answering(module)


@contextmanager
def answer_consumer(place: Place, name: str) -> Iterator[Act]:
    with Consumer(name, settings=place.settings()) as consumer:
        consumer.read(wait_s=0)

        def act(count: int) -> None:
            answered = 0
            while answered < count:
                for delivery in consumer.read():
                    consumer.reply(delivery, delivery.payload()["n"])
                    consumer.ack(delivery)
                    answered += 1

        yield act


@contextmanager
def ask(place: Place, name: str) -> Iterator[Act]:
    with Publisher("asker", settings=place.settings()) as publisher:
        yield lambda count: _timed(count, lambda data: publisher.request(name, data))


@contextmanager
def ask_async(place: Place, name: str) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        publisher = runner.run(_publisher(place))

        async def act(count: int) -> list[float]:
            taken = []
            for number in range(count):
                started = time.perf_counter()
                answer = await publisher.request(name, payload(number))
                taken.append(time.perf_counter() - started)
                _check(answer, number)
            return taken

        yield lambda count: runner.run(act(count))
        runner.run(publisher.close())


@contextmanager
def ask_from_threads(place: Place, name: str, together: str) -> Iterator[Act]:
    """So many threads, each with one request after another."""
    with Publisher("asker", settings=place.settings()) as publisher, ThreadPoolExecutor(int(together)) as threads:

        def ask(numbers: range) -> None:
            for number in numbers:
                _check(publisher.request(name, payload(number)), number)

        def act(count: int) -> None:
            for _ in threads.map(ask, [range(first, count, int(together)) for first in range(int(together))]):
                pass

        yield act


@contextmanager
def ask_from_tasks(place: Place, name: str, together: str) -> Iterator[Act]:
    with asyncio.Runner() as runner:
        publisher = runner.run(_publisher(place))

        async def ask(numbers: range) -> None:
            for number in numbers:
                _check(await publisher.request(name, payload(number)), number)

        async def all_tasks(count: int) -> None:
            await asyncio.gather(*(ask(range(first, count, int(together))) for first in range(int(together))))

        yield lambda count: runner.run(all_tasks(count))
        runner.run(publisher.close())


@contextmanager
def answer_coroutine(place: Place, name: str) -> Iterator[Act]:
    """A module whose handler is a coroutine."""
    module = Module(name, settings=place.settings())

    @module.handles()
    async def number(data: dict[str, Any]) -> int:
        n: int = data["n"]
        return n

    yield from _answering(module)


def _answering(module: Module) -> Iterator[Act]:
    thread = threading.Thread(target=module.run)
    thread.start()
    yield lambda _: None
    module.stop()
    thread.join()


def _timed(count: int, ask: Callable[[dict[str, Any]], object]) -> list[float]:
    taken = []
    for number in range(count):
        started = time.perf_counter()
        answer = ask(payload(number))
        taken.append(time.perf_counter() - started)
        _check(answer, number)
    return taken


def _check(answer: object, number: int) -> None:
    if answer != number:
        raise RuntimeError(f"request {number} was answered with {answer!r}")


async def _publisher(place: Place) -> AsyncPublisher:
    return AsyncPublisher("asker", settings=place.settings())


def _client(place: Place) -> Any:
    return redis.Redis(unix_socket_path=place.socket, protocol=2)
