"""Sending what follows along the routes of pipelines, many messages in one exchange.

Law: a stream is announced before its first message, and again from time to time, so that the projection follows it. A
full server takes these messages too: what was handled must come to its end, and its room is free then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from claude_comm.client.identity import Identity
from claude_comm.effects import Batch, Command, Operation, Post
from claude_comm.errors import TransportError
from claude_comm.ops import consume
from claude_comm.ops.news import TELL_EVERY_S
from claude_comm.ops.when_full import retry_if_full
from claude_comm.security import sealed


class Forwarder:
    """What one consumer has announced."""

    def __init__(self, identity: Identity) -> None:
        self._identity, self._keys = identity, identity.keys
        # By when (monotonic seconds): announcing a stream again is news of it.
        self._announced: dict[str, float] = {}

    def send(self, posts: Sequence[Post]) -> Operation[list[TransportError | None]]:
        """What refused each, or None."""
        yield from self._announce({post.stream for post in posts})
        signed = self._identity.sealed(posts)
        commands = tuple(Command(("XADD", post.stream, "*", *sealed.fields(post.body))) for post in signed)
        replies = yield Batch(commands)
        refusals: list[TransportError | None] = []
        for command, reply in zip(commands, replies, strict=True):
            try:
                yield from retry_if_full(command, reply)
                refusals.append(None)
            except TransportError as refusal:
                refusals.append(refusal)
        return refusals

    def _announce(self, streams: set[str]) -> Operation[None]:
        now_s = time.monotonic()
        due = {stream for stream in streams if self._announced.get(stream, -math.inf) <= now_s - TELL_EVERY_S}
        if due:
            yield from consume.announce(self._keys, sorted(due))
            self._announced.update(dict.fromkeys(due, now_s))
