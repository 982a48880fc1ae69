"""How far the groups of a stream are behind it.

Law: exact where the server says it, and where it does not (an entry that was deleted among those not yet read, or a
position that was set by hand) counted, from the nearer end, a bounded part at a time; what is beyond `enough` is not
counted to its end, and said to be "at least".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.delivery.retention import Projection
from claude_comm.effects import Batch, Command, Operation, Script
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.ids import position
from claude_comm.names import Keys
from claude_comm.ops import follow, projection_progress
from claude_comm.ops.follow import Tail
from claude_comm.ops.heartbeats import ALIVE_MS

# Entries that one step counts: some milliseconds of the server's time.
_PART = 5_000


class Lag(msgspec.Struct, frozen=True):
    """Entries that a group was not handed yet. With `exact` False there are more, nobody counted how many."""

    entries: int
    exact: bool = True


class ConsumerGroup(msgspec.Struct, frozen=True):
    """A group as the server describes it. `lag` is None where it cannot tell."""

    name: str
    consumers: int
    pending: int
    last_id: str
    lag: int | None


def groups(streams: Sequence[str]) -> Operation[dict[str, list[ConsumerGroup]]]:
    """The groups of each stream; none for one that does not exist."""
    if not streams:
        return {}
    replies = yield Batch(tuple(Command(("XINFO", "GROUPS", stream)) for stream in streams))
    return {stream: _groups(reply) for stream, reply in zip(streams, replies, strict=True)}


class Slowest(msgspec.Struct, frozen=True):
    """The reader that is furthest behind: the module itself, or a projection by its name."""

    reader: str
    lag: Lag


def slowest(keys: Keys, module: str, *, enough: int) -> Operation[Slowest]:
    """Who is furthest behind an inbox: its module or a projection that lives. What either lacks stays on the server."""
    stream = keys.inbox(module)
    mine = yield from of(stream, module, enough=enough)
    projections = yield from projection_progress.awaited(keys, ALIVE_MS / 1000)
    slowest_reader = Slowest(module, mine)
    if projections:
        tail = (yield from follow.tails([stream])).get(stream, Tail())
        for projection in projections:
            behind = _behind(projection, stream, tail)
            if behind > slowest_reader.lag.entries:
                slowest_reader = Slowest(f"projection {projection.name}", Lag(behind))
    return slowest_reader


def _behind(projection: Projection, stream: str, tail: Tail) -> int:
    """Exact, but for entries that were deleted before it read them, as long as it is not at the end. One that caught up
    once, for a reading command, and keeps nothing durable does not follow the stream, and is not behind it."""
    if (
        not projection.durable
        or stream not in projection.counts
        or position(projection.stored[stream]) >= position(tail.last_id)
    ):
        return 0
    return min(max(tail.added - projection.counts[stream], 0), tail.length)


def of(stream: str, group: str, *, enough: int) -> Operation[Lag]:
    """How far this group is behind; where there is no such group yet, everything in the stream waits for it."""
    by_stream = yield from groups([stream])
    mine = next((known for known in by_stream[stream] if known.name == group), None)
    if mine is None:
        return Lag(int((yield Command(("XLEN", stream)))))
    return (yield from measured(stream, mine, enough=enough))


def measured(stream: str, group: ConsumerGroup, *, enough: int) -> Operation[Lag]:
    """The lag of a group whose facts are known, counted if need be."""
    if group.lag is not None:
        return Lag(group.lag)
    ahead = behind = 0
    after, start = f"({group.last_id}", "-"
    while True:
        part, at = yield from _count(stream, after, "+")
        ahead += part
        if part < _PART:
            return Lag(ahead)
        if ahead > enough:
            return Lag(ahead, exact=False)
        after = f"({at}"
        part, at = yield from _count(stream, start, group.last_id)
        behind += part
        if part < _PART:
            return Lag(max(int((yield Command(("XLEN", stream)))) - behind, ahead))
        start = f"({at}"


def count(stream: str, after: str, until: str) -> Operation[int]:
    """How many entries lie between two ids, as XRANGE takes them."""
    total = 0
    while True:
        part, at = yield from _count(stream, after, until)
        total += part
        if part < _PART:
            return total
        after = f"({at}"


def _count(stream: str, after: str, until: str) -> Operation[tuple[int, str]]:
    part, at = yield Script("count", (stream,), (after, until, _PART))
    return int(part), at.decode()


def _groups(reply: Any) -> list[ConsumerGroup]:
    """A stream that was announced and never written has no groups to tell of: an error reply."""
    if isinstance(reply, TransportError):
        if isinstance(reply, ServerRefused):
            return []
        raise reply
    return [_group(row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))) for row in reply]


def _group(facts: dict[bytes, Any]) -> ConsumerGroup:
    lag = facts.get(b"lag")
    return ConsumerGroup(
        name=facts[b"name"].decode("utf-8", "backslashreplace"),
        consumers=int(facts[b"consumers"]),
        pending=int(facts[b"pending"]),
        last_id=facts[b"last-delivered-id"].decode(),
        lag=None if lag is None else int(lag),
    )
