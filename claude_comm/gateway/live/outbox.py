"""What waits for one client: a bounded queue, written as far as the client reads.

Law: whoever puts something in never waits. A client that reads is written to at once, with the bytes that all others
get; what waits for one that does not leaves as one frame when it reads again. A client that does not keep up by count
or by bytes gets an error frame with the positions to resume from, and is closed with 4008.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

import msgspec

from claude_comm.gateway.core.options import Limits
from claude_comm.gateway.core.problems import Problem
from claude_comm.gateway.live.batches import FRAME_BYTES, Form, StreamBatch, merged, packed
from claude_comm.gateway.live.wire import Room, frame

# Close codes of our own (4000 to 4999): too slow; taken over by another; the gateway ends; no token in time;
# a fault of ours.
TOO_SLOW, TAKEN_OVER, GOING_AWAY, UNAUTHORISED, FAILED = 4008, 4009, 1001, 4001, 1011
# Answers that wait: while there are more bytes of them, no further frame of their client is read.
ANSWER_BYTES = 256 * 1024


class OutgoingWire(Protocol):
    """What an outbox needs of a connection: see `wire.Wire`."""

    on_room: Room | None

    @property
    def writable_now(self) -> bool: ...
    def write(self, frames: bytes) -> None: ...
    def end(self, code: int, reason: str) -> None: ...


class Outlet(Protocol):
    """What a feed and the end of a gateway need of what waits for a client, over WebSocket or HTTP."""

    sent: dict[str, dict[str, str]]

    def put_batch(self, sub: str, batch: StreamBatch) -> None: ...
    def put(self, frame_: dict[str, Any]) -> None: ...
    def close(self, code: int, reason: str) -> None: ...


class ClientOutbox:
    """One client's. `form` says how its frames are written."""

    __slots__ = ("_answers", "_bytes", "_closing", "_limits", "_messages", "_room", "_waiting", "_wire", "form", "sent")

    def __init__(self, wire: OutgoingWire, limits: Limits, form: Form = "json") -> None:
        self._wire, self._limits = wire, limits
        self.form: Form = form
        wire.on_room = self._flush
        # Batches with their subscription, and frames that are whole.
        self._waiting: deque[tuple[str, StreamBatch] | bytes] | None = None
        self._messages = self._bytes = self._answers = 0
        self._closing: tuple[int, str] | None = None
        self._room: asyncio.Event | None = None
        # By subscription and stream, what has left.
        self.sent: dict[str, dict[str, str]] = {}

    def put_batch(self, sub: str, batch: StreamBatch) -> None:
        """Messages of a subscription."""
        if self._closing is not None or not batch.items:
            return
        if self._waiting is None and self._wire.writable_now:
            self._write(sub, batch)
            return
        self._keep((sub, batch))
        self._messages += len(batch.items)
        self._bytes += batch.size
        if self._messages > self._limits.queue_messages or self._bytes > self._limits.queue_bytes:
            self._overflow()

    def put(self, frame_: dict[str, Any]) -> None:
        """A frame by itself."""
        if self._closing is not None:
            return
        packs = self.form == "msgpack"
        content = msgspec.msgpack.encode(packed(frame_)) if packs else msgspec.json.encode(frame_)
        written = frame(content, text=not packs)
        if self._waiting is None and self._wire.writable_now:
            self._wire.write(written)
            return
        self._keep(written)
        self._answers += len(written)

    async def room(self) -> None:
        """Until the client has read its answers, or is closed: whoever makes more of them for it waits here."""
        while self._answers > ANSWER_BYTES and self._closing is None:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            await self._room.wait()

    def close(self, code: int, reason: str) -> None:
        """Closes the connection once what waits has left."""
        if self._closing is None:
            self._closing = code, reason
            self._tell_room()
            if self._waiting is None:
                self._wire.end(code, reason)

    def _keep(self, entry: tuple[str, StreamBatch] | bytes) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(entry)

    def _flush(self) -> None:
        """Writes what waits, as long as the client reads."""
        waiting = self._waiting
        while waiting and self._wire.writable_now:
            entry = waiting.popleft()
            if isinstance(entry, bytes):
                self._answers -= len(entry)
                self._wire.write(entry)
                continue
            sub, batch = entry
            batches = [batch]
            size = batch.size
            while waiting and size < FRAME_BYTES and _continues(waiting[0], sub, batch.stream):
                following = waiting.popleft()
                assert not isinstance(following, bytes)
                batches.append(following[1])
                size += following[1].size
            self._messages -= sum(len(part.items) for part in batches)
            self._bytes -= size
            self._write(sub, merged(batches))
        self._tell_room()
        if waiting is not None and not waiting:
            self._waiting = None
            if self._closing is not None:
                self._wire.end(*self._closing)

    def _write(self, sub: str, batch: StreamBatch) -> None:
        self._wire.write(batch.written(self.form, sub))
        self.sent.setdefault(sub, {})[batch.stream] = batch.position

    def _overflow(self) -> None:
        """Drops what waits: the client reads it again from the positions that it is told. The end does not wait for
        it to read."""
        for entry in self._waiting or ():
            if isinstance(entry, bytes):
                self._wire.write(entry)
        self._waiting, self._messages, self._bytes, self._answers = None, 0, 0, 0
        problem = Problem(429, "too_slow", "you read more slowly than messages come: connect again, and resume.")
        told = msgspec.to_builtins(problem)
        content = {"kind": "error", **told, "resume": self.sent}
        packs = self.form == "msgpack"
        encoded = msgspec.msgpack.encode(content) if packs else msgspec.json.encode(content)
        self._wire.write(frame(encoded, text=not packs))
        self.close(TOO_SLOW, "too slow: resume from the positions in the last frame")

    def _tell_room(self) -> None:
        if self._room is not None:
            self._room.set()


def _continues(entry: tuple[str, StreamBatch] | bytes, sub: str, stream: str) -> bool:
    return not isinstance(entry, bytes) and entry[0] == sub and entry[1].stream == stream
