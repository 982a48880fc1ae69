"""A handler is served right or refused where it is registered; none is acked whose body did not run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import attrs
import msgspec
import pytest

from claude_comm import AsyncContext, Context, Module, RetryPolicy, Settings
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import Page, running
from tests.support.streams import dead, publish
from tests.support.waiting import wait_until


def generator(payload: int) -> Iterator[int]:
    yield payload


async def asynchronous_generator(payload: int) -> AsyncIterator[int]:
    yield payload


def future(payload: int) -> concurrent.futures.Future[int]:
    return concurrent.futures.Future()


def iterator(payload: int) -> Iterator[int]:
    return iter([payload])


def context_first(context: Context, payload: int) -> None: ...


def wrong_context(payload: int, depth: int) -> None: ...


def awaiting_context(payload: int, context: AsyncContext) -> None: ...


def by_name(payload: int, *, context: Context) -> None: ...


def undefined(payload: Nowhere) -> None: ...  # noqa: F821  # pyright: ignore


class Counter:
    """Handlers of several forms."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def method(self, payload: Page) -> None:
        self.seen.append(payload)

    async def asynchronous(self, payload: Page) -> None:
        await asyncio.sleep(0)
        self.seen.append(payload)

    def __call__(self, payload: Page) -> None:
        self.seen.append(payload)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (generator, "yields"),
        (asynchronous_generator, "yields"),
        (functools.partial(generator), "yields"),
        (future, "returns a Future"),
        (iterator, "iterator that nobody iterates"),
        (context_first, r"\(payload, context\)"),
        (wrong_context, "annotate it as Context"),
        (awaiting_context, "no `async def`"),
        (by_name, "context by name"),
        (undefined, "'Nowhere', which is not defined"),
        (Counter.method, "method without its object"),
        (Counter, "no function"),
        (7, "no function"),
    ],
)
def test_a_function_that_would_not_run_as_it_expects_is_refused(function: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Module("sink").handles()(function)


def test_a_decorator_that_is_not_called_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"module.handles\(\)"):
        Module("sink").handles(generator)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [generator, lambda: None, Counter])
def test_a_start_function_is_held_to_its_form_too(function: Any) -> None:
    with pytest.raises(ConfigurationError):
        Module("sink").on_start(function)


def with_default(seen: list[Any]) -> Callable[..., Any]:
    def handle(payload: Page, shout: bool = False) -> None:
        seen.append((payload, shout))

    return handle


