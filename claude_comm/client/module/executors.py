"""The executors of a module: where its handlers run, one at a time or several at once.

Law: a worker takes a delivery, handles it to its end, and takes the next. With one worker the order of the messages is
kept. A BaseException that is no Exception (SystemExit) in a worker stops the module.
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
from claude_comm.client.module.prefetch import Prefetcher

# How long tasks that were cancelled at the deadline may take to end.
_CANCEL_S = 1.0
# After how many messages a task whose handler never waits lets other tasks run.
_TURN = 16

Starters: TypeAlias = list[Callable[[], Any]]
Call: TypeAlias = Callable[..., Awaitable[Any]]


class Executor(Protocol):
    """The workers of one run. `error` is the exception that ended a worker, if any did."""

    error: BaseException | None

    def start(self, starters: Starters) -> None:
        """Runs the start functions one after another, then begins to take."""

    def join(self, deadline: float) -> bool:
        """Waits for all workers, until `deadline` (monotonic seconds); whether all have ended."""
        ...


class ThreadExecutor:
    """Each worker is a thread, for handlers that are plain functions."""

    def __init__(
        self, prefetcher: Prefetcher, count: int, handle: Callable[[Delivery], None], ended: Callable[[], None]
    ) -> None:
        self.error: BaseException | None = None
        self._prefetcher, self._handle, self._ended = prefetcher, handle, ended
        self._starters: Starters = []
        self._started = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"claude-comm worker {number}", daemon=True)
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
        take, handle = self._prefetcher.take, self._handle
        try:
            # On the first worker: a SQLite connection that a start function opens is bound to its thread.
            while self._starters:
                self._starters.pop(0)()
            self._started.set()
            while (delivery := take()) is not None:
                handle(delivery)
        except BaseException as error:  # noqa: BLE001  (the module ends with it, as it would if this were its only thread)
            self.error = error
            self._started.set()
            self._ended()


class AsyncExecutor:
    """Each worker is a task of one event loop, on a thread of its own, for handlers that are `async`.

    A plain function among them runs on the loop if there is only one worker, and else on a thread.
    """

    def __init__(
        self,
        prefetcher: Prefetcher,
        count: int,
        handle: Callable[[Delivery, Call], Awaitable[None]],
        ended: Callable[[], None],
    ) -> None:
        self.error: BaseException | None = None
        self._prefetcher, self._count, self._handle, self._ended = prefetcher, count, handle, ended
        self._pool = _ThreadPool(count) if count > 1 else None
        self._loop = asyncio.new_event_loop()
        self._waiting: set[asyncio.Future[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run, name="claude-comm loop", daemon=True)

    def start(self, starters: Starters) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._started(starters), self._loop).result()
        threading.Thread(
            target=self._prefetcher.fill, args=(self._call_wake,), name="claude-comm reader", daemon=True
        ).start()

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

    async def call(self, handler: Handler, *arguments: Any) -> Any:
        """The result of a handler."""
        if handler.is_async:
            return await handler.function(*arguments)
        result = (
            handler.function(*arguments) if self._pool is None else await self._pool.run(handler.function, *arguments)
        )
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
            while not self._prefetcher.closed:
                delivery = self._prefetcher.poll()
                if delivery is None:
                    self._prefetcher.ran_dry()
                    await self._wait_for_delivery()
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

    async def _wait_for_delivery(self) -> None:
        waiting = self._loop.create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def _call_wake(self) -> None:
        """From any thread; a loop that is closed has nobody to wake."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for waiting in self._waiting:
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


class _ThreadPool:
    """Threads for plain functions that the interpreter does not join at exit, unlike those of concurrent.futures: a
    function that outlives the deadline is left alone."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"claude-comm worker {number}", daemon=True).start()

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        future = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function, arguments))
        return await future

    def _work(self) -> None:
        while True:
            future, function, arguments = self._jobs.get()
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001  (handed to the task that waits for it)
                _resolve(future, future.set_exception, error)
            else:
                _resolve(future, future.set_result, result)


def _resolve(future: asyncio.Future[Any], setter: Callable[[Any], None], value: Any) -> None:
    """On the loop that waits; nothing for a future that was cancelled, or whose loop is closed."""
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else setter(value))
