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
from functools import partial
from typing import Generic, Literal, TypeAlias, TypeVar

from claude_comm.effects import Post
from claude_comm.errors import PublisherFull, TransportError
from claude_comm.ops.publish import Outcomes, without_room

OnFull: TypeAlias = Literal["wait", "refuse", "drop_oldest"]
DEFAULT_MAX_WAITING_BYTES = 64 * 1024 * 1024
# The most messages of one flight: beyond it a larger batch gains nothing, and its first message waits for its last.
MAX_FLIGHT = 2_000
# With flights in the air, how many messages make another one, and how many may be there at once: the server works on
# one while the next is made, and what is in the air stays small.
PART = 32
MAX_ALOFT = 4

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
        if len(self.tickets) <= MAX_FLIGHT:
            flight, self.waiting_bytes = list(self.tickets), 0
            self.tickets.clear()
            return flight
        flight = [self.tickets.popleft() for _ in range(MAX_FLIGHT)]
        self.waiting_bytes -= sum(len(ticket.post.body) for ticket in flight)
        return flight

    def put_back(self, flight: Sequence[Ticket[AnyFuture]]) -> None:
        self.tickets.extendleft(reversed(flight))
        self.waiting_bytes += sum(len(ticket.post.body) for ticket in flight)

    def make_room(self) -> None:
        """Refuses, or drops the oldest, as `on_full` says. Raises PublisherFull."""
        if self.on_full == "refuse":
            raise PublisherFull("this message was not taken", self.max_bytes)
        while self.full() and self.tickets:
            oldest = self.tickets.popleft()
            self.waiting_bytes -= len(oldest.post.body)
            if not oldest.future.done():
                oldest.future.set_exception(PublisherFull("this message was dropped for newer ones", self.max_bytes))


_Flight: TypeAlias = "list[Ticket[asyncio.Future[str]]]"
Landed: TypeAlias = Callable[["Outcomes | TransportError"], None]


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
        if self._flight.acquire(blocking=False):
            try:
                if not self._queue.tickets:
                    return self._send_alone(id_, post)
            finally:
                self._flight.release()
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

    def _send_alone(self, id_: str, post: Post) -> str:
        """Without the promise and the queue that a message needs which others send."""
        (outcome,) = self._deliver((post,))
        if isinstance(outcome, TransportError):
            raise outcome
        return id_

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
            # Whoever sent them is told by their promises; the line goes on, and so does the thread in the background.
            if not isinstance(error, Exception):
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
    """For the tasks of one event loop.

    `begin` sends a flight at once and calls back when it has landed, if nothing stands in its way; several may be in
    the air then, one behind the other on one connection, so that the server works on one while the next is made.
    `deliver` takes all the time that it needs, and nothing is in the air beside it.
    """

    def __init__(
        self,
        deliver: Callable[[Sequence[Post]], Awaitable[Outcomes]],
        max_bytes: int,
        on_full: OnFull,
        begin: Callable[[Sequence[Post], Landed], bool] | None = None,
    ) -> None:
        self._deliver, self._begin = deliver, begin
        self._queue: _Queue[asyncio.Future[str]] = _Queue(max_bytes, on_full)
        self._line = asyncio.Lock()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._aloft = 0
        self._again: deque[_Flight] = deque()
        self._grounded: list[asyncio.Future[None]] = []
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
        if self._task is None and (not self._aloft or (len(self._queue.tickets) >= PART and self._aloft < MAX_ALOFT)):
            self._launch()
        return future

    async def send_all(self, posts: Sequence[Post]) -> Outcomes:
        """Sends these as one batch, behind what waits."""
        await self.flush()
        async with self._line:
            return await self._deliver(posts)

    async def flush(self) -> None:
        """Returns when all that was queued is sent or refused."""
        while self._task is not None or self._aloft:
            if self._task is not None:
                await asyncio.wait([self._task])
            await self._landing()

    def _launch(self) -> None:
        """Sends what is queued, at once if that can be."""
        if self._begin is not None and not self._line.locked():
            flight = self._queue.take()
            if self._begin([ticket.post for ticket in flight], partial(self._landed, flight)):
                self._aloft += 1
                self._room.set()
                return
            self._queue.put_back(flight)
        self._begin_slowly()

    def _landed(self, flight: _Flight, outcomes: Outcomes | TransportError) -> None:
        self._aloft -= 1
        if isinstance(outcomes, TransportError):
            self._again.append(flight)
        else:
            full = without_room(outcomes)
            if full:
                self._again.append([flight[place] for place in full])
                flight = [ticket for place, ticket in enumerate(flight) if place not in full]
                outcomes = [outcome for place, outcome in enumerate(outcomes) if place not in full]
            _settle(flight, outcomes)
        if not self._aloft:
            grounded, self._grounded = self._grounded, []
            for waiter in grounded:
                if not waiter.done():
                    waiter.set_result(None)
        if self._task is None and (self._again or self._queue.tickets):
            if self._again:
                self._begin_slowly()
            else:
                self._launch()

    async def _landing(self) -> None:
        while self._aloft:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._grounded.append(waiter)
            await waiter

    def _begin_slowly(self) -> None:
        self._task = asyncio.create_task(self._drain())
        self._task.add_done_callback(self._drained)

    def _drained(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._queue.tickets or self._again:
            self._begin_slowly()

    async def _drain(self) -> None:
        await self._landing()
        while self._again or self._queue.tickets:
            async with self._line:
                flight = self._again.popleft() if self._again else self._queue.take()
                self._room.set()
                try:
                    outcomes = await self._deliver([ticket.post for ticket in flight])
                except BaseException as error:
                    for ticket in flight:
                        _fail(ticket, error)
                    if not isinstance(error, Exception):
                        raise
                else:
                    _settle(flight, outcomes)


def _settle(flight: Sequence[Ticket[AnyFuture]], outcomes: Outcomes) -> None:
    for ticket, outcome in zip(flight, outcomes, strict=True):
        if outcome.__class__ is not bytes and isinstance(outcome, TransportError):
            _fail(ticket, outcome)
        elif not ticket.future.done():
            ticket.future.set_result(ticket.id)


def _fail(ticket: Ticket[AnyFuture], error: BaseException) -> None:
    if not ticket.future.done():
        ticket.future.set_exception(error)
