"""What the servers tell about themselves and about the streams of one namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.delivery import retention
from claude_comm.delivery.retention import Keep
from claude_comm.effects import Batch, Command, Operation, Place, Reach, Script, Scripts
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys, Stream, tag
from claude_comm.ops import lag, later, projection_progress, trim
from claude_comm.ops.lag import ConsumerGroup

# How far a lag that the server cannot tell is counted for a person to read.
_COUNTED = 100_000
# Streams that one script looks at: some milliseconds of the server.
_LOOKED_AT = 300


class ServerFacts(msgspec.Struct, frozen=True):
    """One server as it describes itself. `persistent` tells whether its append-only file is on; `max_memory_bytes` is 0
    where it may take any amount, and `policy` is what it does when it has taken all: "" where it does not tell."""

    program: str
    version: str
    pid: int
    uptime_s: int
    memory_bytes: int
    max_memory_bytes: int
    persistent: bool
    policy: str = ""

    @property
    def evicts(self) -> bool:
        """Whether it deletes keys when its memory is full: messages, and positions that keep messages from going."""
        return self.policy not in ("", "noeviction")


class GroupFacts(msgspec.Struct, frozen=True):
    """One group of a stream: what was not handed to it yet (`at_least` that many where it takes too long to count),
    and what was handed out and is not acked."""

    name: str
    consumers: int
    lag: int
    at_least: bool
    pending: int


class StreamFacts(msgspec.Struct, frozen=True):
    """One stream: its key, the entries in it now, when the oldest came (ms), the groups that read it, what waits
    beside it and until when (ms), and what is buried. `held` says what keeps it from being trimmed."""

    key: str
    entries: int
    oldest_ms: int | None
    groups: list[GroupFacts]
    later: int
    next_due_ms: int | None
    dead: int
    held: str


def facts(on: Place = "data") -> Operation[ServerFacts]:
    # One section a command: a server older than 7 takes only one.
    replies = yield Batch(tuple(Command(("INFO", part), on=on) for part in ("server", "memory", "persistence")), on=on)
    info = dict(_lines(_sound(replies)))
    return ServerFacts(
        program=info.get("server_name", "redis"),
        version=info.get("valkey_version") or info.get("redis_version", ""),
        pid=int(info.get("process_id", 0)),
        uptime_s=int(info.get("uptime_in_seconds", 0)),
        memory_bytes=int(info.get("used_memory", 0)),
        max_memory_bytes=int(info.get("maxmemory", 0)),
        persistent=info.get("aof_enabled") == "1",
        policy=info.get("maxmemory_policy", ""),
    )


def run_id() -> Operation[str | None]:
    """Names this run of the server; None where this user may not ask."""
    try:
        return dict(_lines([(yield Command(("INFO", "server")))])).get("run_id")
    except ServerRefused:
        return None


def may_tell() -> Operation[ServerFacts | None]:
    """The same; None where this user may not ask."""
    try:
        return (yield from facts())
    except ServerRefused as refusal:
        if refusal.code != "NOPERM":
            raise
        return None


def keeping(now: ServerFacts | None, keep_s: float, entries: int) -> Keep:
    """What stays in the streams although it is done, given the memory that the server has now, if it tells."""
    if now is None:
        return retention.keep(keep_s, entries, used_bytes=0, max_bytes=0)
    return retention.keep(keep_s, entries, used_bytes=now.memory_bytes, max_bytes=now.max_memory_bytes)


def busy(keys: Keys, announced: Sequence[Stream], *, reach: Reach) -> Operation[list[Stream]]:
    """Those of these streams that are not at rest: something waits, is pending, is buried or was not read."""
    parts = _parts(announced, reach)
    scripts = [Script("busy", tuple(key for stream in part for key in _around(keys, stream))) for part in parts]
    replies = _sound((yield Scripts(tuple(scripts)))) if scripts else []
    return [part[int(place) - 1] for part, places in zip(parts, replies, strict=True) for place in places]


def _parts(announced: Sequence[Stream], reach: Reach) -> list[list[Stream]]:
    """What one script looks at: some milliseconds of a server, or what shares a hash tag on a cluster."""
    if reach == "server":
        return [list(announced[start : start + _LOOKED_AT]) for start in range(0, len(announced), _LOOKED_AT)]
    by_tag: dict[str, list[Stream]] = {}
    for stream in announced:
        by_tag.setdefault(tag(stream.key), []).append(stream)
    return list(by_tag.values())


def _around(keys: Keys, stream: Stream) -> tuple[str, str, str]:
    dead = keys.dead(stream.name) if stream.kind == "inbox" else keys.later_of(stream.key)
    return stream.key, keys.later_of(stream.key), dead


def streams(
    keys: Keys, announced: Sequence[Stream], *, projection_wait_s: float, now_ms: int
) -> Operation[list[StreamFacts]]:
    """The facts of these streams, in this order. Counts where the server cannot tell."""
    if not announced:
        return []
    names = [stream.key for stream in announced]
    lengths = _sound((yield Batch(tuple(Command(("XLEN", name)) for name in names))))
    oldest = _sound((yield Batch(tuple(Command(("XRANGE", name, "-", "+", "COUNT", 1)) for name in names))))
    waiting = yield from later.waiting([stream.key for stream in announced if stream.kind != "events"])
    dead = yield from _dead(keys, announced)
    groups = yield from _readers(names)
    held = yield from _held(keys, announced, projection_wait_s, now_ms)
    return [
        StreamFacts(
            key=name,
            entries=int(length),
            oldest_ms=int(first[0][0].partition(b"-")[0]) if first else None,
            groups=groups[name],
            later=waiting[name].count if name in waiting else 0,
            next_due_ms=waiting[name].next_ms if name in waiting else None,
            dead=dead.get(name, 0),
            held=held[name],
        )
        for name, length, first in zip(names, lengths, oldest, strict=True)
    ]


def _readers(streams: Sequence[str]) -> Operation[dict[str, list[GroupFacts]]]:
    by_stream = yield from lag.groups(streams)
    readers: dict[str, list[GroupFacts]] = {stream: [] for stream in streams}
    for stream, group in [(stream, group) for stream, groups in by_stream.items() for group in groups]:
        readers[stream].append((yield from _group(stream, group)))
    return readers


def _held(keys: Keys, announced: Sequence[Stream], wait_s: float, now_ms: int) -> Operation[dict[str, str]]:
    """What keeps each stream from being trimmed, in words."""
    projections = yield from projection_progress.awaited(keys, wait_s, [stream.key for stream in announced])
    looked_at = yield from trim.looks(announced, projections, now_ms=now_ms)
    return {trimmable.stream: trimmable.held(now_ms=now_ms) for trimmable in looked_at}


def _group(stream: str, group: ConsumerGroup) -> Operation[GroupFacts]:
    behind = yield from lag.measured(stream, group, enough=_COUNTED)
    return GroupFacts(group.name, group.consumers, behind.entries, not behind.exact, group.pending)


def _dead(keys: Keys, announced: Sequence[Stream]) -> Operation[dict[str, int]]:
    """How much the module of each inbox has buried."""
    inboxes = [stream for stream in announced if stream.kind == "inbox"]
    if not inboxes:
        return {}
    replies = yield Batch(tuple(Command(("XLEN", keys.dead(stream.name))) for stream in inboxes))
    return {stream.key: int(count) for stream, count in zip(inboxes, _sound(replies), strict=True)}


def _sound(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply
    return replies


def _lines(replies: list[Any]) -> list[tuple[str, str]]:
    text = "\n".join(reply.decode(errors="replace") for reply in replies)
    return [
        (name, value) for name, separator, value in (line.partition(":") for line in text.splitlines()) if separator
    ]
