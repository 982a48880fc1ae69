"""Feeds: a topic, a session, or everything that goes on, followed without taking anything from anybody.

Law: a feed goes on from the positions that its client names; what is gone since is told before anything is delivered.
Streams that appear later are followed from their beginning.
"""

from __future__ import annotations

import asyncio
from typing import Any

from claude_comm.errors import TransportError
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.live import positions
from claude_comm.gateway.live.batches import StreamBatch, envelope_of
from claude_comm.gateway.live.outbox import Outlet
from claude_comm.gateway.live.positions import Position
from claude_comm.gateway.live.tails import StreamListener, Tails
from claude_comm.ops import follow

# How often streams are looked for that nobody follows yet.
LIST_S = 1.0


class Feed:
    """One subscription; `session` lets through what belongs to it."""

    def __init__(self, tails: Tails, gateway: Gateway, outbox: Outlet, sub: str, *, session: str = "") -> None:
        self._tails, self._gateway, self._outbox, self._sub, self._session = tails, gateway, outbox, sub, session
        self._follower = StreamListener(self._take, {})
        self._whole = False
        self._task: asyncio.Task[None] | None = None

    async def begin(self, streams: list[str] | None, after: dict[str, Position], *, oldest: bool) -> dict[str, Any]:
        """Finds where to begin in each stream; all of them where none are named. What is missing, by stream."""
        self._whole = streams is None
        missing: dict[str, int | None] = {}
        for stream in streams if streams is not None else await self._announced():
            if stream in after:
                resumed = await self._gateway.client.run(positions.resume(stream, after[stream], self._epoch))
                self._follower.positions[stream] = resumed.position
                if resumed.missing != 0:
                    missing[stream] = resumed.missing
            else:
                # A stream that a resuming client has not met is new to it: nothing of it was seen.
                find = positions.start if oldest or after else positions.end
                self._follower.positions[stream] = await self._gateway.client.run(find(stream))
        begun = {stream: position.text() for stream, position in self._follower.positions.items()}
        self._outbox.sent[self._sub] = dict(begun)
        return {"positions": begun, "missing": missing, "recovered": not missing}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._tails.leave(self._follower)
        self._outbox.sent.pop(self._sub, None)

    async def _run(self) -> None:
        joined: set[str] = set()
        while True:
            try:
                for stream in [stream for stream in self._follower.positions if stream not in joined]:
                    await self._tails.join(self._follower, stream)
                    joined.add(stream)
                if not self._whole:
                    return
                await asyncio.sleep(LIST_S)
                for stream in await self._announced():
                    self._follower.positions.setdefault(stream, Position())
            except TransportError:
                await asyncio.sleep(LIST_S)

    def _take(self, batch: StreamBatch) -> None:
        self._outbox.put_batch(self._sub, batch.of_session(self._session) if self._session else batch)

    async def _announced(self) -> list[str]:
        announced = await self._gateway.client.run(follow.announced(self._gateway.keys))
        return [stream.key for stream in announced.streams]

    def _epoch(self, fields: Any) -> str:
        envelope = envelope_of(fields, self._gateway.settings.max_envelope_bytes)
        return positions.epoch_of(envelope.id) if envelope else ""
