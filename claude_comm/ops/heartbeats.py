"""Heartbeats: which instances of modules and workers live.

Law: on the control server. An instance is up while its last heartbeat is younger than `ALIVE_MS`, late until `GONE_MS`,
and gone after that; times are milliseconds since the epoch, handed in.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.effects import Command, Operation
from claude_comm.names import Keys
from claude_comm.ops import door
from claude_comm.ops.when_full import force_all

# Three heartbeats may be lost before an instance counts as late.
HEARTBEAT_MS = 2_000
ALIVE_MS = 4 * HEARTBEAT_MS
# Twice as long as others take an instance for alive: a heart that a long handler holds up is not a death.
GONE_MS = 2 * ALIVE_MS
# Heartbeats older than this are forgotten.
FORGET_MS = 24 * 3600 * 1000


def beat(key: str, member: str, *, now_ms: int) -> Operation[None]:
    """A heartbeat of `module/instance` in `keys.instances`, or of `worker/instance` in `keys.workers`."""
    yield from force_all(
        Command(("ZADD", key, now_ms, member), on="control"),
        Command(("ZREMRANGEBYSCORE", key, "-inf", now_ms - FORGET_MS), on="control"),
    )


def stop_beating(key: str, member: str) -> Operation[None]:
    yield Command(("ZREM", key, member), on="control")


def waits(module: str, awaited: str) -> str:
    """The member of `keys.awaited` that says so."""
    return f"{module}/{awaited}"


def waiting(keys: Keys, *, now_ms: int) -> Operation[dict[str, list[str]]]:
    """The modules whose messages wait for other modules, and for which."""
    members = yield Command(("ZRANGEBYSCORE", keys.awaited, now_ms - ALIVE_MS, "+inf"), on="control")
    awaited: dict[str, list[str]] = {}
    for member in sorted(map(door.name, members)):
        module, _, name = member.partition("/")
        awaited.setdefault(module, []).append(name)
    return awaited


def workers_alive(keys: Keys, name: str, *, now_ms: int) -> Operation[list[str]]:
    """The living instances of the worker of that name."""
    return (yield from _alive(keys.workers, name, now_ms))


def instances_alive(keys: Keys, module: str, *, now_ms: int) -> Operation[list[str]]:
    """The living instances of a module."""
    return (yield from _alive(keys.instances, module, now_ms))


def living(key: str, members: Sequence[str], *, now_ms: int) -> Operation[set[str]]:
    """Those of these members whose last heartbeat is not long ago."""
    scores = yield Command(("ZMSCORE", key, *members), on="control")
    return {member for member, score in zip(members, scores, strict=True) if score and float(score) >= now_ms - GONE_MS}


def _alive(key: str, name: str, now_ms: int) -> Operation[list[str]]:
    members = yield Command(("ZRANGEBYSCORE", key, now_ms - ALIVE_MS, "+inf"), on="control")
    return [member for member in map(door.name, members) if member.partition("/")[0] == name]
