"""Modules, their contracts and instances, and the workers that are alive.

Law: everything here is on the control server. An instance is alive while its last heartbeat is younger than
`ALIVE_MS`; times are milliseconds since the epoch, handed in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import TransportError, UnknownModule
from claude_comm.names import Keys
from claude_comm.ops import door
from claude_comm.ops.when_full import force, force_all
from claude_comm.registry import contracts
from claude_comm.registry.contracts import Contract, UnreadableContract

# Three heartbeats may be lost before an instance counts as gone.
HEARTBEAT_MS = 2_000
ALIVE_MS = 4 * HEARTBEAT_MS
# Heartbeats older than this are forgotten.
FORGET_MS = 24 * 3600 * 1000


class Registered(msgspec.Struct, frozen=True):
    """A module's contract and its instances that are alive, by last heartbeat (ms)."""

    contract: Contract
    instances: dict[str, int]


class Directory(msgspec.Struct, frozen=True):
    """Everything that is registered, by name; what another program wrote and nobody can read is told apart."""

    modules: list[Registered]
    unreadable: list[UnreadableContract]


def register(keys: Keys, declared: Contract) -> Operation[None]:
    yield from force(Command(("HSET", keys.modules, declared.module, contracts.encode(declared)), on="control"))
    if declared.max_lag:
        yield from force(Command(("HSET", keys.limits, declared.module, declared.max_lag), on="control"))
    else:
        yield Command(("HDEL", keys.limits, declared.module), on="control")


def unregister(keys: Keys, module: str) -> Operation[bool]:
    removed: int = yield Command(("HDEL", keys.modules, module), on="control")
    yield Command(("HDEL", keys.limits, module), on="control")
    return bool(removed)


def find(keys: Keys, module: str) -> Operation[Contract | None]:
    """Raises UnreadableContract."""
    text: bytes | None = yield Command(("HGET", keys.modules, module), on="control")
    return None if text is None else contracts.decode(module, text)


def is_registered(keys: Keys, module: str) -> Operation[bool]:
    """Whether the registry has a contract of that module."""
    return bool((yield Command(("HEXISTS", keys.modules, module), on="control")))


def require(keys: Keys, module: str) -> Operation[Contract]:
    """Raises UnknownModule, with a near name where there is one."""
    contract = yield from find(keys, module)
    if contract is None:
        raise UnknownModule(module, (yield from names(keys)))
    return contract


def names(keys: Keys) -> Operation[list[str]]:
    """The registered modules."""
    members: list[bytes] = yield Command(("HKEYS", keys.modules), on="control")
    return sorted(map(door.name, members))


def everyone(keys: Keys, *, now_ms: int) -> Operation[Directory]:
    """All contracts by name, each with its living instances."""
    replies: list[Any] = yield Batch(
        (
            Command(("HGETALL", keys.modules), on="control"),
            Command(("ZRANGEBYSCORE", keys.instances, now_ms - ALIVE_MS, "+inf", "WITHSCORES"), on="control"),
        ),
        on="control",
    )
    texts, beats = replies
    if isinstance(beats, TransportError):
        raise beats
    alive: dict[str, dict[str, int]] = {}
    for member, beat_ms in door.scored(beats):
        module, _, instance = member.partition("/")
        alive.setdefault(module, {})[instance] = beat_ms
    found = Directory([], [])
    for name, text in sorted((door.name(name), text) for name, text in door.fields(texts).items()):
        try:
            found.modules.append(Registered(contracts.decode(name, text), alive.get(name, {})))
        except UnreadableContract as error:
            found.unreadable.append(error)
    return found


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


def _alive(key: str, name: str, now_ms: int) -> Operation[list[str]]:
    members = yield Command(("ZRANGEBYSCORE", key, now_ms - ALIVE_MS, "+inf"), on="control")
    return [member for member in map(door.name, members) if member.partition("/")[0] == name]
