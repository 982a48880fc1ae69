"""Trimming streams below what every group has acked and every projection has durable.

Law: what may go and its going are one step on the server (`ops/lua/trim.lua`), so that no group that reads meanwhile
loses an entry; any number of janitors may trim at once. A step is bounded; a stream that has more takes several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.delivery.retention import Floor, Hold, Keep, Projection, floor, words
from claude_comm.effects import Command, Operation, Script, Scripts
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.ids import position
from claude_comm.names import Stream
from claude_comm.ops import door, lag

# Some milliseconds of the server's time.
STEP = 10_000


class Trimmed(msgspec.Struct, frozen=True):
    """What went from one stream, or would: entries, and bytes as the server estimates them; and what holds the rest."""

    stream: str
    entries: int
    bytes: int
    hold: Hold | None
    floor: Floor | None = None

    def held(self, *, now_ms: int) -> str:
        """What holds the rest, in words."""
        return words(self.hold, self.stream, self.floor, now_ms=now_ms)


class _Step(msgspec.Struct, frozen=True):
    """The reply of the script, see there."""

    gone: int
    more: bool
    done: str
    hold: Hold
    last: str
    bytes: int

    def held(self) -> Hold | None:
        """What holds entries back; None where all but the last are done."""
        return None if self.hold.kind == "empty" or position(self.done) >= position(self.last) else self.hold


def trim(stream: Stream, projections: Sequence[Projection], keep: Keep, *, now_ms: int) -> Operation[Trimmed]:
    """Trims one stream as far as it may be."""
    below = floor(stream.key, projections)
    entries = size = 0
    while True:
        step = yield from _step(stream, below, keep, now_ms, "trim" if below else "look")
        entries, size = entries + step.gone, size + step.bytes
        if not step.more:
            return Trimmed(stream.key, entries, size, step.held(), below)


def looks(streams: Sequence[Stream], projections: Sequence[Projection], *, now_ms: int) -> Operation[list[Trimmed]]:
    """What holds each of these; nothing goes."""
    floors = [floor(stream.key, projections) for stream in streams]
    scripts = [
        _script(stream, below, Keep(0, 0), now_ms, "look") for stream, below in zip(streams, floors, strict=True)
    ]
    replies = (yield Scripts(tuple(scripts))) if scripts else []
    return [
        Trimmed(stream.key, 0, 0, _read(reply).held(), below)
        for stream, below, reply in zip(streams, floors, replies, strict=True)
    ]


def would_trim(stream: Stream, projections: Sequence[Projection], keep: Keep, *, now_ms: int) -> Operation[Trimmed]:
    """What `trim` would do now. It counts entries, so it takes time where there are many."""
    below = floor(stream.key, projections)
    step = yield from _step(stream, below, keep, now_ms, "look")
    if step.done == "0-0" or below is None:
        return Trimmed(stream.key, 0, 0, step.held(), below)
    done = yield from lag.count(stream.key, "-", f"({step.done}")
    old = min(step.done, _old(keep, now_ms), key=position)
    aged = yield from lag.count(stream.key, "-", f"({old}")
    length = yield Command(("XLEN", stream.key))
    entries = max(aged, min(done, int(length) - keep.entries))
    size = yield Command(("MEMORY", "USAGE", stream.key))
    return Trimmed(stream.key, entries, int(size) * entries // max(int(length), 1), step.held(), below)


def _step(stream: Stream, below: Floor | None, keep: Keep, now_ms: int, mode: str) -> Operation[_Step]:
    try:
        reply = yield _script(stream, below, keep, now_ms, mode)
    except ServerRefused as refusal:
        reply = refusal
    return _read(reply)


def _script(stream: Stream, below: Floor | None, keep: Keep, now_ms: int, mode: str) -> Script:
    readers = "none" if stream.kind == "events" else "groups"
    durable = below.entry_id if below else "0-0"
    return Script("trim", (stream.key,), (durable, _old(keep, now_ms), keep.entries, readers, STEP, mode))


def _read(reply: Any) -> _Step:
    """A key that holds something else is as a stream that holds nothing."""
    if isinstance(reply, TransportError):
        if not isinstance(reply, ServerRefused) or reply.code != "WRONGTYPE":
            raise reply
        return _Step(0, False, "0-0", Hold("empty"), "0-0", 0)
    gone, more, done, kind, name, last, size = reply
    hold = Hold(kind.decode(), door.name(name))
    return _Step(int(gone), bool(more), done.decode(), hold, last.decode(), int(size))


def _old(keep: Keep, now_ms: int) -> str:
    """Entries before this id are old. Where nothing is to be kept, all are, whatever the server's clock says."""
    return f"{max(now_ms - keep.ms, 0)}-0" if keep.ms else "18446744073709551615-18446744073709551615"
