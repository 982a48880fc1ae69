"""Putting messages onto streams.

Law: a stream is announced to the projection before its first entry, so that no message is ever outside of what the
projection follows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from claude_comm.effects import Append, Batch, Believe, Command, Operation, Post
from claude_comm.errors import FULL, ServerRefused, TransportError
from claude_comm.names import Keys
from claude_comm.ops import door, news

Outcomes: TypeAlias = list[bytes | TransportError]


def announce(keys: Keys, streams: Collection[str]) -> Operation[dict[str, int]]:
    """Lets the projection follow these streams; how many messages may wait at the modules whose inboxes are among
    them (0: they declare no limit)."""
    modules = [stream.name for key in streams if (stream := keys.parse_stream(key.encode())) and stream.kind == "inbox"]
    commands: tuple[Command, ...] = news.announcing(keys, streams)
    if modules:
        commands = (*commands, Command(("HMGET", keys.limits, *modules), on="control"))
    added, _, *limits = yield Batch(commands, on="control")
    if isinstance(added, TransportError):
        raise added
    declared = limits[0] if limits and isinstance(limits[0], list) else []
    known: dict[str, int] = {}
    for module, text in zip(modules, declared, strict=False):
        # Whoever could set another module's limit to nothing would keep all messages from it.
        (believed,) = yield Believe(keys.limits, ((module, text),), (module,))
        known[module] = _limit(believed)
    return known


def publish(keys: Keys, posts: Sequence[Post], unannounced: Collection[str]) -> Operation[Outcomes]:
    """What became of each, in order: the id of its entry, or the refusal that stands in its place."""
    if unannounced:
        yield from announce(keys, unannounced)
    replies: Outcomes = yield Append(posts)
    return replies


def _limit(text: bytes | None) -> int:
    """A limit that somebody else wrote there and that is no number limits nothing."""
    return door.number(text) or 0


def is_full(outcome: bytes | TransportError) -> bool:
    """Whether the server had no memory for it."""
    return isinstance(outcome, ServerRefused) and outcome.code == FULL


def without_room(outcomes: Outcomes) -> list[int]:
    """The places of what the server had no memory for."""
    return [place for place, outcome in enumerate(outcomes) if outcome.__class__ is not bytes and is_full(outcome)]
