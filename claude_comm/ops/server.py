"""What the servers tell about themselves and about the streams of one namespace."""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.effects import Batch, Command, Operation, Place
from claude_comm.errors import TransportError
from claude_comm.names import Keys


class ServerFacts(msgspec.Struct, frozen=True):
    """One server as it describes itself. `persistent` tells whether its append-only file is on."""

    program: str
    version: str
    pid: int
    uptime_s: int
    memory_bytes: int
    persistent: bool


class StreamFacts(msgspec.Struct, frozen=True):
    """One stream: its key, the entries in it now, and the groups that read it with what is pending for each."""

    key: str
    entries: int
    pending: dict[str, int]


def facts(on: Place = "data") -> Operation[ServerFacts]:
    # One section a command: a server older than 7 takes only one.
    replies = yield Batch(tuple(Command(("INFO", part), on=on) for part in ("server", "memory", "persistence")), on=on)
    told = dict(_lines(_sound(replies)))
    return ServerFacts(
        program=told.get("server_name", "redis"),
        version=told.get("valkey_version") or told.get("redis_version", ""),
        pid=int(told.get("process_id", 0)),
        uptime_s=int(told.get("uptime_in_seconds", 0)),
        memory_bytes=int(told.get("used_memory", 0)),
        persistent=told.get("aof_enabled") == "1",
    )


def streams(keys: Keys) -> Operation[list[StreamFacts]]:
    """All announced streams of the namespace, by key."""
    members = yield Command(("SMEMBERS", keys.streams), on="control")
    names = sorted(member.decode() for member in members)
    lengths = yield Batch(tuple(Command(("XLEN", name)) for name in names))
    groups = yield Batch(tuple(Command(("XINFO", "GROUPS", name)) for name in names))
    # A stream that was announced and never written has no groups to tell of: an error reply.
    return [
        StreamFacts(name, int(length), {} if isinstance(told, TransportError) else dict(map(_pending, told)))
        for name, length, told in zip(names, _sound(lengths), groups, strict=True)
    ]


def _pending(group: Any) -> tuple[str, int]:
    pairs = group if isinstance(group, dict) else dict(zip(group[::2], group[1::2], strict=True))
    return pairs[b"name"].decode(), int(pairs[b"pending"])


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
