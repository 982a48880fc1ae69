"""Many callers, one pipeline: whoever finds the line free sends what all have queued.

Law: nobody waits for company. A message that finds nothing in flight goes at once; those that arrive meanwhile
travel together in the next flight. What waits is bounded in bytes. Messages of one publisher leave in the order in
which they were queued.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Literal, TypeAlias, TypeVar

from claude_comm.effects import Post
from claude_comm.errors import ClaudeCommError, PublisherFull, TransportError
from claude_comm.ops.publish import Outcomes

OnFull: TypeAlias = Literal["wait", "refuse", "drop_oldest"]
DEFAULT_MAX_WAITING_BYTES = 64 * 1024 * 1024
# The most messages of one flight: beyond it a larger batch gains nothing, and its first message waits for its last.
MAX_FLIGHT = 2_000

AnyFuture = TypeVar("AnyFuture", "Future[str]", "asyncio.Future[str]")


class Ticket(Generic[AnyFuture]):
    """A message in the queue, and the promise of its id."""

    __slots__ = ("future", "id", "post")

    def __init__(self, id_: str, post: Post, future: AnyFuture) -> None:
        self.id, self.post = id_, post
        self.future: AnyFuture = future


class _Queue(Generic[AnyFuture]):
    """What waits, counted in bytes."""

    def __init__(self, max_bytes: int, on_full: OnFull) -> None:
        self.tickets: deque[Ticket[AnyFuture]] = deque()
        self.waiting_bytes = 0
        self.max_bytes, self.on_full = max_bytes, on_full

    def full(self) -> bool:
        return self.waiting_bytes >= self.max_bytes

    def put(self, ticket: Ticket[AnyFuture]) -> None:
        self.tickets.append(ticket)
        self.waiting_bytes += len(ticket.post.body)

    def take(self) -> list[Ticket[AnyFuture]]:
        flight = [self.tickets.popleft() for _ in range(min(len(self.tickets), MAX_FLIGHT))]
        self.waiting_bytes -= sum(len(ticket.post.body) for ticket in flight)
        return flight

    def make_room(self) -> None:
        """Refuses, or drops the oldest, as `on_full` says. Raises PublisherFull."""
        if self.on_full == "refuse":
            raise PublisherFull("this message was not taken", self.max_bytes)
        while self.full() and self.tickets:
            oldest = self.tickets.popleft()
            self.waiting_bytes -= len(oldest.post.body)
            if not oldest.future.done():
                oldest.future.set_exception(PublisherFull("this message was dropped for newer ones", self.max_bytes))


class Coalescer:
    """For threads. `deliver` sends a batch and blocks until its outcomes are known."""

    def __init__(self, deliver: Callable[[Sequence[Post]], Outcomes], max_bytes: int, on_full: OnFull) -> None:
        self._deliver = deliver
        self._queue: _Queue[Future[str]] = _Queue(max_bytes, on_full)
        self._lock = threading.Lock()
        self._flight = threading.Lock()
        self._wake = threading.Event()
        self._sender: threading.Thread | None = None
        self._closed = False

    def send(self, id_: str, post: Post) -> str:
        """Returns when the message is in the stream. Raises what sending it raised."""
        future = self._put(id_, post)
        while not future.done():
            with self._flight:
                if not future.done():
                    self._fly()
        return future.result()

    def send_all(self, posts: Sequence[Post]) -> Outcomes:
        """Sends these as one batch, behind what waits."""
        with self._flight:
            while self._queue.tickets:
                self._fly()
            return self._deliver(posts)

    def send_soon(self, id_: str, post: Post) -> Future[str]:
        """Queues the message for a thread that sends in the background; the promise of its id."""
        if self._queue.full():
            if self._queue.on_full == "wait":
                self.flush(until_below=self._queue.max_bytes)
            else:
                with self._lock:
                    self._queue.make_room()
        future = self._put(id_, post)
        if self._sender is None:
            self._start()
        self._wake.set()
        return future

    def flush(self, *, until_below: int = 1) -> None:
        """Returns when less than that many bytes wait: by default, when all that was queued is sent or refused."""
        while self._queue.waiting_bytes >= until_below or (until_below == 1 and self._queue.tickets):
            with self._flight:
                self._fly()
        if until_below == 1:
            with self._flight:
                return

    def close(self) -> None:
        """Sends what waits, and ends the background thread."""
        self.flush()
        self._closed = True
        self._wake.set()
        if self._sender is not None:
            self._sender.join()

    def _put(self, id_: str, post: Post) -> Future[str]:
        future: Future[str] = Future()
        with self._lock:
            self._queue.put(Ticket(id_, post, future))
        return future

    def _fly(self) -> None:
        """One flight; the caller holds the line."""
        with self._lock:
            flight = self._queue.take()
        if not flight:
            return
        try:
            outcomes = self._deliver([ticket.post for ticket in flight])
        except BaseException as error:
            for ticket in flight:
                _fail(ticket, error)
            if not isinstance(error, ClaudeCommError):
                raise
        else:
            _settle(flight, outcomes)

    def _start(self) -> None:
        with self._lock:
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_in_background, name="publisher", daemon=True)
                self._sender.start()

    def _send_in_background(self) -> None:
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            while self._queue.tickets:
                with self._flight:
                    self._fly()


class AsyncCoalescer:
    """For the tasks of one event loop."""

    def __init__(
        self, deliver: Callable[[Sequence[Post]], Awaitable[Outcomes]], max_bytes: int, on_full: OnFull
    ) -> None:
        self._deliver = deliver
        self._queue: _Queue[asyncio.Future[str]] = _Queue(max_bytes, on_full)
        self._line = asyncio.Lock()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def full(self) -> bool:
        return self._queue.full()

    async def room(self) -> None:
        """Waits until there is room, or makes some, as `on_full` says. Raises PublisherFull."""
        while self._queue.full():
            if self._queue.on_full == "wait":
                self._room.clear()
                await self._room.wait()
            else:
                self._queue.make_room()

    def push(self, id_: str, post: Post) -> asyncio.Future[str]:
        """Queues the message; the promise of its id, kept when it is in the stream."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = self._loop.create_future()
        self._queue.put(Ticket(id_, post, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return future

    async def send_all(self, posts: Sequence[Post]) -> Outcomes:
        """Sends these as one batch, behind what waits."""
        await self.flush()
        async with self._line:
            return await self._deliver(posts)

    async def flush(self) -> None:
        """Returns when all that was queued is sent or refused."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _drain(self) -> None:
        while self._queue.tickets:
            async with self._line:
                flight = self._queue.take()
                self._room.set()
                try:
                    outcomes = await self._deliver([ticket.post for ticket in flight])
                except BaseException as error:
                    for ticket in flight:
                        _fail(ticket, error)
                    if not isinstance(error, ClaudeCommError):
                        raise
                else:
                    _settle(flight, outcomes)


def _settle(flight: Sequence[Ticket[AnyFuture]], outcomes: Outcomes) -> None:
    for ticket, outcome in zip(flight, outcomes, strict=True):
        if isinstance(outcome, TransportError):
            _fail(ticket, outcome)
        elif not ticket.future.done():
            ticket.future.set_result(ticket.id)


def _fail(ticket: Ticket[AnyFuture], error: BaseException) -> None:
    if not ticket.future.done():
        ticket.future.set_exception(error)
