"""Instances that are gone: their unfinished deliveries are made claimable, and their names leave the groups.

Law: an instance is gone when its heartbeats have stopped. A consumer that never sent one (a bare `Consumer`) is
forgotten when it has nothing pending and did nothing for a day. What is given back counts as an attempt when a handler
is handed it again: a message that kills its consumers must come to its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from claude_comm.effects import Batch, Command, Operation, Script
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import door
from claude_comm.ops.heartbeats import FORGET_MS, GONE_MS

# Each is looked up in the stream, whole.
_STEP = 100


class Reaped(msgspec.Struct, frozen=True):
    """How many deliveries became claimable, and which instances left their group (`module/instance`)."""

    given_back: int = 0
    left: tuple[str, ...] = ()


class _Consumer(msgspec.Struct, frozen=True):
    """One name in a group, and how long (ms) it did nothing."""

    stream: str
    group: str
    name: str
    pending: int
    idle_ms: int


def silent(keys: Keys, *, now_ms: int) -> Operation[dict[str, int]]:
    """Instances (`module/instance`) without a heartbeat for `GONE_MS`, with the time of their last one (ms).

    One that is still silent at the next check, with the same time, is gone; at the first it may only have been unable
    to send: the registry was away, or the machine asleep.
    """
    reply = yield Command(("ZRANGEBYSCORE", keys.instances, "-inf", now_ms - GONE_MS, "WITHSCORES"), on="control")
    return dict(door.scored(reply))


def reap(groups: Mapping[str, Sequence[str]], dead: set[str]) -> Operation[Reaped]:
    """Clears up behind the dead in these groups, given by stream."""
    consumers = yield from _consumers(groups)
    given_back = 0
    left: list[str] = []
    for consumer in consumers:
        member = f"{consumer.group}/{consumer.name}"
        forgotten = consumer.pending == 0 and consumer.idle_ms >= FORGET_MS
        if member in dead or forgotten:
            count, removed = yield from _clear(consumer)
            given_back += count
            left += [member] if removed else []
    return Reaped(given_back, tuple(left))


def _consumers(groups: Mapping[str, Sequence[str]]) -> Operation[list[_Consumer]]:
    pairs = [(stream, group) for stream, names in groups.items() for group in names]
    if not pairs:
        return []
    replies = yield Batch(tuple(Command(("XINFO", "CONSUMERS", stream, group)) for stream, group in pairs))
    return [
        _consumer(stream, group, facts)
        for (stream, group), reply in zip(pairs, replies, strict=True)
        if isinstance(reply, list)
        for facts in reply
    ]


def _consumer(stream: str, group: str, facts: Any) -> _Consumer:
    by_name = facts if isinstance(facts, dict) else dict(zip(facts[::2], facts[1::2], strict=True))
    name = by_name[b"name"].decode("utf-8", "surrogateescape")
    return _Consumer(stream, group, name, int(by_name[b"pending"]), int(by_name[b"idle"]))


def _clear(consumer: _Consumer) -> Operation[tuple[int, bool]]:
    total, after = 0, "-"
    name = consumer.name.encode("utf-8", "surrogateescape")
    while True:
        try:
            words = (consumer.group, name, FORGET_MS, after, _STEP)
            count, following, removed = yield Script("reap", (consumer.stream,), words)
        except ServerRefused as refusal:
            if refusal.code != "NOGROUP":
                raise
            return total, False
        total += int(count)
        if not following:
            return total, bool(removed)
        after = f"({following.decode()}"
