"""What may be held, and pauses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from claude_comm import AsyncConsumer, Consumer, Module, Settings
from claude_comm.errors import ConfigurationError
from tests.support.modules import running
from tests.support.streams import publish
from tests.support.waiting import PATIENCE_S, wait_until


def test_no_more_than_prefetch_is_out(settings: Settings) -> None:
    publish(settings, "sink", *range(30))
    with Consumer("sink", settings=settings, prefetch=8, batch=5) as consumer:
        first, second = consumer.read(), consumer.read()
        assert (len(first), len(second), consumer.read(wait_s=0.01)) == (5, 3, [])
        consumer.ack(first[0])
        (more,) = consumer.read()
        assert more.payload() == 8


def test_an_inbox_of_huge_messages_is_read_a_few_at_a_time(settings: Settings) -> None:
    """Also by the first read: it is told how large those are that wait."""
    for _ in range(4):
        publish(settings, "sink", *["x" * 500_000] * 10)
    held, count = 0, 0
    with Consumer("sink", settings=settings, prefetch_bytes=4_000_000, batch=500) as consumer:
        while count < 40:
            found = consumer.read()
            count += len(found)
            held = max(held, sum(len(delivery.entry.body or b"") for delivery in found))
            for delivery in found:
                consumer.ack(delivery)
    assert 0 < held <= 4_100_000


def test_small_messages_are_read_many_at_a_time_although_large_ones_may_come(settings: Settings) -> None:
    publish(settings, "sink", *range(3000))
    counts: list[int] = []
    with Consumer("sink", settings=settings, prefetch_bytes=4_000_000, batch=500) as consumer:
        while sum(counts) < 3000:
            found = consumer.read()
            counts.append(len(found))
            for delivery in found:
                consumer.ack(delivery)
    assert counts == [500] * 6


def test_a_consumer_that_found_nothing_waiting_reads_carefully_at_first(settings: Settings) -> None:
    """Nobody knows how large those will be that come."""
    with Consumer("sink", settings=settings, prefetch_bytes=4_000_000, batch=500) as consumer:
        assert consumer.read(wait_s=0.01) == []
        publish(settings, "sink", *range(1000))
        counts = [len(consumer.read()) for _ in range(6)]
    assert counts == [3, 12, 48, 192, 500, 245]


_GROWTH = """
import resource, sys, time
from claude_comm import Consumer, Module

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def consume(bound):
    with Consumer("sink", batch=500, prefetch_bytes=bound) as consumer:
        while found := consumer.read(wait_s=0.1):
            for delivery in found:
                consumer.ack(delivery)

def run(bound):
    module, seen = Module("sink", prefetch_bytes=bound), []
    @module.handles()
    def handle(payload: str, context) -> None:
        seen.append(len(payload))
        if len(seen) == 120:
            context.stop()
    module.run()

before = memory()
{consume, run}
print(memory() - before)
"""


@pytest.mark.parametrize(("way", "bound"), [("consume", 16_000_000), ("run", 16_000_000), ("consume", 400_000_000)])
def test_huge_messages_do_not_fill_the_memory(
    settings: Settings, environ: dict[str, str], way: str, bound: int
) -> None:
    """120 MB wait. With the small bound the process never has them; with the large one it has: so it is the bound."""
    for _ in range(12):
        publish(settings, "sink", *["x" * 1_000_000] * 10)
    script = _GROWTH.replace("{consume, run}", f"{way}({bound})")
    # A shell in between: what a process ever held is counted on from the one that it was forked from.
    words = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, script]
    child = subprocess.run(words, check=False, env=environ, capture_output=True, text=True, timeout=PATIENCE_S)
    # Read, parsed and decoded, what is held is there up to three times for a moment.
    assert int(child.stdout) < 80 if bound < 100_000_000 else int(child.stdout) > 100


def read_all(consumer: Consumer) -> list[Any]:
    found: list[Any] = []
    while more := consumer.read(wait_s=0.05):
        found += more
    return found


def test_a_module_holds_no_more_than_its_prefetch(settings: Settings) -> None:
    publish(settings, "sink", *range(100))
    module, gate, seen = Module("sink", settings=settings, prefetch=6, concurrency=2), threading.Event(), []

    @module.handles()
    def handle(payload: int) -> None:
        seen.append(payload)
        gate.wait(PATIENCE_S)

    with running(module):
        wait_until(lambda: len(seen) == 2)
        with Consumer("sink", settings=settings, batch=200) as other:
            others = read_all(other)
            # 2 are handled, 4 were read ahead; the rest was there for the other instance.
            assert len(others) >= 94
            for delivery in others:
                other.ack(delivery)
        gate.set()
        wait_until(lambda: len(seen) + len(others) == 100)


def test_slow_handlers_leave_to_others_what_they_would_not_get_to(settings: Settings) -> None:
    """However large the bounds are: an instance that takes half a second a message does not sit on a thousand."""
    publish(settings, "sink", *range(200))
    slow, seen = Module("sink", settings=settings), []

    @slow.handles()
    def handle(payload: int) -> None:
        seen.append(payload)
        time.sleep(0.3)

    with running(slow):
        wait_until(lambda: bool(seen))
        with Consumer("sink", settings=settings, batch=500) as other:
            taken = read_all(other)
            # What it handled by now is no less than what it does not hold.
            assert len(taken) + len(seen) >= 180
            for delivery in taken:
                other.ack(delivery)
        slow.stop()


def test_a_paused_consumer_reads_nothing_and_sends_its_acks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, "sink", 1, 2)
    with Consumer("sink", settings=settings, batch=1) as consumer:
        (first,) = consumer.read()
        consumer.pause()
        consumer.ack(first)
        assert consumer.read(wait_s=0.05) == []
        assert not consumer._subscription.in_flight.has_acks()
        wait = consumer._unpaused.wait

        def resumed_meanwhile(wait_s: float) -> bool:
            threading.Thread(target=consumer.resume).start()
            return wait(wait_s)

        monkeypatch.setattr(consumer._unpaused, "wait", resumed_meanwhile)
        assert consumer.read(wait_s=10 * PATIENCE_S) == []  # the end of the pause ends the wait
        (second,) = consumer.read()
        assert second.payload() == 2


def test_a_paused_asyncio_consumer_does_the_same(settings: Settings) -> None:
    publish(settings, "sink", 1)

    async def scenario() -> list[int]:
        async with AsyncConsumer("sink", settings=settings) as consumer:
            consumer.pause()
            assert await consumer.read(wait_s=0.05) == []
            consumer.resume()
            found = await consumer.read()
            await consumer.give_back(*found)
            return [delivery.payload() for delivery in found]

    assert asyncio.run(scenario()) == [1]


@pytest.mark.parametrize(
    "options",
    [{"batch": 0}, {"lease_s": 0}, {"prefetch": -1}, {"prefetch_bytes": 0}, {"dedup": -1}, {"dedup_s": 1e12}],
)
def test_options_that_cannot_be_are_refused_by_name(settings: Settings, options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Consumer("sink", settings=settings, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"concurrency": 8, "prefetch": 4}, {"drain_s": -1}])
def test_a_module_refuses_them_too(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Module("sink", **options)  # type: ignore[arg-type]
