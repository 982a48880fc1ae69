"""Putting messages onto streams.

Law: a stream is announced to the projection before its first entry, so that no message is ever outside of what the
projection follows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import TransportError
from claude_comm.names import Keys


class Post(msgspec.Struct, frozen=True):
    """An encoded envelope and the stream it goes to."""

    stream: str
    body: bytes


def publish(keys: Keys, posts: Sequence[Post], unannounced: Collection[str]) -> Operation[list[str]]:
    """Entry ids, in order. Raises the first refusal; entries that the server took before it are in the stream."""
    if unannounced:
        yield Command(("SADD", keys.streams, *unannounced), on="control")
    replies = yield Batch(tuple(Command(("XADD", post.stream, "*", "e", post.body)) for post in posts))
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply
    return [reply.decode() for reply in replies]


def publish_one(post: Post) -> Operation[str]:
    """The entry id of one message on a stream announced before."""
    reply: bytes = yield Command(("XADD", post.stream, "*", "e", post.body))
    return reply.decode()
