"""Whatever leaves a handler is a failure of its message; a module goes on, or ends with an error."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncContext, Module, Publisher, RetryPolicy, Settings
from claude_comm.errors import ModuleStopped, RequestFailed
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import answering, running
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


def test_a_worker_that_is_cancelled_before_it_has_begun_is_replaced(settings: Settings, client: Client) -> None:
    """Of such a task no line runs that could see to it."""
    module, inside = Module("sink", settings=settings, concurrency=4), list[int]()

    @module.on_start
    async def cancel_them(context: AsyncContext) -> None:
        # Called when the workers are made, which is right behind this function, and before they begin.
        asyncio.get_running_loop().call_soon(
            lambda: [task.cancel() for task in asyncio.all_tasks() if "_work" in repr(task)]
        )

    @module.handles()
    async def handle(payload: int) -> None:
        inside.append(payload)
        while len(inside) < 4:  # a worker for each
            await asyncio.sleep(0.01)

    publish(settings, "sink", 1, 2, 3, 4)
    with running(module):
        wait_until(lambda: len(inside) == 4)


def test_all_workers_live_on_where_one_cancels_the_tasks_of_all(settings: Settings, client: Client) -> None:
    module, inside = Module("sink", settings=settings, concurrency=4, retry=RetryPolicy(attempts=1)), list[int]()

    @module.handles()
    async def handle(payload: int) -> None:
        if payload == 0:
            await cancels_all()
        inside.append(payload)
        while len(inside) < 4:  # a worker for each
            await asyncio.sleep(0.01)

    with running(module):
        publish(settings, "sink", 0)
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "sink")) == 1)
        publish(settings, "sink", 1, 2, 3, 4)
        wait_until(lambda: len(inside) == 4)


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


class Fragile(msgspec.Struct):
    """A type whose own code raises as it is read."""

    number: int

    def __post_init__(self) -> None:
        if self.number == 0 and RAISED_BY_FRAGILE:
            raise RAISED_BY_FRAGILE[0]


RAISED_BY_FRAGILE: list[type[BaseException]] = []


@pytest.mark.parametrize("error", [BaseException, asyncio.CancelledError])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("most", [0, 3])
def test_what_a_type_raises_as_it_is_read_buries_its_message_alone(
    settings: Settings,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    asynchronous: bool,
    most: int,
) -> None:
    """A panic of a library in another language is a BaseException, and no Exception."""
    seen: list[int] = []
    module = Module("sink", settings=settings)

    def note(pages: list[Fragile]) -> None:
        seen.extend(page.number for page in pages)

    if asynchronous:

        async def handle(page: Fragile) -> None:
            note([page])

        async def handle_batch(pages: list[Fragile]) -> None:
            note(pages)

        handlers: tuple[Any, Any] = handle, handle_batch
    else:

        def handle_plain(page: Fragile) -> None:
            note([page])

        def handle_plain_batch(pages: list[Fragile]) -> None:
            note(pages)

        handlers = handle_plain, handle_plain_batch
    if most:
        module.handles_batch("message", max=most)(handlers[1])
    else:
        module.handles()(handlers[0])
    publish(settings, "sink", *({"number": number} for number in range(3)))
    monkeypatch.setitem(globals(), "RAISED_BY_FRAGILE", [error])
    with running(module):
        wait_until(lambda: sorted(seen) == [1, 2])
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "sink")) == 1)
    (buried,) = dead(client, Keys(settings.namespace), "sink")
    assert error.__name__.encode() in buried[b"reason"]


class Page(msgspec.Struct):
    number: int


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_result_that_cannot_be_written_fails_its_request_alone(settings: Settings, asynchronous: bool) -> None:
    def answer(payload: int) -> Page:
        page = Page(payload)
        if payload == 0:
            del page.number
        return page

    module = Module("sink", settings=settings)
    if asynchronous:

        @module.handles()
        async def handle(payload: int) -> Page:
            return answer(payload)

    else:
        module.handles()(answer)
    with answering(module), Publisher("src", settings=settings) as publisher:
        with pytest.raises(RequestFailed, match=r"its reply cannot be sent: .*unset"):
            publisher.request("sink", 0, timeout_s=PATIENCE_S)
        assert publisher.request("sink", 1, timeout_s=PATIENCE_S) == {"number": 1}


class AsksItself(Exception):
    def __getattr__(self, name: str) -> Any:
        return getattr(self.response, name)


class HasNoClass(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise LookupError(name)


@pytest.mark.parametrize("error", [AsksItself, HasNoClass])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_exception_that_cannot_be_told_fails_its_message_alone(
    settings: Settings, client: Client, error: type[Exception], asynchronous: bool
) -> None:
    """It raises as soon as anybody asks it for its notes, or for its class."""
    seen: list[int] = []
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=1))

    def enter(payload: int) -> None:
        if payload == 0:
            raise error
        seen.append(payload)

    if asynchronous:

        @module.handles()
        async def handle(payload: int) -> None:
            enter(payload)

    else:
        module.handles()(enter)
    publish(settings, "sink", 0, 1)
    with running(module):
        wait_until(lambda: seen == [1])
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "sink")) == 1)
    (buried,) = dead(client, Keys(settings.namespace), "sink")
    assert error.__name__.encode() in buried[b"reason"]


class Incomparable:
    """As an array is: comparing two of them gives no answer."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_a_context_variable_whose_values_cannot_be_compared_ends_no_worker(settings: Settings) -> None:
    variable: contextvars.ContextVar[Incomparable] = contextvars.ContextVar("array")
    at_start, seen = Incomparable(), []
    module = Module("sink", settings=settings)

    @module.on_start
    def begin(_: object) -> None:
        variable.set(at_start)

    @module.handles()
    def handle(payload: int) -> None:
        seen.append(variable.get() is at_start)
        variable.set(Incomparable())

    publish(settings, "sink", 1, 2, 3)
    with running(module):
        wait_until(lambda: len(seen) == 3)
    assert seen == [True] * 3
