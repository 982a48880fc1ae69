"""Whatever leaves a handler is a failure of its message; a module goes on, or ends with an error."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from claude_comm import Module, RetryPolicy, Settings
from claude_comm.errors import ModuleStopped
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import dead, publish
from tests.support.waiting import PATIENCE_S, wait_until


async def cancelled() -> None:
    raise asyncio.CancelledError


async def cancelled_inside() -> None:
    inner = asyncio.ensure_future(asyncio.sleep(60))
    inner.cancel()
    await inner


async def cancels_all() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(60)


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(60)


async def stops_the_loop() -> None:
    asyncio.get_running_loop().stop()
    raise ValueError("after a stop")


async def stop_iteration() -> None:
    raise StopIteration


async def leaves_by_generator_exit() -> None:
    raise GeneratorExit


ASYNC = (cancelled, cancelled_inside, cancels_all, cancels_itself, stops_the_loop, stop_iteration,
         leaves_by_generator_exit)  # fmt: skip


@pytest.mark.parametrize("leave", ASYNC)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_leaves_an_async_handler_fails_its_message_alone(
    settings: Settings, client: Client, leave: Any, concurrency: int
) -> None:
    seen: list[int] = []
    module = Module("sink", settings=settings, concurrency=concurrency, retry=RetryPolicy(attempts=2, first_wait_s=0))

    @module.handles()
    async def handle(payload: int) -> None:
        if payload == 0:
            await leave()
        seen.append(payload)

    publish(settings, "sink", 0, *range(1, 10))
    with running(module):
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "sink")) == 1)
        wait_until(lambda: set(range(1, 10)) <= set(seen))
    (buried,) = dead(client, Keys(settings.namespace), "sink")
    assert buried[b"attempts"] == b"2"


@pytest.mark.parametrize("error", [StopIteration, asyncio.CancelledError, GeneratorExit, BaseException])
@pytest.mark.parametrize("beside_async", [False, True])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_leaves_a_plain_handler_fails_its_message_alone(
    settings: Settings, client: Client, error: type[BaseException], beside_async: bool, concurrency: int
) -> None:
    seen: list[int] = []
    module = Module("sink", settings=settings, concurrency=concurrency, retry=RetryPolicy(attempts=1))

    @module.handles()
    def handle(payload: int) -> None:
        if payload == 0:
            raise error
        seen.append(payload)

    if beside_async:

        @module.handles("other")
        async def other(payload: int) -> None: ...

    publish(settings, "sink", 0, 1, 2, 3)
    with running(module):
        wait_until(lambda: sorted(seen) == [1, 2, 3])
        wait_until(lambda: bool(dead(client, Keys(settings.namespace), "sink")))


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("before_it_works", [False, True])
def test_a_module_without_a_living_worker_ends_with_an_error(
    settings: Settings, asynchronous: bool, before_it_works: bool
) -> None:
    module = Module("sink", settings=settings)
    working = threading.Event()

    @module.on_start
    def begin(_: object) -> None:
        if before_it_works:
            end_the_workers()
        working.set()

    def end_the_workers() -> None:
        """As a defect of ours would: the workers end, and nobody asked for that."""
        assert module._runner is not None
        module._runner.prefetcher.close()

    if asynchronous:

        @module.handles()
        async def handle(payload: int) -> None: ...

    else:

        @module.handles()
        def handle_plain(payload: int) -> None: ...

    raised: list[BaseException] = []

    def run() -> None:
        try:
            module.run()
        except ModuleStopped as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert working.wait(PATIENCE_S)
    if not before_it_works:
        end_the_workers()
    thread.join(PATIENCE_S)
    assert isinstance(raised[0], ModuleStopped)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_context_variable_of_one_message_is_not_seen_by_the_next(settings: Settings, asynchronous: bool) -> None:
    variable = contextvars.ContextVar("tenant", default="nobody")
    seen: list[str] = []
    module = Module("sink", settings=settings)

    def enter(payload: str) -> None:
        seen.append(variable.get())
        variable.set(payload)

    if asynchronous:

        @module.handles()
        async def handle(payload: str) -> None:
            enter(payload)
            await asyncio.sleep(0)

    else:
        module.handles()(enter)

    publish(settings, "sink", "a", "b", "c")
    with running(module):
        wait_until(lambda: len(seen) == 3)
    assert seen == ["nobody"] * 3
