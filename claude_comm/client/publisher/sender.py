"""How a batch gets to the wire: through the outbox where there is one, then in as many attempts as it takes."""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.client.identity import Identity
from claude_comm.client.publisher.attempts import Attempts
from claude_comm.client.publisher.outbox_sender import OutboxSender, promised
from claude_comm.effects import Post
from claude_comm.ops import publish as ops
from claude_comm.ops.publish import Outcomes, Publish
from claude_comm.transport.driver import Client


class Sender:
    """For threads; `async_sender` has the one of an event loop."""

    def __init__(
        self,
        identity: Identity,
        client: Client,
        attempts: Attempts,
        outbox: OutboxSender | None,
        publish: Publish = ops.publish,
    ) -> None:
        self._identity, self._client, self._attempts, self._outbox = identity, client, attempts, outbox
        # What waits in an outbox was kept in an order, which a server that is full for a moment must not change.
        self._publish = publish if outbox is None else ops.publish_in_order

    def deliver(self, posts: Sequence[Post]) -> Outcomes:
        """The outcome of each post, in order. Raises TransportError."""
        posts = self._identity.sealed(posts)
        sending = self._attempts.sending(posts, self._publish)
        if self._outbox is None:
            return self._client.run(sending)
        numbers = self._outbox.keep(posts)
        return self._client.run(self._outbox.delivering(numbers, posts, sending)) if numbers else promised(posts)

    def request(self, posts: Sequence[Post], until: float) -> Outcomes:
        """Sends requests, which no outbox keeps, until that moment (monotonic seconds). Raises TransportError."""
        return self._client.run(self._attempts.requesting(self._identity.sealed(posts), until))
