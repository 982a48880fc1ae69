"""Receipts: how far each projection has stored each stream, told through the registry.

Law: a projection tells after its commit, never before. A position alone is no proof that a message is stored: a
server that lost its data gives out later positions. Proof is a position at or beyond an entry that the stream still
holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import TransportError
from claude_comm.names import Keys
from claude_comm.ops.registry import FORGET_MS

# How often a projection tells at the most while it stores, and at the least while it lives.
TELL_EVERY_MS = 200
REPEAT_MS = 2_000

# Stream key to the last entry stored.
Stored: TypeAlias = dict[str, str]


def tell(keys: Keys, projection: str, stored: Mapping[str, str], *, now_ms: int) -> Operation[None]:
    """Says that this projection lives and how far it is."""
    key = keys.stored(projection)
    words = [word for pair in stored.items() for word in pair]
    commands = [
        Command(("ZADD", keys.projections, now_ms, projection), on="control"),
        Command(("ZREMRANGEBYSCORE", keys.projections, "-inf", now_ms - FORGET_MS), on="control"),
    ]
    if words:
        commands += [
            Command(("HSET", key, *words), on="control"),
            Command(("PEXPIRE", key, FORGET_MS), on="control"),
        ]
    for reply in (yield Batch(tuple(commands), on="control")):
        if isinstance(reply, TransportError):
            raise reply


def told(keys: Keys, *, since_ms: int) -> Operation[list[Stored]]:
    """How far each projection is that has told since then."""
    members = yield Command(("ZRANGEBYSCORE", keys.projections, since_ms, "+inf"), on="control")
    if not members:
        return []
    commands = tuple(Command(("HGETALL", keys.stored(member.decode())), on="control") for member in members)
    replies = yield Batch(commands, on="control")
    return [_stored(reply) for reply in replies if not isinstance(reply, TransportError)]


def present(places: Sequence[tuple[str, str]]) -> Operation[list[bytes | None]]:
    """The envelope that each (stream, entry id) holds now; None where there is no such entry."""
    replies = yield Batch(tuple(Command(("XRANGE", stream, id_, id_)) for stream, id_ in places))
    found: list[bytes | None] = []
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply
        found.append(reply[0][1][1] if reply else None)
    return found


def _stored(reply: Any) -> Stored:
    return {stream.decode(): id_.decode() for stream, id_ in reply.items()}
