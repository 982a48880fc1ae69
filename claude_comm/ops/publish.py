"""Putting messages onto streams.

Law: a stream is announced to the projection before its first entry, so that no message is ever outside of what the
projection follows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from claude_comm.effects import Append, Command, Operation, Post
from claude_comm.errors import TransportError
from claude_comm.names import Keys

Outcomes: TypeAlias = list[bytes | TransportError]


def publish(keys: Keys, posts: Sequence[Post], unannounced: Collection[str]) -> Operation[Outcomes]:
    """What became of each, in order: the id of its entry, or the refusal that stands in its place."""
    if unannounced:
        yield Command(("SADD", keys.streams, *unannounced), on="control")
    replies: Outcomes = yield Append(posts)
    return replies
