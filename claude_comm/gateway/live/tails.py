"""Tails of streams: one reader for all clients of this gateway, whatever they follow.

Law: an entry is read, decoded and written once, for however many follow its stream, and nobody who follows is waited
for: a follower's `take` returns at once. A follower reads what it missed by itself, and joins the others where they
are: none before, none twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from claude_comm.errors import TransportError
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.live.batches import StreamBatch, read_batches
from claude_comm.gateway.live.positions import Position
from claude_comm.ops import follow

PAGE = 500
# How long a read waits: a stream that is followed anew is read after that at the latest.
WAIT_MS = 200
_AWAY_S = 0.5
# So many followers are handed a batch in one go: then others of this process have their turn.
_AT_ONCE = 100


class StreamListener:
    """Who follows some streams: `take` is given messages, and never waits."""

    __slots__ = ("positions", "take")

    def __init__(self, take: Callable[[StreamBatch], None], positions: dict[str, Position]) -> None:
        self.take, self.positions = take, positions


class Tails:
    """The one reader."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._followers: dict[str, set[StreamListener]] = {}
        self._at: dict[str, Position] = {}
        self._task: asyncio.Task[None] | None = None
        self.read = 0

    async def join(self, follower: StreamListener, stream: str) -> None:
        """Reads what the follower has missed, then hands it what comes."""
        while True:
            mine = follower.positions[stream]
            shared = self._at.get(stream)
            if shared is not None and shared.order <= mine.order:
                break
            page = (await self._gateway.client.run(follow.read({stream: mine.entry}, count=PAGE))).get(stream, ())
            if page:
                for batch in read_batches(stream, page, mine, self._max_bytes):
                    _hand(follower, batch)
                await asyncio.sleep(0)
            elif stream not in self._at:
                self._at[stream] = mine
                break
        self._followers.setdefault(stream, set()).add(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, follower: StreamListener) -> None:
        for stream in follower.positions:
            followers = self._followers.get(stream, set())
            followers.discard(follower)
            if not followers:
                self._followers.pop(stream, None)
                self._at.pop(stream, None)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def _max_bytes(self) -> int:
        return self._gateway.settings.max_envelope_bytes

    async def _run(self) -> None:
        reach = self._gateway.settings.url.partition("://")[0]
        on_cluster = reach.endswith("+cluster")
        while self._followers:
            try:
                after = {stream: position.entry for stream, position in self._at.items()}
                pages = await self._gateway.client.run(
                    follow.read(after, count=PAGE, block_ms=WAIT_MS, reach="cluster" if on_cluster else "server")
                )
            except TransportError as error:
                self._gateway.log.warning("gateway.tails_away", error=str(error))
                await asyncio.sleep(_AWAY_S)
                continue
            for stream, entries in pages.items():
                at = self._at.get(stream)
                if at is None or at.entry != after[stream]:
                    continue  # nobody follows it any more, or somebody anew
                for batch in read_batches(stream, entries, at, self._max_bytes):
                    if stream not in self._at:
                        break
                    self._at[stream] = batch.end
                    self.read += len(batch.items)
                    await self._spread(batch)
            await asyncio.sleep(0.02 if on_cluster and not pages else 0)

    async def _spread(self, batch: StreamBatch) -> None:
        """Hands a batch to all who follow its stream now; who joins meanwhile has read it by itself."""
        followers = self._followers.get(batch.stream, set())
        for number, follower in enumerate(tuple(followers), 1):
            if follower in followers:
                _hand(follower, batch)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)


def _hand(follower: StreamListener, batch: StreamBatch) -> None:
    mine = follower.positions[batch.stream].order
    if batch.items and batch.items[0].position.order <= mine:
        batch = batch.after(mine)
    if batch.end.order > mine:
        follower.positions[batch.stream] = batch.end
        follower.take(batch)
