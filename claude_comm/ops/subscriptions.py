"""Who reads a topic, and removing a module's subscription to it.

Law: a group that nobody reads for holds its stream for ever, and only a person knows that its module will not come
back. Nothing that runs loses its group: the module's instances must have ended.
"""

from __future__ import annotations

import msgspec

from claude_comm.effects import Command, Operation
from claude_comm.errors import StillRuns, UnknownReader
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import door, heartbeats, lag, registry
from claude_comm.ops.lag import Lag

# Beyond it, how much a module had not read is "at least".
_ENOUGH = 1_000_000


class Left(msgspec.Struct, frozen=True):
    """The messages that a removed group no longer keeps for its module: those it had not read, and those not acked."""

    unread: Lag
    pending: int


def declared_readers(keys: Keys, topic: str, *, now_ms: int) -> Operation[list[str]]:
    """The modules of which a version that is offered says that it reads the topic."""
    members: set[bytes] = yield Command(("SMEMBERS", keys.edges(f"{TOPIC_PREFIX}{topic}")), on="control")
    readers = []
    for name in sorted(door.name(member) for member in members if b"/" not in member):
        standing = yield from registry.standing(keys, name, now_ms=now_ms)
        offered = standing.offered() if standing is not None else []
        if any(topic in release.topics for release in offered):
            readers.append(name)
    return readers


def unsubscribe(keys: Keys, module: str, topic: str, *, now_ms: int, dry_run: bool = False) -> Operation[Left]:
    """Removes the module's group from the topic; with `dry_run` it only says what that would leave.

    Raises UnknownReader, or StillRuns while an instance of the module says that it lives.
    """
    stream = keys.topic(topic)
    groups = {group.name: group for group in (yield from lag.groups([stream]))[stream]}
    if module not in groups:
        raise UnknownReader(module, topic, sorted(groups))
    alive = yield from heartbeats.instances_alive(keys, module, now_ms=now_ms)
    if alive:
        raise StillRuns(module, alive)
    left = Left((yield from lag.measured(stream, groups[module], enough=_ENOUGH)), groups[module].pending)
    if not dry_run:
        yield Command(("XGROUP", "DESTROY", stream, module))
    return left
