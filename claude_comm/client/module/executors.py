"""The executors of a module: where its handlers run, one at a time or several at once.

Law: a worker takes a delivery, handles it to its end, and takes the next. With one worker the order of the messages is
kept. Only SystemExit and KeyboardInterrupt leave a handler (see `handling`): they stop the module. An executor whose
workers have all ended, though nobody stopped it, says so by `alive`.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.module.forked import leave
from claude_comm.client.module.handlers import Handler
from claude_comm.client.module.handling import Call, Poll
from claude_comm.client.module.prefetch import Prefetcher

# How long tasks that were cancelled at the deadline may take to end, and the publisher of the loop to close.
_CANCEL_S = 1.0

Starters: TypeAlias = list[Callable[[], Any]]
# Handles what is there for a turn; whether the next message may be handled in the context that is given.
HandleTurn: TypeAlias = Callable[[Poll, Call, contextvars.Context], Awaitable[bool]]


class Executor(Protocol):
    """The workers of one run. `error` is the exception that ended a worker, if any did."""

    error: BaseException | None

    def start(self, starters: Starters) -> None:
        """Begins: the start functions run one after another, then workers take deliveries."""
        ...

    def alive(self) -> bool:
        """Whether there is a worker."""
        ...

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
        self._threads = [
            threading.Thread(target=self._work, name=f"claude-comm worker {number}", daemon=True)
            for number in range(count)
        ]

    def start(self, starters: Starters) -> None:
        self._starters = starters
        self._threads[0].start()

    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self, deadline: float) -> bool:
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(deadline - time.monotonic(), 0))
        return not self.alive()

    def _work(self) -> None:
        try:
            if threading.current_thread() is self._threads[0]:
                self._begin()
            clean = contextvars.copy_context()
            while clean.copy().run(self._handle_in, clean):
                pass
        except BaseException as error:  # noqa: BLE001  (the module ends with it, as it would if this were its only thread)
            self.error = error
            self._ended()

    def _handle_in(self, clean: contextvars.Context) -> bool:
        """Handles deliveries in this context as long as it is clean: what a handler set for its message is not for the
        next, which is handled in another one. Whether there may be a next.

        Comparing costs a third of what a context for each message does.
        """
        take, handle, current = self._prefetcher.take, self._handle, contextvars.copy_context
        while (delivery := take()) is not None:
            handle(delivery)
            try:
                if current() != clean:
                    return True
            except Exception:  # noqa: BLE001  (values that refuse to be compared, such as arrays: they may be new)
                return True
        return False

    def _begin(self) -> None:
        # On the first worker: a SQLite connection that a start function opens is bound to its thread.
        while self._starters:
            self._starters.pop(0)()
        for thread in self._threads[1:]:
            if not self._prefetcher.closed:
                thread.start()


class AsyncExecutor:
    """Each worker is a task of one event loop, for handlers that are `async`: of the loop that is given, which somebody
    else runs, or of one on a thread of its own.

    A plain function among them runs on the loop if there is only one worker, and else on a thread. `closing` is awaited
    on the loop at the end.
    """

    def __init__(
        self,
        prefetcher: Prefetcher,
        count: int,
        handle: HandleTurn,
        ended: Callable[[], None],
        closing: Callable[[], Awaitable[None]],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.error: BaseException | None = None
        self._prefetcher, self._count, self._handle, self._ended = prefetcher, count, handle, ended
        self._closing = closing
        self._pool = _ThreadPool(count) if count > 1 else None
        self._loop = loop or asyncio.new_event_loop()
        self._begun = self._finished = False
        self._process = os.getpid()
        self._waiting: set[asyncio.Future[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = None if loop else threading.Thread(target=self._run, name="claude-comm loop", daemon=True)
        self._reader = threading.Thread(
            target=prefetcher.fill, args=(self._call_wake, self._drained), name="claude-comm reader", daemon=True
        )

    def start(self, starters: Starters) -> None:
        if self._thread is not None:
            self._thread.start()
        self._loop.call_soon_threadsafe(lambda: self._tasks.append(self._loop.create_task(self._begin(starters))))

    def alive(self) -> bool:
        return self._loop_runs() and (not self._begun or self._reader.is_alive())

    def _loop_runs(self) -> bool:
        return self._loop.is_running() if self._thread is None else self._thread.is_alive()

    def join(self, deadline: float) -> bool:
        """Tasks that have not ended by then are cancelled; one that ignores that is left alone."""
        if not self._loop_runs():
            return True
        ending = asyncio.run_coroutine_threadsafe(self._end(deadline), self._loop)
        try:
            done = ending.result(max(deadline - time.monotonic(), 0) + 3 * _CANCEL_S)
        except TimeoutError:  # a plain function holds the loop
            return False
        if self._thread is not None:
            self._finished = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CANCEL_S)
        return done

    async def call(self, handler: Handler, *arguments: Any) -> Any:
        """The result of a handler."""
        run = contextvars.copy_context().run
        if handler.is_async:
            result = handler.function(*arguments)
        elif self._pool is None:
            result = run(handler.function, *arguments)
        else:
            result = await self._pool.run(run, handler.function, *arguments)
        while inspect.isawaitable(result):
            result = await result
        return result

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # A handler may stop the loop that it runs on; it is not its own.
        while not self._finished:
            self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _begin(self, starters: Starters) -> None:
        try:
            for starter in starters:
                result = starter()
                while inspect.isawaitable(result):
                    result = await result
        except BaseException as error:  # noqa: BLE001  (as of a thread)
            self.error = error
            self._ended()
            return
        if not self._prefetcher.closed:
            self._tasks += [self._start_worker() for _ in range(self._count)]
            self._reader.start()
        self._begun = True

    def _start_worker(self) -> asyncio.Task[None]:
        task = self._loop.create_task(self._work(), context=contextvars.Context())
        task.add_done_callback(self._replace_cancelled)
        return task

    def _replace_cancelled(self, task: asyncio.Task[None]) -> None:
        """A handler cancelled all tasks of the loop, also such as had not begun, in which no code of theirs runs."""
        if task.cancelled() and not self._prefetcher.closed:
            self._tasks.append(self._start_worker())

    async def _work(self) -> None:
        """Takes deliveries until the prefetcher is closed, or until a handler has set a context variable: what it set
        for its message is not for the next, so another task goes on."""
        clean, prefetcher = contextvars.copy_context(), self._prefetcher
        try:
            while not prefetcher.closed:
                if not await self._handle(prefetcher.poll, self.call, clean):
                    self._tasks = [task for task in self._tasks if not task.done()]
                    self._tasks.append(self._start_worker())
                    return
                if prefetcher.has_ready():
                    await asyncio.sleep(0)
                elif prefetcher.read_arrived():
                    self._wake()
                    await asyncio.sleep(0)
                elif not prefetcher.closed:
                    prefetcher.ran_dry()
                    await self._wait_for_delivery()
        except asyncio.CancelledError:  # `_replace_cancelled`
            raise
        except BaseException as error:  # noqa: BLE001  (as of a thread)
            if os.getpid() != self._process:  # a child that a handler forked and ends
                leave()
            self.error = error
            self._ended()

    async def _wait_for_delivery(self) -> None:
        waiting = self._loop.create_future()
        self._waiting.add(waiting)
        try:
            # Looked at once more: the reader, which now sees that somebody waits, did not see it before.
            if not self._prefetcher.has_ready() and not self._prefetcher.closed:
                await waiting
        finally:
            self._waiting.discard(waiting)

    def _call_wake(self) -> None:
        """From any thread; a loop that is closed has nobody to wake. While no worker waits the loop is not woken, which
        would hand the interpreter over to it."""
        if not self._waiting:
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _drained(self) -> None:
        """On the loop: a worker that waits looks for more, in case the one that took the last has to wait in turn."""
        if self._waiting:
            self._loop.call_soon(self._wake_one)

    def _wake_one(self) -> None:
        waiting = next((one for one in self._waiting if not one.done()), None)
        if waiting is not None:
            waiting.set_result(None)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def _end(self, deadline: float) -> bool:
        """Ends the tasks; whether all of them had ended by the deadline."""
        done = True
        while tasks := [task for task in self._tasks if not task.done()]:
            self._wake()
            _, late = await asyncio.wait(tasks, timeout=max(deadline - time.monotonic(), 0))
            for task in late:
                task.cancel()
            if late:
                done = False
                await asyncio.wait(late, timeout=_CANCEL_S)
                break
        with suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_S):
                await self._closing()
        return done


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
        process = os.getpid()
        while True:
            future, function, arguments = self._jobs.get()
            try:
                result = function(*arguments)
            except (StopIteration, GeneratorExit) as error:  # which mean something else to a coroutine
                stopped = RuntimeError(f"the handler raised {type(error).__name__}")
                stopped.__cause__ = error
                _resolve(process, future, future.set_exception, stopped)
            except BaseException as error:  # noqa: BLE001  (handed to the task that waits for it)
                _resolve(process, future, future.set_exception, error)
            else:
                _resolve(process, future, future.set_result, result)


def _resolve(process: int, future: asyncio.Future[Any], setter: Callable[[Any], None], value: Any) -> None:
    """On the loop that waits; nothing for a future that was cancelled, or whose loop is closed. In a child that the
    function forked, nobody waits."""
    if os.getpid() != process:
        leave()
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else setter(value))
