"""What may leave a stream, and what keeps it there, in words.

Law: an entry may go when every group has acked it and every projection that counts has it durable; where there is no
group (of an inbox or a topic) or no projection, nothing may. What is done stays a while all the same, for those who
come late (a new projection, an outbox that was away): until it is old, or one of too many, or the memory is short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from claude_comm.ids import position

START = "0-0"
# From this part of its `maxmemory` on, a server keeps nothing that is done.
SHORT_OF_MEMORY = 0.8


class Projection(msgspec.Struct, frozen=True):
    """What one projection reported last, and when (ms): stream key to the last entry stored, and to the last durable.

    `counts` is how many entries the stream had ever been given by then. `unreadable` are the streams for which
    something else than a position stands there: nothing of them is stored, as far as anybody can tell.
    """

    name: str
    reported_ms: int
    stored: Mapping[str, str]
    durable: Mapping[str, str]
    counts: Mapping[str, int] = {}
    unreadable: frozenset[str] = frozenset()

    def done(self, stream: str) -> str:
        """The last entry that it does not need any more. A stream that it reads anew is stored less far again."""
        return min(self.stored.get(stream, START), self.durable.get(stream, START), key=position)


class Keep(msgspec.Struct, frozen=True):
    """How long, and how many, entries stay although they are done."""

    ms: int
    entries: int


class Floor(msgspec.Struct, frozen=True):
    """The last entry that no projection needs any more, and which one says so."""

    entry_id: str
    projection: Projection


class Hold(msgspec.Struct, frozen=True):
    """What keeps entries that are not the newest: its kind as `ops/lua/trim.lua` names it, and whose it is."""

    kind: str
    name: str = ""


def keep(keep_s: float, entries: int, *, used_bytes: int, max_bytes: int) -> Keep:
    """What stays on a server that uses so much of what it may (`max_bytes` 0: any amount)."""
    if max_bytes and used_bytes >= SHORT_OF_MEMORY * max_bytes:
        return Keep(0, 0)
    return Keep(int(keep_s * 1000), entries)


def tightest(keeps: Sequence[Keep]) -> Keep:
    """What all masters of a cluster can hold: streams are not told apart by master, so the fullest decides."""
    return min(keeps, key=lambda kept: (kept.ms, kept.entries))


def floor(stream: str, projections: Sequence[Projection]) -> Floor | None:
    """How far all projections let go of a stream; None where there is none to say."""
    if not projections:
        return None
    slowest = min(projections, key=lambda projection: position(projection.done(stream)))
    return Floor(slowest.done(stream), slowest)


def words(hold: Hold | None, stream: str, below: Floor | None, *, now_ms: int) -> str:
    """What keeps a stream from being trimmed, and what to do about it; empty where nothing does."""
    if hold is None:
        return ""
    if hold.kind == "pending":
        return f"{hold.name} has deliveries that are not acked"
    if hold.kind == "undelivered":
        return f"{hold.name} has not read all of it: start it"
    if hold.kind == "unread":
        return "nobody has read it yet: it waits for its first reader"
    if hold.kind == "moved":
        return "its ids moved backwards: the projections read it again"
    if below is None:
        return "no projection stores it: start `claude-comm worker progress`"
    return _projection(below.projection, stream, now_ms)


def _projection(slowest: Projection, stream: str, now_ms: int) -> str:
    silent_s = (now_ms - slowest.reported_ms) // 1000
    name = f"projection {slowest.name} (reported {max(silent_s, 0)} s ago)"
    if stream in slowest.unreadable:
        return f"{name} has an unreadable position for it: start its worker, or remove it"
    if position(slowest.stored.get(stream, START)) > position(slowest.done(stream)):
        return f"{name} has stored it, and reports it as durable soon if its worker runs"
    return f"{name} has not stored all of it"
