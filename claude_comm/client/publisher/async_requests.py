"""Requests of the tasks of one event loop: the asyncio side of `publisher.requests`, written by hand.

Law: as there. Here a request ends by its deadline because its task is cancelled.
"""

from __future__ import annotations

import asyncio
import weakref
from functools import partial

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
        self.mailbox = Mailbox(identity)
        self._client, self._batcher = client, batcher
        self._task: asyncio.Task[None] | None = None

    async def ask(self, id_: str, post: Post, target: str, timeout_s: float) -> Envelope:
        """The answer. Raises ReplyTimeout, and what sending raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Envelope] = loop.create_future()
        self.mailbox.expect(id_, partial(_resolve, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(_read(weakref.ref(self), self._client, self.mailbox))
        # One timer and one wait, for the confirmation and the answer: `asyncio.timeout` and two waits cost twice that.
        until = loop.time() + timeout_s
        try:
            if not self._batcher.send_request(id_, post, future):
                async with asyncio.timeout_at(until):
                    await self._batcher.send_request_slowly(id_, post, future)
            bound = loop.call_at(until, _expire, future, target, id_, timeout_s)
            try:
                return await future
            finally:
                bound.cancel()
        except TimeoutError:
            raise ReplyTimeout(target, id_, timeout_s) from None
        finally:
            future.cancel()
            if self.mailbox.give_up(id_):
                self._batcher.forgo()

    async def close(self) -> None:
        """Ends the reading, and leaves nothing on the server."""
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


async def _read(owner: weakref.ref[AsyncRequests], client: AsyncClient, mailbox: Mailbox) -> None:
    """Until it is cancelled, or its owner is gone: whoever waits for an answer has its publisher."""
    reached = True
    while owner() is not None:
        try:
            await client.run(mailbox.reading())
            reached = True
        except TransportError as error:
            if reached:
                mailbox.unreachable(error)
            reached = False
            await asyncio.sleep(UNREACHABLE_WAIT_S)


def _resolve(future: asyncio.Future[Envelope], answer: Envelope) -> None:
    if not future.done():
        future.set_result(answer)


def _expire(future: asyncio.Future[Envelope], target: str, id_: str, timeout_s: float) -> None:
    if not future.done():
        future.set_exception(ReplyTimeout(target, id_, timeout_s))
