"""Heartbeats: which instances of modules and workers live.

Law: on the control server. An instance is up while its last heartbeat is younger than `ALIVE_MS`, late until `GONE_MS`,
and gone after that; times are milliseconds since the epoch, handed in. Anybody may write into the sorted sets: where
signatures are demanded, a heartbeat counts only with its proof beside it, signed by whose it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.effects import Believe, Command, Operation, Sign
from claude_comm.names import TOPIC_PREFIX, Keys, beats_beside, is_name
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
    proofs, field = _proof(key, member)
    signed = yield Sign(proofs, ((field, str(now_ms).encode()),))
    proving = [("HSET", proofs, field, *signed), ("PEXPIRE", proofs, FORGET_MS)] if signed else []
    yield from force_all(
        *(Command(words, on="control") for words in proving),
        Command(("ZADD", key, now_ms, member), on="control"),
        Command(("ZREMRANGEBYSCORE", key, "-inf", now_ms - FORGET_MS), on="control"),
    )


def stop_beating(key: str, member: str) -> Operation[None]:
    yield Command(("ZREM", key, member), on="control")
    proofs, field = _proof(key, member)
    if (yield Sign(proofs, ((field, b""),))):
        yield Command(("HDEL", proofs, field), on="control")


def last_beat(key: str, member: str) -> Operation[int | None]:
    """When that member's last heartbeat was, whoever wrote it; None where there is none."""
    score = yield Command(("ZSCORE", key, member), on="control")
    return None if score is None else int(float(score))


def forget_proof(keys: Keys, module: str, instance: str) -> Operation[None]:
    """What an instance that died has left of its heartbeats."""
    proofs, field = _proof(keys.instances, f"{module}/{instance}")
    yield Command(("HDEL", proofs, field), on="control")


def waits(module: str, awaited: str) -> str:
    """The member of `keys.awaited` that says so."""
    return f"{module}/{awaited}"


def waiting(keys: Keys, *, now_ms: int) -> Operation[dict[str, list[str]]]:
    """The modules whose messages wait for other modules, and for which."""
    members = yield Command(("ZRANGEBYSCORE", keys.awaited, now_ms - ALIVE_MS, "+inf"), on="control")
    awaited: dict[str, list[str]] = {}
    for member in sorted(map(door.name, members)):
        module, _, name = member.partition("/")
        if is_name(module) and is_name(name.removeprefix(TOPIC_PREFIX)):
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
    said = [member for member in map(door.name, members) if member.partition("/")[0] == name]
    if not said:
        return []
    fields = [_proof(key, member)[1] for member in said]
    proofs = beats_beside(key, name)
    stored = yield Command(("HMGET", proofs, *fields), on="control")
    # Where nobody demands a proof, none is as good as any.
    believed = yield Believe(
        proofs, tuple((field, proof or b"") for field, proof in zip(fields, stored, strict=True)), (name,)
    )
    since_ms = now_ms - ALIVE_MS
    return [
        member
        for member, proof in zip(said, believed, strict=True)
        if proof is not None and (not proof or (door.number(proof) or 0) >= since_ms)
    ]


def _proof(key: str, member: str) -> tuple[str, str]:
    """Where the proof of a member of that sorted set stands: the hash, and the field."""
    name, _, instance = member.partition("/")
    return beats_beside(key, name), f"{key.rpartition(':')[2]}/{instance}"
