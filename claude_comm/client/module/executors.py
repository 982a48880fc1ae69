"""The hands of a module: where its handlers run, one at a time or several at once.

Law: a hand takes a delivery, handles it to its end, and takes the next. With one hand the order of the messages is
kept. Whatever ends a hand that is not an exception of a handler (SystemExit, say) ends the module.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.module.handlers import Handler
from claude_comm.client.module.prefetch import Feed

# How long tasks that were cancelled at the deadline may take to end.
_CANCEL_S = 1.0
# After how many messages a task lets others run whose handler never waits for anything.
_TURN = 16

Starters: TypeAlias = list[Callable[[], Any]]
Call: TypeAlias = Callable[..., Awaitable[Any]]


class Hands(Protocol):
    """What the loop asks of them. `error` is what ended a hand, if anything did."""

    error: BaseException | None

    def start(self, starters: Starters) -> None:
        """Runs the start functions one after another, then begins to take."""

    def join(self, deadline: float) -> bool:
        """Waits for all hands, until `deadline` (monotonic seconds); whether they are all done."""


class Threads:
    """Each hand is a thread, for handlers that are plain functions."""

    def __init__(self, feed: Feed, count: int, handle: Callable[[Delivery], None], ended: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._feed, self._handle, self._ended = feed, handle, ended
        self._starters: Starters = []
        self._started = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"claude-comm hand {number}", daemon=True)
            for number in range(count)
        ]

    def start(self, starters: Starters) -> None:
        first, *others = self._threads
        self._starters = starters
        first.start()
        self._started.wait()
        if self.error is None:
            for thread in others:
                thread.start()

    def join(self, deadline: float) -> bool:
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        take, handle = self._feed.take, self._handle
        try:
            # On the first hand: what a start function opens, a SQLite connection say, may be bound to its thread.
            while self._starters:
                self._starters.pop(0)()
            self._started.set()
            while (delivery := take()) is not None:
                handle(delivery)
        except BaseException as error:  # noqa: BLE001  (the module ends with it, as it would if this were its only thread)
            self.error = error
            self._started.set()
            self._ended()


class Tasks:
    """Each hand is a task of one event loop, on a thread of its own, for handlers that are `async`.

    A plain function among them holds up the others if there is only one hand, and else runs on a thread.
    """

    def __init__(
        self, feed: Feed, count: int, handle: Callable[[Delivery, Call], Awaitable[None]], ended: Callable[[], None]
    ) -> None:
        self.error: BaseException | None = None
        self._feed, self._count, self._handle, self._ended = feed, count, handle, ended
        self._pool = _Pool(count) if count > 1 else None
        self._loop = asyncio.new_event_loop()
        self._fed: set[asyncio.Future[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run, name="claude-comm loop", daemon=True)

    def start(self, starters: Starters) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._started(starters), self._loop).result()
        threading.Thread(target=self._feed.fill, args=(self._call_wake,), name="claude-comm feed", daemon=True).start()

    def join(self, deadline: float) -> bool:
        """Tasks that are not done by then are cancelled; one that does not heed that is left alone."""
        if not self._thread.is_alive():
            return True
        ending = asyncio.run_coroutine_threadsafe(self._all_done(deadline - time.monotonic()), self._loop)
        try:
            done = ending.result(max(deadline - time.monotonic(), 0) + 2 * _CANCEL_S)
        except TimeoutError:  # a plain function holds the loop
            return False
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CANCEL_S)
        return done

    async def call(self, handler: Handler, *words: Any) -> Any:
        """The result of a handler."""
        if handler.is_async:
            return await handler.function(*words)
        result = handler.function(*words) if self._pool is None else await self._pool.run(handler.function, *words)
        return await result if asyncio.iscoroutine(result) else result

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _started(self, starters: Starters) -> None:
        for starter in starters:
            result = starter()
            if asyncio.iscoroutine(result):
                await result
        self._tasks = [self._loop.create_task(self._work()) for _ in range(self._count)]

    async def _work(self) -> None:
        try:
            done = 0
            while not self._feed.closed:
                delivery = self._feed.poll()
                if delivery is None:
                    self._feed.starve()
                    await self._food()
                    continue
                await self._handle(delivery, self.call)
                done += 1
                if done % _TURN == 0:
                    await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  (as of a thread)
            self.error = error
            self._ended()

    async def _food(self) -> None:
        waiting = self._loop.create_future()
        self._fed.add(waiting)
        try:
            await waiting
        finally:
            self._fed.discard(waiting)

    def _call_wake(self) -> None:
        """From any thread; a loop that is closed has nobody to wake."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for waiting in self._fed:
            if not waiting.done():
                waiting.set_result(None)

    async def _all_done(self, within_s: float) -> bool:
        self._wake()
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=max(within_s, 0))
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_CANCEL_S)
        return not late


class _Pool:
    """Threads for plain functions that a process does not wait for at its end, unlike those of concurrent.futures:
    what outlives the deadline is left alone."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"claude-comm hand {number}", daemon=True).start()

    async def run(self, function: Callable[..., Any], *words: Any) -> Any:
        future = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function, words))
        return await future

    def _work(self) -> None:
        while True:
            future, function, words = self._jobs.get()
            try:
                result = function(*words)
            except BaseException as error:  # noqa: BLE001  (handed to the task that waits for it)
                _end(future, future.set_exception, error)
            else:
                _end(future, future.set_result, result)


def _end(future: asyncio.Future[Any], how: Callable[[Any], None], value: Any) -> None:
    """On the loop that waits; a future that was cancelled or whose loop is closed waits no more."""
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else how(value))
