"""How a batch gets to the wire on an event loop: the asyncio side of `publisher.sender`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from claude_comm.client.identity import Identity
from claude_comm.client.publisher.attempts import Attempts, raise_first
from claude_comm.client.publisher.outbox_sender import OutboxSender, promised
from claude_comm.effects import Post
from claude_comm.ops import publish as ops
from claude_comm.ops.publish import Outcomes, Publish
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.async_pool import Landed


class AsyncSender:
    """For the tasks of one event loop."""

    def __init__(
        self,
        identity: Identity,
        client: AsyncClient,
        attempts: Attempts,
        outbox: OutboxSender | None,
        publish: Publish = ops.publish,
    ) -> None:
        self._identity, self._client, self._attempts, self._outbox = identity, client, attempts, outbox
        self._publish = publish if outbox is None else ops.publish_in_order
        # With an outbox each batch must be kept first; one for the disk is confirmed by more than its entries' ids.
        self.may_begin = outbox is None and publish is ops.publish

    async def deliver(self, posts: Sequence[Post]) -> Outcomes:
        """As of `Sender`."""
        posts = self._identity.sealed(posts)
        sending = self._attempts.sending(posts, self._publish)
        if self._outbox is None:
            return await self._client.run(sending)
        numbers = await asyncio.to_thread(self._outbox.keep, posts)
        return await self._client.run(self._outbox.delivering(numbers, posts, sending)) if numbers else promised(posts)

    def begin(self, posts: Sequence[Post], done: Landed) -> bool:
        """Sends these at once and calls `done` with their outcomes; False where something else comes first."""
        if not self.may_begin or self._attempts.unannounced({post.stream for post in posts}):
            return False
        return self._client.data.begin(self._identity.sealed(posts), done)

    async def request(self, post: Post) -> None:
        """Sends a request, which no outbox keeps. Raises TransportError."""
        raise_first(await self._client.run(self._attempts.sending(self._identity.sealed([post]))))