def decorated(seen: list[Any]) -> Callable[..., Any]:
    async def inner(payload: Page) -> None:
        await asyncio.sleep(0)
        seen.append(payload)

    @functools.wraps(inner)
    def handle(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    return handle


def task(seen: list[Any]) -> Callable[..., Any]:
    async def inner(payload: Page) -> None:
        await asyncio.sleep(0)
        seen.append(payload)

    def handle(payload: Page) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(inner(payload))

    return handle


def awaitable(seen: list[Any]) -> Callable[..., Any]:
    async def inner(payload: Page) -> None:
        seen.append(payload)

    def handle(payload: Page) -> Awaitable[None]:
        return inner(payload)

    return handle


@pytest.mark.parametrize("make", [decorated, task, awaitable])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_what_returns_an_awaitable_is_awaited(settings: Settings, make: Any, concurrency: int) -> None:
    seen: list[Any] = []
    module = Module("sink", settings=settings, concurrency=concurrency)
    module.handles()(make(seen))
    publish(settings, "sink", {"number": 3})
    with running(module):
        wait_until(lambda: bool(seen))
    assert seen == [Page(3)]


@pytest.mark.parametrize("form", ["method", "asynchronous", "__call__", "partial"])
def test_methods_partials_and_objects_are_given_their_type(settings: Settings, form: str) -> None:
    counter = Counter()
    function: Any = {"__call__": counter, "partial": functools.partial(Counter.method, counter)}.get(form)
    module = Module("sink", settings=settings)
    module.handles()(function or getattr(counter, form))
    publish(settings, "sink", {"number": 3})
    with running(module):
        wait_until(lambda: bool(counter.seen))
    assert counter.seen == [Page(3)]


def test_a_parameter_with_a_default_is_not_handed_the_context(settings: Settings) -> None:
    seen: list[Any] = []
    module = Module("sink", settings=settings)
    module.handles()(with_default(seen))
    publish(settings, "sink", {"number": 3})
    with running(module):
        wait_until(lambda: bool(seen))
    assert seen == [(Page(3), False)]


def test_an_annotation_may_name_what_only_the_registering_function_has(settings: Settings) -> None:
    class Local(msgspec.Struct):
        number: int

    seen: list[Any] = []
    module = Module("sink", settings=settings)

    @module.handles()
    def handle(payload: Local, context: Context | None = None) -> None:
        seen.append((payload, context is not None))

    publish(settings, "sink", {"number": 3})
    with running(module):
        wait_until(lambda: bool(seen))
    assert seen == [(Local(3), True)]


@pytest.mark.parametrize("result", ["coroutine", "generator", "future"])
def test_a_result_that_shows_that_nothing_ran_is_a_failure(settings: Settings, client: Client, result: str) -> None:
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=1))

    @module.handles()
    def handle(payload: int) -> Any:
        if result == "coroutine":
            waiting = asyncio.sleep(0)
            threading.Timer(0, waiting.close).start()
            return waiting
        return (payload for _ in ()) if result == "generator" else concurrent.futures.Future()

    publish(settings, "sink", 1)
    with running(module):
        wait_until(lambda: bool(dead(client, Keys(settings.namespace), "sink")))
    (buried,) = dead(client, Keys(settings.namespace), "sink")
    assert b"the handler returned" in buried[b"reason"]


@attrs.define
class Sum:
    total: int


def test_what_a_handler_returns_is_part_of_the_contract() -> None:
    module = Module("sink")

    @module.handles("add")
    def add(payload: int) -> Sum:
        return Sum(payload)

    @module.handles("note")
    def note(payload: int) -> None: ...

    replies = module.contract().replies
    assert list(replies) == ["add"]
    assert "total" in str(replies["add"])


def test_async_sends_and_requests_do_not_hold_up_the_loop(settings: Settings) -> None:
    """Eight requests at once, each of which is answered when all eight have been asked."""
    asked, all_asked = [], threading.Event()
    answering = Module("answering", settings=settings, concurrency=8)

    @answering.handles()
    def answer(payload: int) -> int:
        asked.append(payload)
        if len(asked) == 8:
            all_asked.set()
        assert all_asked.wait(60)
        return payload + 1

    relay, seen, got = Module("relay", settings=settings, concurrency=8), [], []

    @relay.handles()
    async def handle(payload: int, context: AsyncContext) -> None:
        answer = await context.request("answering", payload, as_=int)
        id_ = await context.send("end", answer)
        context.send("end", -answer)
        seen.append((answer, id_))

    end = Module("end", settings=settings)

    @end.handles()
    def collect(payload: int) -> None:
        got.append(payload)

    with running(answering), running(end), running(relay):
        publish(settings, "relay", *range(8))
        wait_until(lambda: len(got) == 16)
    assert sorted(answer for answer, _ in seen) == list(range(1, 9))
    assert len({id_ for _, id_ in seen}) == 8
    assert sorted(got) == sorted([*range(1, 9), *range(-8, 0)])


def test_a_send_that_fails_unawaited_fails_its_handler(settings: Settings, client: Client) -> None:
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=1))

    @module.handles()
    async def handle(payload: int, context: AsyncContext) -> None:
        context.send("no such name", payload)

    publish(settings, "sink", 1)
    with running(module):
        wait_until(lambda: bool(dead(client, Keys(settings.namespace), "sink")))
    assert b"InvalidName" in dead(client, Keys(settings.namespace), "sink")[0][b"reason"]
