# Written by tools/twins.py from async_durable.py: edit that file.
"""Messages that are confirmed when the server's disk has them.

Law: what several send at once waits for the disk together: one WAITAOF a flight. Nothing is sent where the server
cannot say what its disk has.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self, get_args

from claude_comm.addresses import on_cluster
from claude_comm.client.arguments import check_choice
from claude_comm.client.identity import Identity
from claude_comm.client.publisher.attempts import Attempts
from claude_comm.client.publisher.batching import DEFAULT_MAX_WAITING_BYTES, Batcher
from claude_comm.client.publisher.sender import Sender
from claude_comm.effects import Post
from claude_comm.errors import ConfigurationError
from claude_comm.ops import publish as ops
from claude_comm.ops.publish import Durability, Outcomes
from claude_comm.transport.driver import Client


class Durable:
    """Of one publisher, beside its own batcher."""

    def __init__(
        self, identity: Identity, client: Client, attempts: Attempts, own: Batcher, *, has_outbox: bool
    ) -> None:
        self._client, self._own, self._has_outbox = client, own, has_outbox
        self._on_cluster = on_cluster(identity.settings.url)
        sender = Sender(identity, client, attempts, None, ops.publish_to_disk)
        self._batcher = Batcher(sender, DEFAULT_MAX_WAITING_BYTES, "wait")
        # Whether the server has said that it can.
        self._asked = False

    def send(self, id_: str, post: Post) -> str:
        """The id, when the disk has the message; what was queued before goes first. Raises NotOnDisk,
        ConfigurationError, and as sending does."""
        self._begin()
        return self._batcher.send(id_, post)

    def send_all(self, posts: Sequence[Post]) -> Outcomes:
        """The same of many, in their order."""
        self._begin()
        return self._batcher.send_all(posts)

    def checked(self, durable: Durability, delay_s: float | None, at: datetime | None) -> Self:
        """Itself. Raises ConfigurationError where that cannot be had, as for a message that is delayed."""
        check_choice("durable", durable, get_args(Durability))
        if self._has_outbox:
            raise ConfigurationError(
                "durable='fsync' is for a publisher without an outbox, which keeps messages itself."
            )
        if self._on_cluster:
            raise ConfigurationError("durable='fsync' is for one server, not for a cluster: use an outbox.")
        if delay_s is not None or at is not None:
            raise ConfigurationError("durable='fsync' is for messages that go out at once, without `delay_s` or `at`.")
        return self

    def close(self) -> None:
        """Sends the queue."""
        self._batcher.close()

    def _begin(self) -> None:
        if not self._asked:
            self._client.run(ops.require_disk())
            self._asked = True
        self._own.flush()
