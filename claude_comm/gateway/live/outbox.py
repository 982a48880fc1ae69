"""What waits for one client: a bounded queue, and the one task that empties it.

Law: whoever puts something in never waits. What waits leaves as one frame. A client that does not keep up by count or
by bytes gets an error frame with the positions to resume from, and is closed with 4008.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from claude_comm.gateway.core.options import Limits
from claude_comm.gateway.core.problems import Problem
from claude_comm.gateway.live.tails import Item

Send: TypeAlias = Callable[[Any], Awaitable[None]]

# Close codes of our own (4000 to 4999): too slow; taken over by another; the gateway ends; no token in time.
TOO_SLOW, TAKEN_OVER, GOING_AWAY, UNAUTHORISED = 4008, 4009, 1001, 4001
# How much one frame carries at most: what is beyond waits for the next.
FRAME_BYTES = 256 * 1024


class Entry(msgspec.Struct, gc=False):
    """Something that waits: an item of a subscription, or a whole frame where there is no subscription."""

    sub: str
    item: Item | None
    frame: Any = None


class Outbox:
    """One client's. `packs` says that its frames are MessagePack; `plain`, that each item is a frame by itself."""

    def __init__(self, send: Send, limits: Limits, *, plain: bool = False) -> None:
        self._send, self._limits, self.plain = send, limits, plain
        self.packs = False
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._ready = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        # By subscription and stream, what has left.
        self.sent: dict[str, dict[str, str]] = {}

    def put_items(self, sub: str, items: list[Item]) -> None:
        if self._closing is not None:
            return
        for item in items:
            if item.envelope is not None:
                self._waiting.append(Entry(sub, item))
                self._bytes += len(item.envelope.data) + 300
        if len(self._waiting) > self._limits.queue_messages or self._bytes > self._limits.queue_bytes:
            self._overflow()
        self._ready.set()

    def put(self, frame: dict[str, Any]) -> None:
        """A whole frame."""
        if self._closing is None:
            self._waiting.append(Entry("", None, frame))
            self._ready.set()

    def close(self, code: int, reason: str) -> None:
        """Closes the connection once what waits has left."""
        self._closing = self._closing or (code, reason)
        self._ready.set()

    async def run(self) -> None:
        """Sends until the connection is closed."""
        while True:
            if not self._waiting:
                if self._closing is not None:
                    code, reason = self._closing
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
                    return
                self._ready.clear()
                await self._ready.wait()
                continue
            waiting, self._waiting, self._bytes = self._waiting, [], 0
            at = 0
            while at < len(waiting):
                if self._closing is not None and self._closing[0] == TOO_SLOW and waiting[at].item is not None:
                    at += 1
                    continue
                at = await self._frame(waiting, at)

    async def _frame(self, waiting: list[Entry], at: int) -> int:
        """Sends what stands at that place, and what may go with it; where the rest begins."""
        first = waiting[at]
        if first.item is None:
            await self._write(first.frame)
            return at + 1
        if self.plain:
            await self._send({"type": "websocket.send", "text": first.item.json.decode()})
            return at + 1
        items, size = [], 0
        positions: dict[str, str] = {}
        while at < len(waiting) and size < FRAME_BYTES:
            entry = waiting[at]
            if entry.item is None or entry.sub != first.sub:
                break
            items.append(entry.item)
            assert entry.item.envelope is not None
            size += len(entry.item.envelope.data) + 300
            at += 1
        for item in items:
            positions[item.stream] = item.position.text()
        await self._write_items(first.sub, items, positions)
        self.sent.setdefault(first.sub, {}).update(positions)
        return at

    async def _write_items(self, sub: str, items: list[Item], positions: dict[str, str]) -> None:
        if self.packs:
            frame = {"kind": "deliver", "sub": sub, "messages": [item.event for item in items], "positions": positions}
            await self._write(frame)
            return
        text = b"".join(
            (
                b'{"kind":"deliver","sub":',
                msgspec.json.encode(sub),
                b',"messages":[',
                b",".join([item.json for item in items]),
                b'],"positions":',
                msgspec.json.encode(positions),
                b"}",
            )
        )
        await self._send({"type": "websocket.send", "text": text.decode()})

    async def _write(self, frame: dict[str, Any]) -> None:
        if self.packs:
            await self._send({"type": "websocket.send", "bytes": msgspec.msgpack.encode(plain(frame))})
        else:
            await self._send({"type": "websocket.send", "text": msgspec.json.encode(frame).decode()})

    def _overflow(self) -> None:
        """Drops what waits: the client reads it again from the positions that it is told."""
        self._waiting = [entry for entry in self._waiting if entry.item is None]
        self._bytes = 0
        problem = Problem(429, "too_slow", "you read more slowly than messages come: connect again, and resume.")
        self.put({"kind": "error", **msgspec.to_builtins(problem), "resume": self.sent})
        self.close(TOO_SLOW, "too slow: resume from the positions in the last frame")


def plain(value: Any) -> Any:
    """JSON text within a frame as the values that it says, for MessagePack."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value
