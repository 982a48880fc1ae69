"""Workers that are tasks are woken for what comes, and only while one of them waits."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.module.executors import AsyncExecutor
from claude_comm.client.module.prefetch import Prefetcher
from claude_comm.delivery.flow_control import Ahead
from claude_comm.envelope import Envelope
from claude_comm.ops.consume import Entry, Reader
from tests.support.waiting import PATIENCE_S, wait_until

ONE = Delivery(Envelope(id="1", source="a", target="b", time=1), Entry("s", "1-0", b""), Reader("s", "b", "c"))


class LateReader:
    """A prefetcher whose reader brings a delivery at the worst moment: after the worker found none, and before it
    waits."""

    def __init__(self) -> None:
        self.closed, self.ready, self.late = False, deque[Delivery](), [ONE]
        self.wake: Callable[[], None] = lambda: None

    def fill(self, wake: Callable[[], None], drained: Callable[[], None]) -> None:
        self.wake = wake
        wait_until(lambda: self.closed)

    def poll(self) -> Delivery | None:
        return self.ready.popleft() if self.ready else None

    def has_ready(self) -> bool:
        return bool(self.ready)

    def ran_dry(self) -> None:
        if self.late:
            self.ready.append(self.late.pop())
            self.wake()

    def read_arrived(self) -> bool:
        return False


class Scripted(LateReader):
    """Two workers: one takes the only delivery, the other finds none and waits. Then the test opens the gate."""

    def __init__(self, *, parked: bool = False) -> None:
        super().__init__()
        self.late, self.ready, self.arriving = [], deque([ONE]), list[Delivery]()
        self.parked, self.dry = parked, 0
        self.drained: Callable[[], None] = lambda: None

    def fill(self, wake: Callable[[], None], drained: Callable[[], None]) -> None:
        self.drained = drained
        super().fill(wake, drained)

    def poll(self) -> Delivery | None:
        delivery = super().poll()
        if delivery is not None and self.parked and not self.ready:
            self.drained()
        return delivery

    def ran_dry(self) -> None:
        self.dry += 1

    def read_arrived(self) -> bool:
        self.ready.extend(self.arriving)
        self.arriving.clear()
        return bool(self.ready)


async def nothing() -> None:
    pass


def test_what_one_worker_takes_in_is_told_to_the_others() -> None:
    """Else it would lie there for as long as that worker waits in its handler."""
    reader, handled = Scripted(), list[Delivery]()

    async def scenario() -> None:
        gate, both = asyncio.Event(), asyncio.Event()

        async def handle(poll: Callable[[], Delivery | None], call: object, clean: contextvars.Context) -> bool:
            delivery = poll()
            if delivery is not None:
                handled.append(delivery)
                if len(handled) == 3:
                    both.set()
                await (gate if len(handled) == 1 else both).wait()
            return True

        executor = AsyncExecutor(cast(Prefetcher, reader), 2, handle, lambda: None, nothing, asyncio.get_running_loop())
        executor.start([])
        async with asyncio.timeout(PATIENCE_S):
            while not reader.dry:
                await asyncio.sleep(0)
            reader.arriving = [ONE, ONE]
            gate.set()
            await both.wait()
        reader.closed = True
        assert await asyncio.to_thread(executor.join, time.monotonic() + PATIENCE_S)

    asyncio.run(scenario())


def test_a_worker_looks_for_more_when_another_took_the_last_and_nobody_reads() -> None:
    reader = Scripted(parked=True)

    async def scenario() -> None:
        gate, taken = asyncio.Event(), asyncio.Event()

        async def handle(poll: Callable[[], Delivery | None], call: object, clean: contextvars.Context) -> bool:
            if poll() is not None:
                taken.set()
                await gate.wait()
            return True

        executor = AsyncExecutor(cast(Prefetcher, reader), 2, handle, lambda: None, nothing, asyncio.get_running_loop())
        reader.ready.clear()
        executor.start([])
        async with asyncio.timeout(PATIENCE_S):
            while reader.dry < 2:  # both wait
                await asyncio.sleep(0)
            reader.ready.append(ONE)
            executor._wake_one()
            await taken.wait()
            while reader.dry < 3:
                await asyncio.sleep(0)
        gate.set()
        reader.closed = True
        assert await asyncio.to_thread(executor.join, time.monotonic() + PATIENCE_S)

    asyncio.run(scenario())


def test_what_comes_just_before_a_worker_waits_is_handled() -> None:
    reader, handled = LateReader(), list[Delivery]()

    async def handle(poll: Callable[[], Delivery | None], call: object, clean: contextvars.Context) -> bool:
        while (delivery := poll()) is not None:
            handled.append(delivery)
        return True

    executor = AsyncExecutor(cast(Prefetcher, reader), 1, handle, lambda: None, nothing)
    executor.start([])
    try:
        wait_until(lambda: handled == [ONE])
    finally:
        reader.closed = True
        assert executor.join(time.monotonic() + PATIENCE_S)


def test_a_loop_whose_workers_are_busy_is_not_woken() -> None:
    """To wake it would hand the interpreter over to it in the midst of a read."""
    reader = LateReader()
    reader.late = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(poll: object, call: object, clean: contextvars.Context) -> bool:
        begun.set()
        await go_on.wait()
        return True

    loop = asyncio.new_event_loop()
    woken: list[Any] = []

    async def busy() -> None:
        executor = AsyncExecutor(cast(Prefetcher, reader), 1, handle, lambda: None, nothing, loop)
        executor.start([])
        await begun.wait()
        while reader.wake.__name__ == "<lambda>":
            await asyncio.sleep(0)
        hand_over = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *args, **kwargs: woken.append(args)  # type: ignore[assignment,method-assign]
        reader.wake()
        loop.call_soon_threadsafe = hand_over  # type: ignore[method-assign]
        reader.closed = True
        go_on.set()
        assert await asyncio.to_thread(executor.join, time.monotonic() + PATIENCE_S)

    try:
        loop.run_until_complete(busy())
    finally:
        loop.close()
    assert not woken


class Aged:
    """A subscription and its reads ahead: one was begun a while ago."""

    requested = 1

    def take_all(self) -> list[Delivery]:
        return [ONE]


def test_what_upkeep_takes_in_is_told_to_workers_that_wait() -> None:
    """Else it would lie there until something else comes."""
    woken: list[None] = []
    prefetcher = Prefetcher(cast(Any, None), cast(Any, Aged()), cast(Any, None), Ahead(10, 2), *(2 * [lambda: None]))
    prefetcher._read_ahead, prefetcher._begun_at = cast(Any, Aged()), -math.inf
    prefetcher._wake = lambda: woken.append(None)
    prefetcher.maintain()
    assert woken
    assert prefetcher.poll() is ONE
