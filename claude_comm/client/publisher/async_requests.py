"""Requests of the tasks of one event loop: the asyncio side of `publisher.requests`, written by hand.

Law: as there. All requests share one timer, which ends each at its deadline.
"""

from __future__ import annotations

import asyncio
import math
import weakref

from claude_comm.client.identity import Identity
from claude_comm.client.publisher.async_batching import AsyncBatcher
from claude_comm.client.publisher.replies import Mailbox
from claude_comm.client.publisher.requests import UNREACHABLE_WAIT_S
from claude_comm.effects import Post
from claude_comm.envelope import Envelope
from claude_comm.errors import ReplyTimeout, TransportError
from claude_comm.ops import replies as ops
from claude_comm.transport.async_driver import AsyncClient

_CANCEL_AGAIN_S = 0.1


class AsyncRequests:
    """One task reads for all."""

    def __init__(self, identity: Identity, client: AsyncClient, batcher: AsyncBatcher) -> None:
        self.mailbox: Mailbox[_Waiter] = Mailbox(identity)
        self._client, self._batcher = client, batcher
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        # When the time of a request is over next (of the loop's clock), and what is called then.
        self._next_end = math.inf
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, id_: str, post: Post, target: str, timeout_s: float) -> Envelope:
        """The answer. Raises ReplyTimeout, and what sending raises."""
        # Asked for once: before Python 3.12 each time takes a call of the system.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        future: asyncio.Future[Envelope] = loop.create_future()
        until = loop.time() + timeout_s
        self.mailbox.expect(id_, _Waiter(future, until, target, id_, timeout_s))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(_read(weakref.ref(self), self._client, self.mailbox, self._batcher))
        try:
            if not self._batcher.send_request(id_, post, future):
                async with asyncio.timeout_at(until):
                    await self._batcher.send_request_slowly(id_, post, future)
            # One timer for all, and one wait for the confirmation and the answer: a timer for each costs as much as all
            # else that is done here.
            if until < self._next_end:
                self._end_by(until, loop)
            return await future
        except TimeoutError:
            raise ReplyTimeout(target, id_, timeout_s) from None
        finally:
            future.cancel()
            if self.mailbox.give_up(id_):
                self._batcher.forgo()

    def _end_by(self, until: float, loop: asyncio.AbstractEventLoop) -> None:
        """Looks then whose time is over, and not later."""
        if self._timer is not None:
            self._timer.cancel()
        self._next_end = until
        owner: weakref.ref[AsyncRequests] = weakref.ref(self)
        self._timer = loop.call_at(until, _end_overdue, owner, loop)

    def end_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the requests whose time is over."""
        over, self._next_end, self._timer = max(self._next_end, loop.time()), math.inf, None
        # An ended request leaves the mailbox in a later turn of the loop.
        waiters = self.mailbox.waiters()
        for waiter in waiters:
            if waiter.until <= over:
                waiter.expire()
        left = [waiter.until for waiter in waiters if waiter.until > over]
        if left:
            self._end_by(min(left), loop)

    async def close(self) -> None:
        """Ends the reading, and leaves nothing on the server."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is None:
            return
        while not self._task.done():
            # More than once: a cancellation that meets the end of a `wait_for` is lost before Python 3.12.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_AGAIN_S)
        try:
            await self._client.run(ops.leave(self.mailbox.key))
        except TransportError as error:
            self.mailbox.unreachable(error)


async def _read(
    owner: weakref.ref[AsyncRequests], client: AsyncClient, mailbox: Mailbox[_Waiter], batcher: AsyncBatcher
) -> None:
    """Until it is cancelled, or its owner is gone: whoever waits for an answer has its publisher."""
    reached = True
    while owner() is not None:
        try:
            arrived = await client.run(mailbox.reading())
            mailbox.hand_over(arrived)
            batcher.woke(len(arrived), mailbox.waiting)
            del arrived  # nothing of it is kept while this reads
            reached = True
        except TransportError as error:
            if reached:
                mailbox.unreachable(error)
            reached = False
            await asyncio.sleep(UNREACHABLE_WAIT_S)


def _end_overdue(owner: weakref.ref[AsyncRequests], loop: asyncio.AbstractEventLoop) -> None:
    """The loop keeps a timer for as long as it runs; it keeps no publisher by it."""
    requests = owner()
    if requests is not None:
        requests.end_overdue(loop)


class _Waiter:
    """Who waits for one answer, and until when."""

    __slots__ = ("_future", "_id", "_target", "_timeout_s", "until")

    def __init__(self, future: asyncio.Future[Envelope], until: float, target: str, id_: str, timeout_s: float) -> None:
        self._future, self.until = future, until
        self._target, self._id, self._timeout_s = target, id_, timeout_s

    def put(self, answer: Envelope) -> None:
        if not self._future.done():
            self._future.set_result(answer)

    def expire(self) -> None:
        if not self._future.done():
            self._future.set_exception(ReplyTimeout(self._target, self._id, self._timeout_s))
