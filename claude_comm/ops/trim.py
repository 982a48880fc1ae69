"""Trimming streams below what every group has acked and every projection has durable.

Law: what may go and its going are one step on the server (`ops/lua/trim.lua`), so that no group that reads meanwhile
loses an entry; any number of janitors may trim at once. A step is bounded; a stream that has more takes several.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.delivery.retention import Floor, Hold, Keep, Projection, floor, words
from claude_comm.effects import Command, Operation, Script
from claude_comm.errors import ServerRefused
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


def look(stream: Stream, projections: Sequence[Projection], *, now_ms: int) -> Operation[Trimmed]:
    """What holds a stream; nothing goes."""
    below = floor(stream.key, projections)
    step = yield from _step(stream, below, Keep(0, 0), now_ms, "look")
    return Trimmed(stream.key, 0, 0, step.held(), below)


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
    readers = "none" if stream.kind == "events" else "groups"
    durable = below.entry_id if below else "0-0"
    words = (durable, _old(keep, now_ms), keep.entries, readers, STEP, mode)
    try:
        gone, more, done, kind, name, last, size = yield Script("trim", (stream.key,), words)
    except ServerRefused as refusal:
        if refusal.code != "WRONGTYPE":
            raise
        return _Step(0, False, "0-0", Hold("empty"), "0-0", 0)
    hold = Hold(kind.decode(), door.name(name))
    return _Step(int(gone), bool(more), done.decode(), hold, last.decode(), int(size))


def _old(keep: Keep, now_ms: int) -> str:
    """Entries before this id are old. Where nothing is to be kept, all are, whatever the server's clock says."""
    return f"{max(now_ms - keep.ms, 0)}-0" if keep.ms else "18446744073709551615-18446744073709551615"
