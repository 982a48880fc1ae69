"""Batching on an event loop: see `batching` for its law and its theory of operation."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, TypeAlias

from claude_comm.client.publisher.async_sender import AsyncSender
from claude_comm.client.publisher.batching import Queue, Queued, fail, settle
from claude_comm.client.publisher.outbox_sender import OnFull
from claude_comm.effects import Post
from claude_comm.errors import PublisherClosed, TransportError
from claude_comm.ops.publish import Outcomes, without_room

# While batches are in flight, how many messages make another one at the end of a turn of the loop; how many in the
# middle of it, where a task that never waits may go on and on; and how many batches may be in flight at once.
NEXT_BATCH, LARGE_BATCH = 16, 50
# From how many tasks on those that were all woken together are halved: the one half is served while the other sends.
HALVED = 32
MAX_IN_FLIGHT = 4
# How long after its task was cancelled a queue is sent by another.
_RESUME_S = 0.05

_Awaited: TypeAlias = "asyncio.Future[str] | _Unconfirmed"
_Batch: TypeAlias = "list[Queued[_Awaited]]"


class AsyncBatcher:
    """For the tasks of one event loop.

    `sender.begin` sends a batch at once and calls back with its outcomes; it returns False where that is not possible
    now. `sender.deliver` sends a batch with all the waiting that it needs, and no other is in flight beside it.
    """

    def __init__(self, sender: AsyncSender, max_bytes: int, on_full: OnFull) -> None:
        self._sender, self._closed = sender, False
        self._queue: Queue[_Awaited] = Queue(max_bytes, on_full)
        self.unconfirmed = self._queue.unconfirmed
        self._send_lock = asyncio.Lock()
        self._has_room = asyncio.Event()
        # Sends batch after batch, where `begin` cannot.
        self._task: asyncio.Task[None] | None = None
        # What that task is sending.
        self._sending: _Batch = []
        self._in_flight = 0
        self._gathering = False
        # Whether the last batch had more than one message: then the next one, too, is what comes in one turn.
        self._several = False
        # How many tasks were woken since the last batch; and how many messages make one in the middle of a turn.
        self._woken, self._large = 0, LARGE_BATCH
        self._resend: deque[_Batch] = deque()
        self._drained: list[asyncio.Future[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def send(self, id_: str, post: Post) -> Awaitable[str]:
        """Awaited, the id when the message is in the stream. Raises what sending it raised."""
        queue = self._queue
        # No coroutine where there is nothing to wait for but the future: it would be made for every message.
        return self._put(id_, post) if queue.waiting_bytes < queue.max_bytes else self._send_when_room(id_, post)

    async def send_all(self, posts: Sequence[Post]) -> Outcomes:
        """Sends these as one batch, behind the queue."""
        await self.flush()
        async with self._send_lock:
            return await self._sender.deliver(posts)

    def send_request(self, id_: str, post: Post, answer: asyncio.Future[Any]) -> bool:
        """Sends a request with the queue; False where that takes waiting. What goes wrong is raised by `answer`, which
        is the requester's to resolve."""
        if not self._sender.may_begin or self._queue.full():
            return False
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._enqueue((id_, post, _Unconfirmed(answer)))
        return True

    async def send_request_slowly(self, id_: str, post: Post, answer: asyncio.Future[Any]) -> None:
        """The same with all the waiting that it takes; by itself where the queue goes through an outbox."""
        if self._sender.may_begin:
            await self._make_room()
            self._enqueue((id_, post, _Unconfirmed(answer)))
        else:
            await self._sender.request(post)

    def woke(self, count: int, waiting: int) -> None:
        """So many tasks go on, and are likely to send; others wait for what they sent. Those that go on do not become
        more than half of all again."""
        self._woken += count
        if self._woken + waiting >= HALVED:
            self._large = min((self._woken + waiting + 1) // 2, LARGE_BATCH)

    def forgo(self) -> None:
        """Ends the sending of what are all requests that were given up, so that closing does not wait for it."""
        if self._task is not None and self._sending and all(map(_forgone, self._sending)):
            self._task.cancel()

    async def send_soon(self, id_: str, post: Post) -> asyncio.Future[str]:
        """Queues the message, when there is room; returns the future of its id. Raises PublisherClosed."""
        if self._closed:
            raise PublisherClosed
        if self._queue.full():
            await self._make_room()
        return self._put(id_, post)

    async def flush(self) -> None:
        """Returns when every message queued before is sent or refused."""
        while self.unconfirmed():
            if self._task is not None:
                await asyncio.wait([self._task])
            elif self._in_flight:
                await self._wait_until_drained()
            elif self._queue.messages or self._resend:
                # Queued in this turn of the loop, or left by a task that was cancelled.
                self._start_task()
            else:
                return

    async def close(self) -> None:
        """Sends the queue."""
        self._closed = True
        await self.flush()
        # Of what was cut off, its callers know.
        self._queue.under_way.clear()

    async def _send_when_room(self, id_: str, post: Post) -> str:
        await self._make_room()
        return await self._put(id_, post)

    def _put(self, id_: str, post: Post) -> asyncio.Future[str]:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        # What `create_future` of a loop makes, without the call.
        future: asyncio.Future[str] = asyncio.Future(loop=self._loop)
        queue = self._queue
        # As `put`, written out: this runs for every message.
        queue.messages.append((id_, post, future))
        queue.waiting_bytes += len(post.body)
        # Most messages come when `_end_turn` is to look at the queue anyway.
        if not self._gathering or len(queue.messages) >= self._large:
            self._consider_batch()
        return future

    def _enqueue(self, message: Queued[_Awaited]) -> None:
        self._queue.put(message)
        self._consider_batch()

    def _consider_batch(self) -> None:
        """Sends the queue, or sees to it that somebody will."""
        if self._task is not None:
            return
        large = len(self._queue.messages) >= self._large and self._in_flight < MAX_IN_FLIGHT
        if large or not (self._in_flight or self._several or self._woken > 1):
            self._start_batch()
        elif not self._gathering and self._loop is not None:
            self._gathering = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        """All that the tasks had to send in this turn of the loop is here; beside others it goes if it is enough."""
        self._gathering = False
        self._woken, self._large = 0, LARGE_BATCH
        waiting = len(self._queue.messages)
        enough = waiting >= NEXT_BATCH if self._in_flight else waiting
        if self._task is None and enough and self._in_flight < MAX_IN_FLIGHT:
            self._start_batch()

    async def _make_room(self) -> None:
        """Waits until there is room, or makes some, as `on_full` says. Raises PublisherFull."""
        while self._queue.full():
            if self._queue.on_full == "wait":
                self._has_room.clear()
                await self._has_room.wait()
            else:
                self._queue.make_room()

    def _start_batch(self) -> None:
        """Sends the queue, at once if that is possible."""
        if self._sender.may_begin and not self._send_lock.locked():
            batch = self._queue.take()
            self._several = len(batch) > 1
            if self._sender.begin([post for _, post, _ in batch], partial(self._end_batch, batch)):
                self._in_flight += 1
                self._has_room.set()
                return
            self._queue.put_back(batch)
        self._start_task()

    def _end_batch(self, batch: _Batch, outcomes: Outcomes | TransportError) -> None:
        """The outcomes of a batch that was begun have come; what is to be sent again is the task's."""
        self._in_flight -= 1
        if isinstance(outcomes, TransportError):
            self._resend.append(batch)
        else:
            self._queue.settled(batch)
            full = without_room(outcomes)
            if full:
                again = [batch[place] for place in full]
                self._queue.under_way.append(again)
                self._resend.append(again)
                batch = [message for place, message in enumerate(batch) if place not in full]
                outcomes = [outcome for place, outcome in enumerate(outcomes) if place not in full]
            settle(batch, outcomes)
            if batch and batch[0][2].__class__ is not _Unconfirmed:
                self.woke(len(batch), sum(map(len, self._queue.under_way)))
        if not self._in_flight:
            waiters, self._drained = self._drained, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        if self._task is None and (self._resend or self._queue.messages):
            if self._resend:
                self._start_task()
            else:
                self._start_batch()

    async def _wait_until_drained(self) -> None:
        """Returns when no batch is in flight."""
        while self._in_flight:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drained.append(waiter)
            await waiter

    def _start_task(self) -> None:
        self._task = asyncio.create_task(self._send_queue())
        self._task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            # Most likely because the loop ends, where a new task would only be destroyed.
            task.get_loop().call_later(_RESUME_S, self._resume)
        else:
            self._resume()

    def _resume(self) -> None:
        if self._task is None and self._resend:
            self._start_task()
        elif self._task is None and self._queue.messages:
            self._start_batch()

    async def _send_queue(self) -> None:
        await self._wait_until_drained()
        while self._resend or self._queue.messages:
            async with self._send_lock:
                taken = self._resend.popleft() if self._resend else self._queue.take()
                batch = self._sending = [message for message in taken if not _forgone(message)]
                self._has_room.set()
                if not batch:
                    self._queue.settled(taken)
                    continue
                try:
                    outcomes = await self._sender.deliver([post for _, post, _ in batch])
                except BaseException as error:
                    if not isinstance(error, Exception):
                        self._cut_off(batch, taken, error)
                        raise
                    for message in batch:
                        fail(message, error)
                else:
                    settle(batch, outcomes)
                finally:
                    self._sending = []
                self._queue.settled(taken)
            if self._sender.may_begin and not self._resend:
                # What was in the way is done: the next are begun again, one behind the other, and none is waited for.
                return

    def _cut_off(self, batch: _Batch, taken: Sequence[Queued[_Awaited]], error: BaseException) -> None:
        """The sending of this batch was interrupted. The loop ends, most likely, so what it carried counts as left."""
        for message in batch:
            _, _, future = message
            if isinstance(future, asyncio.Future):
                # As one that is dropped with an exception, asyncio would tell of each.
                future.cancel()
            else:
                fail(message, error)
        if all(map(_forgone, batch)):
            self._queue.settled(taken)


def _forgone(message: Queued[_Awaited]) -> bool:
    """Whether it is a request that was given up."""
    _, _, future = message
    return isinstance(future, _Unconfirmed) and future.done()


class _Unconfirmed:
    """In the place of the future of a request's id: nobody waits for it, but for the answer, which fails with it."""

    __slots__ = ("_answer",)

    def __init__(self, answer: asyncio.Future[Any]) -> None:
        self._answer = answer

    def done(self) -> bool:
        return self._answer.done()

    def set_result(self, id_: str) -> None:
        pass

    def set_exception(self, error: BaseException) -> None:
        self._answer.set_exception(error)
