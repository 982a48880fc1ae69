"""How far each projection has stored each stream, as it reports through the registry.

Law: a projection reports after its commit, never before. A position alone is no proof that a message is stored: a
server that lost its data gives out later positions. Proof is a position at or beyond an entry that the stream still
holds.

A projection reports two positions of each stream. `stored`: committed. `durable`: on its disk, and reported as stored
for so long that every living publisher has seen it; what lies before that may be trimmed. `durable` never passes
`stored`.

Where signatures are demanded, each position counts only if a service signed it for its place, and a projection lives
only while it signs that it does, under the field `""` of what it stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from claude_comm.delivery.retention import Projection
from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import TransportError
from claude_comm.names import Keys, is_name
from claude_comm.ops import door
from claude_comm.ops.heartbeats import FORGET_MS
from claude_comm.ops.when_full import force_all
from claude_comm.security import signed_fields
from claude_comm.security.signing import Signer

# How often a projection reports at the most while it stores, and at the least while it lives.
REPORT_EVERY_MS = 200
REPEAT_MS = 2_000

# Streams of one HSET: a script, which may have to send it, takes some thousand words.
_FIELDS = 1_000

# Stream key to the last entry stored.
Stored: TypeAlias = dict[str, str]

# What of the value under that field of that hash may be believed; None: nothing.
Believe: TypeAlias = Callable[[str, bytes, bytes], bytes | None]
_ALIVE = ""


class HeldPositions(msgspec.Struct, frozen=True):
    """For how many streams the registry holds a position of this projection: stored, and durable."""

    stored: int
    durable: int


def report(
    keys: Keys,
    projection: str,
    stored: Mapping[str, str],
    *,
    now_ms: int | None = None,
    durable: Mapping[str, str] | None = None,
    counts: Mapping[str, int] | None = None,
    signer: Signer | None = None,
) -> Operation[HeldPositions]:
    """Says that this projection lives and how far it is, of these streams; what was reported of others stays. Empty,
    `durable` takes back all that was reported as durable before.

    `counts` is how many entries each stream had ever been given by then, where that is known. It lives by the
    server's clock, unless a moment is given: hosts whose clocks differ would take each other for silent. With a
    `signer` all of it is signed.
    """
    if now_ms is None:
        now_ms = yield from clock()
    if counts:
        stored = {key: f"{id_} {counts[key]}" if key in counts else id_ for key, id_ in stored.items()}
    alive = {_ALIVE: str(now_ms)} if signer else {}
    commands = [
        Command(("ZADD", keys.projections, now_ms, projection), on="control"),
        Command(("ZREMRANGEBYSCORE", keys.projections, "-inf", now_ms - FORGET_MS), on="control"),
        *_positions(keys.stored(projection), {**stored, **alive}, signer),
    ]
    if durable is not None and not durable:
        commands.append(Command(("DEL", keys.durable(projection)), on="control"))
    commands += _positions(keys.durable(projection), durable or {}, signer)
    # What was reported before must live on as well, and where it does not, this tells.
    for key in (keys.stored(projection), keys.durable(projection)):
        commands += [Command((verb, key, *words), on="control") for verb, *words in (("PEXPIRE", FORGET_MS), ("HLEN",))]
    *_, held_stored, _, held_durable = yield from force_all(*commands)
    return HeldPositions(int(held_stored) - len(alive), int(held_durable))


def projections(
    keys: Keys, *, since_ms: int, streams: Sequence[str] | None = None, believe: Believe | None = None
) -> Operation[list[Projection]]:
    """Every projection that has reported since then, by name; with the positions of these streams alone, if given.
    With `believe` those alone that may be."""
    members = yield Command(("ZRANGEBYSCORE", keys.projections, since_ms, "+inf", "WITHSCORES"), on="control")
    alive = sorted((name, at) for name, at in door.scored(members) if is_name(name))
    if not alive:
        return []
    hashes = [key for name, _ in alive for key in (keys.stored(name), keys.durable(name))]
    rows = yield from _hashes(hashes, None if streams is None else (_ALIVE, *streams))
    plain = [_believed(key, row, believe) for key, row in zip(hashes, rows, strict=True)]
    return [
        Projection(name, at, _stored(stored), _stored(durable), _counts(stored), _unreadable(stored, durable))
        for (name, at), stored, durable in zip(alive, plain[::2], plain[1::2], strict=True)
        if believe is None or _lives(stored, since_ms)
    ]


def _hashes(keys: Sequence[str], wanted: Sequence[str] | None) -> Operation[list[Mapping[bytes, bytes]]]:
    """These hashes, or the wanted fields of them."""
    if wanted is None:
        replies = yield Batch(tuple(Command(("HGETALL", key), on="control") for key in keys), on="control")
        return [door.fields(reply) for reply in replies]
    replies = yield Batch(tuple(Command(("HMGET", key, *wanted), on="control") for key in keys), on="control")
    names = [field.encode() for field in wanted]
    return [
        {name: value for name, value in zip(names, reply, strict=True) if value is not None}
        if isinstance(reply, list)
        else door.fields(reply)
        for reply in replies
    ]


def awaited(
    keys: Keys, wait_s: float, streams: Sequence[str] | None = None, *, believe: Believe | None = None
) -> Operation[list[Projection]]:
    """The projections that trimming waits for: those that reported within the last `wait_s` seconds."""
    now_ms = yield from clock()
    return (yield from projections(keys, since_ms=now_ms - int(wait_s * 1000), streams=streams, believe=believe))


def clock() -> Operation[int]:
    """The time of the server that holds the registry (ms)."""
    seconds, micros = yield Command(("TIME",), on="control")
    return int(seconds) * 1000 + int(micros) // 1000


def reported(keys: Keys, *, since_ms: int, believe: Believe | None = None) -> Operation[list[Stored]]:
    """How far each projection is that has reported since then; with `believe` as far as it may be believed."""
    members = yield Command(("ZRANGEBYSCORE", keys.projections, since_ms, "+inf"), on="control")
    names = [name for name in map(door.name, members) if is_name(name)]
    if not names:
        return []
    replies = yield Batch(tuple(Command(("HGETALL", keys.stored(name)), on="control") for name in names), on="control")
    return [
        _stored(_believed(keys.stored(name), reply, believe))
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, TransportError)
    ]


def present(places: Sequence[tuple[str, str]]) -> Operation[list[bytes | None]]:
    """The envelope that each (stream, entry id) holds now; None where there is no such entry."""
    replies = yield Batch(tuple(Command(("XRANGE", stream, id_, id_)) for stream, id_ in places))
    bodies: list[bytes | None] = []
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply
        bodies.append(reply[0][1][1] if reply else None)
    return bodies


def _positions(key: str, stored: Mapping[str, str], signer: Signer | None) -> list[Command]:
    pairs: list[tuple[str, str | bytes]] = list(stored.items())
    if signer is not None:
        pairs = list(zip(stored, signed_fields.seal(signer, key, pairs), strict=True))
    parts = [pairs[start : start + _FIELDS] for start in range(0, len(pairs), _FIELDS)]
    return [Command(("HSET", key, *(word for pair in part for word in pair)), on="control") for part in parts]


def _believed(key: str, hash_: Mapping[bytes, bytes], believe: Believe | None) -> Mapping[bytes, bytes]:
    """The plain values; what may not be believed is left out, so it stands for nothing that is stored."""
    if believe is None:
        return {field: signed_fields.plain(value) for field, value in hash_.items()}
    values = {field: believe(key, field, value) for field, value in hash_.items()}
    return {field: value for field, value in values.items() if value is not None}


def _lives(stored: Mapping[bytes, bytes], since_ms: int) -> bool:
    """Whether it has signed that it lives since then."""
    return (door.number(stored.get(_ALIVE.encode())) or 0) >= since_ms


def _stored(positions: Mapping[bytes, bytes]) -> Stored:
    """An entry's id, and behind a blank how many entries there had been, where that was reported.

    A position that cannot be read is left out: nothing is stored by it, so nothing goes.
    """
    pairs = ((stream, door.entry_id(text.partition(b" ")[0])) for stream, text in positions.items())
    return {door.name(stream): id_ for stream, id_ in pairs if stream and id_ is not None}


def _counts(positions: Mapping[bytes, bytes]) -> dict[str, int]:
    pairs = ((stream, door.number(text.partition(b" ")[2])) for stream, text in positions.items())
    return {door.name(stream): count for stream, count in pairs if count is not None}


def _unreadable(*positions: Mapping[bytes, bytes]) -> frozenset[str]:
    """The streams for which something stands there that is no position."""
    return frozenset(
        door.name(stream)
        for hash_ in positions
        for stream, text in hash_.items()
        if stream and door.entry_id(text.partition(b" ")[0]) is None
    )
